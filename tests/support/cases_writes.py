"""What was sent is compared with what came back: the part of the conformance suite for providers
that keep a value in another form, or none of it, and say that it is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.conformance import Rig, Subject, case, rig
from support.two_way import Desk

SENT, KEPT = "Edited here", "EDITED HERE"


def _field(subject: Subject) -> str:
    """The subject's text, as requests name it."""
    return subject.text.rpartition(".")[2]


def _both(lab: Rig, desk: Desk) -> tuple[list[int], list[str]]:
    """A push, and then a reading of everything: their exit codes, and what they warn of."""
    codes, warnings = [], []
    for words in (("--direction", "push"), ("--mode", "full")):
        done = lab.lumio("sync", desk.subject.target, *words)
        codes.append(done.code)
        warnings += [w for r in done.document["resources"] for w in r["warnings"]]
    return codes, [w for w in warnings if w.startswith(f"{desk.text}: ")]


@case("updates")
def check_push_reformed(subject: Subject, home: Path) -> None:
    """A value that the provider keeps in a form of its own is told once, and is no edit again."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        desk, record = Desk(lab, subject), lab.ids[0]
        lab.sandbox.habits.set([f"{_field(subject)}:upper"])
        desk.set(record, **{desk.text: SENT})
        codes, told = _both(lab, desk)
        assert codes == [0, 0], f"exit codes {codes}"
        assert told == [f"{desk.text}: {SENT!r} was written as {KEPT!r}"], told
        desk.must_have(record, {desk.text: KEPT})
        again = lab.lumio("records", "set", subject.target, record, f"{desk.text}={SENT}")
        assert again.document["action"] == "unchanged", again.out
        assert desk.waiting() == []
        codes, told = _both(lab, desk)
        assert (codes, told) == ([0, 0], []), f"told again: {codes}, {told}"


@case("updates", "two fields")
def check_push_not_taken(subject: Subject, home: Path) -> None:
    """A value that the provider did not take, though it says so, is a failure with its name."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        desk, record = Desk(lab, subject), lab.ids[0]
        lab.sandbox.habits.set([f"{_field(subject)}:ignore"])
        name, value = desk.sample.other
        desk.set(record, **{desk.text: SENT, name: value})
        codes, _ = _both(lab, desk)
        assert codes in ([3, 0], [0, 3]), f"exit codes {codes}: nobody was told"
        (letter,) = lab.lumio("failures", "list", subject.target).document["failures"]
        assert (letter["record_id"], letter["direction"]) == (record, "push"), letter
        assert letter["kind"] == "not_taken", letter
        assert letter["message"].startswith(f"{desk.text}: {SENT!r} was not taken"), letter
        assert [row[:3] for row in desk.waiting()] == [(record, "update", "failed")]
        lab.sandbox.habits.set([])
        lab.lumio("failures", "retry", str(letter["id"]))
        desk.push()
        desk.must_have(record, {desk.text: SENT})
        assert desk.waiting() == []


@case("creates", "updates", "archives", "two fields")
def check_push_first_reading(subject: Subject, home: Path) -> None:
    """What the answer to a creation did not tell is not known: the first reading is what a later
    edit, and a deletion, were made on."""
    with rig(subject, home) as lab:
        lab.sync()
        desk, before = Desk(lab, subject), set(lab.ids)
        lab.sandbox.habits.set([f"{_field(subject)}:upper"])
        for number in (1, 2):
            desk.insert({**desk.sample.new(number), desk.text: f"{SENT} {number}"})
        desk.push()
        one, two = sorted(set(lab.ids) - before)
        lab.clock.forward(60)
        name, value = desk.sample.other
        desk.set(one, **{name: value})
        desk.delete(two)
        entry: dict[str, Any] = desk.push("--mode", "full")
        assert (entry["updated"], entry["deleted"]) == (1, 1), entry
        assert two not in lab.ids, f"{two} is still there"
        desk.must_have(one, {name: value})
        assert desk.waiting() == []
