"""What look-alikes share: an account's credentials, OAuth, quotas, and a request's way through.

A look-alike declares `published` quotas, `routes` and how it words an error; the rest is here.
Nothing here is a reading of a provider's API: it knows RFC 6749 and RFC 7636, and no more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote, urlencode, urlsplit

import orjson

from .http import BadJsonError, Request, Response, Route, Routes
from .options import Options
from .quota import Ledger, parse_quota
from .table import Table

CLIENT_ID = "00000000-0000-4000-8000-00000000c11d"
CLIENT_SECRET = "00000000-0000-4000-8000-0000005ec2e7"  # noqa: S105 - fake, and says so
ACCESS_SECONDS = 3600.0


class Answered(Exception):  # noqa: N818 - it is an answer, raised from wherever it is known
    """An answer other than success, in the provider's own shape."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass(slots=True)
class Token:
    """A credential. `expires_at` is in seconds since the epoch; None never comes."""

    value: str
    scopes: frozenset[str]
    oauth: bool = False
    expires_at: float | None = None
    refresh: str = ""


@dataclass(slots=True)
class Grant:
    """What a consent gave: an authorization code, later a refresh token."""

    scopes: tuple[str, ...]
    redirect_uri: str = ""
    challenge: str | None = None
    method: str = "plain"


