"""What became of values that were sent, by what the provider has of them: taken, taken in a form of
its own, not taken, or not told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lumio_cli.hub.sqlite import written_values
from lumio_cli.hub.sqlite.columns import ViewColumn, values_of
from lumio_cli.hub.sqlite.records import held, raw_table
from lumio_cli.hub.sqlite.written_values import Form, Written
from lumio_cli.providers.contract.values import akin, lacks
from lumio_cli.sync.merging.merge import same

Columns = Mapping[str, ViewColumn]
NOT_TAKEN = "not_taken"
"""The kind of failure where the provider said that it was done, and has the old value."""
SHOWN = 60
"""Characters of a value that are shown."""


@dataclass(slots=True)
class Fate:
    """What became of a record's values. `untaken`: those that were sent and what the provider has
    in their places; `reformed`: those that it has in a form of its own which is news; `base`: by
    field what an edit that was made since is made on; `left`: what is to be remembered.
    """

    left: Written
    untaken: dict[str, Form] = field(default_factory=dict)
    reformed: dict[str, Form] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)


def of_answer(
    before: Written | None,
    record: str,
    sent: Mapping[str, Any],
    base: Mapping[str, Any],
    now: Mapping[str, Any],
    columns: Columns,
) -> Fate:
    """What became of `sent` by an answer: `now` has those fields that it tells. `base` are their
    values before, `before` is what was remembered of the record.
    """
    forms = {} if before is None else dict(before.forms)
    fate = Fate(Written(record, forms, None if before is None else before.told))
    for name, value in sent.items():
        known, was = forms.pop(name, None), base.get(name)
        if name not in columns:
            continue
        if name not in now:
            if known is not None and known.open:
                was = known.kept
            forms[name] = Form(value, was, open=True)
            continue
        column, their = columns[name], now[name]
        if same(column, value, their):
            continue
        form = Form(value, their)
        again = known is not None and _is(column, known, form)
        stays = same(column, was, their) or lacks(column.same, value, their)
        if not again and not _is_akin(column, value, their) and stays:
            fate.untaken[name] = form
            continue
        forms[name] = form
        if not again:
            fate.reformed[name] = form
    return fate


def of_reading(
    remembered: Written, now: Mapping[str, Any], columns: Columns, *, sure: bool
) -> Fate:
    """What a reading of a record shows: `now` are all fields that it was written in, and those that
    an edit of it is about. A new record's first reading is what all that no answer has told was
    made on. `sure`: the reading is later than what was sent; else an old value says nothing.
    """
    new = remembered.told is not None
    forms: dict[str, Form] = {}
    fate = Fate(Written(remembered.record, forms))
    for name, form in remembered.forms.items():
        if name not in columns or name not in now:
            continue
        column, their = columns[name], now[name]
        kept = Form(form.sent, their)
        stays = same(column, form.kept, their)
        lacking = new and lacks(column.same, form.sent, their)
        if not form.open:
            if stays:
                forms[name] = form
        elif same(column, form.sent, their):
            fate.base[name] = their
        elif _is_akin(column, form.sent, their) or (new and not stays and not lacking):
            forms[name] = fate.reformed[name] = kept
            fate.base[name] = their
        elif stays or lacking:
            if not sure:
                forms[name] = form
                continue
            fate.untaken[name] = kept
            fate.base[name] = their
    for name, value in now.items():
        if remembered.told is not None and name not in remembered.told:
            fate.base.setdefault(name, value)
    return fate


def _is(column: ViewColumn, one: Form, other: Form) -> bool:
    return (
        not one.open
        and same(column, one.sent, other.sent)
        and same(column, one.kept, other.kept)
    )  # fmt: skip


def _is_akin(column: ViewColumn, one: Any, other: Any) -> bool:
    return akin(column.kind, column.same, one, other)


def as_kept(
    db: sqlite3.Connection,
    name: tuple[str, str],
    columns: Columns,
    record: str,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Values for a record, with the provider's own form in the place of one that was sent before
    and that it keeps so to this day: that is what sending it again would bring.
    """
    found = dict(given)
    known = written_values.find(db, *name, [record]).get(record)
    forms = {} if known is None else known.forms
    listed = [columns[n] for n in given if n in columns and n in forms and not forms[n].open]
    there = held(db, raw_table(*name), [record]).get(record) if listed else None
    if there is None:
        return found
    for column in listed:
        their = values_of(db, [column], there.payload)[column.name]
        if _is(column, forms[column.name], Form(given[column.name], their)):
            found[column.name] = their
    return found


class Reformed:
    """Forms that providers have of their own, field by field: how many, and one of them."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Form, int]] = {}

    def add(self, forms: Mapping[str, Form]) -> None:
        """Note what one record has been written as."""
        for name, form in forms.items():
            first, count = self._found.get(name, (form, 0))
            self._found[name] = first, count + 1

    def join(self, other: Reformed) -> None:
        """Take what `other` has noted, too."""
        for name, (form, count) in other._found.items():
            first, known = self._found.get(name, (form, 0))
            self._found[name] = first, known + count

    def warnings(self) -> list[str]:
        """A line a field."""
        lines = []
        for name, (form, count) in sorted(self._found.items()):
            more = f" (and {count - 1:,} more)" if count > 1 else ""
            lines.append(f"{name}: {_shown(form.sent)} was written as {_shown(form.kept)}{more}")
        return lines


def reason(provider: str, untaken: Mapping[str, Form], *, later: bool = False) -> str:
    """Why an edit has failed that the provider did not take. `later`: a reading says so, by which
    time somebody may have set the old value again."""
    again = " still or again" if later else " still"
    told = "; ".join(
        f"{name}: {_shown(form.sent)} was not taken, {provider} has{again} {_shown(form.kept)}"
        for name, form in untaken.items()
    )
    return f"{told}. It had answered that it was done"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
