"""One attempt: breaker, limiter and wire as stacked transports, and what is learned on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx

from lumio_cli.core.clock import utc
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome, outcome_of
from lumio_cli.transport.quota.retry_after import CLOCKS_DIFFER
from lumio_cli.transport.request_log import Tally
from lumio_cli.transport.wire import EXCHANGE, Exchange, Wire
from lumio_cli.transport.wire_errors import WireError

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock
    from lumio_cli.core.stop import Stop
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.providers.contract.quota import Allowance
    from lumio_cli.transport.breaker import Breaker
    from lumio_cli.transport.quota.limiter import Limiter
    from lumio_cli.transport.quota.state import Priority
    from lumio_cli.transport.request_log import Observer

MAX_REDIRECTS = 3


class BreakerTransport(httpx.BaseTransport):
    """Asks the breaker before a request and tells it how the provider did.

    Time-outs, broken connections and 5xx are failures; 4xx and 429 show a provider at work.
    """

    def __init__(self, breaker: Breaker, inner: httpx.BaseTransport) -> None:
        self._breaker = breaker
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `CircuitOpenError` without a request, and what the inner transport raises."""
        self._breaker.before()
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            if isinstance(error, WireError) and error.unhealthy:
                self._breaker.failure(error.kind)
            else:
                self._breaker.abandon()
            raise
        status = response.status_code
        if status >= 500 and outcome_of(status) is Outcome.RETRY:
            self._breaker.failure(f"HTTP {status}")
        else:
            self._breaker.success()
        return response


class LimiterTransport(httpx.BaseTransport):
    """Waits until every quota that applies to the call lets it pass."""

    def __init__(
        self,
        limiter: Limiter,
        inner: httpx.BaseTransport,
        *,
        clock: Clock,
        stop: Stop,
        max_wait: float,
        priority: Priority,
    ) -> None:
        self._limiter = limiter
        self._inner = inner
        self._clock = clock
        self._stop = stop
        self._max_wait = max_wait
        self._priority = priority

    def pause(self, seconds: float) -> None:
        """Let time pass, as a call wants it. Raises `StoppedError`."""
        self._clock.sleep(seconds, self._stop)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `QuotaError` where the wait would be too long, `StoppedError` during it."""
        exchange: Exchange = request.extensions[EXCHANGE]
        tally = exchange.tally
        if exchange.call.delay:
            self.pause(exchange.call.delay)
        begin = self._clock.monotonic()
        try:
            lease = self._limiter.acquire(
                exchange.call,
                priority=self._priority,
                stop=self._stop,
                max_wait=self._max_wait,
                on_wait=tally.wait_begins,
            )
        finally:
            if tally.waiting_for:
                exchange.waited = self._clock.monotonic() - begin
                tally.wait_ends(exchange.waited)
        with lease:
            return self._inner.handle_request(request)


class Sender:
    """Sends one attempt through breaker, limiter and wire. Safe to share by threads."""

    def __init__(
        self,
        provider: Provider,
        wire: Wire,
        limiter: Limiter,
        breaker: Breaker,
        observer: Observer,
        *,
        clock: Clock,
        stop: Stop,
        max_wait: float,
        priority: Priority,
    ) -> None:
        self._provider = provider
        self._wire = wire
        self._limiter = limiter
        self._observer = observer
        self._clock = clock
        limited = LimiterTransport(
            limiter, wire, clock=clock, stop=stop, max_wait=max_wait, priority=priority
        )
        self._stack = BreakerTransport(breaker, limited)
        self.look_alike = wire.look_alike
        """Whether the base URL is on this machine, and stands for all of the provider's hosts."""

    def attempt(
        self, call: Call, headers: Mapping[str, str], tally: Tally, number: int = 1
    ) -> Reply:
        """The provider's answer, whatever its status. `headers` carry the credential.

        Redirects of safe calls within the same origin are followed, up to three; each is a
        request of its own. Raises `WireError` where no answer came, and `LumioError` where
        none was asked for (circuit open, quota, foreign host, stop).
        """
        reply = self._once(call, headers, tally, number, None)
        for _ in range(MAX_REDIRECTS):
            target = _redirect(call, reply)
            if target is None:
                break
            reply = self._once(call, headers, tally, number, target)
        return reply

    def post(self, call: Call) -> Reply:
        """Send a request that needs no credential and that nobody counts, as for a token."""
        return self.attempt(call, {}, Tally())

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _once(
        self,
        call: Call,
        headers: Mapping[str, str],
        tally: Tally,
        number: int,
        url: str | None,
    ) -> Reply:
        exchange = Exchange(call, tally)
        request = self._wire.request(call, headers, exchange, url)
        reply: Reply | None = None
        failure: Exception | None = None
        allowances: tuple[Allowance, ...] = ()
        try:
            response = self._stack.handle_request(request)
            reply = self._wire.reply(response, exchange, request.url)
            _date(reply, self._clock.time())
            allowances = self._provider.remaining(call, reply)
            if allowances:
                self._limiter.observe(call, allowances)
                refund = {a.quota: a.refund for a in allowances if a.refund > 0}
                if refund:
                    self._limiter.refund(call, refund)
        except Exception as error:
            failure = error
            raise
        finally:
            # Without seconds it was not sent: the circuit was open, or the quota used up.
            if exchange.seconds:
                tally.add(requests=1, received=len(exchange.body))
            if self._observer.level():
                self._observer.attempt(
                    call,
                    url=str(request.url),
                    headers=request.headers,
                    content=request.content,
                    reply=reply,
                    error=failure,
                    seconds=exchange.seconds,
                    waited=exchange.waited,
                    attempt=number,
                    allowances=allowances,
                )
        return reply


def _date(reply: Reply, ours: float) -> None:
    """Give a reply the provider's time as far as it can be believed, in UTC.

    Another's clock is evidence, not truth: where it differs from ours by more than a minute, the
    earlier of the two counts, so that no window ends in the future. Without a Date header it is
    our own, less that minute.
    """
    if reply.date is None:
        reply.date = utc(ours - CLOCKS_DIFFER)
        return
    reply.skew = reply.date.timestamp() - ours
    if reply.skew > CLOCKS_DIFFER:
        reply.date = utc(ours)


def _redirect(call: Call, reply: Reply) -> str | None:
    """Where to go on, if the answer is a redirect that may be followed."""
    location = reply.headers.get("location")
    if reply.status not in (301, 302, 303, 307, 308) or not location:
        return None
    if call.method not in ("GET", "HEAD"):
        return None
    try:
        target = urljoin(reply.url, location)
        here, there = httpx.URL(reply.url), httpx.URL(target)
    except (ValueError, httpx.InvalidURL):
        return None
    same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
    return target if same and not there.userinfo else None
