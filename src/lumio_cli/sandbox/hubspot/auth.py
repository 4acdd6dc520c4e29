"""Tokens, scopes and OAuth.

Paths and fields are those of HubSpot's descriptions of OAuth v1 and v3. The consenting user is
played by `GET /oauth/authorize`: it redirects at once, with a code, or with `access_denied` where
the account's `consent` is False or the request says `deny=true`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from ..http import Request, Response, Route
from ..lookalike import CLIENT_ID, CLIENT_SECRET, Grant, Token, client_form, verified
from .catalog import APP_ID, PORTAL_ID, USER_ID
from .errors import ApiError, invalid

if TYPE_CHECKING:
    from .provider import HubSpot

# An OAuth access token lives about half an hour.
TOKEN_SECONDS = 1800
HUB_DOMAIN = "sandbox.example"
USER = "operator@sandbox.example"

_CRM = tuple(
    f"crm.{part}.{kind}.{verb}"
    for kind in ("contacts", "companies", "deals")
    for part in ("objects", "schemas")
    for verb in ("read", "write")
)
ALL_SCOPES = ("oauth", *_CRM, "tickets", "e-commerce", "crm.objects.owners.read")


def _pat(n: int) -> str:
    return f"pat-na1-00000000-0000-4000-8000-{n:012d}"


@dataclass(slots=True)
class Auth:
    """The credentials of an account."""

    tokens: dict[str, Token] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    codes: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    consent: bool = True
    token_seconds: float = TOKEN_SECONDS
    _issued: int = 0

    def __post_init__(self) -> None:
        every = frozenset(ALL_SCOPES)
        self.add("full", _pat(1), every)
        self.add("expired", _pat(2), every, expires_at=0.0)
        self.add("no_tickets", _pat(3), every - {"tickets"})
        self.add("read_only", _pat(4), frozenset(s for s in every if not s.endswith("write")))
        self.add("contacts_only", _pat(5), frozenset({"oauth", "crm.objects.contacts.read"}))
        self.add("no_scopes", _pat(6), frozenset())

    def add(
        self, name: str, value: str, scopes: frozenset[str], expires_at: float | None = None
    ) -> Token:
        """Makes a token known, under a name that the ready line shows."""
        self.tokens[value] = Token(value, scopes, expires_at=expires_at)
        self.names[name] = value
        return self.tokens[value]

    def number(self) -> int:
        """A number for the next secret: secrets here are counted, so that runs are alike."""
        self._issued += 1
        return self._issued

    def issue(self, scopes: tuple[str, ...], refresh: str, now: float) -> Token:
        """A fresh OAuth access token."""
        value = f"CSANDBOX-access-{self.number():06d}"
        token = Token(value, frozenset(scopes), True, now + self.token_seconds, refresh)
        self.tokens[value] = token
        return token

    def authenticate(self, request: Request, now: float) -> Token:
        """The token of a request. Raises ApiError (401)."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise _unauthenticated("Authentication credentials not found. This API supports OAuth")
        token = self.tokens.get(value.strip())
        if token is None:
            raise _unauthenticated("The OAuth token used to make this call is not valid.")
        if token.expires_at is not None and token.expires_at <= now:
            ago = int(now - token.expires_at)
            raise ApiError(
                401,
                "EXPIRED_AUTHENTICATION",
                f"The OAuth token used to make this call expired {ago} second(s) ago.",
            )
        return token


def _unauthenticated(message: str) -> ApiError:
    return ApiError(401, "INVALID_AUTHENTICATION", message)


def _refused(error: str, status: str, message: str, code: int = 400) -> ApiError:
    """An error of the token endpoint: RFC 6749's words beside HubSpot's own."""
    extra = {"status": status, "error": error, "error_description": message}
    return ApiError(code, status, message, extra=extra)


