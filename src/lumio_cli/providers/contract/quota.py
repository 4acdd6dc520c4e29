"""What a provider allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit as the provider publishes it: `count` per `per` seconds.

    kind      bucket       a token bucket: refills evenly, `burst` at once (default: count)
              window       never more than `count` in any `per` seconds
              concurrency  never more than `count` at the same moment (`per` is not used)
              points       a bucket that a call drains by its `cost`
              daily        `count` from midnight to midnight in `zone`
    routes    labels of the calls it applies to (fnmatch patterns); empty is all
    exempt    labels of calls it does not apply to
    shared    what the provider counts by: all tokens of an account, one app, or one token
    keyed     one for each value of that name in `Call.keys`; calls without it are not counted
    costed    a daily quota that a call drains by its `cost`
    most      the highest `count` that any plan has: answers that name a higher limit are believed
              so far; None: never above `count`
    """

    name: str
    count: float
    per: float = 1.0
    kind: Literal["bucket", "window", "concurrency", "points", "daily"] = "bucket"
    burst: float | None = None
    routes: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    shared: Literal["account", "app", "token"] = "token"
    zone: str = "UTC"
    keyed: str = ""
    costed: bool = False
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a reply says of a quota: `limit` and `remaining` in its unit, `reset_after` seconds.
    `limit` of a bucket is its size, and `rate` what it gives back a second (None: in proportion to
    its size). `refund` is what a call cost less than was charged for it.
    """

    quota: str
    limit: float | None = None
    remaining: float | None = None
    reset_after: float | None = None
    refund: float = 0.0
    rate: float | None = None
