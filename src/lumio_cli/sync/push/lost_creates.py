"""New records whose creation got no answer: found again, sent again, or left in doubt.

A provider without idempotency keys can only be asked what it has. A record that came into the hub
after the attempt, was not created by anything else of ours, and has all the values that were sent
is taken for the one; so is the only one that has them in forms which the provider may prefer. Only
where a look that is late enough shows none was it not created.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

from lumio_cli.core.clock import format_timestamp, parse_time
from lumio_cli.hub.edit_events import Alike, NotFound, Protected, Unheard
from lumio_cli.hub.edits import Edit, after
from lumio_cli.hub.sqlite import merges, record_history, records
from lumio_cli.hub.sqlite.columns import ViewColumn, values_of
from lumio_cli.hub.sqlite.records import raw_table
from lumio_cli.providers.contract.values import close, gist, meaning

MARGIN = 60.0
"""Seconds that clocks may differ, and that a provider may take to list what it has created."""
LIKE = 0.5
"""A record with that share of the values may be the one, in a form that the provider prefers."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a doubtful edit: it is this `record`, or it goes on as `edit`; neither: it
    was never created, and is not wanted any longer."""

    record: str = ""
    edit: Edit | None = None


def sent_values(edit: Edit) -> Mapping[str, Any]:
    """What was sent of a new record, whatever was edited since."""
    return edit.edits if edit.sent is None else edit.sent


class Doubt:
    """Decides about a resource's doubtful edits."""

    def __init__(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        columns: Mapping[str, ViewColumn],
        unique: Sequence[str],
    ) -> None:
        self.db = db
        self.name = provider, resource
        self.columns = columns
        self.unique = unique

    def decide(
        self,
        doubtful: Sequence[Edit],
        seen_until: float | None,
        lookback: float,
        ahead: float = 0.0,
    ) -> Iterator[tuple[Edit, Found]]:
        """Each edit with what became of it. `ahead`: seconds that the provider's clock, which the
        attempts are dated by, is ahead of the hub's.

        A record that was merged before the hub has seen it may be the one, and is found no more;
        nor can it be told from the others that its survivor is made of.
        """
        merged = {edit.record: self._merged_since(edit, ahead) for edit in doubtful}
        mixed = {survivor for found in merged.values() for _, survivor in found}
        sent = {edit.record: self._meanings(sent_values(edit)) for edit in doubtful}
        # A record may have been made what it has become here by somebody else, or by a later try.
        wanted = [(edit, sent[edit.record]) for edit in doubtful]
        wanted += [(edit, self._meanings(edit.edits)) for edit in doubtful]
        names = sorted({name for _, values in wanted for name in values})
        came = self._came(min(e.attempt_rid or 0 for e in doubtful), names)
        came = [one for one in came if one.record not in mixed]
        found = _matched(wanted, came)
        taken = set(found.values())
        kinds = {name: self.columns[name].kind for name in names}
        left = [(edit, values) for edit, values in wanted if edit.record not in found]
        found |= _like_in_all(left, [one for one in came if one.record not in taken], kinds)
        taken = set(found.values())
        others = _Alike([one for one in came if one.record not in taken])
        for edit in doubtful:
            if edit.record in found:
                yield edit, Found(record=found[edit.record])
                continue
            sure = self._is_sure(edit, seen_until, lookback)
            both = (sent[edit.record], self._meanings(edit.edits))
            near = others.first(both, edit.attempt_rid or 0) if sure else ""
            swallowed = merged[edit.record]
            if sure and not near and swallowed and edit.action != "delete":
                yield edit, Found(edit=_unsettled(edit, _SWALLOWED.format(*swallowed[0])))
            else:
                yield edit, Found(edit=self._left(edit, near, sure=sure))

    def _merged_since(self, edit: Edit, ahead: float) -> list[tuple[str, str]]:
        """Records that the hub has never seen, merged since the attempt, with their survivors."""
        attempted = parse_time(edit.attempted_at or edit.edited_at).timestamp()
        since = format_timestamp(attempted - ahead - MARGIN)
        return merges.unheard_of(self.db, *self.name, since)

    def _meanings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in values.items():
            column = self.columns.get(name)
            if column is not None:
                meant = meaning(column.kind, column.same, value)
                if meant is not None:
                    found[name] = meant
        return found

    def _came(self, rid: int, names: Sequence[str]) -> list[_Came]:
        """Records that came after row number `rid`, with what they mean in these columns."""
        columns = [self.columns[name] for name in names]
        table, after = raw_table(*self.name), rid
        found: list[_Came] = []
        while part := records.came_after(self.db, table, rid, after, 500):
            for number, record, payload in part:
                if record_history.created_here(self.db, *self.name, record):
                    continue
                shown = values_of(self.db, columns, payload)
                meant = {c.name: meaning(c.kind, c.same, shown[c.name]) for c in columns}
                found.append(_Came(number, record, meant))
            after = part[-1][0]
        return found

    @staticmethod
    def _is_sure(edit: Edit, seen_until: float | None, lookback: float) -> bool:
        """Whether the record would have come by now. Both times are by the provider's clock."""
        attempted = parse_time(edit.attempted_at or edit.edited_at).timestamp()
        return seen_until is not None and seen_until >= attempted + max(lookback, MARGIN)

    def _left(self, edit: Edit, near: str, *, sure: bool) -> Edit | None:
        """An edit whose record was not found; `near` is one that is like it."""
        if sure and near:
            return _unsettled(edit, f"{near} came since and is like it")
        if sure:
            return after(edit, NotFound())
        if self._is_protected(edit):
            return after(edit, Protected())
        return after(edit, Unheard(_YET_UNKNOWN))

    def _is_protected(self, edit: Edit) -> bool:
        """Whether it can be sent again at once: the provider takes no second record with a value
        of it, and what may be there is the very same."""
        unique = any(edit.edits.get(name) for name in self.unique)
        return edit.action == "create" and unique and sent_values(edit) == edit.edits


