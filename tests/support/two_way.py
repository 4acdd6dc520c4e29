"""What every provider that is written to must do: the part of the conformance suite for pushes.

Edits are made with SQL, as operators do; what the provider has is read behind its API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumio_cli.providers.contract.call import dig
from lumio_cli.providers.contract.values import meaning

if TYPE_CHECKING:
    from support.conformance import Rig, Subject


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How a resource is written.

    new      a record's values by columns of the view; the number makes it another one
    bad      values that the provider refuses in an update
    create   path glob of the requests that create records
    other    a column that can be written, other than the one with the subject's text, and a value;
             an empty name: there is none
    """

    new: Callable[[int], Mapping[str, Any]]
    bad: Mapping[str, Any]
    create: str
    other: tuple[str, Any]


class Desk:
    """A rig whose hub is edited."""

    def __init__(self, lab: Rig, subject: Subject) -> None:
        assert subject.sample is not None
        self.lab, self.subject, self.sample = lab, subject, subject.sample
        self.view = f"{subject.provider}_{subject.resource}"
        declared = subject.declared
        self.text = next(c.name for c in declared.columns if c.path == subject.text)
        self.columns = {c.name: c for c in declared.columns}

    def set(self, record: str, **values: Any) -> None:
        """Edit a record."""
        listed = ", ".join(f'"{name}" = ?' for name in values)
        self.lab.sql(f"UPDATE {self.view} SET {listed} WHERE id = ?", *values.values(), record)

    def insert(self, values: Mapping[str, Any]) -> None:
        """Make a record."""
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" * len(values))
        self.lab.sql(f"INSERT INTO {self.view} ({names}) VALUES ({marks})", *values.values())

    def delete(self, record: str) -> None:
        """Delete a record."""
        self.lab.sql(f"DELETE FROM {self.view} WHERE id = ?", record)

    def push(self, *words: str, code: int = 0, direction: str = "push") -> dict[str, Any]:
        """Push; the run must end with `code`. Returns the entry of the push."""
        done = self.lab.lumio("sync", self.subject.target, "--direction", direction, *words)
        assert done.code == code, f"exit code {done.code} instead of {code}: {done.out}"
        entries = [
            r
            for r in done.document["resources"]
            if r["direction"] == "push" and r["resource"] == self.subject.resource
        ]
        assert len(entries) == 1, done.out
        return dict(entries[0])

    def waiting(self) -> list[tuple[Any, ...]]:
        """What is in the outbox."""
        return self.lab.sql(
            "SELECT record, action, status, conflict FROM lumio_outbox ORDER BY record"
        )

    def theirs(self, record: str) -> dict[str, Any]:
        """A record as the provider has it."""
        key = self.subject.declared.key
        found = [r for r in self.subject.dump(self.lab.sandbox) if str(dig(r, key)) == record]
        assert len(found) == 1, f"{len(found)} records are {record}"
        return found[0]

    def must_have(self, record: str, values: Mapping[str, Any]) -> None:
        """The provider's record has these values, by what they mean to it."""
        there = self.theirs(record)
        rows = self.lab.sql(
            f"SELECT {', '.join(f'{chr(34)}{n}{chr(34)}' for n in values)}"
            f" FROM {self.view} WHERE id = ?",
            record,
        )
        assert len(rows) == 1, f"the hub has no {record}"
        for (name, value), here in zip(values.items(), rows[0], strict=True):
            column = self.columns[name]
            want = meaning(column.kind, column.same, value)
            got = meaning(column.kind, column.same, here)
            assert got == want, f"{name} in the hub: {here!r}, not {value!r}"
            shown = dig(there, column.path)
            if not isinstance(shown, dict | list):
                got = meaning(column.kind, column.same, shown)
                assert got == want, f"{name} at the provider: {shown!r}, not {value!r}"

    def must_be_settled(self) -> None:
        """Nothing waits; the next pull brings nothing that an operator could have written."""
        assert self.waiting() == [], self.waiting()
        before = self._writable()
        entry = self.lab.sync()
        assert (entry["created"], entry["deleted"]) == (0, 0), entry
        assert self._writable() == before, "the hub did not have what the provider has"
        self.lab.must_be_equal()

    def _writable(self) -> list[list[Any]]:
        columns = [c for c in self.columns.values() if not c.read_only]
        listed = ", ".join(f'"{c.name}"' for c in columns)
        return [
            [row[0], *(meaning(c.kind, c.same, v) for c, v in zip(columns, row[1:], strict=True))]
            for row in self.lab.sql(f"SELECT id, {listed} FROM {self.view} ORDER BY id")
        ]


