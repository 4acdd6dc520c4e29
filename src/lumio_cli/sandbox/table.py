"""The records of a look-alike: generated ones that cost nothing until they are read, and the
changes that were made to them.

A generated record is a function of the seed and its number, so that a million of them take no
memory, and the same seed gives the same records on every machine and day.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Any

EPOCH = 1_735_689_600.0
"""2025-01-01T00:00:00Z: when the first generated record was made."""
SPAN = 540 * 86_400.0
"""Seconds over which generated records were made and modified."""

Document = dict[str, Any]
Make = Callable[[int], Document]
Stamp = Callable[[Document, float, float], None]


class Table:
    """Records of one type, in the order in which they were made.

    count     how many are generated
    make      the document of the n-th of them (from 0), without its times
    stamp     writes created and modified (seconds since the epoch) into a document
    identify  the id of the n-th record, generated or added later; ascending ids are usual
    key       where a document carries its id
    clock     seconds since the epoch, for what is written from now on

    A generated record is modified when it was made, and a quarter of them in the same second, as a
    bulk import leaves them. Not thread-safe: the look-alike holds its lock.
    """

    def __init__(
        self,
        count: int,
        make: Make,
        stamp: Stamp,
        clock: Callable[[], float],
        *,
        identify: Callable[[int], str],
        key: str = "id",
    ) -> None:
        self._make = make
        self._stamp = stamp
        self._clock = clock
        self._identify = identify
        self._key = key
        self._base = count
        self._step = SPAN / max(1, count)
        self._ids = [identify(n) for n in range(count)]
        self._number = {record_id: n for n, record_id in enumerate(self._ids)}
        self._own: dict[str, Document] = {}
        self._created: dict[str, float] = {}
        self._modified: dict[str, float] = {}
        # (modified, number in the table) of what differs from the generated order.
        self._moved: list[tuple[float, int]] = []
        self._last = 0.0
        self._next = count
        self.gone: dict[str, float] = {}
        """Ids that were deleted, with the time; purged ones are not among them."""
        self._absent: set[str] = set()

    # -- reading

    def __len__(self) -> int:
        return len(self._ids) - len(self._absent)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._number and record_id not in self._absent

    def ids(self) -> list[str]:
        """The ids of all live records, oldest first."""
        if not self._absent:
            return self._ids
        return [record_id for record_id in self._ids if record_id not in self._absent]

    def get(self, record_id: str) -> Document | None:
        """A live record's document, which is the caller's to keep; None where there is none."""
        return self._document(record_id) if record_id in self else None

    def last_known(self, record_id: str) -> Document | None:
        """The document of a deleted record, as it last was; None for one that never was."""
        return self._document(record_id) if record_id in self._number else None

    def __iter__(self) -> Iterator[Document]:
        return (self._document(record_id) for record_id in self.ids())

    def created(self, record_id: str) -> float:
        """When a record was made, in seconds since the epoch."""
        found = self._created.get(record_id)
        return self._made(self._number[record_id]) if found is None else found

    def modified(self, record_id: str) -> float:
        """When a record was modified last, in seconds since the epoch."""
        found = self._modified.get(record_id)
        return self._made(self._number[record_id]) if found is None else found

    def changed(self, since: float = 0.0, until: float = float("inf")) -> list[str]:
        """Live records modified from `since` to `until`, both included, in the order of their
        modification; equal times in the order in which they were made."""
        low = bisect_left(range(self._base), since, key=self._made)
        high = bisect_right(range(self._base), until, key=self._made)
        base = [(self._made(n), n) for n in range(low, high) if self._ids[n] not in self._modified]
        moved = self._moved[bisect_left(self._moved, (since, -1)) :]
        both = sorted(base + [pair for pair in moved if pair[0] <= until])
        return [self._ids[n] for _, n in both if self._ids[n] not in self._absent]

    # -- writing

    def insert(self, document: Document, record_id: str | None = None) -> str:
        """A new record; its id. Raises KeyError for an id that is taken."""
        if record_id is None:
            record_id = self._identify(self._next)
        if record_id in self._number:
            raise KeyError(record_id)
        now = self._now()
        self._next += 1
        self._number[record_id] = len(self._ids)
        self._ids.append(record_id)
        self._own[record_id] = dict(document)
        self._created[record_id] = now
        self._touch(record_id, now)
        return record_id

    def update(self, record_id: str, values: Document) -> None:
        """Replace top-level fields. Raises KeyError for a record that is not there."""
        if record_id not in self:
            raise KeyError(record_id)
        document = self._bare(record_id)
        document.update(values)
        self._own[record_id] = document
        self._touch(record_id, self._now())

    def delete(self, record_id: str) -> None:
        """Delete a record, so that tombstones name it. Raises KeyError."""
        self.purge(record_id)
        self.gone[record_id] = self._now()

    def purge(self, record_id: str) -> None:
        """Delete a record without a trace. Raises KeyError."""
        if record_id not in self:
            raise KeyError(record_id)
        self._absent.add(record_id)

    def backdate(self, record_id: str, created: float) -> None:
        """Make a record as old as `created` (seconds since the epoch) says; when it was modified
        last stays. Raises KeyError for a record that is not there."""
        if record_id not in self:
            raise KeyError(record_id)
        self._created[record_id] = created

    def restore(self, record_id: str) -> None:
        """Bring a deleted record back. Raises KeyError."""
        del self.gone[record_id]
        self._absent.discard(record_id)
        self._touch(record_id, self._now())

    # -- inside

    def _made(self, number: int) -> float:
        """When a generated record was made: whole seconds; the second quarter all at once."""
        if self._base // 4 <= number < self._base // 2:
            number = self._base // 4
        return float(int(EPOCH + number * self._step))

    def _bare(self, record_id: str) -> Document:
        own = self._own.get(record_id)
        return dict(own) if own is not None else self._make(self._number[record_id])

    def _document(self, record_id: str) -> Document:
        document = self._bare(record_id)
        document.setdefault(self._key, record_id)
        self._stamp(document, self.created(record_id), self.modified(record_id))
        return document

    def _touch(self, record_id: str, now: float) -> None:
        number = self._number[record_id]
        before = self._modified.get(record_id)
        if before is not None:
            self._moved.remove((before, number))
        self._modified[record_id] = now
        insort(self._moved, (now, number))

    def _now(self) -> float:
        """The time of a write; never before an earlier one."""
        self._last = max(self._last, self._clock())
        return self._last


def draw(seed: int, kind: str, number: int) -> random.Random:
    """A source of randomness for one generated record and no other."""
    return random.Random(f"{seed}:{kind}:{number}")
