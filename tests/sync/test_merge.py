"""Three ways, field by field: base, ours, theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from lumio_cli.hub.edits import Edit, is_local
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.records import Held
from lumio_cli.sync.merging.merge import Merged, Policy, merge

COLUMNS = {
    c.name: c
    for c in (
        ViewColumn("email", "email", "text", False, "folded"),
        ViewColumn("city", "city", "text", False),
        ViewColumn("age", "age", "integer", False),
        ViewColumn("made", "made", "datetime", True),
    )
}
EDITED = "2026-01-10T12:00:00.000Z"
Side = Literal["earlier", "later", "unknown"]
TIMES = {"earlier": "2026-01-10T11:00:00Z", "later": "2026-01-10T13:00:00Z", "unknown": None}


def values(columns: Sequence[ViewColumn], payload: str) -> Mapping[str, Any]:
    record = json.loads(payload)
    return {c.name: record.get(c.path) for c in columns}


def edit(action: Any = "update", base: Any = None, status: Any = "pending", **edits: Any) -> Edit:
    return Edit(
        "acme",
        "people",
        "7",
        action,
        edits,
        base or {},
        status,
        3,
        "0123456789abcdef",
        edited_at=EDITED,
    )


def run(
    mine: Edit, policy: Policy = "ask", gone: bool = False, when: Side = "unknown", **theirs: Any
) -> Merged:
    held = Held(json.dumps(theirs), TIMES[when], gone, 5)
    return merge(mine, held, COLUMNS, values, policy)


def test_nothing_has_changed_there() -> None:
    mine = edit(base={"city": "Natal"}, city="Recife")
    assert run(mine, city="Natal", age=5).edit is mine


def test_another_field_has_changed_there() -> None:
    mine = edit(base={"city": "Natal"}, city="Recife")
    assert run(mine, city="Natal", age=6).edit is mine


def test_they_have_come_to_the_same() -> None:
    assert run(edit(base={"city": "Natal"}, city="Recife"), city="Recife").edit is None
    left = run(edit(base={"city": "Natal", "age": 1}, city="Recife", age=2), city="Recife", age=1)
    assert left.edit is not None
    assert (left.edit.edits, left.edit.base) == ({"age": 2}, {"age": 1})
    assert left.edit.version == 4


def test_what_means_the_same_is_no_change() -> None:
    mine = edit(base={"age": 5, "email": "A@x"}, age=6, email="b@x")
    assert run(mine, age="5", email="a@X").edit is mine
    assert run(mine, age="6", email="B@X").edit is None


@pytest.mark.parametrize(("policy", "when"), [("ask", "later"), ("newest", "unknown")])
def test_a_conflict_waits_for_an_operator(policy: Policy, when: Side) -> None:
    mine = edit(base={"city": "Natal", "age": 1}, city="Recife", age=2)
    left = run(mine, policy, when=when, city="Belém", age=1)
    assert left.edit is not None
    assert left.edit.status == "conflict"
    assert left.edit.conflict == {"kind": "edit", "fields": {"city": "Belém"}}
    assert left.edit.edits == mine.edits
    assert not left.given_up
    # It is over once the provider has the old value, or ours.
    again = merge(
        left.edit, Held('{"city": "Natal", "age": 1}', None, False, 6), COLUMNS, values, "ask"
    )
    assert again.edit is not None
    assert (again.edit.status, again.edit.conflict) == ("pending", None)


@pytest.mark.parametrize(("policy", "when"), [("provider", "earlier"), ("newest", "later")])
def test_theirs_counts(policy: Policy, when: Side) -> None:
    mine = edit(base={"city": "Natal", "age": 1}, city="Recife", age=2)
    left = run(mine, policy, when=when, city="Belém", age=1)
    assert left.edit is not None
    assert left.edit.edits == {"age": 2}
    assert left.given_up == {"city": ("Recife", "Belém")}
    alone = run(edit(base={"city": "Natal"}, city="Recife"), policy, when=when, city="Belém")
    assert alone.edit is None


@pytest.mark.parametrize(("policy", "when"), [("local", "later"), ("newest", "earlier")])
def test_ours_counts(policy: Policy, when: Side) -> None:
    left = run(edit(base={"city": "Natal"}, city="Recife"), policy, when=when, city="Belém")
    assert left.edit is not None
    assert (left.edit.edits, left.edit.base) == ({"city": "Recife"}, {"city": "Belém"})
    assert (left.edit.status, left.given_up) == ("pending", {})


def test_an_edit_of_what_is_gone_there() -> None:
    mine = edit(base={"city": "Natal"}, city="Recife")
    for policy in ("ask", "newest"):
        left = run(mine, policy, gone=True, city="Natal")  # type: ignore[arg-type]
        assert left.edit is not None
        assert left.edit.conflict == {"kind": "deleted", "fields": {}}
    assert run(mine, "provider", gone=True).edit is None
    assert run(mine, "provider", gone=True).given_up == {"city": ("Recife", None)}
    anew = run(mine, "local", gone=True, city="Natal", age=5, made="2020").edit
    assert anew is not None
    assert anew.action == "create"
    assert is_local(anew.record)
    assert anew.edits == {"city": "Recife", "age": 5}


def test_a_deletion_of_what_has_changed_there() -> None:
    mine = edit("delete", base={"city": "Natal", "age": 5, "email": None})
    assert run(mine, city="Natal", age=5, email="", made="2026").edit is mine
    asked = run(mine, "ask", city="Natal", age=6).edit
    assert asked is not None
    assert asked.conflict == {"kind": "changed", "fields": {"age": 6}}
    assert run(mine, "provider", city="Natal", age=6).edit is None
    ours = run(mine, "local", city="Natal", age=6).edit
    assert ours is not None
    assert (ours.action, ours.status, ours.base["age"]) == ("delete", "pending", 6)
    assert run(mine, "newest", when="later", city="Natal", age=6).edit is None
    kept = run(mine, "newest", when="earlier", city="Natal", age=6).edit
    assert kept is not None
    assert kept.status == "pending"


def test_both_have_deleted_it() -> None:
    assert run(edit("delete", base={"city": "Natal"}), gone=True, city="Natal").edit is None


def test_what_the_hub_does_not_know_yet_is_left_alone() -> None:
    new = edit("create", city="Recife")
    assert merge(new, None, COLUMNS, values, "provider").edit is new
    vanished = edit(base={"shoe": 1}, shoe=2)
    assert run(vanished, "provider", city="Natal").edit is vanished
