"""A merge is not a deletion: what every provider must do whose records can become one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

from lumio_cli.providers.contract.call import Send, dig
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Resource, Walk
from lumio_cli.providers.contract.writing import Change
from lumio_cli.sync.merging.merge import Policy
from support.conformance import Rig, Subject, case, rig
from support.two_way import Desk

POLICIES: tuple[str, ...] = get_args(Policy)


@contextmanager
def _twins(subject: Subject, home: Path, first: str, second: str) -> Iterator[tuple[Rig, str, str]]:
    """A rig whose hub holds two records with these texts."""
    with rig(subject, home) as lab:
        one = subject.create(lab.sandbox, first)
        two = subject.create(lab.sandbox, second)
        lab.sync()
        lab.clock.forward(3600)
        yield lab, one, two


def _merge(lab: Rig, winner: str, loser: str) -> str:
    """Merge the second record into the first; the survivor's id."""
    assert lab.subject.merge is not None
    return lab.subject.merge(lab.sandbox, winner, loser)


def _text(desk: Desk, record: str) -> Any:
    return dig(desk.theirs(record), desk.subject.text)


@case(wide=True)
def check_merges_are_told(subject: Subject, home: Path) -> None:
    """An adapter says where merged records have gone, or why that cannot be known."""
    cls = subject.cls
    tells = cls.merged is not Provider.merged and cls.survivors is not Provider.survivors
    assert tells or cls.no_merges, f"{cls.name} neither tells of merges nor says why it cannot"
    assert not (tells and cls.no_merges), f"{cls.name} says that it cannot tell of merges, and does"


@case("merges")
def check_merged_is_gone(subject: Subject, home: Path) -> None:
    """A merged record leaves the hub, and the survivor stays."""
    for mode in ("incremental", "full"):
        with _twins(subject, home, "One", "Two") as (lab, one, two):
            survivor = _merge(lab, one, two)
            lab.sync("--mode", mode)
            lab.must_be_equal()
            assert survivor in lab.payloads
            told = lab.lumio("records", "history", subject.target, two).document["history"][0]
            there = [{"name": "id", "before": two, "after": survivor}]
            assert told["fields"] == there, f"{two} is gone, and nothing says where: {told}"


@case("merges", "updates")
def check_merged_edit_goes_on(subject: Subject, home: Path) -> None:
    """An edit of a merged record goes to the survivor where nobody has changed that, under every
    policy; the merged one is never created again."""
    for policy in POLICIES:
        with _twins(subject, home, "Same", "Same") as (lab, one, two):
            desk = Desk(lab, subject)
            desk.set(two, **{desk.text: "Ours"})
            survivor, count = _merge(lab, one, two), len(lab.ids)
            desk.push("--conflicts", policy, direction="both")
            assert len(lab.ids) == count, f"{policy}: a merged record was created again"
            assert _text(desk, survivor) == "Ours", f"{policy}: the edit is lost"
            assert desk.waiting() == []


@case("merges", "updates")
def check_merged_edit_waits(subject: Subject, home: Path) -> None:
    """An edit that would overwrite what the survivor has is a conflict that names it, under every
    policy, until an operator decides."""
    for policy in POLICIES:
        with _twins(subject, home, "Theirs", "Base") as (lab, one, two):
            desk = Desk(lab, subject)
            desk.set(two, **{desk.text: "Ours"})
            survivor, count = _merge(lab, one, two), len(lab.ids)
            entry = desk.push("--conflicts", policy, direction="both", code=3)
            assert entry["conflicts"] == 1, f"{policy}: {entry}"
            assert len(lab.ids) == count, f"{policy}: a merged record was created again"
            assert _text(desk, survivor) == "Theirs", f"{policy}: the survivor was overwritten"
            (told,) = lab.lumio("conflicts", "list").document["conflicts"]
            assert (told["kind"], told["merged_into"]) == ("merged", survivor), told
            lab.lumio("conflicts", "resolve", subject.target, two, "--use", "local")
            desk.push()
            assert _text(desk, survivor) == "Ours", "the decision had no effect"


@case("merges", "archives")
def check_merged_deletion_waits(subject: Subject, home: Path) -> None:
    """Nobody has asked to delete the survivor."""
    for policy in POLICIES:
        with _twins(subject, home, "One", "Two") as (lab, one, two):
            desk = Desk(lab, subject)
            desk.delete(two)
            survivor = _merge(lab, one, two)
            entry = desk.push("--conflicts", policy, direction="both", code=3)
            assert (entry["deleted"], entry["conflicts"]) == (0, 1), f"{policy}: {entry}"
            assert survivor in lab.ids, f"{policy}: the survivor was deleted"


