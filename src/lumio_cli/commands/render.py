"""How results are shown: the tables and the last lines of sync, preview and status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import LumioError
from lumio_cli.sync.model import COUNTED, ResourceResult, RunResult, totals

if TYPE_CHECKING:
    from lumio_cli.output import Output, Table

DROP = {
    "read": 6, "sent": 7, "created": 0, "updated": 0, "unchanged": 8, "deleted": 4,
    "conflicts": 0, "failed": 0, "requests": 9,
}  # fmt: skip
"""What a run counts both ways, and which of it is left out first where the terminal is narrow."""
TITLES = {"created": "new", "unchanged": "same", "deleted": "gone", "direction": "way"}
RUN_DROP = {
    "read": 4, "sent": 5, "created": 1, "updated": 2, "unchanged": 6, "deleted": 4,
    "conflicts": 3, "failed": 0,
}  # fmt: skip
"""The same of a whole run, in a list of runs."""
EMPTY = 20
"""What is nothing but zeros is left out before anything else."""


def result_columns(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The columns of a run's resources; a run that pushes has more of them."""
    from lumio_cli.output import Col

    if any(row["direction"] == "push" for row in rows):
        return _two_ways(rows)
    return [
        Col("target", kind="id"),
        Col("mode", drop=3),
        Col("status", kind="status"),
        Col("read", kind="number"),
        Col("created", "new", "number"),
        Col("updated", kind="number"),
        Col("unchanged", "same", "number", drop=1),
        Col("deleted", "gone", "number"),
        Col("failed", kind="number"),
        Col("requests", kind="number", drop=2),
        Col("error", rare=True),
    ]


