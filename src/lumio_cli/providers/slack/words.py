"""What Slack's error words mean. It answers 200 with `ok: false` for nearly everything.

The words are those of the methods' pages on docs.slack.dev. The list is open: a word that is not
here is a refusal of this request, and is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Reply, dig
from lumio_cli.providers.contract.verdict import ErrorTable, Outcome, Verdict

_OUTCOMES: Mapping[Outcome, tuple[str, ...]] = {
    Outcome.RETRY: (
        "internal_error", "fatal_error", "service_unavailable", "request_timeout",
        "team_added_to_org", "rollup_error", "external_channel_migrating",
    ),
    Outcome.THROTTLED: ("ratelimited", "rate_limited"),
    # An expired token may be renewed; whether `invalid_auth` is one, Slack does not say.
    Outcome.REAUTH: ("token_expired", "invalid_auth"),
    Outcome.REFUSED: (
        "not_authed", "token_revoked", "account_inactive", "org_login_required",
        "ekm_access_denied", "invalid_refresh_token", "bad_client_secret", "invalid_client_id",
    ),
    Outcome.DENIED: (
        "missing_scope", "not_allowed_token_type", "no_permission", "access_denied",
        "restricted_action", "team_access_not_granted", "accesslimited",
        "two_factor_setup_required", "paid_teams_only", "plan_upgrade_required",
        "user_is_restricted",
    ),
    Outcome.GONE: (
        "channel_not_found", "user_not_found", "users_not_found", "message_not_found",
        "thread_not_found", "file_not_found", "no_such_subteam", "team_not_found",
    ),
}  # fmt: skip
ERRORS = ErrorTable("error", "error", by_code=_OUTCOMES)

_PLAIN = {
    "not_in_channel": "the app is not in this channel; type /invite @APP in it",
    "channel_not_found": "there is no such channel, or it is private and the app was not invited",
    "is_archived": "the channel is archived",
    "users_not_found": "nobody in this workspace has that e-mail address",
    "user_not_found": "there is no such user",
    "user_disabled": "the user is deactivated",
    "cannot_dm_bot": "bots get no direct messages",
    "no_text": "the message has neither text nor blocks",
    "msg_too_long": "the text is too long",
    "msg_blocks_too_long": "the blocks are too long together (about 13,000 characters)",
    "thread_not_found": "there is no such thread in this channel",
    "invalid_cursor": "the place in the listing has expired",
    "limit_required": "the workspace is too large for a listing without pages",
    "token_revoked": "the token was revoked, or the app was removed from the workspace",
    "account_inactive": "the token's user or workspace is deactivated",
    "plan_upgrade_required": "the workspace's plan does not include this",
    "paid_teams_only": "this is for workspaces with a paid plan",
    "invalid_refresh_token": "the refresh token is used up or too old",
    "invalid_code": "the code of the login is used up or too old",
    "bad_redirect_uri": "the redirect URL is not the one that is registered with the app",
    "not_allowed_token_type": "this kind of token may not do that; a bot token begins with xoxb-",
    "restricted_action": "an administrator has restricted this",
}


def error_of(reply: Reply) -> dict[str, Any] | None:
    """The error object of an answer; None where it is none. An answer that is no JSON (a file's
    upload is answered in plain text) has none either."""
    if reply.body.lstrip()[:1] != b"{":
        return None
    try:
        body = reply.json()
    except BadReplyError:
        return None
    return body if isinstance(body, dict) and body.get("ok") is False else None


def explain(word: str, body: Mapping[str, Any]) -> str:
    """An error in a sentence: what Slack says about it, and what it means."""
    if word == "missing_scope":
        provided = body.get("provided")
        has = f"; the token has {provided}" if isinstance(provided, str) and provided else ""
        return f"the token lacks the scope {body.get('needed') or 'that this needs'}{has}"
    details = body.get("errors") or dig(body, "response_metadata.messages")
    said = "; ".join(str(item) for item in details) if isinstance(details, list) else ""
    return ": ".join(text for text in (_PLAIN.get(word, word), said) if text)


def judge(reply: Reply) -> Verdict | None:
    """What an answer means; None where Slack has no word for it."""
    body = error_of(reply)
    if body is None:
        return None
    word = ERRORS.code_of(body) or "unknown_error"
    verdict = ERRORS.verdict(reply.status, {"error": word})
    needed = str(body.get("needed") or "") if word == "missing_scope" else ""
    scopes = tuple(part.strip() for part in needed.split(",") if part.strip())
    return verdict and replace(verdict, message=explain(word, body), scopes=scopes)
