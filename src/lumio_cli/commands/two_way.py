"""What several commands do and show about pushes: plans, undone runs, conflicts, refused edits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lumio_cli.output import Diff, Output, Table
    from lumio_cli.runtime import Runtime
    from lumio_cli.services.syncing.conflicts import Conflict
    from lumio_cli.services.syncing.sync import Request
    from lumio_cli.services.syncing.undo import Undoing

KINDS = {
    "edit": "changed on both sides",
    "changed": "deleted here, changed there",
    "deleted": "changed here, deleted there",
    "merged": "changed or deleted here, merged there",
}
"""Kinds of conflicts, in words."""
SHOWN = 100
"""Changes that a person is shown before the question."""


def apply(runtime: Runtime, file: Path, request: Request) -> int:
    """Do what a plan says, print it, and return the exit code."""
    from lumio_cli.commands.render import sync_result
    from lumio_cli.output.progress import choose_progress
    from lumio_cli.services.syncing import plan_file as service

    output = runtime.output
    done = service.apply(runtime, file, request, choose_progress(output))
    sync_result(output, done.result, done.as_json())
    if done.conflicts:
        output.warn(
            f"left alone, as conflicts of the plan: {done.conflicts:,}",
            "lumio conflicts list, after a sync",
        )
    if done.moved:
        output.warn(
            f"not pushed, since they met other changes meanwhile: {done.moved:,}",
            "lumio preview --direction push shows them",
        )
    return done.result.exit_code


def undo(runtime: Runtime, run: str, request: Request, *, yes: bool, dry_run: bool) -> int:
    """Undo a run, print it, and return the exit code."""
    from lumio_cli.commands.render import sync_result
    from lumio_cli.output.progress import choose_progress
    from lumio_cli.services.syncing import undo as service

    output = runtime.output

    def show(found: Undoing) -> None:
        if output.mode == "table" and not dry_run:
            _show(output, found)

    found, result = service.undo(
        runtime,
        run,
        request,
        yes=yes,
        dry_run=dry_run,
        show=show,
        progress=choose_progress(output),
    )
    if result is not None:
        sync_result(output, result, found.as_json())
        if open_ := sum(left.open for left in found.left) + found.totals["conflict"]:
            output.warn(f"records that were left as they are: {open_:,}")
        if found.waiting:
            output.warn(f"changes that wait for the next push: {found.waiting:,}", "lumio status")
        return result.exit_code
    document = {"status": "planned" if found.edits else "nothing", **found.as_json()}
    if output.mode == "table" and not dry_run:
        output.result(document)
    else:
        output.result(document, *_plan(output, found))
    if found.waiting:
        output.warn(
            f"edits of these records wait to be pushed: {found.waiting:,}",
            "lumio sync --direction push, with their targets, sends them",
        )
    totals, run_id = found.totals, found.run_id
    if totals["create"]:
        output.note("deleted records come back with other ids")
    if totals["conflict"]:
        whole = "conflicts are left alone" if found.edits else f"of run {run_id} conflicts are left"
        output.note(f"{whole}; --conflicts local undoes them, too")
    elif not found.edits:
        output.note(f"there is nothing of run {run_id} to undo")
    return 0 if dry_run or found.whole else 3


def _show(output: Output, found: Undoing) -> None:
    """The plan, before the question."""
    output.show(*_plan(output, found), "")


def _plan(output: Output, found: Undoing) -> list[Diff | Table]:
    """What undoing a run would do, and what it would leave."""
    from lumio_cli.output import Diff

    shown = found.changes[:SHOWN] if output.mode == "table" else found.changes
    changes = [change.as_json() for change in shown]
    diff = Diff(changes, None, "Nothing was written yet.", found.totals)
    return [diff, _left_table(found)] if found.left else [diff]


def _left_table(found: Undoing) -> Table:
    """What an undo leaves as it is, and why."""
    from lumio_cli.output import Col, Table

    rows = [{**left.as_json(), "target": f"{left.provider}/{left.resource}"} for left in found.left]
    columns = [Col("target", kind="id"), Col("id", "record", "id"), Col("reason")]
    return Table(columns, rows, title="Left as they are")


def conflicts_table(conflicts: Sequence[Conflict]) -> Table:
    """Conflicts, one a line."""
    from lumio_cli.output import Col, Table

    columns = [Col("target", kind="id"), Col("id", "record", "id"), Col("what")]
    columns += [Col("fields", kind="list"), Col("edited_at", "edited", "time", drop=2)]
    return Table(columns, [_row(conflict) for conflict in conflicts], empty="no conflicts")


def conflict_tables(conflict: Conflict) -> list[Table]:
    """One conflict: what it is about, and each field's values."""
    from lumio_cli.output import Col, Table

    row = {**_row(conflict), "changed_at": conflict.changed_at}
    words = {"target": "target", "id": "record", "what": "what", "edited_at": "edited here at"}
    words["changed_at"] = "changed there at"
    facts = [{"what": words[name], "value": row[name]} for name in words]
    sides = [{**side.as_json(), "conflict": True} for side in conflict.fields]
    sides += [{**side.as_json(), "conflict": False} for side in conflict.others]
    columns = [Col("name", "field", "id"), Col("conflict", kind="bool")]
    columns += [Col("base"), Col("theirs"), Col("ours")]
    return [Table([Col("what", kind="id"), Col("value")], facts), Table(columns, sides)]


def _row(conflict: Conflict) -> dict[str, Any]:
    return {
        "target": f"{conflict.provider}/{conflict.resource}",
        "id": conflict.id,
        "what": _what(conflict),
        "fields": [side.name for side in conflict.fields],
        "edited_at": conflict.edited_at,
    }


def _what(conflict: Conflict) -> str:
    if not conflict.into:
        return KINDS.get(conflict.kind, conflict.kind)
    return f"{'deleted' if conflict.deletion else 'changed'} here, merged into {conflict.into}"


def merged_hint(conflicts: Sequence[Conflict]) -> str:
    """What can be done about conflicts of merged records; empty where there are none."""
    merged = [conflict for conflict in conflicts if conflict.into]
    if not merged:
        return ""
    hint = "of a merged record --use local gives the edit to the record that it was merged into"
    hint += ", --use provider drops it"
    if any(conflict.deletion for conflict in merged):
        hint += "; a deletion can only be dropped: delete the other record if that is meant"
    return hint


def edit_table(edit: dict[str, Any]) -> Table:
    """A refused edit, field by field."""
    from lumio_cli.output import Col, Table

    edits, base = edit.get("edits", {}), edit.get("base", {})
    rows = [{"field": n, "before": base.get(n), "after": value} for n, value in edits.items()]
    columns = [Col("field", kind="id"), Col("before"), Col("after")]
    title = f"What was to be done: {edit.get('action', 'update')}"
    return Table(columns, rows, title=title, empty="the whole record")


def failures_table(letters: Sequence[dict[str, Any]], *, closed: bool = False) -> Table:
    """Dead letters, one a line."""
    from lumio_cli.output import Col, Table

    rows = [{**x, "target": f"{x['provider']}/{x['resource']}"} for x in letters]
    columns = [Col("id", kind="id"), Col("target", kind="id"), Col("record_id", "record", "id")]
    columns += [Col("kind"), Col("message"), Col("attempts", "tries", "number", drop=1)]
    columns += [Col("last_at", "last", "time", drop=2), Col("run_id", "run", "id", drop=3)]
    columns += [Col("direction", "way", drop=4), *[Col("resolution")] * closed]
    return Table(columns, rows, empty="no failures")
