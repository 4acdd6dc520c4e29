"""What the two sides do: an operator with an SQL client, and a colleague at the provider."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lumio_cli.hub.edits import is_local
from lumio_cli.hub.sqlite import outbox
from lumio_cli.providers.contract.values import meaning
from model.depot import COLUMNS, value_of
from model.ledger import Ledger
from model.world import World

HUB_VALUES: Mapping[str, Sequence[Any]] = {
    "size": [None, 0, 5, "7"],
    "open": [None, 0, 1, "true"],
    "age": [None, 0, 5, "7"],
    "active": [None, 0, 1, "false"],
    "since": [None, "2024-01-01T00:00:00Z", "2024-01-01", "2024-02-03T04:05:06+01:00"],
    "seen": [None, "2024-01-01T00:00:00.250Z", "2024-01-01T00:00:00Z", "2024-05-05T05:05:05Z"],
    "mail": [None, "ana@x.example", "ANA@x.example", "bo@x.example"],
    "tags": [None, '["a","b"]', '["b","a"]', '["c"]'],
    "phone": [None, "(11) 98765-0009", "11 98765 0009", "+55 12 1234-5678"],
    "pay": [None, 1.234, "1.23", 2],
}
THEIR_VALUES: Mapping[str, Sequence[str | None]] = {
    "size": [None, "0", "5", "8"],
    "open": [None, "false", "true", "true"],
    "age": [None, "0", "5", "8"],
    "active": [None, "false", "true", "true"],
    "since": [None, "2024-01-01T00:00:00Z", "2024-03-03T03:03:03Z", "2024-02-03T03:05:06Z"],
    "seen": [None, "2024-01-01T00:00:00.250Z", "2024-04-04T04:04:04Z", "2024-05-05T05:05:05Z"],
    "mail": [None, "ana@x.example", "cy@x.example", "bo@x.example"],
    "tags": [None, '["b","a"]', '["d"]', '["c"]'],
    "phone": [None, "+5511987650009", "+13", "+551212345678"],
    "pay": [None, "1.23", "2", "3.5"],
}
EDITABLE = {
    of: [c.name for c in columns.values() if not c.read_only and c.name != "name"]
    for of, columns in COLUMNS.items()
}


class Hands:
    """Does things by numbers, whatever there is to do them to; and tells the ledger."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self.world = world
        self.server = world.server
        self.ledger = ledger
        self.made = 0

    def _name(self, of: str) -> str:
        self.made += 1
        return f"{of} {self.made:03}"

    def work(self, what: str, of: str, pick: int, field: int, number: int) -> None:
        """One thing, on either side."""
        if what in ("delete", "remove", "restore", "discard"):
            getattr(self, what)(of, pick)
        elif what in ("insert", "create"):
            getattr(self, what)(of, field, number)
        else:
            getattr(self, what)(of, pick, field, number)

    def quarrel(self, of: str, how: str, pick: int, field: int, here: int, there: int) -> None:
        """Both set the same field of one record, or one of them does and the other deletes it."""
        known = {r["name"]: n for n, r in enumerate(self._rows(of))}
        both = [r["name"] for r in self.server.live[of].values() if r["name"] in known]
        if not both:
            return
        name = both[pick % len(both)]
        if how == "delete here":
            self.delete(of, known[name])
        elif how != "here last":
            self.edit(of, known[name], field, here)
        if name in self._in_doubt(of):
            return
        record = next(i for i, r in self.server.live[of].items() if r["name"] == name)
        if how != "delete there":
            column = EDITABLE[of][field % len(EDITABLE[of])]
            value = self._their_value(column, there)
            self.server.change("provider", of, record, {column: value})
        elif len(self.server.live[of]) > 1:
            self.server.delete("provider", of, record)
        if how == "here last":
            self.edit(of, known[name], field, here)

    # -- in the hub

    def _rows(self, of: str) -> list[dict[str, Any]]:
        rows = self.world.sql(f"SELECT * FROM depot_{of} ORDER BY name, id")
        if of == "teams":
            self.ledger.local_ids.update({r["id"]: r["name"] for r in rows})
        return rows

    def _value(self, column: str, number: int) -> Any:
        if column != "team":
            return HUB_VALUES[column][number]
        teams = [None, *(row["id"] for row in self._rows("teams"))]
        return teams[number % len(teams)]

    def _under_way(self, of: str) -> tuple[str, list[dict[str, Any]]]:
        """The rows of what a run is sending at this moment, and of which resource they are."""
        for kind in (of, *COLUMNS):
            edits = outbox.walk(self.world.shell, "depot", kind, status=("sending",))
            sending = {edit.record for edit in edits}
            if found := [row for row in self._rows(kind) if row["id"] in sending]:
                return kind, found
        return of, []

    def revise(self, of: str, pick: int, field: int, number: int) -> None:
        """Set a field of a row that is being sent."""
        kind, rows = self._under_way(of)
        self.edit(kind, pick, field, number, rows)

    def discard(self, of: str, pick: int) -> None:
        """Delete a row that is being sent."""
        kind, rows = self._under_way(of)
        self.delete(kind, pick, rows)

    def think_again(self, pick: int, number: int) -> None:
        """Set a field of a record once more, whose update got no answer."""
        sent = [
            (of, edit)
            for of in COLUMNS
            for edit in outbox.walk(self.world.shell, "depot", of, status=("pending",))
            if edit.sent and edit.action == "update"
        ]
        if sent:
            of, edit = sent[pick % len(sent)]
            names = sorted(edit.sent or ())
            rows = [row for row in self._rows(of) if row["id"] == edit.record]
            self.edit(of, 0, EDITABLE[of].index(names[pick % len(names)]), number, rows)

    def edit(
        self,
        of: str,
        pick: int,
        field: int,
        number: int,
        among: list[dict[str, Any]] | None = None,
    ) -> None:
        """Set a field of a row."""
        rows = self._rows(of) if among is None else among
        if not rows:
            return
        row, column = rows[pick % len(rows)], EDITABLE[of][field % len(EDITABLE[of])]
        value = self._value(column, number)
        self.world.sql(f"UPDATE depot_{of} SET {column} = ? WHERE id = ?", value, row["id"])
        left = outbox.find(self.world.shell, "depot", of, row["id"])
        if value == row[column] and type(value) is type(row[column]):
            return
        if left is None or (left.action == "update" and column not in left.edits):
            self.ledger.withdrew(of, row["name"], column)
        else:
            self.ledger.wrote(of, row["name"], column, value, _seen(row))

    def insert(self, of: str, field: int, number: int) -> None:
        """Add a row, with a value in one of its fields."""
        name, column = self._name(of), EDITABLE[of][field % len(EDITABLE[of])]
        value = self._value(column, number)
        self.world.sql(f"INSERT INTO depot_{of} (name, {column}) VALUES (?, ?)", name, value)
        self.ledger.did(of, name, "created", 0)
        self.ledger.wrote(of, name, column, value, 0)
        self._rows(of)

    def delete(self, of: str, pick: int, among: list[dict[str, Any]] | None = None) -> None:
        """Delete a row."""
        rows = self._rows(of) if among is None else among
        if rows:
            row = rows[pick % len(rows)]
            self.world.sql(f"DELETE FROM depot_{of} WHERE id = ?", row["id"])
            self.ledger.did(of, row["name"], "deleted", _seen(row))

    # -- at the provider

    def _in_doubt(self, of: str) -> set[str]:
        """Records of which the hub does not know whether they are there. The colleague leaves them
        alone: they are recognized by their values, and one that was changed beyond recognition,
        or is gone again before it was ever seen, is another record to whoever looks for it.
        """
        return {
            str(edit.edits.get("name"))
            for edit in outbox.walk(self.world.shell, "depot", of)
            if is_local(edit.record)
            and (edit.status in ("sending", "unknown") or edit.attempt_rid is not None)
        }

    def _theirs(self, of: str, pick: int) -> str | None:
        doubtful = self._in_doubt(of)
        ids = [i for i, r in self.server.live[of].items() if r["name"] not in doubtful]
        return ids[pick % len(ids)] if ids else None

    def _their_value(self, column: str, number: int) -> str | None:
        if column != "team":
            return THEIR_VALUES[column][number]
        teams = [None, *self.server.live["teams"]]
        return teams[number % len(teams)]

    def change(self, of: str, pick: int, field: int, number: int) -> None:
        """The colleague sets a field."""
        record = self._theirs(of, pick)
        if record is not None:
            column = EDITABLE[of][field % len(EDITABLE[of])]
            value = self._their_value(column, number)
            self.server.change("provider", of, record, {column: value})

    def create(self, of: str, field: int, number: int) -> None:
        """The colleague adds a record."""
        column = EDITABLE[of][field % len(EDITABLE[of])]
        values = {"name": self._name(of), column: self._their_value(column, number)}
        self.server.create("provider", of, values)

    def remove(self, of: str, pick: int) -> None:
        """The colleague deletes a record; never the last one, since the hub does not believe in a
        listing that is empty all at once (`the listing was empty` is its warning then)."""
        record = self._theirs(of, pick)
        if record is not None and len(self.server.live[of]) > 1:
            self.server.delete("provider", of, record)

    def merge(self, of: str, pick: int, other: int, _: int) -> None:
        """The colleague makes two people one."""
        doubtful = self._in_doubt("people")
        ids = [i for i, r in self.server.live["people"].items() if r["name"] not in doubtful]
        if of == "people" and len(ids) > 1:
            winner = ids.pop(pick % len(ids))
            self.server.merge(winner, ids[other % len(ids)])

    def restore(self, of: str, pick: int) -> None:
        """The colleague brings a record back, unless it was made anew, or is about to be: then
        there would be two of them by his own doing."""
        edits = outbox.walk(self.world.shell, "depot", of)
        anew = {str(edit.edits.get("name")) for edit in edits if edit.action == "create"}
        anew |= {str(record["name"]) for record in self.server.live[of].values()}
        ids = [i for i, r in self.server.gone[of].items() if r["name"] not in anew]
        if ids:
            self.server.restore(of, ids[pick % len(ids)])

    # -- the end

    def differences(self) -> list[str]:
        """Where hub and provider do not agree, but for what the hub lists as failed."""
        found = []
        for of, columns in COLUMNS.items():
            failed = {e.record: e for e in outbox.walk(self.world.shell, "depot", of)}
            rows = {r["id"]: r for r in self._rows(of) if not is_local(r["id"])}
            live = self.server.live[of]
            kept = {i for i, e in failed.items() if e.action == "delete"}
            found += [f"{of}: only in the hub: {i}" for i in sorted(set(rows) - set(live))]
            found += [f"{of}: not in the hub: {i}" for i in sorted(set(live) - set(rows) - kept)]
            for record in sorted(set(rows) & set(live)):
                edits = failed[record].edits if record in failed else {}
                for name, column in columns.items():
                    here, there = rows[record][name], value_of(column, live[record])
                    one, other = (meaning(column.kind, column.same, v) for v in (here, there))
                    if name not in edits and one != other:
                        found.append(f"{of} {record}.{name}: {here!r} here, {there!r} there")
        return found


def _seen(row: Mapping[str, Any]) -> int:
    """What the hub knew of the record's changes."""
    return int(json.loads(row["_payload"] or "{}").get("rev") or 0)
