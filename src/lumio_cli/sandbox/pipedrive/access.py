"""Who asks: OAuth's endpoints on oauth.pipedrive.com, and the users of v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..forms import client_form
from ..http import Request, Response
from ..lookalike import OAuthError, Token
from .data import FIRST_USER, USERS
from .errors import done, failed, oauth_failed

if TYPE_CHECKING:
    from .account import Account

COMPANY = 54_235_233
DOMAIN = "lumio-sandbox"
_WORDS = {
    "invalid_client": "Invalid client: client is invalid",
    "unsupported_grant_type": "Unsupported grant type: `grant_type` is invalid",
    "invalid_request": "Invalid request: `redirect_uri` is invalid",
}
_NAMES = ("Åsa Sandbox", "José Conta", "太郎 山田", "O'Brien [bold]")


def authorize(account: Account, request: Request) -> Response:
    """GET /oauth/authorize. Which scopes an app asks for is said in its registration, not here;
    a user who declines comes back with `user_denied`."""
    try:
        answer = account.vault.authorize(request)
    except OAuthError as error:
        return failed(400, f"{error.error}: {error.description}")
    where = answer.headers["Location"]
    answer.headers["Location"] = where.replace("error=access_denied", "error=user_denied")
    return answer


def token(account: Account, request: Request) -> Response:
    """POST /oauth/token: the client by HTTP Basic, or (not recommended) in the form."""
    kind = request.headers.get("content-type", "").split(";")[0]
    if kind != "application/x-www-form-urlencoded":
        message = "Invalid request: content must be `application/x-www-form-urlencoded`"
        return oauth_failed("invalid_request", message)
    form = client_form(request)
    if form.get("grant_type") not in ("authorization_code", "refresh_token"):
        return oauth_failed("unsupported_grant_type", _WORDS["unsupported_grant_type"])
    try:
        granted, refresh = account.vault.exchange(form)
    except OAuthError as error:
        told = _WORDS.get(error.error)
        if told is None:
            what = (
                "refresh_token" if form["grant_type"] == "refresh_token" else "authorization_code"
            )
            told = f"Invalid grant: `{what}` is invalid"
        return oauth_failed(error.error, told)
    body = {
        "access_token": granted.value,
        "token_type": "Bearer",
        "expires_in": int(account.vault.seconds) - 1,
        "refresh_token": refresh,
        "scope": ",".join(sorted(granted.scopes)),
        "api_domain": f"https://{DOMAIN}.pipedrive.com",
    }
    return Response.of_json(body)


def revoke(account: Account, request: Request) -> Response:
    """POST /oauth/revoke."""
    account.vault.revoke(client_form(request).get("token", ""))
    return Response.of_json({})


def user(number: int) -> dict[str, Any]:
    """A user, as v1 shows it: times without a zone."""
    return {
        "id": FIRST_USER + number,
        "name": _NAMES[number % len(_NAMES)],
        "default_currency": "EUR",
        "locale": "pt_BR",
        "lang": 1,
        "email": f"user{number}@sandbox.example",
        "phone": None,
        "activated": True,
        "last_login": "2026-01-02 08:45:56",
        "created": "2025-01-02 09:16:26",
        "modified": "2026-01-02 08:45:56",
        "has_created_company": number == 0,
        "access": [{"app": "sales", "admin": number == 0, "permission_set_id": f"set-{number}"}],
        "active_flag": True,
        "timezone_name": "America/Sao_Paulo",
        "timezone_offset": "-03:00",
        "role_id": 1,
        "icon_url": None,
        "is_you": number == 0,
        "is_deleted": False,
    }


def list_users(_account: Account, _request: Request) -> Response:
    """GET /api/v1/users: all of them."""
    return done([user(number) for number in range(USERS)])


def me(_account: Account, _request: Request) -> Response:
    """GET /api/v1/users/me, with the company."""
    company = {
        "company_id": COMPANY,
        "company_name": "Lumio Sandbox GmbH",
        "company_domain": DOMAIN,
        "company_country": "BR",
        "company_industry": "IT Services",
        "language": {"language_code": "pt", "country_code": "BR"},
    }
    return done({**user(0), **company})


def is_api_token(found: Token) -> bool:
    """Whether it is one of the tokens that users find in their settings."""
    return not found.oauth
