"""When and how often a request is repeated.

Outermost of all layers, so that every attempt pays quota. Three kinds of failure:

    passing     a fault of the moment: exponential back-off with full jitter, five attempts
    throttled   too fast: all processes hold still for as long as the provider asks, then again
    final       anything else: raised at once

A wait that the provider asks for is obeyed in full. Where it is longer than we may wait, the call
fails now, with an error that says when to come back.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import CircuitOpenError, LumioError, QuotaError, UnavailableError
from lumio_cli.transport.quota.retry_after import come_back

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from lumio_cli.core.clock import Clock
    from lumio_cli.core.stop import Stop
    from lumio_cli.providers.contract.call import Reply
    from lumio_cli.transport.request_log import Tally


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of repetition.

    attempts    of a call that meets passing faults
    throttled   of a call that is told to slow down
    base, cap   seconds of the first and of the longest back-off
    spare       retries that a run may always make; beyond them, `share` of its requests
    """

    attempts: int = 5
    throttled: int = 10
    base: float = 1.0
    cap: float = 16.0
    spare: int = 50
    share: float = 0.2


class Again(Exception):  # noqa: N818 it is a signal between two layers, never shown
    """An attempt failed, and another may succeed.

    `error` is what to raise if there is none. `after` is how many seconds the provider asks to
    wait. `hold`: it was too fast, rather than something being broken; called with the seconds
    for which nobody may send.
    """

    def __init__(
        self,
        error: LumioError,
        *,
        after: float | None = None,
        hold: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after
        self.hold = hold


def default_hold(times: int) -> float:
    """Seconds to hold still after the `times`-th 429 in a row that does not say how long."""
    return min(64.0, 2.0 ** (times - 1))


class Retry:
    """Repeats calls. One object a session: its threads share the retry budget.

    `provider` is whose; `max_wait` is how many seconds a call may wait for quota, all its waits
    together.
    """

    def __init__(
        self,
        provider: str,
        *,
        clock: Clock,
        stop: Stop,
        max_wait: float,
        rng: random.Random | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        import tenacity

        self._tenacity = tenacity
        self._provider = provider
        self._clock = clock
        self._stop = stop
        self._max_wait = max_wait
        self._rng = rng or random.Random()
        self._policy = policy or RetryPolicy()
        self._lock = threading.Lock()
        self._calls = 0
        self._retries = 0

    def run(self, attempt: Callable[[int], Reply], tally: Tally) -> Reply:
        """The reply of the first attempt that succeeds. `attempt` is called with 1, 2, ...; it
        returns, raises `Again`, or raises what is final.

        Raises the last attempt's error when there may be no further one, `StoppedError` as soon
        as the run is stopped.
        """
        with self._lock:
            self._calls += 1
        walk = _Walk(self, tally)
        try:
            return walk.attempt(attempt)
        except Again as again:
            # Nearly every call succeeds at once, and need not pay for what it does not use.
            first = again
        retrying = self._tenacity.Retrying(
            retry=self._tenacity.retry_if_exception_type(Again),
            wait=walk.wait,
            stop=walk.is_over,
            sleep=walk.sleep,
            reraise=True,
        )
        try:
            return retrying(walk.after(first), attempt)
        except Again as again:
            raise walk.give_up(again) from None

    def _draw(self, failures: int) -> float:
        """A back-off: anywhere between nothing and twice the last one's limit (full jitter)."""
        policy = self._policy
        with self._lock:
            return self._rng.uniform(0.0, min(policy.cap, policy.base * 2.0 ** (failures - 1)))

    def _spend(self) -> bool:
        """Take one retry from the run's budget; False where it is used up."""
        with self._lock:
            allowed = max(self._policy.spare, self._calls * self._policy.share)
            if self._retries >= allowed:
                return False
            self._retries += 1
            return True


class _Walk:
    """One call's way through its attempts, in the words of tenacity."""

    def __init__(self, retry: Retry, tally: Tally) -> None:
        self._retry = retry
        self._tally = tally
        self._number = 0
        self._failures = 0
        self._throttled = 0
        self._waited = 0.0
        self._too_long = False
        self._reason = ""
        self._error = ""

    def attempt(self, attempt: Callable[[int], Reply]) -> Reply:
        retry = self._retry
        retry._stop.check()
        self._number += 1
        if self._number > 1:
            self._tally.add(retries=1)
        return attempt(self._number)

    def after(self, first: Again) -> Callable[[Callable[[int], Reply]], Reply]:
        """`attempt`, for a walk whose first attempt has already failed with `first`."""
        failed: list[Again] = [first]

        def go_on(attempt: Callable[[int], Reply]) -> Reply:
            if failed:
                raise failed.pop()
            return self.attempt(attempt)

        return go_on

    def wait(self, state: RetryCallState) -> float:
        again = _failure(state)
        self._error = again.error.message
        if again.hold is not None:
            self._throttled += 1
            self._reason = "the provider's rate limit"
            # `Retry-After: 0` does not say how long: obeyed to the letter it would be a hammer.
            after = again.after or default_hold(self._throttled)
            # For the other threads and processes, even if this call is given up now.
            again.hold(after)
            return after
        self._failures += 1
        self._reason = "the provider to recover"
        return again.after or self._retry._draw(self._failures)

    def is_over(self, state: RetryCallState) -> bool:
        again = _failure(state)
        policy, seconds = self._retry._policy, state.upcoming_sleep
        if again.hold is not None or again.after:
            # What the provider asks for is never cut short: all of it, or not at all.
            self._too_long = self._waited + seconds > self._retry._max_wait
            if self._too_long:
                return True
            self._waited += seconds
        if again.hold is not None:
            return self._throttled >= policy.throttled
        return self._failures >= policy.attempts or not self._retry._spend()

    def sleep(self, seconds: float) -> None:
        retry = self._retry
        logging.getLogger(__name__).info(
            "attempt %d failed, the next one comes in %.1f s: %s",
            self._number,
            seconds,
            self._error,
        )
        with self._tally.waiting(seconds, self._reason, retry._clock):
            retry._clock.sleep(seconds, retry._stop)

    def give_up(self, again: Again) -> LumioError:
        """The error to raise, with the time to come back where the provider gave one."""
        error = again.error
        if (not again.after and again.hold is None) or isinstance(error, CircuitOpenError):
            return error
        retry = self._retry
        at = retry._clock.time() + (again.after or default_hold(self._throttled))
        if again.hold is None:
            hint = come_back(at, longer=self._too_long)
            return UnavailableError(error.message, hint=hint, code=error.code)
        hint = come_back(at, retry._provider, longer=self._too_long)
        return QuotaError(error.message, retry_at=utc(at), hint=hint)


def _failure(state: RetryCallState) -> Again:
    outcome: Any = state.outcome
    error = outcome.exception()
    assert isinstance(error, Again)  # noqa: S101 tenacity asks after nothing else
    return error
