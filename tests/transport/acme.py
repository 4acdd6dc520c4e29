"""A provider that exists nowhere, and a session to it over an HTTP that tests own."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lumio_cli.core.errors import CircuitOpenError, CredentialError
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.auth import Credential, OAuth
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from lumio_cli.transport.attempt import Sender
from lumio_cli.transport.auth import Authenticator
from lumio_cli.transport.cache import Cache
from lumio_cli.transport.quota.state import Priority
from lumio_cli.transport.request_log import Observer, Tally
from lumio_cli.transport.retry import Retry, RetryPolicy
from lumio_cli.transport.session import Session
from lumio_cli.transport.wire import Wire
from support.clock import FakeClock

BASE = "https://api.acme.test"
TOKEN = "canary-access-0123456789"
REFRESH = "canary-refresh-0123456789"
SECRET = "canary-client-secret-01234"


class Acme(Provider):
    name = "acme"
    title = "Acme"
    category = "crm"
    base_url = BASE
    hosts = ("api.acme.test", "files.acme.test")
    credential = ()
    quotas: tuple[Quota, ...] = (Quota("burst", 1000, 1.0),)
    resources = ()
    oauth = OAuth(authorize_url=f"{BASE}/authorize", token_path="/oauth/token", scopes=("read",))

    def judge(self, reply: Reply) -> Verdict | None:
        if reply.status == 429 and b"DAILY" in reply.body:
            return Verdict(Outcome.EXHAUSTED, quota="daily", retry_after=3600.0)
        if reply.status == 200 and b'"ok":false' in reply.body:
            return Verdict(Outcome.DENIED, "not for you", scopes=("crm.read",))
        if reply.status == 418:
            return Verdict(Outcome.REFUSED, "never again")
        return None

    def remaining(self, call: Call, reply: Reply) -> tuple[Allowance, ...]:
        left = reply.headers.get("x-left")
        return (Allowance("burst", remaining=float(left)),) if left else ()


@dataclass(frozen=True)
class Loaded:
    credential: Credential
    source: str
    writable: bool


class Vault:
    """A credential store in memory."""

    def __init__(
        self, credential: Credential | None, source: str = "the vault", writable: bool = True
    ):
        self.credential = credential
        self.source = source
        self.writable = writable
        self.saved: list[Credential] = []
        self.loads = 0

    def load(self, provider: str) -> Loaded:
        self.loads += 1
        if self.credential is None:
            raise CredentialError("no credential for acme", code="credential_missing")
        return Loaded(self.credential, self.source, self.writable)

    def save(self, provider: str, credential: Credential) -> None:
        self.saved.append(credential)
        self.credential = credential


class FakeLimiter:
    """Lets everything pass, and remembers what it was told."""

    def __init__(self) -> None:
        self.acquired: list[Call] = []
        self.held: list[tuple[str, float]] = []
        self.exhausted: list[tuple[str, datetime | None]] = []
        self.observed: list[Sequence[Allowance]] = []
        self.reasons: list[str] = []
        self.most = 86_400.0
        self.active = 0

    def acquire(self, call: Call, **options: Any) -> Any:
        self.acquired.append(call)
        return nullcontext()

    def observe(self, call: Call, allowances: Sequence[Allowance]) -> None:
        self.observed.append(allowances)

    def longest(self, call: Call, verdict: Verdict) -> float:
        return self.most

    def hold(self, call: Call, quota: str, seconds: float, reason: str) -> None:
        self.held.append((quota, seconds))
        self.reasons.append(reason)

    def exhaust(self, call: Call, quota: str, retry_at: datetime | None, reason: str) -> None:
        self.exhausted.append((quota, retry_at))
        self.reasons.append(reason)


class FakeBreaker:
    """Closed, unless a test says otherwise."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.open = False

    def before(self) -> None:
        if self.open:
            raise CircuitOpenError("Acme is left alone")

    def success(self) -> None:
        self.events.append("success")

    def failure(self, *_: object) -> None:
        self.events.append("failure")

    def abandon(self) -> None:
        self.events.append("abandon")