class OAuthError(Exception):
    """RFC 6749 section 5.2: `error` and its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


@dataclass(slots=True)
class Vault:
    """The tokens of an account, and an authorization server for it.

    `rotate`: a refresh token works once, and its answer brings the next one.
    """

    clock: Callable[[], float]
    prefix: str = "sandbox"
    scopes: tuple[str, ...] = ()
    seconds: float = ACCESS_SECONDS
    rotate: bool = False
    consent: bool = True
    tokens: dict[str, Token] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    codes: dict[str, Grant] = field(default_factory=dict)
    refreshes: dict[str, Grant] = field(default_factory=dict)
    _issued: int = 0

    def add(
        self,
        name: str,
        value: str,
        scopes: Iterable[str] | None = None,
        expires_at: float | None = None,
    ) -> Token:
        """Make a token known, under a name that the ready line shows; with all scopes if None."""
        granted = frozenset(self.scopes if scopes is None else scopes)
        self.tokens[value] = Token(value, granted, expires_at=expires_at)
        self.names[name] = value
        return self.tokens[value]

    def number(self) -> int:
        """A number for the next secret: secrets here are counted, so that runs are alike."""
        self._issued += 1
        return self._issued

    def issue(self, scopes: Iterable[str], refresh: str = "", age: float = 0.0) -> Token:
        """A fresh OAuth access token, or one that is `age` seconds old."""
        value = f"{self.prefix}-access-{self.number():06d}"
        expires = self.clock() - age + self.seconds
        self.tokens[value] = Token(value, frozenset(scopes), True, expires, refresh)
        return self.tokens[value]

    def grant(self, scopes: Iterable[str], challenge: str | None = None) -> str:
        """A fresh refresh token; that of a public client where there was a `challenge`."""
        refresh = f"{self.prefix}-refresh-{self.number():06d}"
        self.refreshes[refresh] = Grant(tuple(scopes), challenge=challenge)
        return refresh

    def find(self, value: str) -> Token | None:
        """A token that is known and has not expired."""
        token = self.tokens.get(value)
        if token is None or (token.expires_at is not None and token.expires_at <= self.clock()):
            return None
        return token

    def expire(self, value: str) -> None:
        """A token that is known expires now."""
        if value in self.tokens:
            self.tokens[value].expires_at = self.clock()

    def authorize(self, request: Request, wanted: Iterable[str] | None = None) -> Response:
        """The consent page (RFC 6749 section 4.1.1), whose user answers at once: with a code for
        the scopes that are `wanted` (those that the request asks for, or all, if None), or with
        `access_denied` where the account's `consent` is False or the request says `deny=true`.
        Raises OAuthError where nobody may be redirected."""
        redirect = request.one("redirect_uri") or ""
        where = urlsplit(redirect)
        local = where.hostname in ("127.0.0.1", "localhost", "::1")
        if where.scheme != "https" and not (where.scheme == "http" and local):
            raise OAuthError("invalid_request", "redirect_uri must be https, or http on localhost")
        if request.one("client_id") != CLIENT_ID:
            raise OAuthError("invalid_client", "unknown client_id")
        state = {"state": request.one("state")} if request.one("state") else {}
        if request.one("deny") == "true" or not self.consent:
            answer = {"error": "access_denied", "error_description": "The user denied the request"}
        else:
            asked = (request.one("scope") or "").replace(",", " ").split()
            known = [s for s in (asked if wanted is None else wanted) if s in self.scopes]
            granted = tuple(dict.fromkeys(known))
            code = f"{self.prefix}-code-{self.number():06d}"
            self.codes[code] = Grant(
                granted if wanted is not None else granted or self.scopes,
                redirect,
                request.one("code_challenge"),
                request.one("code_challenge_method") or "plain",
            )
            answer = {"code": code}
        joint = "&" if where.query else "?"
        location = f"{redirect}{joint}{urlencode({**answer, **state})}"
        return Response(302, headers={"Location": location})

    def exchange(self, form: Mapping[str, str]) -> tuple[Token, str]:
        """An access and a refresh token for a token request's form (`authorization_code`,
        `refresh_token` or `client_credentials`). Raises OAuthError."""
        if form.get("client_id") != CLIENT_ID:
            raise OAuthError("invalid_client", "missing or unknown client id")
        kind = form.get("grant_type")
        if kind == "authorization_code":
            # A code works once, whatever comes of it.
            grant = self.codes.pop(form.get("code", ""), None)
            if grant is None:
                raise OAuthError("invalid_grant", "missing or unknown auth code")
            if form.get("redirect_uri") != grant.redirect_uri:
                raise OAuthError("invalid_grant", "missing or invalid redirect uri")
            self._check_client(form, grant)
            if not verified(grant, form.get("code_verifier")):
                raise OAuthError("invalid_grant", "code verifier does not match")
            refresh = self.grant(grant.scopes, grant.challenge)
        elif kind == "refresh_token":
            refresh = form.get("refresh_token", "")
            known = self.refreshes.get(refresh)
            if known is None:
                raise OAuthError("invalid_grant", "missing or invalid refresh token")
            grant = known
            self._check_client(form, grant)
            if self.rotate:
                del self.refreshes[refresh]
                refresh = self.grant(grant.scopes, grant.challenge)
        elif kind == "client_credentials":
            grant, refresh = Grant(self.scopes), ""
            self._check_client(form, grant)
        else:
            raise OAuthError("unsupported_grant_type", "missing or unknown grant type")
        return self.issue(grant.scopes, refresh), refresh

    def revoke(self, value: str) -> None:
        """Revoke a token of either kind and what came of it (RFC 7009: unknown ones, too)."""
        self.refreshes.pop(value, None)
        for known in list(self.tokens.values()):
            if value in (known.value, known.refresh):
                del self.tokens[known.value]

    @staticmethod
    def _check_client(form: Mapping[str, str], grant: Grant) -> None:
        # With PKCE a public client has no secret to send; one that is sent must still be right.
        if grant.challenge is not None and "client_secret" not in form:
            return
        if form.get("client_secret") != CLIENT_SECRET:
            raise OAuthError("invalid_client", "missing or invalid client secret")


def verified(grant: Grant, verifier: str | None) -> bool:
    """Whether a code verifier fits the grant's challenge (RFC 7636, section 4.6)."""
    if grant.challenge is None:
        return True
    if not verifier:
        return False
    if grant.method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(verifier, grant.challenge)


