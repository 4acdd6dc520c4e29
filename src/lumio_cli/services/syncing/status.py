"""What `lumio status` knows: read from the hub and the rate buckets; it asks no provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_time, parse_time, utc
from lumio_cli.core.errors import LumioError, StoppedError, UsageError
from lumio_cli.services.syncing.targets import is_connected

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.runtime import Runtime

TOO_EARLY = 2.0
"""Seconds of a run that are too few to say when it will end."""


def status(runtime: Runtime, targets: Sequence[str], *, check: bool = False) -> dict[str, Any]:
    """The document of `status`. With `check`, each connected provider is asked one question.

    Raises `UsageError` for a name that does not exist, `HubError`.
    """
    chosen = _chosen(runtime, targets)
    return {
        "generated_at": format_time(utc(runtime.clock.time())),
        "profile": runtime.paths.profile,
        "hub": str(runtime.hub_path),
        "providers": [_provider(runtime, name, only, check) for name, only in chosen.items()],
    }


def _chosen(runtime: Runtime, targets: Sequence[str]) -> dict[str, set[str]]:
    """Providers, each with the resources to show; an empty set is all of them.

    Without a target: what is connected, and what the hub has data of.
    """
    from lumio_cli.providers.contract.fields import suggest
    from lumio_cli.providers.registry import provider_names

    names = provider_names()
    if not targets:
        held = {row[0] for row in _rows(runtime, "SELECT DISTINCT provider FROM lumio_resources")}
        return {n: set() for n in names if n in held or is_connected(runtime, n)}
    found: dict[str, set[str]] = {}
    for target in targets:
        name, _, resource = target.partition("/")
        if name not in names:
            raise UsageError(
                f"there is no provider {name!r}", hint=suggest(name, names, "providers")
            )
        if resource:
            runtime.provider(name).resource(resource)
            if found.get(name) != set():
                found.setdefault(name, set()).add(resource)
        else:
            found[name] = set()
    return found


def _provider(runtime: Runtime, name: str, only: set[str], check: bool) -> dict[str, Any]:
    from lumio_cli.hub.sqlite.state import read_account

    reader = runtime.hub_reader
    account = read_account(reader.connection, name) if reader else None
    connected = is_connected(runtime, name)
    rows = _rows(runtime, "SELECT * FROM lumio_resources WHERE provider = ?", [name])
    order = [resource.name for resource in runtime.provider(name).resources]
    resources = [
        _resource(runtime, row)
        for row in sorted(
            (row for row in rows if row["resource"] in order),
            key=lambda row: order.index(row["resource"]),
        )
        if not only or row["resource"] in only
    ]
    limit, circuit = _transport(runtime, name)
    synced = [r["last_success"] for r in resources if r["last_success"]]
    entry: dict[str, Any] = {
        "provider": name,
        "connected": connected,
        "account": {"id": account.account_id, "name": account.account_name} if account else None,
        "credential": {
            "source": runtime.credentials.given(name) or (account.source if account else None),
            "expires_at": account.expires_at if account else None,
        },
        "health": health(connected, resources, circuit),
        "last_sync": max(synced) if synced else None,
        "resources": resources,
        "rate_limit": limit,
        "circuit": circuit,
    }
    if check:
        entry["check"] = _check(runtime, name)
        if entry["check"]["status"] != "pass":
            entry["health"] = "unhealthy"
    return entry


def _resource(runtime: Runtime, row: sqlite3.Row) -> dict[str, Any]:
    from lumio_cli.hub.sqlite import misfits, outbox
    from lumio_cli.hub.sqlite.runs import count_dead_letters, last_run_of
    from lumio_cli.hub.sqlite.views import CURE
    from lumio_cli.services.maintenance.hub_repair import unreadable

    reader = runtime.hub_reader
    assert reader is not None  # noqa: S101 the row came from it
    provider, resource = row["provider"], row["resource"]
    last = last_run_of(reader.connection, provider, resource)
    broken = [one.detail for one in unreadable(reader.connection, provider, resource)]
    if broken:
        broken[-1] += f" ({CURE})"
    edits = outbox.count(reader.connection, provider, resource)
    progress = None
    if last is not None and last["status"] == "running":
        if _is_alive(runtime, last["run_id"]):
            progress = _progress(runtime, last)
        else:
            last["status"] = "interrupted"
    return {
        "resource": resource,
        "records": row["records"],
        "hidden": row["hidden"],
        "last_success": row["synced_at"],
        "last_run": None
        if last is None
        else {
            "run_id": last["run_id"],
            "status": last["status"],
            "finished_at": last["finished_at"],
            "error": last["error"],
        },
        "cursor": row["cursor"],
        "pending_push": sum(n for s, n in edits.items() if s != "failed"),
        "conflicts": edits.get("conflict", 0),
        "dead_letters": count_dead_letters(reader.connection, provider, resource),
        "progress": progress,
        "bad_values": dict(misfits.read(reader.connection, provider, resource)),
        "warning": "; ".join(filter(None, (row["warning"], *broken))) or None,
        "deletions_checked_at": max(
            (t for t in (row["tombstones_at"], row["full_at"]) if t), default=None
        ),
    }


def _progress(runtime: Runtime, run: Mapping[str, Any]) -> dict[str, Any]:
    """How far a running pull is. The time of arrival assumes that it goes on as it went."""
    total, now = run["total"], utc(runtime.clock.time())
    if run["direction"] == "push":
        (waiting,) = _rows(
            runtime,
            "SELECT count(*) FROM lumio_outbox WHERE provider = ? AND resource = ?"
            " AND status IN ('pending', 'sending')",
            [run["provider"], run["resource"]],
        )[0]
        return {
            "current": run["sent"],
            "total": run["sent"] + waiting,
            "percentage": round(100.0 * run["sent"] / max(1, run["sent"] + waiting), 1),
            "eta": None,
        }
    # The checkpoints are written with each page, the run's own counts only now and then.
    (walked,) = _rows(
        runtime,
        "SELECT sum(rows) FROM lumio_checkpoints"
        " WHERE provider = ? AND resource = ? AND kind <> 'tombstones'",
        [run["provider"], run["resource"]],
    )[0]
    current = max(run["read"], walked or 0)
    percentage = eta = None
    if total:
        percentage = round(min(100.0, 100.0 * current / total), 1)
        spent = (now - parse_time(run["started_at"])).total_seconds()
        if current and spent > TOO_EARLY:
            left = spent / current * max(0, total - current)
            eta = format_time((now + timedelta(seconds=left)).replace(microsecond=0))
    return {"current": current, "total": total, "percentage": percentage, "eta": eta}


def health(connected: bool, resources: Iterable[Mapping[str, Any]], circuit: str) -> str:
    """One word for a provider: unhealthy where nothing works, degraded where something does not."""
    runs = [r["last_run"]["status"] for r in resources if r["last_run"] is not None]
    if circuit == "open" or (runs and all(s == "failed" for s in runs)):
        return "unhealthy"
    if not runs:
        return "unknown"
    if not connected or circuit == "half_open":
        return "degraded"
    if any(s not in ("succeeded", "running") for s in runs):
        return "degraded"
    if any(r["dead_letters"] or r["warning"] for r in resources):
        return "degraded"
    return "healthy"


def _transport(runtime: Runtime, name: str) -> tuple[dict[str, Any] | None, str]:
    """How the quotas stand, and the circuit; None and closed where no request was ever made."""
    if not runtime.paths.quotas.exists():
        return None, "closed"
    from lumio_cli.services.connections.account_guard import account_key
    from lumio_cli.transport.owner import breaker_of, limiter_of, whose

    provider, chosen = runtime.provider(name), runtime.settings.configured(name)
    owner = whose(account_key(runtime, name), chosen.base_url or provider.base_url)
    store, clock = runtime.quota_store, runtime.clock
    limiter = limiter_of(store, provider, owner, clock, share=chosen.quota_share)
    quotas = [
        {
            "quota": level.quota,
            "limit": level.limit,
            "remaining": level.remaining,
            "reset_at": level.reset_at,
        }
        for level in limiter.levels()
    ]
    circuit = breaker_of(store, name, owner, clock).state()
    # The quota that a provider declares first is the one that most calls live by.
    return ({**quotas[0], "quotas": quotas} if quotas else None), circuit


def _check(runtime: Runtime, name: str) -> dict[str, Any]:
    """One request: does the credential still open the account?"""
    from lumio_cli.services.connections.account_guard import identify
    from lumio_cli.services.connections.sessions import open_for

    try:
        provider = runtime.provider(name)
        credential = runtime.credentials.load(name).credential
        identity = identify(provider, open_for(runtime, provider, read_only=True).send, credential)
    except StoppedError:
        raise
    except LumioError as error:
        return {"status": "fail", "detail": error.message, "hint": error.hint}
    return {
        "status": "pass",
        "detail": f"{identity.account_name} ({identity.account_id})",
        "hint": None,
    }


def _is_alive(runtime: Runtime, run_id: str) -> bool:
    from lumio_cli.sync.run_locks import run_lock

    return run_lock(runtime.paths.locks, run_id).holder() is not None


def _rows(runtime: Runtime, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
    reader = runtime.hub_reader
    return [] if reader is None else reader.connection.execute(sql, values).fetchall()
