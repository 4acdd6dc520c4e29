"""Checks of a provider's account: credential, authentication, scopes, quotas, circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import LumioError
from lumio_cli.core.units import format_duration, grouped
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.fields import Identity
from lumio_cli.services.connections.account_guard import identify
from lumio_cli.services.diagnostics.check import Check, Finding
from lumio_cli.services.diagnostics.provider_context import CONNECT, READ, Subject

if TYPE_CHECKING:
    from datetime import datetime

    from lumio_cli.transport.quota.limiter import Level
    from lumio_cli.transport.session import Session

LOW = 0.1
"""The share of a long quota below which the next sync may not come to its end."""
EXPIRES_SOON = 7 * 86400.0


def first_checks(subject: Subject) -> list[Check]:
    """What needs no network."""
    return [Check("credential", lambda: credential(subject))]


def last_checks(subject: Subject) -> list[Check]:
    """What needs a way to the provider, and what the answer says of its quotas."""
    return [
        Check("authentication", lambda: authentication(subject), network=True),
        Check("scopes", lambda: scopes(subject)),
        Check("quota", lambda: quota(subject)),
        Check("circuit", lambda: circuit(subject)),
    ]


def credential(subject: Subject) -> Finding:
    """Whether there is one, where it comes from, and when it ends."""
    subject.loaded = loaded = subject.scene.runtime.credentials.load(subject.name)
    held = loaded.credential
    end = held.expires_at
    facts: dict[str, Any] = {
        "kind": held.kind,
        "source": loaded.source,
        "expires_at": format_time(end) if end else None,
    }
    text = f"{held.kind} from {loaded.source}"
    if held.refresh:
        return Finding("pass", f"{text}, renewed by itself", None, facts)
    if end is None:
        return Finding("pass", f"{text}, does not say when it ends", None, facts)
    left = end.timestamp() - subject.scene.clock.time()
    if left <= 0:
        text = f"{text}, ended {format_duration(-left)} ago"
        return Finding("fail", text, f"lumio connect {subject.name}", facts)
    text = f"{text}, ends in {format_duration(left)}"
    if left < EXPIRES_SOON:
        return Finding("warn", text, f"lumio connect {subject.name}, with a new one", facts)
    return Finding("pass", text, None, facts)


def authentication(subject: Subject) -> Finding:
    """Whether the credential opens an account, and the one that the hub holds."""
    if subject.loaded is None:
        return Finding("skip", "not tried: there is no usable credential")
    if subject.unreachable:
        return Finding("skip", f"not tried: {subject.unreachable}")
    session = _session(subject)

    def send(call: Call) -> Reply:
        reply = session.send(call)
        for allowance in subject.provider.remaining(call, reply):
            subject.said[allowance.quota] = allowance
        return reply

    try:
        identity = identify(subject.provider, send, subject.loaded.credential)
    except LumioError as error:
        hint = error.hint or f"lumio debug {subject.name} on, and try again: it shows the exchange"
        return Finding("fail", error.message, hint, {"code": error.code})
    finally:
        session.close()
    subject.identity = identity
    return _compare(subject, identity)


def _session(subject: Subject) -> Session:
    """A session that does not try again: a diagnosis wants to hear the first answer, in time."""
    from lumio_cli.transport.quota.state import Priority
    from lumio_cli.transport.retry import RetryPolicy
    from lumio_cli.transport.session import TransportOptions, open_session
    from lumio_cli.transport.wire import Timeouts

    scene = subject.scene
    settings, runtime = scene.settings, scene.runtime
    assert settings is not None  # noqa: S101 there is no subject without settings
    return open_session(
        subject.provider,
        TransportOptions(
            base_url=subject.settings.base_url or None,
            tls12=settings.http.tls12 or None,
            ca_file=settings.http.ca_file or None,
            proxy=settings.http.proxy or None,
            timeouts=Timeouts(connect=CONNECT, read=READ, write=READ, pool=CONNECT),
            max_wait=CONNECT,
            priority=Priority.INTERACTIVE,
            retries=RetryPolicy(attempts=1, throttled=1),
            account=subject.account_key,
            quota_share=subject.settings.quota_share,
        ),
        store=runtime.store,
        quota_store=runtime.quota_store,
        credentials=runtime.credentials,
        cache_dir=None,
        locks_dir=scene.paths.locks,
        redactor=runtime.redactor,
        clock=scene.clock,
        stop=runtime.stop,
    )


def _compare(subject: Subject, identity: Identity) -> Finding:
    known = subject.account
    text = f"{identity.account_name} ({identity.account_id})"
    if plan := identity.details.get("plan"):
        text += f", plan {plan}"
    facts = {"account": {"id": identity.account_id, "name": identity.account_name}}
    if known is None:
        return Finding("pass", f"{text}; the hub holds no account yet", None, facts)
    if known.account_id != identity.account_id:
        return Finding(
            "fail",
            f"the credential opens {text}, but this hub holds {known.account_name} "
            f"({known.account_id})",
            f"correct the credential in {subject.loaded.source if subject.loaded else 'use'}, "
            "or keep the other account in its own profile: --profile NAME",
            {**facts, "hub_account": {"id": known.account_id, "name": known.account_name}},
        )
    return Finding("pass", f"{text}, the account that the hub holds", None, facts)


def scopes(subject: Subject) -> Finding:
    """Which resources the credential may not read."""
    from lumio_cli.services.connections.connect import missing_scopes

    granted = _granted(subject)
    if granted is None:
        return Finding("skip", "not known: the provider has not said which scopes were granted")
    wanted = subject.settings.resources
    lacking = {
        name: list(needed)
        for name, needed in missing_scopes(subject.provider, granted).items()
        if not wanted or name in wanted
    }
    facts = {"granted": sorted(granted), "missing": lacking}
    if not lacking:
        return Finding("pass", f"all that is needed ({len(granted)} granted)", None, facts)
    words = "; ".join(f"{name} needs {', '.join(needed)}" for name, needed in lacking.items())
    hint = (
        f"grant them to the app at {subject.provider.title}, then `lumio connect {subject.name}`; "
        f"or leave these resources out with providers.{subject.name}.resources"
    )
    return Finding("warn", words, hint, facts)


def _granted(subject: Subject) -> tuple[str, ...] | None:
    """The scopes as far as anybody has told: now, or when the credential was last proven."""
    if subject.identity is not None:
        return subject.identity.scopes
    if subject.loaded is not None and subject.loaded.credential.scopes is not None:
        return subject.loaded.credential.scopes
    return subject.account.scopes if subject.account is not None else None


def quota(subject: Subject) -> Finding:
    """What is left of each quota, as we count and as the provider says."""
    levels = subject.limiter().levels()
    facts = {"levels": [level_facts(level, subject) for level in levels]}
    if not levels:
        return Finding("pass", f"{subject.provider.title} publishes no quotas", None, facts)
    text = "left: " + ", ".join(
        f"{level.quota} {grouped(int(level.remaining))} of {grouped(int(level.limit))}"
        for level in levels
    )
    held = [level for level in levels if level.held_until is not None]
    if held:
        until = max(level.held_until for level in held if level.held_until)
        hint = (
            f"syncs wait by themselves; run it again after {_moment(until)}; "
            f"`lumio limits show {subject.name}` says why"
        )
        return Finding("warn", f"{text}; {held[0].quota} is held back", hint, facts)
    kinds = {q.name: q.kind for q in subject.provider.quotas}
    low = [v for v in levels if kinds[v.quota] == "daily" and v.remaining < LOW * v.limit]
    if low:
        back = f" after {_moment(low[0].reset_at)}" if low[0].reset_at else " tomorrow"
        hint = f"sync less often, or set providers.{subject.name}.quota_share; it is back{back}"
        return Finding("warn", text, hint, facts)
    return Finding("pass", text, None, facts)


def level_facts(level: Level, subject: Subject) -> dict[str, Any]:
    """A quota's level, with what the provider's headers said in this diagnosis."""
    said = subject.said.get(level.quota)
    return {
        "quota": level.quota,
        "limit": level.limit,
        "remaining": level.remaining,
        "used": level.used,
        "reset_at": format_time(level.reset_at) if level.reset_at else None,
        "held_until": format_time(level.held_until) if level.held_until else None,
        "provider_limit": said.limit if said else None,
        "provider_remaining": said.remaining if said else None,
    }


def circuit(subject: Subject) -> Finding:
    """Whether the provider is left alone because it kept failing."""
    breaker = subject.breaker()
    state, until = breaker.state(), breaker.retry_at()
    facts = {"state": state, "retry_at": format_time(until) if until else None}
    if state == "open" and until is not None:
        text = f"open: {subject.provider.title} kept failing and is left alone until"
        hint = (
            "nothing was lost; see the provider's status page, and run it again after that time; "
            f"`lumio limits clear {subject.name}` closes it now"
        )
        return Finding("fail", f"{text} {_moment(until)}", hint, facts)
    if state == "half_open":
        hint = f"lumio sync {subject.name} tries it"
        return Finding("warn", "half open: the next request decides", hint, facts)
    return Finding("pass", "closed", None, facts)


def _moment(value: datetime) -> str:
    return format_time(value.replace(microsecond=0))
