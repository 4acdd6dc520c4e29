"""How results are shown: the tables and the last lines of sync, preview and status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumio_cli.sync.model import ResourceResult, RunResult, totals

if TYPE_CHECKING:
    from lumio_cli.output import Output, Table

COUNTS = ("read", "created", "updated", "unchanged", "deleted", "failed")


def result_columns() -> list[Any]:
    """The columns of a run's resources."""
    from lumio_cli.output import Col

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


def result_row(result: ResourceResult) -> dict[str, Any]:
    """A resource's entry, as a row."""
    row = result.as_json()
    row["target"] = f"{result.provider}/{result.resource}"
    row["error"] = result.error.message if result.error else None
    return row


def sync_result(output: Output, result: RunResult) -> None:
    """What `lumio sync` prints."""
    from lumio_cli.output import Table

    rows = [result_row(r) for r in result.resources]
    parts: list[Table | str] = [Table(result_columns(), rows), _verdict(result)]
    if result.error is not None and output.mode == "table":
        parts = []  # the same line for every resource: the error alone says it
    output.result(result.as_json(), *parts)
    _tell(output, result)


def preview_result(output: Output, result: RunResult) -> None:
    """What `lumio preview` prints."""
    from lumio_cli.output import Diff

    total = totals(result)
    document = result.as_json()
    diff = Diff(
        document["changes"],
        {
            "create": total["created"],
            "update": total["updated"],
            "delete": total["deleted"],
            "unchanged": total["unchanged"],
        },
    )
    if result.exit_code:
        diff = Diff(diff.changes, diff.totals, "This preview is incomplete. Nothing was written.")
    output.result(document, diff)
    _tell(output, result)


def _verdict(result: RunResult) -> str:
    """One line for people: what the run came to."""
    total = totals(result)
    duration = result.as_json()["duration_s"]
    words = [f"{total[n]:,} {n}".replace(",", " ") for n in COUNTS if total[n] and n != "read"]
    done = ", ".join(words) or "nothing new"
    return (
        f"\n{result.status}: {done} in {duration:.1f} s, {total['requests']:,} requests "
        f"(run {result.run_id})"
    )


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
    failed = totals(result)["failed"]
    if failed:
        output.warn(f"{failed:,} records could not be stored", "lumio failures list")


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
    resources = Table(
        [
            Col("target", kind="id"),
            Col("records", kind="number"),
            Col("last_run", kind="status"),
            Col("progress", rare=True),
            Col("last_success", kind="time"),
            Col("cursor", kind="id", drop=2),
            Col("pending_push", kind="number", drop=3),
            Col("dead_letters", kind="number", drop=1),
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
        "note": error["message"] if error else resource["warning"],
    }


def _progress_text(progress: dict[str, Any]) -> str:
    if progress["total"] is None:
        return f"{progress['current']}"
    text = f"{progress['current']}/{progress['total']} ({progress['percentage']:g} %)"
    return f"{text} until {progress['eta']}" if progress["eta"] else text