@case("merges", "updates")
def check_merged_meanwhile(subject: Subject, home: Path) -> None:
    """A merge between the look and the push: nothing is created again, the edit arrives later."""
    with _twins(subject, home, "Same", "Same") as (lab, one, two):
        desk, write = Desk(lab, subject), subject.cls.write  # type: ignore[attr-defined]
        desk.set(two, **{desk.text: "Ours"})
        merged: list[str] = []
        left: list[int] = []

        def late(
            self: Provider, resource: Resource, changes: Sequence[Change], send: Send
        ) -> Iterator[Receipt]:
            if not merged:
                merged.append(_merge(lab, one, two))
                left.append(len(lab.ids))
            yield from write(self, resource, changes, send)

        with patch.object(subject.cls, "write", late):
            lab.lumio("sync", subject.target, "--direction", "push", "--conflicts", "local")
        lab.clock.forward(3600)
        desk.push("--conflicts", "local")
        assert [len(lab.ids)] == left, "a merged record was created again"
        assert _text(desk, merged[0]) == "Ours", "the edit is lost"
        assert desk.waiting() == []


@case("merges", "pages")
def check_listed_is_alive(subject: Subject, home: Path) -> None:
    """What a walk has listed is there, on whatever page, before or after another has named it."""
    with rig(subject, home, subject.page() + 2) as lab:
        first, last = min(lab.ids), max(lab.ids)
        told: list[str] = []

        def merged(self: Provider, walk: Walk, record: dict[str, Any]) -> dict[str, str]:
            record_id = str(dig(record, walk.resource.key))
            if walk.kind == "tombstones" or record_id not in (first, last):
                return {}
            told.append(record_id)
            return {last: first} if record_id == first else {first: last}

        with patch.object(subject.cls, "merged", merged):
            for words in ((), ("--mode", "full")):
                told.clear()
                lab.sync(*words)
                assert sorted(told) == [first, last]
                lab.must_be_equal()
            lab.clock.forward(3600)
            for record in (first, last):
                subject.update(lab.sandbox, record, f"Changed {record}")
            entry = lab.sync()
            assert entry["deleted"] == 0, entry
            lab.must_be_equal()
            for record in (first, last):
                # So that the next window does not reach back to the other's change.
                lab.clock.forward(3600)
                lab.sync()
                lab.clock.forward(3600)
                subject.update(lab.sandbox, record, f"Changed {record} alone")
                told.clear()
                entry = lab.sync()
                assert record in told, "the case has shown nothing"
                assert entry["deleted"] == 0, f"{record} names the other again: {entry}"
                lab.must_be_equal()


@case("merges", "edits")
def check_back_after_a_merge(subject: Subject, home: Path) -> None:
    """A record that another has named as merged and that is listed in a later run is there again:
    its edits go to it and to nobody else, and it can be deleted like any other."""
    with _twins(subject, home, "One", "Two") as (lab, one, two):
        # So that the next window does not reach back to where they were made.
        lab.sync()
        lab.clock.forward(3600)
        names: dict[str, str] = {two: one}
        tell: Callable[..., dict[str, str]] = lambda self, walk, record: (  # noqa: E731
            names if str(dig(record, walk.resource.key)) == one else {}
        )
        with patch.object(subject.cls, "merged", tell):
            subject.update(lab.sandbox, one, "Names the other")
            lab.sync()
        assert two not in lab.payloads, "nobody has believed it"
        lab.clock.forward(3600)
        subject.update(lab.sandbox, two, "Here I am")
        lab.sync()
        lab.must_be_equal()
        if "updates" in subject.abilities:
            desk = Desk(lab, subject)
            desk.set(two, **{desk.text: "Ours"})
            desk.push()
            assert (_text(desk, two), _text(desk, one)) == ("Ours", "Names the other")
            desk.set(two, **{desk.text: "Ours again"})
            lab.clock.forward(3600)
            (subject.delete or subject.purge)(lab.sandbox, two)
            desk.push("--mode", "full", "--max-delete", "100", code=3)
            (told,) = lab.lumio("conflicts", "list").document["conflicts"]
            assert told["kind"] == "deleted", f"it is said to be part of another still: {told}"
