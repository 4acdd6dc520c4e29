"""Which record belongs to which: generated associations, and what was done to them since.

Generated ones are computed: each record of the first type belongs to at most one of the second,
and one company (the first) has more than 500 contacts, so that paging within a result is needed.
A record whose associations were ever written has them in an overlay, in both directions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .catalog import ASSOCIATION_TYPES
from .data import target_of
from .errors import invalid

if TYPE_CHECKING:
    from .store import Store

Pair = tuple[str, str]
# The generated associations run from the first type of a pair to the second.
GENERATED: tuple[Pair, ...] = (
    ("contacts", "companies"),
    ("deals", "contacts"),
    ("deals", "companies"),
    ("tickets", "contacts"),
    ("tickets", "companies"),
    ("tickets", "deals"),
)
CROWD = 1200  # contacts of the first company, in accounts that have as many


class Links:
    """The associations of an account, by index. Not safe for threads: the account locks."""

    def __init__(self, objects: Mapping[str, Store]) -> None:
        self._objects = objects
        # (from, to) -> index -> other index -> association type ids
        self._written: dict[Pair, dict[int, dict[int, set[int]]]] = {}
        # (from, to) -> the other indexes in order, and the indexes that belong to them
        self._reverse: dict[Pair, tuple[list[int], list[int]]] = {}

    def of(self, pair: Pair, index: int) -> dict[int, set[int]]:
        """The records of the second type associated with one of the first: index -> type ids.
        Only live records count. Raises ApiError (400) for types that cannot be associated."""
        if pair not in ASSOCIATION_TYPES:
            raise invalid(f"No association types between {pair[0]} and {pair[1]}")
        written = self._written.get(pair, {}).get(index)
        if written is None:
            written = {other: self._types(pair, first) for other, first in self._made(pair, index)}
        live = self._objects[pair[1]].live
        return {other: types for other, types in sorted(written.items()) if live(other)}

    @staticmethod
    def _types(pair: Pair, primary: bool) -> set[int]:
        unlabelled, first = ASSOCIATION_TYPES[pair]
        return {unlabelled, first} if primary and first is not None else {unlabelled}

    def _made(self, pair: Pair, index: int) -> list[tuple[int, bool]]:
        """The generated associations of a record: other index, and whether it is the primary."""
        if pair in GENERATED:
            if index >= self._objects[pair[0]].sample.count:
                return []
            target = target_of(*pair, index, self._objects[pair[1]].sample.count)
            found = [] if target is None else [(target, True)]
            if self._in_crowd(pair, index) and target != 0:
                found.append((0, False))
            return found
        back = (pair[1], pair[0])
        targets, sources = self._inverse(back)
        start, stop = bisect_left(targets, index), bisect_right(targets, index)
        found = [(source, True) for source in sources[start:stop]]
        if index == 0 and pair == ("companies", "contacts"):
            known = {source for source, _ in found}
            count = min(CROWD, self._objects["contacts"].sample.count)
            found.extend(
                (i, False) for i in range(count) if self._in_crowd(back, i) and i not in known
            )
        return found

    @staticmethod
    def _in_crowd(pair: Pair, index: int) -> bool:
        return pair == ("contacts", "companies") and index < CROWD and index % 5 != 4

    def _inverse(self, pair: Pair) -> tuple[list[int], list[int]]:
        if pair not in self._reverse:
            size = self._objects[pair[1]].sample.count
            edges = sorted(
                (target, i)
                for i in range(self._objects[pair[0]].sample.count)
                if (target := target_of(*pair, i, size)) is not None
            )
            self._reverse[pair] = ([target for target, _ in edges], [i for _, i in edges])
        return self._reverse[pair]

    def _writable(self, pair: Pair, index: int) -> dict[int, set[int]]:
        table = self._written.setdefault(pair, {})
        if index not in table:
            table[index] = {
                other: self._types(pair, first) for other, first in self._made(pair, index)
            }
        return table[index]

    def add(self, pair: Pair, index: int, other: int, type_id: int | None = None) -> set[int]:
        """Associates two records, both ways; returns the type ids from the first to the second.
        Raises ApiError (400) for a type id that the pair does not have."""
        if pair not in ASSOCIATION_TYPES:
            raise invalid(f"No association types between {pair[0]} and {pair[1]}")
        unlabelled, primary = ASSOCIATION_TYPES[pair]
        if type_id is not None and type_id not in (unlabelled, primary):
            raise invalid(f"{type_id} is not a valid association type id", typeId=[str(type_id)])
        is_primary = type_id is not None and type_id == primary
        back = (pair[1], pair[0])
        if is_primary:
            self._demote(pair, index, other)
        types = self._writable(pair, index).setdefault(other, set())
        types |= self._types(pair, is_primary)
        self._writable(back, other).setdefault(index, set()).update(self._types(back, is_primary))
        return types

    def _demote(self, pair: Pair, index: int, winner: int) -> None:
        """A record has one primary company: another one loses the label."""
        back = (pair[1], pair[0])
        one, many = (pair, back) if pair[1] == "companies" else (back, pair)
        start = index if one is pair else winner
        keep = winner if one is pair else index
        for other in list(self._writable(one, start)):
            if other != keep:
                self._writable(one, start)[other] = self._types(one, False)
                self._writable(many, other)[start] = self._types(many, False)

    def remove(self, pair: Pair, index: int, other: int, type_ids: set[int] | None = None) -> None:
        """Removes associations between two records, both ways: those types, or all."""
        back = (pair[1], pair[0])
        forward = self._writable(pair, index)
        backward = self._writable(back, other)
        left = forward.get(other, set()) - (type_ids or forward.get(other, set()))
        unlabelled, primary = ASSOCIATION_TYPES[pair]
        if unlabelled in left and primary not in left:
            forward[other], backward[index] = {unlabelled}, {ASSOCIATION_TYPES[back][0]}
        elif not left or unlabelled not in left:
            forward.pop(other, None)
            backward.pop(index, None)

    def move(self, kind: str, loser: int, winner: int) -> None:
        """Gives one record's associations to another of its type."""
        for pair in ASSOCIATION_TYPES:
            if pair[0] != kind:
                continue
            for other in self.of(pair, loser):
                self.add(pair, winner, other)
                self.remove(pair, loser, other)
