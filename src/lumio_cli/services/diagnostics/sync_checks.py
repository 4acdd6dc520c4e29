"""Checks of what the hub knows of a provider: runs, dead letters, drift, deletions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from lumio_cli.services.diagnostics.check import Check, Finding
from lumio_cli.services.diagnostics.provider_context import Subject

if TYPE_CHECKING:
    import sqlite3

STALE = 7 * 86400.0
"""Seconds without a success after which a schedule is probably broken."""
RECENT = 7 * 86400.0
"""Seconds for which a change of the provider's schema is worth telling."""


def checks(subject: Subject) -> list[Check]:
    """The checks of a provider's part of the hub."""
    return [
        Check("last_runs", lambda: last_runs(subject)),
        Check("dead_letters", lambda: dead_letters(subject)),
        Check("drift", lambda: drift(subject)),
        Check("deletions", lambda: deletions(subject)),
    ]


def last_runs(subject: Subject) -> Finding:
    """How the last run of each resource ended."""
    name, scene = subject.name, subject.scene
    with scene.hub() as db:
        rows = [_row(subject, db, r) for r in _resources(db, name)] if db is not None else []
    facts = {"resources": rows}
    if not rows:
        return Finding("warn", "nothing of it was ever synced", f"lumio sync {name}", facts)
    failed = [r for r in rows if r["status"] == "failed"]
    others = [r for r in rows if r["status"] not in ("succeeded", "failed", "running")]
    if failed or others:
        return _not_well(subject, failed, others, facts)
    synced = [str(r["last_success"]) for r in rows if r["last_success"]]
    oldest = min(synced) if synced else None
    count = "the last run" if len(rows) == 1 else f"the last runs of {len(rows)} resources"
    text = f"{count} succeeded, the oldest {scene.ago(oldest)}"
    if oldest is not None and scene.age(oldest) > STALE:
        hint = f"lumio sync {name}; if a schedule should have done it, look at its log"
        return Finding("warn", text, hint, facts)
    return Finding("pass", text, None, facts)


def _row(subject: Subject, db: sqlite3.Connection, resource: str) -> dict[str, Any]:
    """A resource and its last run."""
    from lumio_cli.hub.sqlite.runs import last_run_of
    from lumio_cli.hub.sqlite.state import read_state

    run = last_run_of(db, subject.name, resource)
    return {
        "resource": resource,
        "status": _status(subject, run) if run else "never",
        "run_id": run["run_id"] if run else None,
        "finished_at": run["finished_at"] if run else None,
        "last_success": read_state(db, subject.name, resource).synced_at,
        "error": run["error"] if run else None,
    }


def _not_well(
    subject: Subject,
    failed: list[dict[str, Any]],
    others: list[dict[str, Any]],
    facts: dict[str, Any],
) -> Finding:
    """Resources whose last run did not succeed: the first error, and the names of all."""
    bad = failed or others
    listed = ", ".join(f"{r['resource']} {r['status']}" for r in [*failed, *others])
    error = bad[0]["error"] or {}
    why = f": {error['message']}" if error.get("message") else ""
    hint = error.get("hint") or f"lumio sync {subject.name} goes on from where it stopped"
    return Finding("fail" if failed else "warn", f"{listed}{why}", hint, facts)


def _status(subject: Subject, run: dict[str, Any]) -> str:
    """How it ended; a run that says `running` and is not was killed."""
    from lumio_cli.sync.run_locks import run_lock

    status = str(run["status"])
    if status == "running":
        holder = run_lock(subject.scene.paths.locks, run["run_id"]).holder()
        return "running" if holder is not None else "interrupted"
    return status


def dead_letters(subject: Subject) -> Finding:
    """Records that could not be stored."""
    from lumio_cli.hub.sqlite.runs import count_dead_letters, list_dead_letters

    name = subject.name
    counts: dict[str, int] = {}
    newest: list[dict[str, Any]] = []
    with subject.scene.hub() as db:
        if db is not None:
            counts = {r: count_dead_letters(db, name, r) for r in _resources(db, name)}
            newest = list_dead_letters(db, name, limit=1)
    counts = {resource: count for resource, count in counts.items() if count}
    facts = {"open": counts}
    if not counts:
        return Finding("pass", "no record waits", None, facts)
    listed = ", ".join(f"{count:,} {resource}" for resource, count in counts.items())
    why = f"; the last: {newest[0]['message']}" if newest else ""
    hint = f"lumio failures list {name}"
    return Finding("warn", f"could not be stored: {listed}{why}", hint, facts)


def drift(subject: Subject) -> Finding:
    """Whether the provider's schema has changed lately."""
    from lumio_cli.hub.sqlite.state import read_drift

    with subject.scene.hub() as db:
        found = read_drift(db, subject.name, 200) if db is not None else []
    recent = [change for change in found if subject.scene.age(change["at"]) < RECENT]
    counts = Counter(str(change["change"]) for change in recent)
    facts = {"recent": recent[:20], "counts": dict(counts)}
    if not recent:
        return Finding("pass", "no field has changed in the last 7 days", None, facts)
    text = ", ".join(f"{count} {word}" for word, count in counts.items())
    first = next((c for c in recent if c["change"] != "new"), None)
    text = f"fields in the last 7 days: {text}"
    if first is None:
        return Finding("pass", text, None, facts)
    text += f" (first of them {first['resource']}.{first['field']} {first['change']})"
    view = f"{subject.name}_{first['resource']}"
    hint = f"look at queries and reports that use it in the view {view}; the data are kept"
    return Finding("warn", text, hint, facts)


def deletions(subject: Subject) -> Finding:
    """Whether a brake held deletions back, or a walk was in doubt."""
    with subject.scene.hub() as db:
        rows = [] if db is None else db.execute(_WARNINGS, [subject.name]).fetchall()
    facts = {"warnings": {row["resource"]: row["warning"] for row in rows}}
    if not rows:
        return Finding("pass", "none was held back", None, facts)
    first, more = rows[0], f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    hint = (
        f"see whether they are really gone at {subject.provider.title}; if so: "
        f"lumio sync {subject.name}/{first['resource']} --mode full --max-delete 100"
    )
    if "max-delete" not in first["warning"]:
        hint = f"lumio sync {subject.name}/{first['resource']} --mode full"
    return Finding("warn", f"{first['resource']}: {first['warning']}{more}", hint, facts)


_WARNINGS = (
    "SELECT resource, warning FROM lumio_resources"
    " WHERE provider = ? AND warning IS NOT NULL ORDER BY rowid"
)


def _resources(db: sqlite3.Connection, provider: str) -> list[str]:
    rows = db.execute(
        "SELECT resource FROM lumio_resources WHERE provider = ?"
        " UNION SELECT resource FROM lumio_run_resources WHERE provider = ?",
        [provider, provider],
    )
    return [str(row[0]) for row in rows]
