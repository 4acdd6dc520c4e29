"""What an answer means."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lumio_cli.providers.contract.call import Reply, dig


class Outcome(enum.Enum):
    """What to do about an answer."""

    OK = "ok"
    RETRY = "retry"  # a passing fault: the same request may succeed
    THROTTLED = "throttled"  # too fast: wait, then the same request will succeed
    EXHAUSTED = "exhausted"  # a long quota is used up: stop, come back later
    REAUTH = "reauth"  # the credential has expired: refresh it, once
    DENIED = "denied"  # the credential lacks a permission
    REFUSED = "refused"  # the credential is no good at all
    GONE = "gone"  # no such thing
    REJECTED = "rejected"  # the request is wrong


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with what the provider said about it.

    `retry_after` in seconds. `quota` names the quota that a THROTTLED or EXHAUSTED answer is
    about; empty is all that apply to the call. `scopes` are the missing permissions. `hint` is what
    to do about a DENIED, REFUSED or REJECTED answer, where that is known.
    """

    outcome: Outcome
    message: str = ""
    category: str = ""
    retry_after: float | None = None
    quota: str = ""
    scopes: tuple[str, ...] = ()
    hint: str = ""


_BY_STATUS: dict[int, Outcome] = {
    401: Outcome.REAUTH,
    403: Outcome.DENIED,
    404: Outcome.GONE,
    408: Outcome.RETRY,
    410: Outcome.GONE,
    423: Outcome.RETRY,
    425: Outcome.RETRY,
    429: Outcome.THROTTLED,
    477: Outcome.RETRY,  # a migration of the account is under way
    501: Outcome.REJECTED,
    505: Outcome.REJECTED,
}


def outcome_of(status: int) -> Outcome:
    """The outcome that a status stands for with every provider that does not say otherwise."""
    if 200 <= status < 300:
        return Outcome.OK
    return _BY_STATUS.get(status, Outcome.RETRY if status >= 500 else Outcome.REJECTED)


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """What a provider's errors mean, as far as it differs from what their statuses say.

    message_at  where an error says what is wrong, for people
    code_at     where it has the provider's own word for it
    by_status   outcomes that a status stands for, whatever the code
    by_code     codes by their outcome
    """

    message_at: str
    code_at: str
    by_status: Mapping[int, Outcome] = field(default_factory=dict)
    by_code: Mapping[Outcome, Collection[str]] = field(default_factory=dict)

    def judge(self, reply: Reply) -> Verdict | None:
        """Return the verdict on an answer whose JSON is the error; None where it is no error, or
        has no JSON."""
        body = reply.document()
        return self.verdict(reply.status, body) if body and reply.status >= 400 else None

    def verdict(self, status: int, error: Mapping[str, Any]) -> Verdict | None:
        """Return the verdict on `error`; None where the status decides, and it may pass. In an
        answer of status 200, an error without an outcome of its own is REJECTED."""
        message, code = self.message_of(error), self.code_of(error)
        known = self.by_status.get(status)
        if known is None:
            known = next((o for o, codes in self.by_code.items() if code in codes), None)
        if known is None and status < 400:
            known = Outcome.REJECTED
        if known is None:
            known = outcome_of(status)
            if status >= 500 or known is Outcome.RETRY:
                return None
        return Verdict(known, message, code)

    def message_of(self, error: Mapping[str, Any]) -> str:
        """Return what `error` says; empty where it says nothing."""
        return str(dig(error, self.message_at) or "")

    def code_of(self, error: Mapping[str, Any]) -> str:
        """Return the provider's word for `error`; empty where it has none."""
        return str(dig(error, self.code_at) or "")
