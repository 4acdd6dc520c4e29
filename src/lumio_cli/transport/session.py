"""One request's way: cache -> retry -> auth -> breaker -> limiter -> wire.

The first three are steps of `Session`, each a method that calls the next; the rest is an `attempt`.
`open_session` puts it together; `Session.send` is all that the rest of lumio knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    BadReplyError,
    CircuitOpenError,
    LumioError,
    QuotaError,
    UnavailableError,
)
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from lumio_cli.transport.attempt import Sender
from lumio_cli.transport.auth import Authenticator
from lumio_cli.transport.cache import Cache
from lumio_cli.transport.default_verdicts import NOT_PROCESSED, judge, reason_of, to_error
from lumio_cli.transport.owner import breaker_of, limiter_of, whose
from lumio_cli.transport.quota.retry_after import come_back
from lumio_cli.transport.quota.state import Priority
from lumio_cli.transport.request_log import Observer, Tally
from lumio_cli.transport.retry import Again, Retry, RetryPolicy
from lumio_cli.transport.wire import MAX_BODY, Timeouts, Wire
from lumio_cli.transport.wire_errors import WireError

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from lumio_cli.core.clock import Clock
    from lumio_cli.core.redact import Redactor
    from lumio_cli.core.stop import Stop
    from lumio_cli.providers.contract.auth import Credential
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.transport.auth import CredentialStore
    from lumio_cli.transport.cache import LastKnown
    from lumio_cli.transport.quota.limiter import Limiter
    from lumio_cli.transport.runtime_db.store import RuntimeStore

CONNECTIONS = 16
"""Connections to one provider, at most."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """What an operator can set for the way to one provider. None: the provider's own value.

    max_wait     seconds that a call may wait for quota before the run gives up
    account      keeps accounts apart in cache, quotas and circuit (an account id, a digest or a
                 profile's name, no secret); together with the origin of the base URL
    quota_share  the part of daily quotas that this machine may use
    run_id       goes into the debug log
    """

    base_url: str | None = None
    tls12: bool | None = None
    ca_file: str | None = None
    proxy: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    connections: int = CONNECTIONS
    max_body: int = MAX_BODY
    gzip_requests: bool = False
    max_wait: float = 300.0
    priority: Priority = Priority.INCREMENTAL
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    account: str = ""
    quota_share: float = 1.0
    run_id: str = ""


class Session:
    """Requests to one provider with one credential. Safe to share by threads."""

    def __init__(
        self,
        provider: Provider,
        sender: Sender,
        limiter: Limiter,
        cache: Cache,
        authenticator: Authenticator,
        observer: Observer,
        retry: Retry,
        redactor: Redactor,
        clock: Clock,
    ) -> None:
        self.provider = provider
        self.cache = cache
        self._sender = sender
        self._limiter = limiter
        self._auth = authenticator
        self._observer = observer
        self._retry = retry
        self._redactor = redactor
        self._clock = clock
        self._under_way = False

    @property
    def credential_source(self) -> str:
        """Where the credential in use came from, for people; empty before the first request."""
        return self._auth.source

    def send(
        self,
        call: Call,
        *,
        tally: Tally | None = None,
        fresh: bool = False,
    ) -> Reply:
        """The provider's answer to `call`; only good ones come back.

        `tally` counts what it costs. `fresh` does not read the cache. An answer that is not JSON
        although the call wants it is a fault (an empty one is none where there is nothing to say).

        Raises `RejectedError`, `GoneError`, `DeniedError`, `CredentialError`, `QuotaError`,
        `CircuitOpenError`, `BadReplyError`, `UnavailableError` (code `outcome_unknown` where a
        call that may not be repeated was perhaps applied), `StoppedError`.
        """
        tally = tally if tally is not None else Tally()
        if call.cache_for <= 0:
            return self._send_with_retries(call, tally)
        return self._send_cached(call, tally, fresh=fresh)

    def forget(self, call: Call) -> None:
        """Do not serve this call's answer again: it was of no use."""
        if call.cache_for > 0:
            self.cache.forget(call)

    def close(self) -> None:
        """Close connections and cache, and hand the counters over."""
        self.cache.close()
        self._sender.close()

    # -- the steps: each adds one concern, and calls the next

    def _send_cached(self, call: Call, tally: Tally, *, fresh: bool) -> Reply:
        """Step 1: the answer that is kept, if any; one fetch for all who ask at the same time."""
        load = partial(self._send_with_retries, call, tally)
        reply, layer = self.cache.fetch(call, load, fresh=fresh)
        if layer != "miss":
            reply.cached = True
            tally.add(cached=1)
            self._observer.cached(call, layer)
        return reply

    def _send_with_retries(self, call: Call, tally: Tally) -> Reply:
        """Step 2: again, after what is passing."""
        return self._retry.run(partial(self._send_authorized, call, tally), tally)

    def _send_authorized(self, call: Call, tally: Tally, number: int) -> Reply:
        """Step 3: attempt `number`, with a credential that is renewed where it was refused. Returns
        a good reply; raises `Again`, or the final error."""
        # As it goes out: what comes of it concerns the quotas of that one.
        sent = call
        try:
            credential = self._auth.current() if call.auth else None
            if credential is not None:
                sent = self.provider.address(call, credential)
            reply, verdict = self._send_once(sent, credential, tally, number)
            if verdict.outcome is Outcome.REAUTH and credential is not None:
                newer = self._auth.renew(credential)
                # Once: a second refusal is about the account, not about the token's age.
                if newer is not None:
                    tally.add(retries=1)
                    sent = self.provider.address(call, newer)
                    reply, verdict = self._send_once(sent, newer, tally, number)
            if verdict.outcome is Outcome.OK:
                if call.answer == "json" and not _may_be_empty(call, reply):
                    reply.json()
                self._under_way = True
                return reply
        except WireError as fault:
            raise _after_fault(call, fault) from None
        except CircuitOpenError as error:
            raise self._after_refusal(error, number) from None
        except BadReplyError as error:
            if call.repeatable:
                raise Again(error) from None
            raise _unknown(error) from None
        raise self._after_verdict(sent, reply, verdict)

    def _send_once(
        self, call: Call, credential: Credential | None, tally: Tally, number: int
    ) -> tuple[Reply, Verdict]:
        """Step 4: one request through breaker, quotas and wire; the reply, and what to make of
        it."""
        headers: Mapping[str, str] = {}
        if credential is not None:
            headers = self.provider.authorize(call, credential)
            call = self._located(call, credential)
        reply = self._sender.attempt(call, headers, tally, number)
        verdict = judge(
            self.provider,
            reply,
            self._clock,
            partial(self._limiter.longest, call),
            writes=call.auth and call.method != "GET",
        )
        return reply, verdict

    # -- what each step needs

    def _located(self, call: Call, credential: Credential) -> Call:
        """The call at the account's own address, where the provider has one for each.

        Raises `LumioError` for a link to another account's: its credential is not for that one.
        """
        base = "" if self._sender.look_alike else self.provider.locate(credential)
        if not base:
            return call
        if call.path.startswith(("https://", "http://")):
            host, own = urlsplit(call.path).hostname, urlsplit(base).hostname
            if host != own and host not in self.provider.hosts:
                raise LumioError(
                    f"{self.provider.name}: refused to send the credential to {host}",
                    code="foreign_host",
                    hint=f"a link points away from {own}",
                )
            return call
        path = f"{base.rstrip('/')}/{call.path.removeprefix('/')}"
        return replace(call, path=path, route=call.label)

    def _after_refusal(self, error: CircuitOpenError, number: int) -> Exception:
        """A run that finds the circuit open ends at once. One that is under way waits for the end
        of the pause, if that is allowed: a provider's short fault is no reason to lose the run.
        """
        if error.retry_at is None or not (self._under_way or number > 1):
            return error
        return Again(error, after=max(0.0, error.retry_at.timestamp() - self._clock.time()))

    def _after_verdict(self, call: Call, reply: Reply, verdict: Verdict) -> Exception:
        error = to_error(
            self.provider,
            call,
            reply,
            verdict,
            clock=self._clock,
            redactor=self._redactor,
            source=self._auth.source,
        )
        after = verdict.retry_after
        reason = reason_of(reply, verdict, self._redactor)
        if verdict.outcome is Outcome.THROTTLED:
            return Again(
                error,
                after=after,
                hold=partial(self._limiter.hold, call, verdict.quota, reason=reason),
            )
        if verdict.outcome is Outcome.EXHAUSTED:
            retry_at = utc(self._clock.time() + after) if after is not None else None
            back = self._limiter.exhaust(call, verdict.quota, retry_at, reason)
            if isinstance(error, QuotaError) and back is not None:
                hint = come_back(back.timestamp(), self.provider.name)
                return QuotaError(error.message, retry_at=back, hint=hint)
        # What was sent elsewhere was not done, and would be sent there again.
        if verdict.outcome is not Outcome.RETRY or 300 <= reply.status < 400:
            return error
        if call.repeatable or reply.status in NOT_PROCESSED:
            return Again(error, after=after)
        return _unknown(error)


def open_session(
    provider: Provider,
    options: TransportOptions,
    *,
    store: RuntimeStore,
    quota_store: RuntimeStore | None = None,
    credentials: CredentialStore,
    cache_dir: Path | None,
    locks_dir: Path,
    redactor: Redactor,
    clock: Clock,
    stop: Stop,
    last_known: LastKnown | None = None,
    rng: random.Random | None = None,
) -> Session:
    """A session with `provider`. Opens nothing yet: no file, no connection, no credential.

    `store` keeps the debug log and the counters, `quota_store` the rate buckets and breakers
    (None: the same). `cache_dir` None: nothing is cached on disk. Raises `ConfigError` for
    options that cannot be used.
    """
    base_url = options.base_url or provider.base_url
    wire = Wire(
        provider.name,
        base_url,
        provider.hosts,
        open_hosts=provider.open_hosts,
        timeouts=options.timeouts,
        tls12=provider.tls12 if options.tls12 is None else options.tls12,
        ca_file=options.ca_file,
        proxy=options.proxy,
        max_body=options.max_body,
        gzip_requests=options.gzip_requests,
        connections=options.connections,
        stop=stop,
    )
    owner, shared = whose(options.account, base_url), quota_store or store
    limiter = limiter_of(shared, provider, owner, clock, share=options.quota_share)
    observer = Observer(provider.name, store, redactor, clock, run_id=options.run_id)
    sender = Sender(
        provider,
        wire,
        limiter,
        breaker_of(shared, provider.name, owner, clock),
        observer,
        clock=clock,
        stop=stop,
        max_wait=options.max_wait,
        priority=options.priority,
    )
    return Session(
        provider,
        sender,
        limiter,
        Cache(
            provider.name,
            owner,
            cache_dir,
            clock=clock,
            stop=stop,
            redactor=redactor,
            last_known=last_known,
            counts=store,
        ),
        Authenticator(
            provider,
            credentials,
            locks=locks_dir,
            clock=clock,
            stop=stop,
            redactor=redactor,
            post=sender.post,
        ),
        observer,
        Retry(
            provider.name,
            clock=clock,
            stop=stop,
            max_wait=options.max_wait,
            rng=rng,
            policy=options.retries,
        ),
        redactor,
        clock,
    )


def _after_fault(call: Call, fault: WireError) -> Exception:
    error = fault.error()
    if fault.sent and not call.repeatable:
        return _unknown(error)
    return Again(error) if fault.passing else error


def _may_be_empty(call: Call, reply: Reply) -> bool:
    return not reply.body and (call.method != "GET" or reply.status in (202, 204, 205))


def _unknown(error: LumioError) -> UnavailableError:
    """`error`, where the request may have been applied and may not be sent again."""
    kind = BadReplyError if isinstance(error, BadReplyError) else UnavailableError
    return kind(
        f"{error.message}; whether the request was applied is not known",
        hint="look at the record before it is sent again",
        code=OUTCOME_UNKNOWN,
    )
