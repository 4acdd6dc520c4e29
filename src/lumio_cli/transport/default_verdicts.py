"""What an answer means where the provider has no word of its own, and the error to raise for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import (
    BadReplyError,
    CredentialError,
    DeniedError,
    GoneError,
    LumioError,
    QuotaError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.core.redact import Redactor, escape_control
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome, Verdict, outcome_of
from lumio_cli.transport.quota.retry_after import come_back, plausible, retry_after

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock
    from lumio_cli.providers.contract.provider import Provider

MAX_MESSAGE = 300
"""Characters of a provider's own message in an error; longer ones are cut."""
MAX_READ = 16 * 1024
"""Characters of it that are read at all."""

NOT_PROCESSED = frozenset({402, 423, 425, 477})
"""RETRY statuses that say that nothing was done: safe to repeat even for a write."""


_TOO_LARGE = frozenset({413, 414, 431})
"""Statuses about the size of the request: whoever says so, it will not pass as it is."""
_ABOUT_RECORDS = frozenset({Outcome.OK, Outcome.REJECTED, Outcome.DENIED, Outcome.GONE})


def judge(
    provider: Provider,
    reply: Reply,
    clock: Clock,
    longest: Callable[[Verdict], float],
    writes: bool = False,
) -> Verdict:
    """What `reply` means: the provider's verdict, else the status's, with Retry-After in seconds.

    `longest` is how many seconds such a verdict can ask to wait: no pause is longer. `writes`: the
    request may have been about records that are written. Of these only the provider itself can say
    that they are wrong: a page of a proxy, a redirect or an empty answer is a fault of the moment.

    Raises `BadReplyError` where the provider cannot read a 2xx answer.
    """
    try:
        verdict = provider.judge(reply)
    except BadReplyError:
        # An error page in HTML is still an error; only a good status with a bad body is not.
        if outcome_of(reply.status) is Outcome.OK:
            raise
        verdict = None
    if verdict is None and 200 <= reply.status < 300:
        return Verdict(Outcome.OK)
    if verdict is None:
        verdict = Verdict(_by_status(reply))
    elif reply.status == 401 and verdict.outcome in (Outcome.REFUSED, Outcome.REJECTED):
        # Whatever it says: a token may have ended in a way that the provider has a new word for,
        # and a second refusal of a fresh one is final.
        verdict = replace(verdict, outcome=Outcome.REAUTH)
    if writes and verdict.outcome in _ABOUT_RECORDS and _is_between(provider, reply):
        verdict = Verdict(Outcome.RETRY)
    if verdict.outcome is Outcome.OK:
        return verdict
    most = longest(verdict)
    after = plausible(verdict.retry_after)
    after = retry_after(reply, clock, most) if after is None else min(after, most)
    return replace(verdict, retry_after=after)


def reason_of(reply: Reply, verdict: Verdict, redactor: Redactor) -> str:
    """Why a quota is held or used up, for people: the status and what it said with it."""
    said = reply.headers.get("retry-after")
    asked = "without Retry-After" if said is None else f"with Retry-After {said}"
    word = f" ({verdict.category})" if verdict.category else ""
    text = clean(f"{reply.status} {asked}{word}", redactor)
    if verdict.outcome is Outcome.EXHAUSTED:
        return f"{verdict.quota or 'daily'} quota used up: {text}"
    return text


def _by_status(reply: Reply) -> Outcome:
    outcome = outcome_of(reply.status)
    if outcome is Outcome.GONE and reply.body and not _is_json(reply):
        # A page of something between us and the provider: no word about any record.
        return Outcome.RETRY
    return outcome


def _is_between(provider: Provider, reply: Reply) -> bool:
    """Whether an answer that is not good is something else's than the provider's."""
    if reply.status < 300 or reply.status in _TOO_LARGE:
        return False
    return not (_is_json(reply) and provider.is_error(reply.json()))


def _is_json(reply: Reply) -> bool:
    try:
        reply.json()
    except BadReplyError:
        return False
    return True