_YET_UNKNOWN = "whether it was created is not known yet; the next push looks for it first"
_SWALLOWED = "{0} came since, and was merged into {1} before the hub has seen it"


def _unsettled(edit: Edit, why: str) -> Edit:
    """An edit that an operator has to decide about."""
    told = (
        f"whether it was created is not known; {why}."
        " `lumio failures retry` sends it again, `lumio failures drop` does not"
    )
    return after(edit, Alike(told))


class _Came(NamedTuple):
    """A record that came since: its row number, its id, and what its columns mean."""

    rid: int
    record: str
    meant: Mapping[str, Any]


def _matched(
    wanted: Sequence[tuple[Edit, Mapping[str, Any]]], came: Sequence[_Came]
) -> dict[str, str]:
    """By edit the record that has all of its values, each record for one edit only."""
    shelves: dict[tuple[str, ...], dict[tuple[Any, ...], list[_Came]]] = {}
    found: dict[str, str] = {}
    taken: set[str] = set()
    for edit, values in wanted:
        names = tuple(sorted(values))
        if not names or edit.record in found:
            continue
        if names not in shelves:
            shelf: dict[tuple[Any, ...], list[_Came]] = {}
            for one in came:
                shelf.setdefault(tuple(one.meant[n] for n in names), []).append(one)
            shelves[names] = shelf
        alike = shelves[names].get(tuple(values[n] for n in names), [])
        for position, one in enumerate(alike):
            if one.rid > (edit.attempt_rid or 0) and one.record not in taken:
                found[edit.record] = one.record
                taken.add(one.record)
                del alike[position]
                break
    return found


def _like_in_all(
    wanted: Sequence[tuple[Edit, Mapping[str, Any]]],
    came: Sequence[_Came],
    kinds: Mapping[str, str],
) -> dict[str, str]:
    """By edit the record that has all of its values in forms that a provider may prefer, where
    there is one only, and it is like no other edit."""
    shelves: dict[tuple[str, ...], dict[tuple[Any, ...], list[_Came]]] = {}
    found: dict[str, set[str]] = {}
    for edit, values in wanted:
        names = tuple(sorted(values))
        if names and names not in shelves:
            shelf: dict[tuple[Any, ...], list[_Came]] = {}
            for one in came:
                shelf.setdefault(tuple(gist(one.meant[n]) for n in names), []).append(one)
            shelves[names] = shelf
        alike = shelves[names].get(tuple(gist(values[n]) for n in names), []) if names else []
        for one in alike:
            near = all(close(kinds[n], values[n], one.meant[n]) for n in names)
            if near and one.rid > (edit.attempt_rid or 0):
                found.setdefault(edit.record, set()).add(one.record)
    claims = Counter(record for records_ in found.values() for record in records_)
    return {
        edit: record
        for edit, likely in found.items()
        for record in likely
        if len(likely) == 1 and claims[record] == 1
    }


class _Alike:
    """Finds records that share `LIKE` of an edit's values, without a look at all of them."""

    def __init__(self, came: Sequence[_Came]) -> None:
        self._by_value: dict[tuple[str, Any], list[_Came]] = {}
        for one in came:
            for name, value in one.meant.items():
                if value is not None:
                    self._by_value.setdefault((name, value), []).append(one)

    def first(self, wanted: Sequence[Mapping[str, Any]], after: int) -> str:
        """A record that came after row number `after` and is like one of `wanted`, if any is."""
        for values in wanted:
            need = ceil(len(values) * LIKE)
            lists = sorted((self._by_value.get(pair, []) for pair in values.items()), key=len)
            # Who has `need` of them has one at least of all but the `need - 1` commonest.
            for rarer in lists[: len(values) - need + 1] if values else ():
                for one in rarer:
                    if one.rid > after and _shared(values, one.meant) >= need:
                        return one.record
        return ""


def _shared(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> int:
    return sum(theirs.get(name) == value for name, value in mine.items())
