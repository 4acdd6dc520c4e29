"""What a run would change: the sign first, then the record, then its fields before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from lumio_cli.core.units import grouped
from lumio_cli.output.cells import for_programs
from lumio_cli.output.style import Look, Style, printable, tsv_escape

SIGNS: Mapping[str, tuple[str, Style]] = {
    "create": ("+", "good"),
    "update": ("~", "warn"),
    "delete": ("-", "bad"),
    "conflict": ("!", "bad"),
}

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Diff:
    """`changes` as the contract's `preview` document has them; `totals` of pulls by action are
    complete although the changes may be cut off at a limit, as are those of `pushes`. None: that
    way was not asked for. `verdict` closes it.
    """

    changes: Sequence[Mapping[str, Any]]
    totals: Mapping[str, int] | None
    verdict: str = "Nothing was written."
    pushes: Mapping[str, int] | None = None


def write_diff(diff: Diff, stream: IO[str], look: Look) -> None:
    """For people: grouped by resource and direction, fields in alphabetical order."""
    # Providers are read side by side: their changes come as they come.
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for change in diff.changes:
        here = (change["provider"], change["resource"], change.get("direction", "pull"))
        groups.setdefault(here, []).append(change)
    for (provider, resource, direction), changes in groups.items():
        title = f"{provider}/{resource}" + (" (push)" if direction == "push" else "")
        stream.write(look.paint(title, "strong") + "\n")
        for change in changes:
            sign, style = SIGNS[change["action"]]
            head = look.paint(f"{sign} {printable(str(change['id']))}", style)
            stream.write(head + _clash(change) + "\n")
            for line in _fields(change, look):
                stream.write(f"    {line}\n")
    stream.write(_summary(diff) + "\n")


def write_diff_tsv(diff: Diff, stream: IO[str]) -> None:
    """For programs: one line a changed field, and one for a record without fields."""
    columns = ("action", "provider", "resource", "direction", "id", "field", "before", "after")
    stream.write("\t".join(columns) + "\n")
    for change in diff.changes:
        head = [
            str(change["action"]),
            str(change["provider"]),
            str(change["resource"]),
            str(change.get("direction", "pull")),
            str(change["id"]),
        ]
        for field in change.get("fields") or ({"name": "", "before": None, "after": None},):
            values = (str(field["name"]), field["before"], field["after"])
            cells = [*map(tsv_escape, head), *(for_programs("text", value) for value in values)]
            stream.write("\t".join(cells) + "\n")


def _clash(change: Mapping[str, Any]) -> str:
    """What kind of conflict it is, or that it may be done already."""
    words = {
        "edit": "changed on both sides",
        "changed": f"deleted here, changed at {change['provider']}",
        "deleted": f"changed here, deleted at {change['provider']}",
        "merged": f"merged into {change.get('merged_into')} at {change['provider']}",
    }
    known = words.get(change.get("conflict", ""))
    if change.get("in_doubt"):
        known = "in doubt: it may be there already, and is looked for first"
    if change.get("problem"):
        known = f"refused: {printable(str(change['problem']))}"
    return f"  {known}" if known else ""


def _fields(change: Mapping[str, Any], look: Look) -> Iterable[str]:
    for field in sorted(change.get("fields", ()), key=lambda f: str(f["name"])):
        name = printable(str(field["name"]))
        before, after = _value(field["before"], look), _value(field["after"], look)
        match change["action"], change.get("conflict", ""):
            case ("create", _) | (_, "deleted"):
                yield f"{name}: {after}"
            case ("delete", _):
                yield f"{name}: {before}"
            case (_, "changed"):
                yield f"{name}: theirs {before}"
            case ("conflict", _):
                yield f"{name}: theirs {before}, ours {after}"
            case _:
                yield f"{name}: {look.paint(before, 'dim')} {look.arrow} {after}"


def _value(value: Any, look: Look) -> str:
    """A value on one line; long ones are cut on a terminal only."""
    if value is None:
        return "(none)"
    text = for_programs("text", value)
    text = printable(f'"{value}"' if isinstance(value, str) else text)
    if look.terminal and len(text) > _LONGEST:
        dots = "…" if look.unicode else "..."
        return text[:_LONGEST] + dots
    return text


def _summary(diff: Diff) -> str:
    found = [totals for totals in (diff.totals, diff.pushes) if totals is not None]
    total = sum(totals.get(action, 0) for totals in found for action in SIGNS)
    shown = len(diff.changes)
    more = f" The first {grouped(shown)} are shown." if shown < total else ""
    end = f"{more} {diff.verdict}".rstrip()
    if not total:
        return f"No changes.{end}"
    if diff.pushes is None:
        return f"Preview: {_counted(diff.totals or {})}.{end}"
    if diff.totals is None:
        return f"Plan: {_counted(diff.pushes)}.{end}"
    pulled, pushed = _counted(diff.totals), _counted(diff.pushes)
    return f"Plan to pull: {pulled}.\nPlan to push: {pushed}.{end}"


def _counted(totals: Mapping[str, int]) -> str:
    words = [
        f"{grouped(totals.get(action, 0))} to {action}" for action in ("create", "update", "delete")
    ]
    if conflicts := totals.get("conflict"):
        words.append(f"{grouped(conflicts)} {'conflict' if conflicts == 1 else 'conflicts'}")
    if (unchanged := totals.get("unchanged")) is not None:
        words.append(f"{grouped(unchanged)} unchanged")
    return ", ".join(words)