def to_error(
    provider: Provider,
    call: Call,
    reply: Reply,
    verdict: Verdict,
    *,
    clock: Clock,
    redactor: Redactor,
    source: str = "",
) -> LumioError:
    """The error for a reply that is not OK: one clean line that names the provider and the call.

    `source` says where the credential came from (an environment variable, a file, ...).
    """
    said, category = _said(reply)
    category = clean(verdict.category or category, redactor)
    said = clean(verdict.message or said, redactor)
    words = f": {said}" if said else ""
    if category and category not in said:
        words += f" ({category})"
    what = f"{call.method} {clean(call.label, redactor)}"
    title, status, outcome = provider.title, reply.status, verdict.outcome
    if outcome is Outcome.DENIED:
        return DeniedError(
            f"{title} does not permit {what}{words}",
            scopes=verdict.scopes,
            hint=verdict.hint or _scopes_hint(provider, verdict.scopes),
        )
    if outcome in (Outcome.REAUTH, Outcome.REFUSED):
        return refused(provider, source, words, verdict.hint)
    if outcome is Outcome.GONE:
        return GoneError(f"{title} has nothing at {what}{words}", status=status, category=category)
    if outcome in (Outcome.THROTTLED, Outcome.EXHAUSTED):
        return _quota_error(provider, verdict, words, clock)
    if outcome is Outcome.RETRY and not 300 <= status < 400:
        return UnavailableError(
            f"{title} cannot answer {what} at the moment (status {status}){words}",
            hint=come_back(_moment(verdict, clock)),
        )
    if 300 <= status < 400:
        passing = outcome is Outcome.RETRY
        return _redirect_error(title, what, reply, redactor, passing=passing)
    return RejectedError(
        f"{title} rejected {what} (status {status}){words}",
        status=status,
        category=category,
        hint=verdict.hint or None,
    )


def refused(provider: Provider, source: str, words: str = "", hint: str = "") -> CredentialError:
    """The error for a credential that the provider does not take; names where it came from. One
    without a `source` has just been given to be tried. `hint` is what to do, where the provider
    knows better than to connect again."""
    origin = f" from {source}" if source else ""
    again = f"`lumio connect {provider.name}`"
    usual = (
        f"{again}, or correct it where it comes from"
        if source
        else f"check what was given, then {again} with what is right"
    )
    return CredentialError(
        f"{provider.title} refused the credential{origin}{words}", hint=hint or usual
    )


def clean(text: str, redactor: Redactor) -> str:
    """Remote text as one line that is safe to show: redacted, escaped, cut to 300 characters."""
    # Cut generously first: a provider may answer megabytes, and redaction reads all it gets. A
    # word that was cut may be half of a secret.
    if len(text) > MAX_READ:
        text = text[:MAX_READ].rsplit(None, 1)[0]
    text = " ".join(redactor.text(text).split())
    text = escape_control(text)
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _quota_error(provider: Provider, verdict: Verdict, words: str, clock: Clock) -> QuotaError:
    which = f"the {verdict.quota} quota" if verdict.quota else "its quota"
    state = "used up" if verdict.outcome is Outcome.EXHAUSTED else "exceeded"
    at = _moment(verdict, clock)
    return QuotaError(
        f"{provider.title} says that {which} is {state}{words}",
        retry_at=utc(at) if at is not None else None,
        hint=come_back(at, provider.name),
    )


def _moment(verdict: Verdict, clock: Clock) -> float | None:
    """When the pause is over that a verdict asks for, in seconds since the epoch."""
    return None if verdict.retry_after is None else clock.time() + verdict.retry_after


def _redirect_error(
    title: str, what: str, reply: Reply, redactor: Redactor, *, passing: bool
) -> LumioError:
    location = reply.headers.get("location", "")
    try:
        host = urlsplit(location).hostname or "another path"
    except ValueError:
        host = "an address that is none"
    message = (
        f"{title} answered {what} with a redirect to {clean(host, redactor)} "
        f"(status {reply.status}), which was not followed"
    )
    hint = "check the provider's `base_url`; a credential is never sent to another host"
    if passing:
        return UnavailableError(message, hint=hint)
    return RejectedError(message, status=reply.status, category="redirect", hint=hint)


def _scopes_hint(provider: Provider, scopes: tuple[str, ...]) -> str:
    names = f" ({', '.join(scopes)})" if scopes else ""
    return f"grant the missing permission{names}, then `lumio connect {provider.name}`"


def _said(reply: Reply) -> tuple[str, str]:
    """The message and the category in an error answer, wherever providers put them."""
    try:
        body: Any = reply.json()
    except BadReplyError:
        kind = reply.headers.get("content-type", "").split(";")[0]
        return (f"the answer is {kind or 'no JSON'}, {len(reply.body)} bytes", "")
    if isinstance(body, list):
        body = next((item for item in body if isinstance(item, Mapping)), {})
    if not isinstance(body, Mapping):
        return "", ""
    inner = body.get("error")
    errors = body.get("errors")
    places = [body]
    if isinstance(inner, Mapping):
        places.append(inner)
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        places.append(errors[0])
    message = _first(places, ("message", "error_description", "detail", "title"))
    if not message:
        plain = [errors[0]] if isinstance(errors, list) and errors else [errors]
        message = next((text for text in (*plain, inner) if isinstance(text, str)), "")
    category = _first(places, ("category", "errorCode", "error", "type", "code"))
    return message, "" if category == message else category


def _first(places: list[Mapping[str, Any]], names: tuple[str, ...]) -> str:
    for name in names:
        for place in places:
            value = place.get(name)
            if isinstance(value, str) and value:
                return value
    return ""
