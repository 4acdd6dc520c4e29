"""What an answer means."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


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
