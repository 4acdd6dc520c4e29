"""Tokens, scopes and OAuth.

Paths and fields are those of HubSpot's descriptions of OAuth v1 and v3. The consenting user is
played by `GET /oauth/authorize`: it redirects at once, with a code, or with `access_denied` where
the account's `consent` is False or the request says `deny=true`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..forms import client_form
from ..http import Request, Response, Route
from ..lookalike import CLIENT_ID, CLIENT_SECRET, Grant, OAuthError, Token
from .catalog import APP_ID, PORTAL_ID, USER_ID
from .errors import ApiError, invalid

if TYPE_CHECKING:
    from .account import Account

STATUSES = {
    "missing or unknown client id": "BAD_CLIENT_ID",
    "missing or invalid client secret": "BAD_CLIENT_SECRET",
    "missing or unknown auth code": "BAD_AUTH_CODE",
    "missing or invalid redirect uri": "BAD_REDIRECT_URI",
    "code verifier does not match": "BAD_CODE_VERIFIER",
    "missing or invalid refresh token": "BAD_REFRESH_TOKEN",
    "missing or unknown grant type": "BAD_GRANT_TYPE",
}
"""HubSpot's own word for what is wrong with a request for a token."""
HUB_DOMAIN = "sandbox.example"
USER = "operator@sandbox.example"


def _refused(error: str, status: str, message: str, code: int = 400) -> ApiError:
    """An error of the token endpoint: RFC 6749's words beside HubSpot's own."""
    extra = {"status": status, "error": error, "error_description": message}
    return ApiError(code, status, message, extra=extra)


def authorize(hub: Account, request: Request) -> Response:
    """GET the consent page, whose user answers at once."""
    wanted = f"{request.one('scope') or ''} {request.one('optional_scope') or ''}".split()
    try:
        return hub.vault.authorize(request, wanted)
    except OAuthError as error:
        raise invalid(error.description) from None


def token(hub: Account, request: Request) -> Response:
    """POST for an access token: by an authorization code, or by a refresh token."""
    form = client_form(request, query="/v1/" in request.path)
    if form.get("grant_type") == "client_credentials":
        form["grant_type"] = ""
    try:
        fresh, refresh = hub.vault.exchange(form)
    except OAuthError as error:
        raise _refused(error.error, STATUSES[error.description], error.description) from None
    return Response.of_json(
        {
            "token_type": "bearer",
            "token_use": "access_token",
            "access_token": fresh.value,
            "refresh_token": refresh,
            "expires_in": int(hub.vault.seconds),
            "hub_id": PORTAL_ID,
            "user_id": USER_ID,
            "scopes": list(hub.vault.refreshes[refresh].scopes),
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


def _described(hub: Account, token: Token) -> dict[str, Any]:
    left = 0.0 if token.expires_at is None else max(0.0, token.expires_at - hub.clock())
    return {
        "token": token.value, "user": USER, "hub_domain": HUB_DOMAIN, "hub_id": PORTAL_ID,
        "app_id": APP_ID, "user_id": USER_ID, "token_type": "access", "expires_in": int(left),
        "scopes": sorted(token.scopes), "is_private_distribution": False,
        "signed_access_token": _signed(int(hub.clock() + left)),
    }  # fmt: skip


def access_token(hub: Account, _request: Request, token: str) -> Response:
    """GET what is known of an OAuth access token (v1: the token is in the path)."""
    known = hub.vault.tokens.get(token)
    if known is None or not known.oauth:
        raise ApiError(404, "OBJECT_NOT_FOUND", "OAuth token not found")
    return Response.of_json(_described(hub, known))


def refresh_token(hub: Account, request: Request, token: str) -> Response:
    """GET what is known of a refresh token (v1), or DELETE it."""
    grant = hub.vault.refreshes.get(token)
    if grant is None:
        raise ApiError(404, "OBJECT_NOT_FOUND", "Refresh token not found")
    if request.method == "DELETE":
        hub.vault.revoke(token)
        return Response(204)
    return Response.of_json(_refresh_described(token, grant))


def _refresh_described(token: str, grant: Grant) -> dict[str, Any]:
    return {
        "token": token, "user": USER, "hub_domain": HUB_DOMAIN, "hub_id": PORTAL_ID,
        "user_id": USER_ID, "client_id": CLIENT_ID, "token_type": "refresh",
        "scopes": list(grant.scopes),
    }  # fmt: skip


def introspect(hub: Account, request: Request) -> Response:
    """POST for what is known of an access or a refresh token (v3)."""
    form = client_form(request, query=False)
    if form.get("client_id") != CLIENT_ID:
        raise _refused("invalid_client", "BAD_CLIENT_ID", "missing or unknown client id")
    _check_secret(form)
    value = form.get("token", "")
    common: dict[str, Any] = {"active": True, "client_id": CLIENT_ID, "app_id": APP_ID}
    grant = hub.vault.refreshes.get(value)
    if grant is not None:
        described = _refresh_described(value, grant)
        return Response.of_json(
            {**described, **common, "token_use": "refresh_token", "is_private_distribution": False}
        )
    known = hub.vault.tokens.get(value)
    if known is None or not known.oauth:
        raise ApiError(404, "OBJECT_NOT_FOUND", "OAuth token not found")
    common["active"] = known.expires_at is None or known.expires_at > hub.clock()
    return Response.of_json({**_described(hub, known), **common, "token_use": "access_token"})


def revoke(hub: Account, request: Request) -> Response:
    """POST a refresh token to revoke it and what came of it (v3). RFC 7009: unknown ones, too."""
    form = client_form(request, query=False)
    _check_secret(form)
    if (refresh := form.get("token", "")) in hub.vault.refreshes:
        hub.vault.revoke(refresh)
    return Response(204)


def private_app(hub: Account, request: Request) -> Response:
    """POST a private app's token (`tokenKey`) for its account, app and scopes."""
    value = request.json().get("tokenKey")
    known = hub.vault.tokens.get(str(value))
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