def check_push_updates(subject: Subject, home: Path) -> None:
    """Edits reach the provider, and the hub shows what the provider then has."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        desk = Desk(lab, subject)
        name, value = desk.sample.other
        for number, record in enumerate(lab.ids):
            desk.set(record, **{desk.text: f"Edited {number}"})
        first = lab.ids[0]
        wanted = {desk.text: "Edited 0"} | ({name: value} if name else {})
        desk.set(first, **wanted)
        entry = desk.push()
        assert (entry["sent"], entry["updated"], entry["failed"]) == (3, 3, 0), entry
        desk.must_have(first, wanted)
        desk.must_be_settled()


def check_push_creates(subject: Subject, home: Path) -> None:
    """New rows become records, once, and get the provider's ids."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        desk, before = Desk(lab, subject), set(lab.ids)
        wanted = [dict(desk.sample.new(n)) for n in (1, 2)]
        for values in wanted:
            desk.insert(values)
        entry = desk.push()
        assert (entry["sent"], entry["created"], entry["failed"]) == (2, 2, 0), entry
        lab.sync("--mode", "full")
        made = [record for record in lab.ids if record not in before]
        assert len(made) == 2, f"{len(made)} records were made, not 2"
        for record, values in zip(_by_values(desk, made, wanted), wanted, strict=True):
            desk.must_have(record, values)
        assert desk.waiting() == []
        lab.must_be_equal()