class LookAlike:
    """One account behind HTTP. A subclass declares:

    name       of the provider
    published  its quotas by name, as `--quota NAME=N` changes them
    routes     its paths; a handler gets (account, request, **names in the path). `quota` of a
               route is passed to `charge`; "open" needs no token and is not counted
    tables     its records by type, for the control API: create, update, delete, purge, dump

    and words answers: `authenticate`, `charge`, `refuse`, `failure`, `distort`, `ready`.
    """

    name: ClassVar[str]
    published: ClassVar[Mapping[str, int]] = {}
    routes: ClassVar[Routes]

    def __init__(self, options: Options) -> None:
        self.records = options.records
        self.seed = options.seed
        clock = self.clock = options.clock
        self.lock = threading.RLock()
        self.ledger = Ledger(clock)
        self.limits = parse_quota(options.quota, self.published, self.name)
        self.vault = Vault(clock, prefix=self.name)
        self.tables: dict[str, Table] = {}
        self.answers = 0

    # -- to be worded by the provider

    def authenticate(self, request: Request) -> Token:
        """The token of a request. Raises Answered (401 and the like)."""
        raise NotImplementedError

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """Take the request from the quotas; headers for its answer. Raises Answered (429)."""
        return {}

    def refuse(self, status: int, message: str) -> Response:
        """An error in the provider's shape: 404 for an unknown path, 405 for a method, 400 for a
        body that is no JSON or has the wrong shape."""
        raise NotImplementedError

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage or a throttle in the provider's own words, for faults that ask for one."""
        response = self.refuse(status, "sandbox fault")
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A JSON answer with a fault of its content."""
        raise NotImplementedError

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know to use the look-alike."""
        return {
            "base_url": base_url,
            "token": self.vault.names["full"],
            "tokens": dict(self.vault.names),
            "oauth": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        }

    # -- a request's way

    def label(self, request: Request) -> str:
        """The path; a look-alike whose requests share one path says more."""
        return request.path

    def handle(self, request: Request) -> Response:
        """Answers a request; whatever goes wrong is an answer in the provider's shape."""
        with self.lock:
            self.answers += 1
            try:
                return self._answer(request)
            except Answered as answered:
                return answered.response
            except BadJsonError as error:
                return self.refuse(400, f"invalid JSON: {error}")
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                # A body of the right kind but the wrong shape.
                return self.refuse(400, f"invalid request: {error!r}")

    def _answer(self, request: Request) -> Response:
        try:
            found = self.routes.find(request.method, self.path(request))
        except LookupError:
            raise Answered(self.refuse(405, "method not allowed")) from None
        if found is None:
            raise Answered(self.refuse(404, f"no resource at {request.path}"))
        route, values = found
        values = {name: unquote(value) for name, value in values.items()}
        if route.quota == "open":
            return self.call(route, request, values)
        token = self.authenticate(request)
        headers = self.charge(route.quota, request, token)
        self.permit(route, values, token)
        try:
            response = self.call(route, request, values)
        except Answered as answered:
            answered.response.headers.update(headers)
            raise
        response.headers.update(headers)
        return response

    def path(self, request: Request) -> str:
        """The path that a request is routed by, where that is not its own."""
        return request.path

    def call(self, route: Route, request: Request, values: dict[str, str]) -> Response:
        """Answer by the route's handler. Raises Answered."""
        return route.handler(self, request, **values)

    def permit(self, route: Route, values: dict[str, str], token: Token) -> None:
        """Raises Answered where the token lacks a scope of the route. Any one of them will do."""
        wanted = route.scopes(**values) if route.scopes else ()
        if wanted and token.scopes.isdisjoint(wanted):
            raise Answered(self.refuse(403, f"missing scope: {' or '.join(wanted)}"))

    def expire(self, request: Request) -> None:
        """The token of this request expires now."""
        with self.lock:
            self.vault.expire(self.presented(request))

    def presented(self, request: Request) -> str:
        """The token that a request carries, good or bad."""
        return request.headers.get("authorization", "").rpartition(" ")[2]

    def now(self) -> float:
        """The provider's own clock, in seconds since the epoch."""
        return self.clock()

    def quotas(self) -> tuple[str, ...]:
        """The names of the quotas."""
        return tuple(self.published)

    def over_quota(self) -> int:
        """How many requests the quotas refused."""
        return self.ledger.refused

    def stats(self) -> dict[str, Any]:
        """Records by type, and the requests that quotas refused."""
        with self.lock:
            return {
                "records": {name: len(table) for name, table in self.tables.items()},
                "over_quota": self.over_quota(),
            }

    # -- the control API

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """`/_sandbox/PROVIDER/...`: see sandbox.control."""
        with self.lock:
            if parts == ["consent"] and request.method == "POST":
                self.vault.consent = bool(request.json().get("consent", True))
                return Response.of_json({"consent": self.vault.consent})
            if len(parts) != 2 or parts[0] not in self.tables:
                return None
            table, action = self.tables[parts[0]], parts[1]
            if action == "dump" and request.method == "GET":
                lines = (orjson.dumps(document) + b"\n" for document in list(table))
                kind = {"Content-Type": "application/x-ndjson"}
                return Response(200, headers=kind, stream=lines)
            if request.method != "POST":
                return None
            body = request.json()
            if action == "create":
                return Response.of_json({"id": table.insert(body["values"])}, 201)
            if action == "update":
                table.update(str(body["id"]), body["values"])
            elif action == "delete":
                table.delete(str(body["id"]))
            elif action == "purge":
                table.purge(str(body["id"]))
            else:
                return None
            return Response.of_json({})
