"""Who is asking: auth.test, auth.revoke, and the way to a token by OAuth v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..forms import client_form
from ..http import Request, Response
from ..lookalike import OAuthError
from .answers import fail, ok
from .data import APP_ID, BOT_ID, BOT_USER, TEAM_ID, TEAM_NAME
from .methods import Ask, Method

if TYPE_CHECKING:
    from .account import Account

_WORDS = {
    "invalid_client": "bad_client_secret",
    "unsupported_grant_type": "invalid_grant_type",
}


def api_test(ask: Ask) -> Response:
    """Says what it was told."""
    if ask.arguments.text("error"):
        fail(ask.arguments.text("error"))
    return ok(args={})


def auth_test(ask: Ask) -> Response:
    """Whose token it is."""
    answer: dict[str, Any] = {
        "url": "https://sandbox-workspace.slack.example/",
        "team": TEAM_NAME,
        "user": "lumio",
        "team_id": TEAM_ID,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }
    if ask.token.expires_at is not None:
        answer["expires_in"] = int(ask.token.expires_at - ask.slack.clock())
    return ok(**answer)


def auth_revoke(ask: Ask) -> Response:
    """The token is good for nothing from now on, unless it is only a test."""
    if ask.arguments.flag("test"):
        return ok(revoked=False)
    ask.slack.revoked.add(ask.token.value)
    return ok(revoked=True)


def team_info(ask: Ask) -> Response:
    """The workspace."""
    if ask.arguments.text("team") not in ("", TEAM_ID):
        fail("team_not_found")
    domain = "sandbox-workspace"
    icon = {"image_34": "https://a.slack-edge.example/icon.png", "image_default": True}
    team = {"id": TEAM_ID, "name": TEAM_NAME, "domain": domain, "email_domain": "", "icon": icon}
    return ok(team=team)


def consent(slack: Account, request: Request) -> Response:
    """The page on which an administrator installs the app. A redirect is https; an app that uses
    PKCE may be sent to this machine as well, but then gets no bot token."""
    where = urlsplit(request.one("redirect_uri") or "")
    if where.scheme != "https":
        if request.one("code_challenge") is None:
            return _page("redirect_uri did not match any configured URIs")
        if request.one("scope"):
            return _page("desktop redirects may not request bot scopes")
    request.query = {k: v for k, v in request.query.items() if k != "user_scope"}
    try:
        return slack.vault.authorize(request)
    except OAuthError as error:
        return _page(error.description)


def access(ask: Ask) -> Response:
    """Tokens for a code, or for a refresh token, which works once."""
    form = client_form(ask.request)
    if not form.get("grant_type"):
        form["grant_type"] = "authorization_code"
    try:
        issued, refresh = ask.slack.vault.exchange(form)
    except OAuthError as error:
        fail(_word(error, form["grant_type"]))
    answer: dict[str, Any] = {
        "access_token": issued.value,
        "token_type": "bot",
        "scope": ",".join(sorted(issued.scopes)),
        "bot_user_id": BOT_USER,
        "app_id": APP_ID,
        "team": {"id": TEAM_ID, "name": TEAM_NAME},
        "enterprise": None,
        "is_enterprise_install": False,
    }
    if form["grant_type"] == "authorization_code":
        answer["authed_user"] = {"id": "U0INSTALLER"}
    if ask.slack.rotation:
        answer |= {"refresh_token": refresh, "expires_in": int(ask.slack.vault.seconds)}
    else:
        issued.expires_at = None
    return ok(**answer)


def _word(error: OAuthError, kind: str) -> str:
    if error.error == "invalid_grant":
        if "redirect" in error.description:
            return "bad_redirect_uri"
        return "invalid_refresh_token" if kind == "refresh_token" else "invalid_code"
    if error.error == "invalid_client" and "id" in error.description.split():
        return "invalid_client_id"
    return _WORDS.get(error.error, error.error)


def _page(message: str) -> Response:
    page = f"<!DOCTYPE html><html><body><h1>Oh no!</h1><p>{message}</p></body></html>"
    return Response(400, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


METHODS = (
    Method("api.test", api_test, open=True, json=True),
    Method("auth.test", auth_test, "special", json=True),
    Method("auth.revoke", auth_revoke, "tier3"),
    Method("team.info", team_info, "tier3", ("team:read",)),
    Method("oauth.v2.access", access, "tier4", open=True),
)
