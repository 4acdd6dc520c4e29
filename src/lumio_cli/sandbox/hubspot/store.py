"""The records of one type: generated ones, and what was done to them since.

A record is known by its index; indexes run in the order of ids, which is the order of creation.
Values that were written live in an overlay beside the generated ones.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .catalog import PORTAL_ID, TYPES
from .data import Sample, Value
from .properties import properties_of
from .times import iso

# Modification times and indexes in one sortable number; room for four million records a type.
_SHIFT = 22
_MASK = (1 << _SHIFT) - 1


@dataclass(slots=True)
class Unindexed:
    """How a record still looks to search, until its last write is indexed."""

    visible_at: float
    live: bool
    modified: int
    values: dict[str, Value]


class Store:
    """All records of one object type. Not safe for threads: the account locks around it."""

    def __init__(self, kind: str, records: int, seed: int) -> None:
        self.type = TYPES[kind]
        self.properties = properties_of(kind)
        self.sample = Sample(kind, records, seed)
        self.ids: array[int] = array("q", self.sample.ids)
        self.created: array[int] = array("q", self.sample.created)
        self.modified: array[int] = array("q", self.sample.modified)
        self.archived: dict[int, int] = dict(self.sample.archived)
        self.gone: set[int] = set()
        self.merged_into: dict[int, int] = {}
        self.changed: dict[int, dict[str, Value]] = {}
        self.unindexed: dict[int, Unindexed] = {}
        # Bumped by every write; what is derived from the records is kept with the version it was
        # derived from.
        self.version = 0
        self._by_unique: dict[tuple[str, str], int] = {}
        self._timeline: array[int] | None = None

    def __len__(self) -> int:
        """How many records are live."""
        return len(self.ids) - len(self.archived) - len(self.gone)

    # finding

    def index_of(self, object_id: str) -> int | None:
        """The index of an id, whatever became of the record; None: there never was one."""
        if not object_id.isdigit():
            return None
        number = int(object_id)
        at = bisect_left(self.ids, number)
        return at if at < len(self.ids) and self.ids[at] == number else None

    def find(self, object_id: str, archived: bool = False, merged: bool = False) -> int | None:
        """The index of a live (or archived) record; with `merged`, of the record it was merged
        into, which is what HubSpot's reads by id answer."""
        index = self.index_of(object_id)
        while merged and index is not None and index in self.merged_into:
            index = self.merged_into[index]
        if index is None or index in self.gone or (index in self.archived) != archived:
            return None
        return index

    def find_unique(self, name: str, value: str) -> int | None:
        """The live record that has this value of a unique property."""
        key = value.strip().lower() if name == "email" else value
        if name == "hs_object_id":
            return self.find(key)
        index = self._by_unique.get((name, key), self._generated(name, key))
        if index is None or not self.live(index):
            return None
        current = self.values([index], name)[0]
        return index if current == key else None

    def _generated(self, name: str, value: str) -> int | None:
        """Generated values of unique properties carry their index, so they need no table."""
        digits = value.rpartition("-")[2]
        if name == "email":
            digits = value.partition("@")[0].rpartition(".")[2]
        if not digits.isdigit() or int(digits) >= self.sample.count:
            return None
        return int(digits)

    def live(self, index: int) -> bool:
        """Whether the record is neither archived nor gone."""
        return index not in self.archived and index not in self.gone

    def page(self, start: int, limit: int, archived: bool = False) -> list[int]:
        """At most `limit` indexes from `start` on, live or archived."""
        if archived:
            return sorted(i for i in self.archived if i >= start and i not in self.gone)[:limit]
        found: list[int] = []
        end = len(self.ids)
        while start < end and len(found) < limit:
            stop = min(end, start + limit - len(found))
            found.extend(i for i in range(start, stop) if self.live(i))
            start = stop
        return found

    def every(self) -> Iterator[int]:
        """The indexes of all live records."""
        return (i for i in range(len(self.ids)) if self.live(i))

    # reading

    def values(self, indexes: Sequence[int], name: str) -> list[Value]:
        """One property of many records."""
        return self._values(indexes, name, [i for i in indexes if i in self.changed])

    def _values(self, indexes: Sequence[int], name: str, touched: Sequence[int]) -> list[Value]:
        if name == "hs_object_id":
            return [str(self.ids[i]) for i in indexes]
        if name == "createdate":
            return [iso(self.created[i]) for i in indexes]
        if name == self.type.modified:
            return [iso(self.modified[i]) for i in indexes]
        if not touched:
            return self.sample.column(name, indexes)
        count = self.sample.count
        generated = [i for i in indexes if i < count]
        known: dict[int, Value] = dict(
            zip(generated, self.sample.column(name, generated), strict=True)
        )
        for i in touched:
            if name in self.changed[i]:
                known[i] = self.changed[i][name]
        return [known.get(i) for i in indexes]

    def chosen(self, names: Sequence[str]) -> list[str]:
        """The properties to answer: those asked for that exist, or else the type's defaults; the
        id and the two times always, as HubSpot's answers have them."""
        kind = self.type
        wanted = {name for name in names or kind.defaults if name in self.properties}
        wanted.update(("hs_object_id", "createdate", kind.modified))
        return sorted(name for name in wanted if self.properties[name].archived_at is None)

    def documents(self, indexes: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
        """Records as HubSpot answers them, with the `chosen` names."""
        touched = [i for i in indexes if i in self.changed]
        columns = [self._values(indexes, name, touched) for name in names]
        created = columns[names.index("createdate")]
        modified = columns[names.index(self.type.modified)]
        link = f"https://app.hubspot.com/contacts/{PORTAL_ID}/record/{self.type.type_id}/"
        documents = []
        for at, row in enumerate(zip(*columns, strict=True)):
            index = indexes[at]
            number = str(self.ids[index])
            document: dict[str, Any] = {
                "id": number,
                "properties": dict(zip(names, row, strict=True)),
                "createdAt": created[at],
                "updatedAt": modified[at],
                "archived": False,
                "url": link + number,
            }
            if index in self.archived:
                document["archived"] = True
                document["archivedAt"] = iso(self.archived[index])
            documents.append(document)
        return documents

    # writing

    def add(self, values: dict[str, Value], now_ms: int) -> int:
        """A new record; returns its index."""
        index = len(self.ids)
        last = self.ids[-1] if index else 1000
        self.ids.append(last + 101)
        self.created.append(now_ms)
        self.modified.append(now_ms)
        self.changed[index] = {}
        self._index(index, None)
        self._write(index, values)
        return index

    def put(self, index: int, values: dict[str, Value], now_ms: int) -> None:
        """Writes properties; the modification time moves even where nothing changes."""
        self.changed.setdefault(index, {})
        self._write(index, values)
        self.touch(index, now_ms)

    def _write(self, index: int, values: dict[str, Value]) -> None:
        self.changed[index].update(values)
        for name, value in values.items():
            if value is not None and name in self.properties and self.properties[name].unique:
                self._by_unique[name, value] = index
        self.version += 1

    def touch(self, index: int, now_ms: int) -> None:
        """Moves a record's modification time."""
        before, self.modified[index] = self.modified[index], now_ms
        self._index(index, before)
        self.version += 1

    def archive(self, index: int, now_ms: int) -> None:
        """Puts a record into the recycling bin."""
        self.archived[index] = now_ms
        self.touch(index, now_ms)

    def purge(self, index: int) -> None:
        """Deletes a record for good: no listing, archived or not, shows it again."""
        self.archived.pop(index, None)
        self.gone.add(index)
        self.version += 1

    # what search knows

    def remember(self, index: int, visible_at: float, new: bool = False) -> None:
        """Keeps how search sees a record that is about to be written, until `visible_at`
        (seconds). A record written again stays as it was for longer."""
        known = self.unindexed.get(index)
        if known is not None:
            known.visible_at = visible_at
            return
        values = {} if new else self.everything(index)
        live = not new and self.live(index)
        self.unindexed[index] = Unindexed(visible_at, live, self.modified[index], values)

    def settle(self, now: float) -> None:
        """Forgets how records used to look whose writes are indexed by now."""
        done = [i for i, old in self.unindexed.items() if old.visible_at <= now]
        for index in done:
            del self.unindexed[index]
        if done:
            self.version += 1

    def everything(self, index: int) -> dict[str, Value]:
        """All properties of one record."""
        return {
            name: self.values([index], name)[0]
            for name, item in sorted(self.properties.items())
            if item.archived_at is None
        }

    # the order of modification

    def _index(self, index: int, before: int | None) -> None:
        if self._timeline is None:
            return
        if before is not None:
            at = bisect_left(self._timeline, before << _SHIFT | index)
            self._timeline.pop(at)
        insort(self._timeline, self.modified[index] << _SHIFT | index)

    def window(self, low: int | None, high: int | None) -> list[int]:
        """The indexes of all records, gone ones too, modified from `low` to `high` (both
        included, milliseconds), in the order of modification."""
        if self._timeline is None:
            self._timeline = array(
                "q", sorted(ms << _SHIFT | i for i, ms in enumerate(self.modified))
            )
        line = self._timeline
        start = 0 if low is None else bisect_left(line, low << _SHIFT)
        stop = len(line) if high is None else bisect_left(line, (high + 1) << _SHIFT)
        return [key & _MASK for key in line[start:stop]]
