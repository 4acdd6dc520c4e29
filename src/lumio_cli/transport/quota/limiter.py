"""Rate limiting, shared by all lumio processes of this machine.

Reserve, then sleep: in one short transaction a call finds the earliest time at which every quota
that applies has room, and takes its place there in all of them. It sleeps outside of any lock.
Since every caller owns a definite time, nobody starves; since the lower priorities leave a little
of every short limit (though not of daily ones) to the higher ones, these find room even where a
backfill uses up everything.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from hashlib import blake2b
from types import TracebackType
from typing import Self

from lumio_cli.core.clock import Clock, utc
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from lumio_cli.transport.quota import concurrency
from lumio_cli.transport.quota.bounds import OUTAGE, longest_hold, longest_spent
from lumio_cli.transport.quota.kinds import midnight_after, rule_for
from lumio_cli.transport.quota.learning import learn
from lumio_cli.transport.quota.ledger import Ledger, Term
from lumio_cli.transport.quota.levels import Level, level_of
from lumio_cli.transport.quota.reservation import POLL, Asking
from lumio_cli.transport.quota.state import Priority, Rule, State
from lumio_cli.transport.runtime_db.store import RuntimeStore

__all__ = ["Lease", "Level", "Limiter", "OnWait", "Priority"]

OnWait = Callable[[float, str], None]
"""Told of every wait: seconds, and the name of the quota that causes it."""

FIRST_POLL = 0.005
"""Seconds until the second try of who waits for concurrency."""
TRIES = 3
"""How often a late sleeper takes a new place before it goes all the same."""
LABELS = 1_000
"""Labels whose quotas are remembered."""


class Lease:
    """The permission to send one request. A context manager, for `release`.

    quotas   the names of the quotas that were charged
    at       the time that was reserved, in seconds since the epoch
    waited   how many seconds it took to get there
    """

    __slots__ = ("_free", "at", "quotas", "waited")

    def __init__(
        self, quotas: tuple[str, ...], at: float, waited: float, free: Callable[[], None] | None
    ) -> None:
        self.quotas = quotas
        self.at = at
        self.waited = waited
        self._free = free

    def release(self) -> None:
        """The request is over: let the next one have its concurrency. May be called twice."""
        free, self._free = self._free, None
        if free is not None:
            free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class Limiter:
    """The quotas of one provider.

    `scope` maps `account`, `app` and `token` to whom the provider counts by (never a secret: a
    digest); it is read at each use, so that an account that becomes known later counts from then
    on. `share` is the part of daily quotas that this machine may use. Thread-safe, and fit for
    use after a fork. Raises `ConfigError` for quotas that make no sense.
    """

    def __init__(
        self,
        store: RuntimeStore,
        provider_name: str,
        quotas: Sequence[Quota],
        scope: Mapping[str, str],
        clock: Clock,
        *,
        share: float = 1.0,
    ) -> None:
        self.provider = provider_name
        self._ledger = Ledger(store, clock)
        self._scope = scope
        self._clock = clock
        self._rules = tuple((quota, rule_for(quota, share)) for quota in quotas)
        self._known: dict[str, tuple[tuple[Quota, Rule], ...]] = {}
        self._owner: concurrency.Owner | None = None

    # -- asking

    def acquire(
        self,
        call: Call,
        *,
        priority: Priority,
        stop: Stop,
        max_wait: float,
        on_wait: OnWait | None = None,
    ) -> Lease:
        """Wait until `call` may be sent, and charge it to every quota that applies.

        Raises `QuotaError` if that would take more than `max_wait` seconds, or a daily quota is
        used up; `StoppedError` as soon as `stop` is set. In both cases nothing stays reserved.
        """
        stop.check()
        terms = self._terms(call)
        asking = Asking(
            self._ledger, self.provider, terms, self._me(), call.cost, priority, max_wait
        )
        try:
            place = asking.ask()
            tries = 0
            pause = FIRST_POLL
            while place.at is None or place.wait > 0:
                if on_wait is not None:
                    on_wait(place.wait, place.cause)
                if place.at is None:
                    self._clock.sleep(pause * random.uniform(0.5, 1.5), stop)
                    pause = min(pause * 2, POLL)
                    place = asking.ask()
                else:
                    self._clock.sleep(place.wait, stop)
                    tries += 1
                    place = asking.confirm(place.at, late=tries < TRIES)
        except BaseException:
            asking.withdraw()
            raise
        return Lease(
            tuple(term.quota.name for term in terms), place.at, asking.waited(), asking.free()
        )

    # -- what the provider says

    def observe(self, call: Call, allowances: Sequence[Allowance]) -> None:
        """Learn from an answer's headers: see `learning.learn`.

        A limit is in force until it has not been repeated for a while (60 s or six periods); less
        remaining than we know of means that others use the quota too.
        """
        by_name = {term.quota.name: term for term in (*self._all(), *self._terms(call))}
        said = [(by_name[a.quota], a) for a in allowances if a.quota in by_name]
        said = [(term, a) for term, a in said if term.timed]
        if not said:
            return
        terms = [term for term, _ in said]

        def adapt(states: Mapping[str, State]) -> bool:
            changed = [learn(term, states[term.key], a) for term, a in said]
            return any(changed)

        # Most answers tell nothing new: then a glance without a lock is enough.
        if adapt(self._ledger.read(terms)):
            self._ledger.change(terms, adapt)

    def longest(self, call: Call, verdict: Verdict) -> float:
        """Seconds that an answer to `call` can ask to wait: as long as a hold of the quotas that
        it is about may last, `bounds.OUTAGE` where it is about none."""
        now = self._clock.time()
        if verdict.outcome is Outcome.THROTTLED:
            spans = [longest_hold(t.quota, now) for t in self._paced(call, verdict.quota)]
        elif verdict.outcome is Outcome.EXHAUSTED:
            spans = [longest_spent(t.quota, now) for t in self._spent(call, verdict.quota)]
        else:
            spans = []
        return max(spans, default=OUTAGE)

    def hold(self, call: Call, quota_name: str, seconds: float, reason: str) -> None:
        """Let no process send anything for `seconds`: the provider answered 'too fast'.

        It holds the quota named; else those that apply to the call, but no day's count unless
        there are no others. No hold is longer than `bounds.longest_hold`. `reason` is for people.
        """
        if not 0 < seconds < math.inf:
            return
        terms = self._paced(call, quota_name)

        def change(states: Mapping[str, State]) -> bool:
            for term in terms:
                state = states[term.key]
                span = min(seconds, longest_hold(term.quota, state.wall))
                state.stop(held=state.wall + span, reason=reason)
            return True

        self._ledger.change(terms, change)

    def exhaust(
        self, call: Call, quota_name: str, retry_at: datetime | None, reason: str
    ) -> datetime | None:
        """Send nothing, and let nobody wait, until `retry_at` (None: the quota's midnight).

        It concerns the quota named; else the daily ones that apply to the call; else all of them;
        none for longer than `bounds.longest_spent`. `reason` is for people. Returns when the last
        of them comes back; None where no quota applies.
        """
        terms = self._spent(call, quota_name)

        def change(states: Mapping[str, State]) -> bool:
            for term in terms:
                state = states[term.key]
                until = (retry_at or midnight_after(state.wall, term.quota.zone)).timestamp()
                last = state.wall + longest_spent(term.quota, state.wall)
                state.stop(spent=min(until, last), reason=reason)
                back.append(state.spent_until)
            return True

        back: list[float] = []
        self._ledger.change(terms, change)
        return utc(max(back)) if back else None

    def refund(self, call: Call, amounts: Mapping[str, float]) -> None:
        """A call has cost so much less than it was charged, by the names of quotas."""
        terms = [t for t in self._terms(call) if t.timed and t.quota.name in amounts]

        def change(states: Mapping[str, State]) -> bool:
            for term in terms:
                amount = min(amounts[term.quota.name], term.price(call.cost))
                term.rule.refund(states[term.key], amount)
            return True

        self._ledger.change(terms, change)

    # -- looking

    def levels(self) -> list[Level]:
        """How each quota stands, in the order of their declaration. Changes nothing."""
        terms = self._all()
        if not terms:
            return []
        states = self._ledger.read(terms)
        held = concurrency.count(
            self._ledger.store, [term.key for term in terms if not term.timed], self._clock.time()
        )
        return [level_of(term, states[term.key], held.get(term.key, 0)) for term in terms]

    # -- inside

    def _paced(self, call: Call, quota_name: str) -> list[Term]:
        """The quotas that 'too fast' is about."""
        applying = self._terms(call)
        return (
            [term for term in applying if term.quota.name == quota_name]
            or [term for term in applying if term.quota.kind != "daily"]
            or applying
        )

    def _spent(self, call: Call, quota_name: str) -> list[Term]:
        """The quotas that 'used up' is about."""
        applying = self._terms(call)
        return (
            [term for term in applying if term.quota.name == quota_name]
            or [term for term in applying if term.quota.kind == "daily"]
            or applying
        )

    def _terms(self, call: Call) -> list[Term]:
        """The quotas that apply to a call."""
        label = call.label
        rules = self._known.get(label)
        if rules is None:
            if len(self._known) >= LABELS:
                self._known.clear()
            rules = tuple(pair for pair in self._rules if _applies(pair[0], label))
            self._known[label] = rules
        return [
            Term(quota, rule, self._key(quota, call.keys.get(quota.keyed, "")))
            for quota, rule in rules
            if not quota.keyed or call.keys.get(quota.keyed)
        ]

    def _all(self) -> list[Term]:
        """The quotas that are one for all calls; the others are too many to be listed."""
        return [
            Term(quota, rule, self._key(quota, ""))
            for quota, rule in self._rules
            if not quota.keyed
        ]

    def _key(self, quota: Quota, value: str) -> str:
        """Where a quota's state is kept: below `stem`, by whom it counts. The value of a key is
        about someone (a phone number): a digest of it tells them apart as well.
        """
        scope = self._scope.get(quota.shared, "")
        about = f"#{blake2b(value.encode(), digest_size=8).hexdigest()}" if value else ""
        return f"{stem(self.provider, quota)}{scope}{about}"

    def _me(self) -> concurrency.Owner:
        """This process; another one after a fork."""
        owner = self._owner
        if owner is None or owner.pid != os.getpid():
            owner = self._owner = concurrency.this_process()
        return owner


def stem(provider: str, quota: Quota) -> str:
    """What the keys of a quota's states begin with. A window of another length counts in other
    slots."""
    per = f"{quota.per:g}" if quota.kind == "window" else ""
    return f"{provider}:{quota.name}:{quota.kind}{per}:"


def _applies(quota: Quota, label: str) -> bool:
    if any(fnmatchcase(label, pattern) for pattern in quota.exempt):
        return False
    return not quota.routes or any(fnmatchcase(label, pattern) for pattern in quota.routes)