class Log:
    """A debug store in memory."""

    def __init__(self, level: Any = None) -> None:
        self.level = level
        self.rows: list[Mapping[str, Any]] = []
        self.looks = 0
        self.counts: dict[str, dict[str, int]] = {}

    def get_flag(self, key: str) -> Any:
        self.looks += 1
        return self.level

    def append_log(self, provider: str, data: Mapping[str, Any], **limits: int) -> int:
        self.rows.append(data)
        return len(self.rows)

    def add_counts(self, scope: str, counts: Mapping[str, int]) -> None:
        self.counts[scope] = dict(counts)


class LastKnown:
    """The hub's layer, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, float]] = {}

    def get(self, key: str) -> tuple[bytes, float] | None:
        return self.kept.get(key)

    def put(self, key: str, payload: bytes, stored_at: float) -> None:
        self.kept[key] = (payload, stored_at)


@dataclass
class Rig:
    """A session with every part of it in reach."""

    path: Path
    credential: Credential = field(default_factory=lambda: Credential("token", TOKEN))
    clock: FakeClock = field(default_factory=FakeClock)
    stop: Stop = field(default_factory=Stop)
    redactor: Redactor = field(default_factory=Redactor)
    limiter: FakeLimiter = field(default_factory=FakeLimiter)
    breaker: FakeBreaker = field(default_factory=FakeBreaker)
    log: Log = field(default_factory=Log)
    hub: LastKnown = field(default_factory=LastKnown)
    tally: Tally = field(default_factory=Tally)
    max_wait: float = 300.0
    base_url: str = BASE
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    wire_options: dict[str, Any] = field(default_factory=dict)
    source: str = "LUMIO_ACME_TOKEN"
    writable: bool = True

    def __post_init__(self) -> None:
        self.provider = Acme({})
        self.vault = Vault(self.credential, self.source, self.writable)
        self.wire = Wire("acme", self.base_url, Acme.hosts, **self.wire_options)
        self.observer = Observer("acme", self.log, self.redactor, self.clock, run_id="run-1")
        any_limiter: Any = self.limiter
        any_breaker: Any = self.breaker
        self.sender = Sender(
            self.provider,
            self.wire,
            any_limiter,
            any_breaker,
            self.observer,
            clock=self.clock,
            stop=self.stop,
            max_wait=self.max_wait,
            priority=Priority.INCREMENTAL,
        )
        self.auth = Authenticator(
            self.provider,
            self.vault,
            locks=self.path / "locks",
            clock=self.clock,
            stop=self.stop,
            redactor=self.redactor,
            post=lambda call: self.sender.attempt(call, {}, Tally()),
        )
        self.cache = self.new_cache()
        self.session = Session(
            self.provider,
            self.sender,
            any_limiter,
            self.cache,
            self.auth,
            self.observer,
            Retry(
                "acme",
                clock=self.clock,
                stop=self.stop,
                max_wait=self.max_wait,
                rng=random.Random(1),
                policy=self.policy,
            ),
            self.redactor,
            self.clock,
        )

    def new_cache(self) -> Cache:
        return Cache(
            "acme",
            "account-1",
            self.path / "cache",
            clock=self.clock,
            stop=self.stop,
            redactor=self.redactor,
            last_known=self.hub,
            counts=self.log,
        )

    def send(self, call: Call, **options: Any) -> Reply:
        return self.session.send(call, tally=self.tally, **options)


GET = Call("GET", "/things", route="/things")
POST = Call("POST", "/things", json={"a": 1})


def with_(call: Call, **changes: Any) -> Call:
    return replace(call, **changes)


def together(count: int, work: Callable[[int], object]) -> None:
    """Run `work` in `count` threads that begin at once; raise what one of them raised."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if errors:
        raise errors[0]
