"""LinkedIn's authorization server, which lives on www.linkedin.com.

The standard flow has no PKCE: a client has a secret. Scopes are separated by spaces on the way in
and by commas on the way out. Refresh tokens are for approved partners; their year is counted from
the first consent, whatever is refreshed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..forms import client_form
from ..http import Request, Response, Route
from ..lookalike import CLIENT_ID, CLIENT_SECRET, OAuthError
from .state import ACCESS_SECONDS

if TYPE_CHECKING:
    from .account import Account

REFRESH_SECONDS = 31_536_000.0


def _refused(error: str, description: str) -> Response:
    status = 401 if error == "invalid_client" else 400
    return Response.of_json({"error": error, "error_description": description}, status)


def authorize(account: Account, request: Request) -> Response:
    """The consent page."""
    try:
        return account.vault.authorize(request)
    except OAuthError as error:
        return _refused(error.error, error.description)


def access_token(account: Account, request: Request) -> Response:
    """A code or a refresh token for an access token."""
    try:
        token, refresh = account.vault.exchange(client_form(request))
    except OAuthError as error:
        return _refused(error.error, error.description)
    now = account.clock()
    body: dict[str, Any] = {
        "access_token": token.value,
        "expires_in": int(account.vault.seconds),
        "scope": ",".join(sorted(token.scopes)),
        "token_type": "Bearer",
    }
    if refresh and account.partner:
        granted = account.granted.setdefault(refresh, now)
        body["refresh_token"] = refresh
        body["refresh_token_expires_in"] = int(REFRESH_SECONDS - (now - granted))
    return Response.of_json(body)


def _is_client(form: dict[str, str]) -> bool:
    return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)


def introspect(account: Account, request: Request) -> Response:
    """Whether a token is good, for how long and for what. Costs nothing of the quotas."""
    form = request.form()
    if not _is_client(form):
        return _refused("invalid_client", "Client authentication failed")
    value = form.get("token", "")
    token = account.vault.tokens.get(value)
    if token is None:
        return Response.of_json({"active": False})
    now = account.clock()
    expires = token.expires_at if token.expires_at is not None else now + ACCESS_SECONDS
    active = expires > now
    return Response.of_json(
        {
            "active": active,
            "client_id": CLIENT_ID,
            "authorized_at": int(expires - ACCESS_SECONDS),
            "created_at": int(expires - ACCESS_SECONDS),
            "status": "active" if active else "expired",
            "expires_at": int(expires),
            "scope": ",".join(sorted(token.scopes)),
            "auth_type": "3L",
        }
    )


def revoke(account: Account, request: Request) -> Response:
    """Make a token worthless."""
    form = request.form()
    if not _is_client(form):
        return _refused("invalid_client", "Client authentication failed")
    account.vault.revoke(form.get("token", ""))
    return Response(200)


ROUTES = (
    Route("GET", "/oauth/v2/authorization", authorize, quota="open"),
    Route("POST", "/oauth/v2/accessToken", access_token, quota="open"),
    Route("POST", "/oauth/v2/introspectToken", introspect, quota="open"),
    Route("POST", "/oauth/v2/revoke", revoke, quota="open"),
)
