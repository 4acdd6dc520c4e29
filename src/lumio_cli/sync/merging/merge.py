"""Merging three ways, field by field: what the edit was made on, what was made of it, and what the
provider has now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lumio_cli.hub.edit_events import Compared, Moved
from lumio_cli.hub.edits import Edit, after
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.records import Held
from lumio_cli.providers.contract.values import akin, alike, meaning

Policy = Literal["provider", "local", "newest", "ask"]
"""Who is right where both have changed the same field since: the provider's value, ours, that
which was set last (where that cannot be told, nobody), or nobody until an operator says so."""
Values = Callable[[Sequence[ViewColumn], str], Mapping[str, Any]]
"""What a view shows of a payload in some columns."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What is left of an edit: None where that is nothing. `given_up` are values of ours, and the
    provider's in their places, that the policy has decided against.
    """

    edit: Edit | None
    given_up: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


REVIVED = "revived"
"""The kind of note (in place of a conflict) that an edit has which creates a record anew that the
provider has deleted: `of` which, the `base` of the edit, and what was `made` of it then."""


def revival(of: str, base: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    """The note of an edit that creates a record anew."""
    return {"kind": REVIVED, "of": of, "base": dict(base), "made": dict(made)}


def about(edit: Edit) -> str:
    """The record that an edit is about, by the provider's id where it has ever had one."""
    note = edit.conflict or {}
    return str(note["of"]) if note.get("kind") == REVIVED else edit.record


def same(column: ViewColumn, one: Any, other: Any) -> bool:
    """Whether two values of a column mean the same to the provider."""
    return alike(column.kind, column.same, one, other)


def merge(
    edit: Edit,
    theirs: Held | None,
    columns: Mapping[str, ViewColumn],
    values: Values,
    policy: Policy,
) -> Merged:
    """An edit against what the provider has now. `theirs` None: the hub has no such record.

    Returns the very same edit where there is nothing to change about it.
    """
    if edit.action == "create":
        back = theirs is not None and not theirs.gone and about(edit) != edit.record
        return _restored(edit, theirs, columns, values, policy) if back and theirs else Merged(edit)
    if theirs is None:
        return Merged(edit)
    if edit.action == "update":
        if theirs.gone:
            return _edited_and_gone(edit, theirs, columns, values, policy)
        return _edited(edit, theirs, columns, values, policy)
    if theirs.gone:
        return Merged(None)
    return _deleted(edit, theirs, columns, values, policy)


def _edited(
    edit: Edit,
    theirs: Held,
    columns: Mapping[str, ViewColumn],
    values: Values,
    policy: Policy,
) -> Merged:
    known = [columns[name] for name in edit.edits if name in columns]
    now = values(known, theirs.payload)
    edits, base = dict(edit.edits), dict(edit.base)
    given_up: dict[str, tuple[Any, Any]] = {}
    conflict: dict[str, Any] = {}
    for column in known:
        name = column.name
        mine, their = edits[name], now[name]
        if same(column, mine, their) and not may_be_another(edit, column, mine):
            del edits[name]
            base.pop(name, None)
        elif is_ours(edit, column, their):
            base[name] = their
        elif not same(column, base.get(name), their):
            wins = winner(policy, edit, theirs)
            if wins == "provider":
                given_up[name] = (mine, their)
                del edits[name]
                base.pop(name, None)
            elif wins == "local":
                base[name] = their
            else:
                conflict[name] = their
    if not edits:
        return Merged(None, given_up)
    return Merged(kept(edit, edits, base, {"kind": "edit", "fields": conflict}), given_up)


def _edited_and_gone(
    edit: Edit,
    theirs: Held,
    columns: Mapping[str, ViewColumn],
    values: Values,
    policy: Policy,
) -> Merged:
    if policy == "provider":
        return Merged(None, {name: (value, None) for name, value in edit.edits.items()})
    if policy == "local":
        writable = [c for c in columns.values() if not c.read_only]
        whole = {n: v for n, v in values(writable, theirs.payload).items() if v is not None}
        whole.update(edit.edits)
        # By the edit's own key: a plan and the push of it must call it the same.
        note = revival(edit.record, edit.base, whole)
        return Merged(after(edit, Moved(f"new-{edit.key}", "create", whole, {}, note)))
    # Nobody says when it was deleted, so that `newest` cannot tell either.
    return Merged(kept(edit, edit.edits, edit.base, {"kind": "deleted", "fields": {}}))


def _restored(
    edit: Edit,
    theirs: Held,
    columns: Mapping[str, ViewColumn],
    values: Values,
    policy: Policy,
) -> Merged:
    """What was to be created anew is there again: the edit is one of that record."""
    return merge(before_revival(edit, columns), theirs, columns, values, policy)


def before_revival(edit: Edit, columns: Mapping[str, ViewColumn]) -> Edit:
    """Take an edit that was to create a record anew for one of the old record again."""
    note = edit.conflict or {}
    base, edits = dict(note["base"]), {}
    for name, value in edit.edits.items():
        made = note["made"].get(name)
        if name in base or name not in columns or not same(columns[name], value, made):
            edits[name] = value
            base.setdefault(name, made)
    return after(edit, Moved(note["of"], "update", edits, base))


def _deleted(
    edit: Edit,
    theirs: Held,
    columns: Mapping[str, ViewColumn],
    values: Values,
    policy: Policy,
) -> Merged:
    known = [columns[name] for name in edit.base if name in columns]
    now = values(known, theirs.payload)
    changed = {
        c.name: now[c.name]
        for c in known
        if not same(c, edit.base[c.name], now[c.name]) and not is_ours(edit, c, now[c.name])
    }
    wins = winner(policy, edit, theirs) if changed else "local"
    if wins == "provider":
        return Merged(None, {name: (None, value) for name, value in changed.items()})
    if wins == "local":
        return Merged(kept(edit, edit.edits, {**edit.base, **changed}, None))
    return Merged(kept(edit, edit.edits, edit.base, {"kind": "changed", "fields": changed}))


def is_ours(edit: Edit, column: ViewColumn, their: Any) -> bool:
    """Whether the provider has what we sent, be it in a form of its own, although it never said
    so."""
    sent = edit.sent or {}
    return column.name in sent and akin(column.kind, column.same, sent[column.name], their)


def may_be_another(edit: Edit, column: ViewColumn, mine: Any) -> bool:
    """Whether the provider may have another value by now, since one was sent and got no answer: the
    hub may be yet to hear of it."""
    sent = edit.sent or {}
    return column.name in sent and not same(column, sent[column.name], mine)


def winner(policy: Policy, edit: Edit, theirs: Held) -> Policy:
    """Who is right about a field, where both have changed it."""
    if policy != "newest":
        return policy
    # Providers write times in many forms; one that is understood has become a number.
    there = meaning("datetime", "exact", theirs.updated_at)
    here = meaning("datetime", "exact", edit.edited_at)
    if not isinstance(there, int) or not isinstance(here, int):
        return "ask"
    return "provider" if there > here else "local"


def kept(
    edit: Edit,
    edits: Mapping[str, Any],
    base: Mapping[str, Any],
    conflict: Mapping[str, Any] | None,
) -> Edit:
    """Make of the edit what the merge left of it; a new version only where that is another."""
    fought = conflict is not None and (conflict["kind"] != "edit" or bool(conflict["fields"]))
    return after(edit, Compared(edits, base, conflict if fought else None))