def authorize(hub: HubSpot, request: Request) -> Response:
    """GET the consent page, whose user answers at once."""
    redirect = request.one("redirect_uri") or ""
    where = urlsplit(redirect)
    local = where.hostname in ("127.0.0.1", "localhost", "::1")
    if where.scheme != "https" and not (where.scheme == "http" and local):
        raise invalid("redirect_uri must be https, or http on localhost", redirect_uri=[redirect])
    if request.one("client_id") != CLIENT_ID:
        raise invalid("unknown client_id")
    state = {"state": request.one("state")} if request.one("state") else {}
    if request.one("deny") == "true" or not hub.auth.consent:
        answer = {"error": "access_denied", "error_description": "The user denied the request"}
    else:
        wanted = (request.one("scope") or "").split()
        optional = (request.one("optional_scope") or "").split()
        code = f"sandbox-code-{hub.auth.number():06d}"
        hub.auth.codes[code] = Grant(
            tuple(dict.fromkeys(s for s in (*wanted, *optional) if s in ALL_SCOPES)),
            redirect,
            request.one("code_challenge"),
            request.one("code_challenge_method") or "plain",
        )
        answer = {"code": code}
    joint = "&" if where.query else "?"
    return Response(302, headers={"Location": f"{redirect}{joint}{urlencode({**answer, **state})}"})


