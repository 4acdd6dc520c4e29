"""CRM search: filters, one sort, an offset, and the cap of 10,000 results.

Limits from HubSpot's search guide: 200 rows a page, 10,000 rows a query, 5 groups of at most 6
filters, 18 filters in all, a query text of 3,000 characters, one sort.

Filters on the modification time and on the id are answered from sorted indexes, which is what an
incremental pull asks for; other filters look at what is left of the records.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any

import orjson

from .catalog import Property
from .data import Value
from .errors import invalid
from .store import Store
from .times import parse_ms

RESULTS_MAX = 10_000
PAGE_MAX = 200
Test = Callable[[Value], bool]
_TOKEN = re.compile(r"\w+")
_RANGES = frozenset({"EQ", "LT", "LTE", "GT", "GTE", "BETWEEN"})


@dataclass(slots=True)
class Plan:
    """One filter group, taken apart: a range of ids, a range of times, and tests for the rest.
    Both ends of a range are included; None is open."""

    ids: list[int | None] = field(default_factory=lambda: [None, None])
    times: list[int | None] = field(default_factory=lambda: [None, None])
    tests: list[tuple[str, Test]] = field(default_factory=list)


@dataclass(slots=True)
class Query:
    """A checked search request."""

    plans: list[Plan]
    sort: str | None
    descending: bool
    text: str
    limit: int
    after: int
    properties: list[str]
    key: bytes


class Searcher:
    """Answers searches over one type, and keeps the last few results for the pages after."""

    _KEPT = 16

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: OrderedDict[tuple[int, bytes], list[int]] = OrderedDict()

    def run(self, query: Query) -> tuple[int, list[int]]:
        """The number of matches and the indexes of the page. Sorted by creation unless told."""
        found = self._kept(b"result:" + query.key, lambda: self._match(query))
        return len(found), found[query.after : query.after + query.limit]

    def _kept(self, key: bytes, make: Callable[[], list[int]]) -> list[int]:
        full = (self._store.version, key)
        if full in self._cache:
            self._cache.move_to_end(full)
            return self._cache[full]
        found = self._cache[full] = make()
        while len(self._cache) > self._KEPT:
            self._cache.popitem(last=False)
        return found

    def _match(self, query: Query) -> list[int]:
        store = self._store
        groups = [self._group(plan) for plan in query.plans] or [self._base(None, None)]
        found = groups[0] if len(groups) == 1 else sorted(set().union(*groups))
        if query.text:
            found = [i for i in found if self._has_text(i, query.text)]
        if query.sort is None or query.sort == "hs_object_id":
            return found[::-1] if query.descending else found
        if query.sort == store.type.modified and not store.unindexed:
            modified = store.modified
            return sorted(found, key=modified.__getitem__, reverse=query.descending)
        item = store.properties[query.sort]
        keyed = [(comparable(item, self.value(i, query.sort)), i) for i in found]
        filled = [(key, i) for key, i in keyed if key is not None]
        filled.sort(key=lambda pair: (pair[0], pair[1]), reverse=query.descending)
        return [i for _, i in filled] + [i for key, i in keyed if key is None]

    def value(self, index: int, name: str) -> Value:
        """A property as search sees it: as it was before a write that is not indexed yet."""
        old = self._store.unindexed.get(index)
        if old is not None:
            return old.values.get(name)
        return self._store.values([index], name)[0]

    def _has_text(self, index: int, text: str) -> bool:
        names = self._store.type.searchable
        return any(text in (self.value(index, name) or "").lower() for name in names)

    def _base(self, low: int | None, high: int | None) -> list[int]:
        """Live, indexed records modified in a window, in the order of ids. Kept, because each
        page of a keyset walk asks for the same window with another id."""

        def make() -> list[int]:
            store = self._store
            if low is None and high is None:
                found: list[int] = list(store.every())
            else:
                found = sorted(i for i in store.window(low, high) if store.live(i))
            if store.unindexed:
                found = [i for i in found if i not in store.unindexed]
                found.extend(
                    i
                    for i, old in store.unindexed.items()
                    if old.live
                    and (low is None or old.modified >= low)
                    and (high is None or old.modified <= high)
                )
                found.sort()
            return found

        return self._kept(b"window:%r:%r" % (low, high), make)

    def _group(self, plan: Plan) -> list[int]:
        store = self._store
        found = self._base(*plan.times)
        low, high = plan.ids
        start = 0 if low is None else bisect_left(found, bisect_left(store.ids, low))
        stop = len(found) if high is None else bisect_left(found, bisect_right(store.ids, high))
        if start or stop < len(found):
            found = found[start:stop]
        for name, test in plan.tests:
            if store.unindexed:
                found = [i for i in found if test(self.value(i, name))]
            else:
                values = store.values(found, name)
                found = [i for i, value in zip(found, values, strict=True) if test(value)]
        return found


def comparable(item: Property, value: Value) -> float | int | str | None:
    """What a value is compared by: numbers and times as numbers, all else as lower-case text."""
    if value is None:
        return None
    if item.type == "number":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if item.type in ("date", "datetime"):
        return parse_ms(value)
    return value.lower()


def parse(store: Store, body: Any) -> Query:
    """Reads a search request. Raises ApiError (400) where HubSpot would."""
    if not isinstance(body, dict):
        raise invalid("Invalid input JSON: an object is needed")
    limit = _whole(body.get("limit", 10), "limit")
    if limit > PAGE_MAX:
        raise invalid(f"Invalid limit {limit}: the maximum is {PAGE_MAX}", limit=[str(limit)])
    after = _whole(body.get("after") or 0, "after")
    if after + limit > RESULTS_MAX:
        raise invalid(
            f"Search results are limited to {RESULTS_MAX}: cannot page beyond",
            after=[str(after)],
        )
    text = body.get("query") or ""
    if len(text) > 3000:
        raise invalid("The query is too long: at most 3000 characters")
    groups = body.get("filterGroups") or []
    filters = [filter_ for group in groups for filter_ in group.get("filters", ())]
    if len(groups) > 5 or any(len(group.get("filters", ())) > 6 for group in groups):
        raise invalid("Too many filters: at most 5 filterGroups of 6 filters each")
    if len(filters) > 18:
        raise invalid("Too many filters: at most 18 in all")
    sort, descending = _sort(store, body.get("sorts") or [])
    asked = {"filterGroups": groups, "sorts": [sort, descending], "query": text}
    return Query(
        [_plan(store, group.get("filters", ())) for group in groups],
        sort,
        descending,
        text.lower(),
        limit,
        after,
        list(body.get("properties") or []),
        orjson.dumps(asked, option=orjson.OPT_SORT_KEYS),
    )


def _whole(value: Any, name: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise invalid(f"Invalid value for {name}: {value!r}", **{name: [str(value)]}) from None
    if number < 0 or isinstance(value, bool):
        raise invalid(f"Invalid value for {name}: {value!r}", **{name: [str(value)]})
    return number


def _sort(store: Store, sorts: Any) -> tuple[str | None, bool]:
    """One sort: `name`, `-name`, or an object with propertyName and direction."""
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise invalid("Only one sort is supported")
    if not sorts:
        return None, False
    if isinstance(sorts[0], str):
        name, descending = sorts[0].removeprefix("-"), sorts[0].startswith("-")
    else:
        name = str(sorts[0].get("propertyName"))
        descending = sorts[0].get("direction") == "DESCENDING"
    _known(store, name)
    return name, descending


def _known(store: Store, name: str) -> Property:
    item = store.properties.get(name)
    if item is None or item.archived_at is not None:
        raise invalid(
            f'There was a problem with the request: property "{name}" does not exist',
            propertyName=[name],
        )
    return item


def _plan(store: Store, filters: Any) -> Plan:
    plan = Plan()
    for filter_ in filters:
        name, operator = str(filter_.get("propertyName")), filter_.get("operator")
        item = _known(store, name)
        ranged = {"hs_object_id": plan.ids, store.type.modified: plan.times}.get(name)
        if ranged is not None and operator in _RANGES:
            _narrow(ranged, item, operator, filter_)
        else:
            plan.tests.append((name, _test(item, operator, filter_)))
    return plan


def _narrow(bounds: list[int | None], item: Property, operator: str, filter_: Any) -> None:
    """Tightens a range of whole numbers by one filter."""
    value = int(_operand(item, filter_.get("value")))
    low: int | None = None
    high: int | None = None
    if operator in ("EQ", "GTE", "GT", "BETWEEN"):
        low = value + (operator == "GT")
    if operator in ("EQ", "LTE", "LT"):
        high = value - (operator == "LT")
    if operator == "BETWEEN":
        high = int(_operand(item, filter_.get("highValue")))
    if low is not None:
        bounds[0] = low if bounds[0] is None else max(bounds[0], low)
    if high is not None:
        bounds[1] = high if bounds[1] is None else min(bounds[1], high)


def _operand(item: Property, value: Any) -> Any:
    try:
        operand = comparable(item, None if value is None else str(value))
    except ValueError:
        operand = None
    if operand is None:
        raise invalid(f"Invalid filter value for {item.name}: {value!r}", value=[str(value)])
    return operand


def _test(item: Property, operator: Any, filter_: Any) -> Test:
    """A filter as a function of a property's value.

    NEQ, NOT_IN and NOT_CONTAINS_TOKEN hold for records without a value, too.
    """
    if operator == "HAS_PROPERTY":
        return lambda value: value is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda value: value is None
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        return _token_test(str(_operand_text(item, filter_)), operator == "CONTAINS_TOKEN")
    if operator in ("IN", "NOT_IN"):
        values = filter_.get("values")
        if not isinstance(values, list) or not values:
            raise invalid(f"{operator} needs values", propertyName=[item.name])
        wanted = {_operand(item, value) for value in values}
        if operator == "IN":
            return lambda value: value is not None and comparable(item, value) in wanted
        return lambda value: comparable(item, value) not in wanted
    if operator == "NEQ":
        other = _operand(item, filter_.get("value"))
        return lambda value: comparable(item, value) != other
    if operator not in _RANGES:
        raise invalid(f"Invalid operator: {operator!r}", operator=[str(operator)])
    return _range_test(item, operator, filter_)


def _range_test(item: Property, operator: str, filter_: Any) -> Test:
    first: Any = _operand(item, filter_.get("value"))
    if operator == "EQ":
        return lambda value: comparable(item, value) == first
    if operator == "BETWEEN":
        last: Any = _operand(item, filter_.get("highValue"))
        return lambda value: (key := comparable(item, value)) is not None and first <= key <= last
    compare: dict[str, Callable[[Any], bool]] = {
        "LT": lambda key: bool(key < first),
        "LTE": lambda key: bool(key <= first),
        "GT": lambda key: bool(key > first),
        "GTE": lambda key: bool(key >= first),
    }
    check = compare[operator]
    return lambda value: (key := comparable(item, value)) is not None and check(key)


def _operand_text(item: Property, filter_: Any) -> str:
    value = filter_.get("value")
    if not isinstance(value, str) or not value:
        raise invalid(f"Invalid filter value for {item.name}: {value!r}")
    return value


def _token_test(text: str, wanted: bool) -> Test:
    """Whether a token of the value, or the value whole, fits a pattern with `*`."""
    pattern = re.compile(translate(text.lower()))

    def test(value: Value) -> bool:
        if value is None:
            return not wanted
        lower = value.lower()
        hit = pattern.match(lower) or any(map(pattern.match, _TOKEN.findall(lower)))
        return bool(hit) == wanted

    return test