def _two_ways(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    from lumio_cli.output import Col

    counts = [
        Col(name, TITLES.get(name, ""), "number", drop if any(r.get(name) for r in rows) else EMPTY)
        for name, drop in DROP.items()
    ]
    columns = [Col("target", kind="id"), Col("direction", "way"), Col("mode", drop=10)]
    # The error comes with its hint below the table.
    return [*columns, Col("status", kind="status"), *counts, Col("error", drop=11, rare=True)]


def result_row(result: ResourceResult) -> dict[str, Any]:
    """A resource's entry, as a row."""
    row = result.as_json()
    row["target"] = f"{result.provider}/{result.resource}"
    row["error"] = result.error.message if result.error else None
    return row


def sync_result(output: Output, result: RunResult, more: Mapping[str, Any] | None = None) -> None:
    """What `lumio sync` prints; `more` are further entries of the document."""
    from lumio_cli.output import Table

    rows = [result_row(r) for r in result.resources]
    parts: list[Table | str] = [Table(result_columns(rows), rows), "", _verdict(result)]
    if result.error is not None and output.mode == "table":
        parts = []  # the same line for every resource: the error alone says it
    output.result({**result.as_json(), **(more or {})}, *parts)
    _tell(output, result)


def preview_result(
    output: Output, result: RunResult, more: Mapping[str, Any] | None = None
) -> None:
    """What `lumio preview` prints; `more` are further entries of the document."""
    from lumio_cli.output import Diff

    document = {**result.as_json(), **(more or {})}
    verdict = "Nothing was written."
    if result.exit_code:
        verdict = "This preview is incomplete. Nothing was written."
    ways = {r.direction for r in result.resources}
    pulled, pushed = _totals(result, "pull"), _totals(result, "push")
    diff = Diff(
        document["changes"],
        pulled if "pull" in ways or not ways else None,
        verdict,
        pushed if "push" in ways else None,
    )
    output.result(document, diff)
    _tell(output, result)
    for resource in result.resources:
        if resource.direction == "push" and output.mode != "json":
            for warning in resource.warnings:
                output.warn(f"{resource.provider}/{resource.resource}: {warning}")
    if pushed["conflict"]:
        output.note(
            "conflicts are left alone; --conflicts provider, local or newest decides them, but for"
            " those of merged records: `lumio conflicts list`, after a sync"
            if any(change.get("merged_into") for change in document["changes"])
            else "conflicts are left alone; --conflicts provider, local or newest decides them"
        )


def _totals(result: RunResult, direction: Any) -> dict[str, int]:
    total = totals(result, direction)
    found = {
        "create": total["created"],
        "update": total["updated"],
        "delete": total["deleted"],
        "conflict": total["conflicts"],
    }
    return found if direction == "push" else {**found, "unchanged": total["unchanged"]}


def _verdict(result: RunResult) -> str:
    """One line for people: what the run came to, each way."""
    document, ways = result.as_json(), [r.direction for r in result.resources]
    pulled, pushed = _done(result, "pull"), _done(result, "push")
    if "push" not in ways:
        done = pulled
    elif "pull" not in ways:
        done = f"pushed {pushed}"
    else:
        done = f"pulled {pulled}; pushed {pushed}"
    return (
        f"{result.status}: {done} in {document['duration_s']:.1f} s, "
        f"{totals(result)['requests']:,} requests (run {result.run_id})"
    )


def _done(result: RunResult, direction: Any) -> str:
    total = totals(result, direction)
    names = [name for name in COUNTED[direction] if total[name] and name not in ("read", "sent")]
    words = [_number(total[name], name) for name in names]
    if direction == "push" and not total["sent"]:
        words.insert(0, "nothing")
    return ", ".join(words) or "nothing new"


def _number(count: int, name: str) -> str:
    """`1 conflict`, `1 250 created`."""
    return f"{count:,} {name.removesuffix('s') if count == 1 else name}".replace(",", " ")


def _tell(output: Output, result: RunResult) -> None:
    """Each distinct error once on stderr, with its hint: tables have no room for hints."""
    if output.mode == "json":
        return
    told: set[str] = set()
    for resource in result.resources:
        error = resource.error
        if error is None or error.message in told:
            continue
        told.add(error.message)
        output.error(error)
    if failed := totals(result, "pull")["failed"]:
        _matter(output, f"{failed:,} records could not be stored", "lumio failures list")
    if refused := totals(result, "push")["failed"]:
        text = f"refused by the provider: {_number(refused, 'edits')}"
        _matter(output, text, "lumio failures list")
    if result.changes is None and (conflicts := totals(result, "push")["conflicts"]):
        text = f"to be decided: {_number(conflicts, 'conflicts')}"
        _matter(output, text, "lumio conflicts list")


def _matter(output: Output, text: str, hint: str) -> None:
    """Why the exit code is not 0: with `--quiet`, too, since cron mails nothing but stderr."""
    if output.options.quiet:
        output.error(LumioError(text, hint=hint))
    else:
        output.warn(text, hint)


def run_result(output: Output, run: dict[str, Any]) -> None:
    """What `lumio runs show` prints."""
    from lumio_cli.output import Col, Table

    names = ("run_id", "status", "started_at", "finished_at", "mode", "targets", "exit_code")
    about = {**run, "targets": ", ".join(run["targets"])}
    facts = [{"what": name.replace("_", " "), "value": about[name]} for name in names]
    resources = sorted(run["resources"], key=lambda entry: str(entry["direction"]))
    rows = [{**r, "target": f"{r['provider']}/{r['resource']}"} for r in resources]
    if any(row["direction"] == "push" for row in rows):
        shown = [column for column in result_columns(rows) if column.name != "error"]
    else:
        shown = [Col("target", kind="id"), Col("status", kind="status"), Col("mode", drop=3)]
        shown += [Col(n, TITLES.get(n, ""), "number") for n in COUNTED["pull"]]
        shown += [Col("requests", kind="number", drop=1)]
    shown += [Col("duration_s", "took", "duration", drop=1)]
    parts = [Table([Col("what", kind="id"), Col("value")], facts), Table(shown, rows)]
    if errors := [{**row, **row["error"]} for row in rows if row["error"]]:
        columns = [Col("target", kind="id"), Col("message", "error"), Col("hint")]
        parts.append(Table(columns, errors, title="Errors"))
    if run["drift"]:
        drift = [Col("resource", kind="id"), Col("field", kind="id"), Col("change")]
        drift += [Col("before"), Col("after"), Col("at", kind="time")]
        parts.append(Table(drift, run["drift"], title="Changes of schemas"))
    output.result(run, *parts)


def status_tables(document: dict[str, Any]) -> list[Table | str]:
    """The document of `status` as tables: the providers, then their resources."""
    from lumio_cli.output import Col, Table

    providers = Table(
        [
            Col("provider", kind="id"),
            Col("health", kind="status"),
            Col("connected", kind="bool"),
            Col("account"),
            Col("last_sync", kind="time"),
            Col("records", kind="number"),
            Col("dead_letters", kind="number", drop=2),
            Col("quota_left", drop=1),
            Col("circuit", kind="status", drop=3),
        ],
        [_provider_row(p) for p in document["providers"]],
        empty="nothing is connected yet: lumio connect PROVIDER",
    )
    rows = [_resource_row(p["provider"], r) for p in document["providers"] for r in p["resources"]]
    if not rows:
        return [providers]
    waits = any(row["pending_push"] for row in rows)
    resources = Table(
        [
            Col("target", kind="id"),
            Col("records", kind="number"),
            Col("hidden", kind="number", rare=True),
            Col("last_run", kind="status"),
            Col("progress", rare=True),
            Col("last_success", kind="time"),
            Col("cursor", kind="id", drop=2),
            Col("pending_push", "to push", "number", drop=1 if waits else 4),
            Col("conflicts", kind="number", rare=True),
            Col("dead_letters", kind="number", drop=2),
            Col("bad_values", "bad values", rare=True),
            Col("note", rare=True),
        ],
        rows,
    )
    return [providers, resources]


def _provider_row(provider: dict[str, Any]) -> dict[str, Any]:
    limit = provider["rate_limit"]
    left = f"{limit['remaining']:g} of {limit['limit']:g}" if limit else None
    return {
        **provider,
        "account": provider["account"]["name"] if provider["account"] else None,
        "records": sum(r["records"] for r in provider["resources"]),
        "dead_letters": sum(r["dead_letters"] for r in provider["resources"]),
        "quota_left": left,
    }


def _resource_row(provider: str, resource: dict[str, Any]) -> dict[str, Any]:
    run, progress = resource["last_run"], resource["progress"]
    error = run["error"] if run else None
    return {
        **resource,
        "target": f"{provider}/{resource['resource']}",
        "last_run": run["status"] if run else None,
        "progress": _progress_text(progress) if progress else None,
        "bad_values": ", ".join(f"{c} {n}" for c, n in resource["bad_values"].items()) or None,
        "note": error["message"] if error else resource["warning"],
    }


def _progress_text(progress: dict[str, Any]) -> str:
    if progress["total"] is None:
        return f"{progress['current']}"
    text = f"{progress['current']}/{progress['total']} ({progress['percentage']:g} %)"
    return f"{text} until {progress['eta']}" if progress["eta"] else text
