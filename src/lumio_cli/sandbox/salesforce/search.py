"""Running a `Query` over a table: which ids match, without reading more records than it must."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ..table import Document, Table
from .data import derive, iso
from .ids import normal_id
from .soql import Group, Order, Query, Test, seconds

STAMPS = ("SystemModstamp", "LastModifiedDate")


class Row:
    """One record of a query, read only where the id and the times do not do."""

    __slots__ = ("_document", "_table", "deleted", "id", "kind")

    def __init__(self, table: Table, kind: str, record_id: str, deleted: bool) -> None:
        self._table = table
        self._document: Document | None = None
        self.kind = kind
        self.id = record_id
        self.deleted = deleted

    @property
    def document(self) -> Document:
        """The record with what follows from its fields."""
        if self._document is None:
            found = self._table.last_known(self.id)
            if found is None:
                raise KeyError(self.id)
            if self.deleted:
                found |= {"IsDeleted": True, "SystemModstamp": iso(self._table.gone[self.id])}
            self._document = derive(self.kind, found)
        return self._document

    def value(self, name: str) -> Any:
        """A field's value; times as seconds since the epoch."""
        if name == "Id":
            return self.id
        if name == "IsDeleted":
            return self.deleted
        if name in STAMPS:
            gone = self._table.gone.get(self.id) if name == STAMPS[0] else None
            return self._table.modified(self.id) if gone is None else gone
        if name == "CreatedDate":
            return self._table.created(self.id)
        return self.document.get(name)


def run(
    table: Table, query: Query, deleted: bool = False, archived: Collection[str] = ()
) -> list[str]:
    """The ids that a query finds, in its order; `deleted` ones, and those `archived`, among them
    where they are asked for."""
    kind, gone = query.type.name, table.gone
    rows: Iterable[Row] = (
        Row(table, kind, record_id, record_id in gone)
        for record_id in _candidates(table, query, deleted)
    )
    if not deleted and archived:
        rows = (row for row in rows if row.id not in archived)
    if query.where is not None:
        where = query.where
        rows = (row for row in rows if _holds(where, row))
    order = query.order
    if not _presorted(query):
        found = list(rows)
        for item in reversed(order):
            found.sort(key=lambda row: _sort_key(item, row), reverse=item.descending)
        rows = found
    return list(_cut(rows, query))


def _cut(rows: Iterable[Row], query: Query) -> Iterator[str]:
    last = None if query.limit is None else query.offset + query.limit
    for number, row in enumerate(rows):
        if last is not None and number >= last:
            return
        if number >= query.offset:
            yield row.id


def _presorted(query: Query) -> bool:
    """Whether candidates come in the order that is asked for."""
    if any(item.descending for item in query.order):
        return False
    names = [item.field.name for item in query.order]
    return names in ([], ["Id"], ["SystemModstamp"], ["SystemModstamp", "Id"])


def _candidates(table: Table, query: Query, deleted: bool) -> list[str]:
    """Ids among which all matches are, in the order of ids, or of times where that is asked for."""
    tests = [part for part in query.needed if isinstance(part, Test)]
    since, until = _bounds(tests)
    by_time = bool(query.order) and query.order[0].field.name == "SystemModstamp"
    gone = _gone(table, tests) if deleted else []
    if deleted and any(t.field.name == "IsDeleted" and t.value is True for t in tests):
        live: list[str] = []
    elif by_time or since > 0 or until < float("inf"):
        live = table.changed(since, until)
    else:
        live = _by_id(table.ids(), tests)
    if by_time:
        if not gone:
            return live
        moment = {i: table.gone.get(i, table.modified(i)) for i in (*live, *gone)}
        return sorted(moment, key=lambda i: (moment[i], i))
    if since > 0 or until < float("inf"):
        live = sorted(live)
    return sorted((*live, *gone)) if gone else live


def _gone(table: Table, tests: list[Test]) -> list[str]:
    if any(t.field.name == "IsDeleted" and t.op == "=" and t.value is False for t in tests):
        return []
    return list(table.gone)


def _bounds(tests: list[Test]) -> tuple[float, float]:
    """The span of modification times that all matches lie in."""
    since, until = 0.0, float("inf")
    for test in tests:
        if test.field.name != "SystemModstamp" or not isinstance(test.value, float):
            continue
        if test.op in (">", ">=", "="):
            since = max(since, test.value)
        if test.op in ("<", "<=", "="):
            until = min(until, test.value)
    return since, until


def _by_id(ids: list[str], tests: list[Test]) -> list[str]:
    low, high = 0, len(ids)
    for test in tests:
        if test.field.name != "Id" or not isinstance(test.value, str):
            continue
        bound = normal_id(test.value) or test.value
        if test.op in (">", ">=", "="):
            low = max(low, (bisect_right if test.op == ">" else bisect_left)(ids, bound))
        if test.op in ("<", "<=", "="):
            high = min(high, (bisect_left if test.op == "<" else bisect_right)(ids, bound))
    return ids if (low, high) == (0, len(ids)) else ids[low:high]


def _sort_key(item: Order, row: Row) -> tuple[int, Any]:
    value = row.value(item.field.name)
    if value is None:
        # `reverse` turns the order of nulls, too: first is first either way.
        return (2 if item.nulls_last != item.descending else 0, "")
    exact = item.field.type in ("id", "reference") or not isinstance(value, str)
    return (1, value if exact else value.lower())


def _holds(condition: Test | Group, row: Row) -> bool:
    if isinstance(condition, Group):
        if condition.word == "not":
            return not _holds(condition.parts[0], row)
        results = (_holds(part, row) for part in condition.parts)
        return all(results) if condition.word == "and" else any(results)
    return _test(condition, row.value(condition.field.name))


def _test(test: Test, value: Any) -> bool:
    """SOQL compares texts whatever their case, and null is less than nothing."""
    kind = test.field.type
    wanted = test.value
    if kind == "datetime" and isinstance(value, str):
        value = seconds(value)
    if kind in ("id", "reference"):
        wanted = _ids(wanted)
    elif isinstance(value, str):
        value = value.lower()
        wanted = _lowered(wanted)
    if test.op == "in":
        return value in wanted
    if test.op == "not in":
        return value not in wanted
    if test.op == "=":
        return bool(value == wanted)
    if test.op == "!=":
        return bool(value != wanted)
    if value is None or wanted is None:
        return False
    if test.op == "like":
        pattern = re.escape(wanted).replace("%", ".*").replace("_", ".")
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    if test.op in ("<", "<="):
        return bool(value < wanted or (test.op == "<=" and value == wanted))
    return bool(value > wanted or (test.op == ">=" and value == wanted))


def _ids(wanted: Any) -> Any:
    if isinstance(wanted, tuple):
        return tuple(_ids(item) for item in wanted)
    return (normal_id(wanted) or wanted) if isinstance(wanted, str) else wanted


def _lowered(wanted: Any) -> Any:
    if isinstance(wanted, tuple):
        return tuple(_lowered(item) for item in wanted)
    return wanted.lower() if isinstance(wanted, str) else wanted
