"""What was sent is compared with what came back: the part of the conformance suite for providers
that keep a value in another form, or none of it, and say that it is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from lumio_cli.sandbox.http import Request, Response
from support import two_way
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


BETWEEN = (
    Response(403, b"<html>blocked by policy</html>", {"Content-Type": "text/html"}),
    Response(400, b""),
    Response.of_json({"message": "Forbidden"}, 406),
)
"""What proxies, gateways and maintenance pages answer in the place of the provider."""


def _writes(request: Request) -> bool:
    """Whether a request changes something: by its method, or by the words of those that are POST
    whatever they are for."""
    if request.method == "GET" or request.label.endswith(("/batch/read", "/search")):
        return False
    return "/graphql" not in request.path or b"mutation" in request.body


@case("updates")
def check_push_outage(subject: Subject, home: Path) -> None:
    """An answer that is no error of the provider's is about no record: no edit fails by it, no
    batch is cut in two, and all is sent once the provider itself answers again."""
    with rig(subject, home) as lab:
        lab.sync()
        desk, provider = Desk(lab, subject), lab.sandbox.providers[subject.provider]
        for number, record in enumerate(lab.ids):
            desk.set(record, **{desk.text: f"Edited {number}"})
        handle, sent = provider.handle, set()
        for answer in BETWEEN:

            def between(request: Request, answer: Response = answer) -> Response:
                if _writes(request):
                    sent.add(request.body)
                    return answer
                return handle(request)

            # Pipedrive's network shuts out who ignores its limits: by a page, as others' are.
            lab.lumio("limits", "clear", subject.provider)
            with patch.object(provider, "handle", between):
                lab.lumio("sync", subject.target, "--direction", "push")
            waiting = {(row[1], row[2]) for row in desk.waiting()}
            assert waiting == {("update", "pending")}, f"{answer.status} {answer.body!r}: {waiting}"
        assert sent, "nothing was sent"
        assert len(sent) <= len(lab.ids), f"{len(sent)} different requests: a batch was cut"
        lab.lumio("limits", "clear", subject.provider)
        desk.push()
        for number, record in enumerate(lab.ids):
            desk.must_have(record, {desk.text: f"Edited {number}"})
        assert desk.waiting() == []


for _needs, _check in (
    (("updates",), two_way.check_push_updates),
    (("creates",), two_way.check_push_creates),
    (("archives",), two_way.check_push_deletes),
    (("updates",), two_way.check_push_one_bad_item),
    (("creates",), two_way.check_push_lost_create),
    (("updates", "cursor", "edits", "two fields"), two_way.check_push_merges_fields),
    (("updates", "cursor", "edits"), two_way.check_push_conflict),
    (("updates",), two_way.check_push_edited_and_gone),
    (("archives", "cursor", "edits"), two_way.check_push_deleted_and_changed),
    (("updates",), two_way.check_push_edit_during_pull),
):
    case(*_needs)(_check)
