"""How records, their edits and their history look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumio_cli.commands.two_way import KINDS
from lumio_cli.output import Col, Table

if TYPE_CHECKING:
    from lumio_cli.output import Output
    from lumio_cli.services.records.editing import Reverted
    from lumio_cli.services.records.importing import Imported
    from lumio_cli.services.records.reading import Listing

FIRST = 8
"""Columns that people see of a record, unless they name some."""
REFUSED = 20
"""Rejected rows that people see."""
_EDIT = [Col("field", kind="id"), Col("before"), Col("after")]


def listing(output: Output, found: Listing, *, chosen: bool) -> None:
    """Records in a table, or all that is known of them for programs."""
    names = found.columns
    if output.mode == "table" and not chosen:
        names = [n for n in names if not n.startswith("_")][:FIRST]
    columns = [
        Col(name, kind="id") if name == "id" else Col(name, name, drop=0 if chosen else number)
        for number, name in enumerate(names)
    ]
    columns.insert(1, Col("_edit", "edit", rare=True))
    output.result(found.as_json(), Table(columns, found.records, empty="no such record"))
    if found.more:
        output.note(f"there are more than {len(found.records)}: see --limit")
    if found.deleted:
        output.note(f"deleted here, not pushed yet and not shown: {found.deleted:,}")


def one_record(output: Output, record: dict[str, Any]) -> None:
    """A record, a field a line, what its edit makes of it, and what became of the edit."""
    edit = record["edit"] or {"fields": []}
    changes = {change["name"]: change for change in edit["fields"]}
    values = {**record["fields"], **{n: record["fields"].get(n) for n in changes}}
    rows = [
        {
            "field": name,
            "value": value,
            "edited": _after(changes[name]) if name in changes else None,
            "theirs": changes.get(name, {}).get("theirs"),
        }
        for name, value in values.items()
    ]
    columns = [Col("field", kind="id"), Col("value"), Col("edited", "edited to", rare=True)]
    columns.append(Col("theirs", "changed there to", rare=True))
    # Programs want the fields: a table a line, and nothing else.
    about = [_about(record, edit)] if output.mode == "table" else []
    output.result(record, *about, Table(columns, rows))


def _about(record: dict[str, Any], edit: dict[str, Any]) -> Table:
    facts = {
        "id": record["id"],
        "at the provider": "deleted" if record["deleted_by_provider"] else None,
        "edit": f"{edit['action']}, {edit['status']}" if record["edit"] else None,
        "made at": edit.get("edited_at"),
        "conflict": KINDS.get(edit.get("conflict") or "", edit.get("conflict")),
        "merged into": edit.get("merged_into"),
        "problem": edit.get("message"),
    }
    rows = [{"what": what, "value": value} for what, value in facts.items() if value is not None]
    return Table([Col("what", kind="id"), Col("value")], rows)


def _after(change: dict[str, Any]) -> Any:
    return "(nothing)" if change["after"] is None else change["after"]


def edited(output: Output, done: dict[str, Any]) -> None:
    """What an edit has changed."""
    rows = [{**done, **change, "field": change["name"]} for change in done["fields"]]
    columns = [Col("id", kind="id"), Col("action"), *_EDIT]
    output.result(done, Table(columns, rows, empty="nothing to change: it says so already"))


def reverted(output: Output, done: Reverted) -> None:
    """What became of edits that are not wanted any more."""
    output.result(done.as_json())
    output.line(f"{len(done.reverted)} reverted")
    if done.left:
        output.warn(
            f"{len(done.left)} may be at the provider already: a run sends them, or it is not known"
            f" whether they arrived ({', '.join(done.left[:3])})",
            "edit them again, or wait for the next push to tell",
        )
    if done.uncertain:
        output.warn(
            f"{len(done.uncertain)} were sent before, and the provider may have taken them"
            f" ({', '.join(done.uncertain[:3])})",
            "the next sync brings what it has",
        )


def changes(output: Output, found: dict[str, Any]) -> None:
    """A record's history, a changed field a line."""
    rows = []
    for change in found["history"]:
        by_hand = change["origin"] == "edit"
        origin = f"by hand, {change['status']}, not pushed yet" if by_hand else change["origin"]
        fields = change["fields"] or [{"name": None, "before": None, "after": None}]
        rows += [{**change, **f, "field": f["name"], "origin": origin} for f in fields]
    columns = [Col("at", "when", "time"), Col("origin"), Col("action"), *_EDIT]
    columns.append(Col("run_id", "run", "id", drop=1))
    output.result(found, Table(columns, rows, empty="nothing has changed since it was read first"))
    if found["more"]:
        output.note("there are older changes: see --limit")


def imported(output: Output, done: Imported) -> None:
    """Totals, and the first rows that did not fit."""
    totals = Table([Col(name, kind="number") for name in done.counts()], [done.counts()])
    parts: list[Any] = [totals]
    if done.refused:
        columns = [Col("line", kind="number"), Col("id", kind="id"), Col("reason")]
        parts.append(Table(columns, done.refused[:REFUSED], title="Rejected"))
    if done.dry_run:
        parts.append("Nothing was changed: this was a dry run.")
    output.result(done.as_json(), *parts)
    if done.rejected > REFUSED:
        output.note(f"{done.rejected - REFUSED:,} more were rejected: see --report")
