"""What a run would change: the sign first, then the record, then its fields before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from lumio_cli.output.cells import for_programs
from lumio_cli.output.style import Look, Style, printable, tsv_escape
from lumio_cli.units import grouped

SIGNS: Mapping[str, tuple[str, Style]] = {
    "create": ("+", "good"),
    "update": ("~", "warn"),
    "delete": ("-", "bad"),
    "conflict": ("!", "bad"),
}

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Diff:
    """`changes` as the contract's `preview` document has them; `totals` by action are complete
    although the changes may be cut off at a limit. `verdict` closes it.
    """

    changes: Sequence[Mapping[str, Any]]
    totals: Mapping[str, int]
    verdict: str = "Nothing was written."


def write_diff(diff: Diff, stream: IO[str], look: Look) -> None:
    """For people: grouped by resource, fields in alphabetical order."""
    group = None
    for change in diff.changes:
        here = (change["provider"], change["resource"], change.get("direction", "pull"))
        if here != group:
            group = here
            title = f"{here[0]}/{here[1]}" + (" (push)" if here[2] == "push" else "")
            stream.write(look.paint(title, "strong") + "\n")
        sign, style = SIGNS[change["action"]]
        fields = sorted(change.get("fields", ()), key=lambda f: str(f["name"]))
        head = f"{sign} {printable(str(change['id']))}"
        stream.write(look.paint(head, style) + "\n")
        for line in _fields(change["action"], fields, look):
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


def _fields(action: str, fields: Iterable[Mapping[str, Any]], look: Look) -> Iterable[str]:
    for field in fields:
        name = printable(str(field["name"]))
        if action == "create":
            yield f"{name}: {_value(field['after'], look)}"
        elif action == "delete":
            yield f"{name}: {_value(field['before'], look)}"
        else:
            before, after = _value(field["before"], look), _value(field["after"], look)
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
    words = {"create": "create", "update": "update", "delete": "delete", "conflict": "resolve"}
    counted = [
        f"{grouped(diff.totals.get(action, 0))} to {word}"
        for action, word in words.items()
        if action != "conflict" or diff.totals.get(action)
    ]
    unchanged = diff.totals.get("unchanged")
    if unchanged is not None:
        counted.append(f"{grouped(unchanged)} unchanged")
    total = sum(diff.totals.get(action, 0) for action in SIGNS)
    shown = len(diff.changes)
    more = f" The first {shown} are shown." if shown < total else ""
    lead = "Preview: " + ", ".join(counted) + "." if total else "No changes."
    return f"{lead}{more} {diff.verdict}".rstrip()