def _by_values(
    desk: Desk, records: Sequence[str], wanted: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The records in the order of what was wanted, told apart by any value that differs."""
    name = next(n for n in wanted[0] if wanted[0][n] != wanted[1][n])
    column = desk.columns[name]
    found = {
        meaning(column.kind, column.same, dig(desk.theirs(r), column.path)): r for r in records
    }
    return [found[meaning(column.kind, column.same, values[name])] for values in wanted]


def check_push_deletes(subject: Subject, home: Path) -> None:
    """A deleted row is deleted there, and no other is."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        desk, gone = Desk(lab, subject), lab.ids[1]
        desk.delete(gone)
        entry = desk.push()
        assert (entry["sent"], entry["deleted"]) == (1, 1), entry
        assert gone not in lab.ids, f"{gone} is still there"
        assert len(lab.ids) == 2, "another record is gone as well"
        assert desk.waiting() == []
        lab.must_be_equal()


def check_push_one_bad_item(subject: Subject, home: Path) -> None:
    """What the provider refuses is listed with its reason; all others are done."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        desk, (one, bad, other) = Desk(lab, subject), lab.ids
        for record in (one, other):
            desk.set(record, **{desk.text: f"Edited {record}"})
        desk.set(bad, **desk.sample.bad)
        entry = desk.push(code=3)
        assert (entry["updated"], entry["failed"]) == (2, 1), entry
        for record in (one, other):
            desk.must_have(record, {desk.text: f"Edited {record}"})
        assert [row[:3] for row in desk.waiting()] == [(bad, "update", "failed")]
        (letter,) = lab.lumio("failures", "list").document["failures"]
        assert (letter["record_id"], letter["direction"]) == (bad, "push")
        assert letter["kind"] == "validation", letter
        assert letter["message"], "the provider's reason is missing"


def check_push_lost_create(subject: Subject, home: Path) -> None:
    """A record whose creation got no answer is found again, and never made twice."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        desk, before = Desk(lab, subject), set(lab.ids)
        desk.insert(desk.sample.new(1))
        lab.sandbox.faults.set([f"lost:times=1:path={desk.sample.create}"])
        lab.lumio("sync", subject.target, "--direction", "push")
        lab.sandbox.faults.clear()
        assert len(set(lab.ids) - before) == 1, "the fault did not strike as it was meant to"
        lab.clock.forward(3600)
        desk.push("--mode", "full")
        made = set(lab.ids) - before
        assert len(made) == 1, f"{len(made)} records were made, not 1"
        assert desk.waiting() == []
        desk.must_have(made.pop(), desk.sample.new(1))


def check_push_merges_fields(subject: Subject, home: Path) -> None:
    """Both sides changed other fields of one record: both changes stay."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        desk, record = Desk(lab, subject), lab.ids[0]
        name, value = desk.sample.other
        desk.set(record, **{name: value})
        subject.update(lab.sandbox, record, "Theirs")
        entry = desk.push(direction="both")
        assert (entry["updated"], entry["conflicts"]) == (1, 0), entry
        desk.must_have(record, {desk.text: "Theirs", name: value})


def check_push_conflict(subject: Subject, home: Path) -> None:
    """Both sides changed the same field: nobody is overwritten unless somebody says so."""
    from support.conformance import rig

    for policy, wins in (("local", "Ours"), ("provider", "Theirs")):
        with rig(subject, home) as lab:
            lab.sync()
            lab.clock.forward(3600)
            desk, record = Desk(lab, subject), lab.ids[0]
            desk.set(record, **{desk.text: "Ours"})
            subject.update(lab.sandbox, record, "Theirs")
            entry = desk.push(code=3, direction="both")
            assert (entry["sent"], entry["conflicts"]) == (0, 1), entry
            assert dig(desk.theirs(record), subject.text) == "Theirs"
            lab.clock.forward(3600)
            desk.push("--conflicts", policy, direction="both")
            desk.must_have(record, {desk.text: wins})
            assert desk.waiting() == []


def check_push_edited_and_gone(subject: Subject, home: Path) -> None:
    """What was edited here and deleted there waits; with `provider` it is gone here, too."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        desk, record = Desk(lab, subject), lab.ids[0]
        desk.set(record, **{desk.text: "Ours"})
        (subject.delete or subject.purge)(lab.sandbox, record)
        full = ("--mode", "full", "--max-delete", "100")
        entry = desk.push(*full, code=3)
        assert entry["conflicts"] == 1, entry
        assert '"deleted"' in str(desk.waiting()[0][3])
        desk.push(*full, "--conflicts", "provider")
        assert desk.waiting() == []
        lab.must_be_equal()


def check_push_deleted_and_changed(subject: Subject, home: Path) -> None:
    """What was deleted here and changed there waits; with `local` it is deleted there, too."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        desk, record = Desk(lab, subject), lab.ids[1]
        desk.delete(record)
        subject.update(lab.sandbox, record, "Theirs")
        entry = desk.push(code=3, direction="both")
        assert (entry["sent"], entry["conflicts"]) == (0, 1), entry
        assert record in lab.ids
        desk.push("--conflicts", "local")
        assert record not in lab.ids
        assert desk.waiting() == []


def check_push_edit_during_pull(subject: Subject, home: Path) -> None:
    """An edit that is made while a pull goes on survives it, and is pushed afterwards."""
    from support.conformance import rig

    with rig(subject, home) as lab:
        lab.sync()
        desk, record = Desk(lab, subject), lab.ids[0]

        def edit(_request: Any, _answer: Any, number: int) -> None:
            if number == 1:
                desk.set(record, **{desk.text: "Meanwhile"})

        lab.on_page(edit)
        lab.sync("--mode", "full")
        assert [row[:3] for row in desk.waiting()] == [(record, "update", "pending")]
        desk.push()
        desk.must_have(record, {desk.text: "Meanwhile"})
        desk.must_be_settled()
