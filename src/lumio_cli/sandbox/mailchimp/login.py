"""Mailchimp's login host: the consent page, the token endpoint, and whose account it is.

Access tokens do not expire and there are no refresh tokens; there are no scopes; the data centre
comes from the metadata call, which answers 200 for a token that is no good, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..http import Request, Response, Route
from ..lookalike import OAuthError
from .problems import problem

if TYPE_CHECKING:
    from .account import Account

DATA_CENTRE = "us6"


def _authorize(account: Account, request: Request) -> Response:
    try:
        return account.vault.authorize(request)
    except OAuthError as error:
        return problem(400, error.description, error.error)


def _token(account: Account, request: Request) -> Response:
    form = request.form()
    if form.get("grant_type") == "refresh_token":
        return _refused(OAuthError("unsupported_grant_type", "grant_type is not supported"))
    try:
        token, _ = account.vault.exchange(form)
    except OAuthError as error:
        return _refused(error)
    token.expires_at = None
    return Response.of_json({"access_token": token.value, "expires_in": 0, "scope": None})


def _refused(error: OAuthError) -> Response:
    document = {"error": error.error, "error_description": error.description}
    return Response.of_json(document, 400)


def _metadata(account: Account, request: Request) -> Response:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    token = account.vault.find(value) if scheme.lower() in ("oauth", "bearer") else None
    if token is None or not token.oauth:
        said = "Invalid OAuth token" if value else "Missing OAuth token"
        return Response.of_json({"error": "invalid_token", "error_description": said})
    return Response.of_json(
        {
            "dc": DATA_CENTRE,
            "role": "owner",
            "accountname": account.account_name,
            "user_id": 17_654_321,
            "login": {"email": "sandbox@example.com", "login_id": 17_654_322,
                      "login_name": "sandbox"},
            "login_url": "https://login.mailchimp.com",
            "api_endpoint": request.base_url,
        }
    )  # fmt: skip


ROUTES = (
    Route("GET", "/oauth2/authorize", _authorize, quota="open"),
    Route("POST", "/oauth2/token", _token, quota="open"),
    Route("GET", "/oauth2/metadata", _metadata, quota="open"),
)