def token(hub: HubSpot, request: Request) -> Response:
    """POST for an access token: by an authorization code, or by a refresh token."""
    form = client_form(request, query="/v1/" in request.path)
    if form.get("client_id") != CLIENT_ID:
        raise _refused("invalid_client", "BAD_CLIENT_ID", "missing or unknown client id")
    kind = form.get("grant_type")
    if kind == "authorization_code":
        # A code works once, whatever comes of it.
        grant = hub.auth.codes.pop(form.get("code", ""), None)
        if grant is None:
            raise _refused("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise _refused("invalid_grant", "BAD_REDIRECT_URI", "missing or invalid redirect uri")
        # With PKCE a public client has no secret to send; one that is sent must still be right.
        if grant.challenge is None or "client_secret" in form:
            _check_secret(form)
        if not verified(grant, form.get("code_verifier")):
            raise _refused("invalid_grant", "BAD_CODE_VERIFIER", "code verifier does not match")
        refresh = f"na1-sandbox-refresh-{hub.auth.number():06d}"
        hub.auth.refresh_tokens[refresh] = grant
    elif kind == "refresh_token":
        refresh = form.get("refresh_token", "")
        known = hub.auth.refresh_tokens.get(refresh)
        if known is None:
            raise _refused("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        grant = known
        if grant.challenge is None or "client_secret" in form:
            _check_secret(form)
    else:
        raise _refused("unsupported_grant_type", "BAD_GRANT_TYPE", "missing or unknown grant type")
    fresh = hub.auth.issue(grant.scopes, refresh, hub.clock())
    return Response.of_json(
        {
            "token_type": "bearer",
            "token_use": "access_token",
            "access_token": fresh.value,
            "refresh_token": refresh,
            "expires_in": int(hub.auth.token_seconds),
            "hub_id": PORTAL_ID,
            "user_id": USER_ID,
            "scopes": list(grant.scopes),
        }
    )


def _check_secret(form: dict[str, str]) -> None:
    if form.get("client_secret") != CLIENT_SECRET:
        raise _refused("invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret")


def _signed(seconds: int) -> dict[str, Any]:
    return {
        "appId": APP_ID, "appInstallId": "1", "audience": "sandbox", "expiresAt": seconds * 1000,
        "hubId": PORTAL_ID, "hublet": "na1", "installingUserId": USER_ID,
        "isPrivateDistribution": False, "isServiceAccount": False, "isUserLevel": False,
        "newSignature": "sandbox", "scopeToScopeGroupPks": "", "scopes": "", "signature": "sandbox",
        "trialScopeToScopeGroupPks": "", "trialScopes": "", "userId": USER_ID,
    }  # fmt: skip


def _described(hub: HubSpot, token: Token) -> dict[str, Any]:
    left = 0.0 if token.expires_at is None else max(0.0, token.expires_at - hub.clock())
    return {
        "token": token.value, "user": USER, "hub_domain": HUB_DOMAIN, "hub_id": PORTAL_ID,
        "app_id": APP_ID, "user_id": USER_ID, "token_type": "access", "expires_in": int(left),
        "scopes": sorted(token.scopes), "is_private_distribution": False,
        "signed_access_token": _signed(int(hub.clock() + left)),
    }  # fmt: skip


def access_token(hub: HubSpot, _request: Request, token: str) -> Response:
    """GET what is known of an OAuth access token (v1: the token is in the path)."""
    known = hub.auth.tokens.get(token)
    if known is None or not known.oauth:
        raise ApiError(404, "OBJECT_NOT_FOUND", "OAuth token not found")
    return Response.of_json(_described(hub, known))


def refresh_token(hub: HubSpot, request: Request, token: str) -> Response:
    """GET what is known of a refresh token (v1), or DELETE it."""
    grant = hub.auth.refresh_tokens.get(token)
    if grant is None:
        raise ApiError(404, "OBJECT_NOT_FOUND", "Refresh token not found")
    if request.method == "DELETE":
        _revoke(hub, token)
        return Response(204)
    return Response.of_json(_refresh_described(token, grant))


def _refresh_described(token: str, grant: Grant) -> dict[str, Any]:
    return {
        "token": token, "user": USER, "hub_domain": HUB_DOMAIN, "hub_id": PORTAL_ID,
        "user_id": USER_ID, "client_id": CLIENT_ID, "token_type": "refresh",
        "scopes": list(grant.scopes),
    }  # fmt: skip


def _revoke(hub: HubSpot, refresh: str) -> None:
    hub.auth.refresh_tokens.pop(refresh, None)
    for known in list(hub.auth.tokens.values()):
        if known.oauth and known.refresh == refresh:
            del hub.auth.tokens[known.value]


def introspect(hub: HubSpot, request: Request) -> Response:
    """POST for what is known of an access or a refresh token (v3)."""
    form = client_form(request, query=False)
    if form.get("client_id") != CLIENT_ID:
        raise _refused("invalid_client", "BAD_CLIENT_ID", "missing or unknown client id")
    _check_secret(form)
    value = form.get("token", "")
    common: dict[str, Any] = {"active": True, "client_id": CLIENT_ID, "app_id": APP_ID}
    grant = hub.auth.refresh_tokens.get(value)
    if grant is not None:
        described = _refresh_described(value, grant)
        return Response.of_json(
            {**described, **common, "token_use": "refresh_token", "is_private_distribution": False}
        )
    known = hub.auth.tokens.get(value)
    if known is None or not known.oauth:
        raise ApiError(404, "OBJECT_NOT_FOUND", "OAuth token not found")
    common["active"] = known.expires_at is None or known.expires_at > hub.clock()
    return Response.of_json({**_described(hub, known), **common, "token_use": "access_token"})


def revoke(hub: HubSpot, request: Request) -> Response:
    """POST a refresh token to revoke it and what came of it (v3). RFC 7009: unknown ones, too."""
    form = client_form(request, query=False)
    _check_secret(form)
    _revoke(hub, form.get("token", ""))
    return Response(204)


def private_app(hub: HubSpot, request: Request) -> Response:
    """POST a private app's token (`tokenKey`) for its account, app and scopes."""
    value = request.json().get("tokenKey")
    known = hub.auth.tokens.get(str(value))
    if known is None or known.oauth:
        raise ApiError(404, "OBJECT_NOT_FOUND", "Access token not found")
    return Response.of_json(
        {"userId": USER_ID, "hubId": PORTAL_ID, "appId": APP_ID, "scopes": sorted(known.scopes)},
    )


# None of these counts against the quotas of the CRM's endpoints.
ROUTES = (
    Route("GET", "/oauth/authorize", authorize, quota="open"),
    Route("POST", "/oauth/v1/token", token, quota="open"),
    Route("POST", "/oauth/v3/token", token, quota="open"),
    Route("GET", "/oauth/v1/access-tokens/{token}", access_token, quota="open"),
    Route("GET", "/oauth/v1/refresh-tokens/{token}", refresh_token, quota="open"),
    Route("DELETE", "/oauth/v1/refresh-tokens/{token}", refresh_token, quota="open"),
    Route("POST", "/oauth/v3/token/introspect", introspect, quota="open"),
    Route("POST", "/oauth/v3/token/revoke", revoke, quota="open"),
    Route("POST", "/oauth/v2/private-apps/get/access-token-info", private_app, quota="open"),
)
