"""Mailchimp's resources for the conformance suite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.mailchimp import Mailchimp, audiences, data
from lumio_cli.sandbox.mailchimp.room import Room
from support.conformance import Family, Subject
from support.two_way import Sample

# Archived members are asked for in every sync, so that a case need not wait for the next hour.
FIRST = "1187b2dc5d"
"""The look-alike's first audience."""
ENVIRON = {"LUMIO_PROVIDERS__MAILCHIMP__DELETES_EVERY": "0"}


def account(sandbox: Sandbox) -> Mailchimp:
    """The account behind the sandbox."""
    return cast(Mailchimp, sandbox.providers["mailchimp"])


def _fresh(sandbox: Sandbox) -> str:
    return sandbox.token("mailchimp", "other")


def _room(sandbox: Sandbox) -> Room:
    return next(iter(account(sandbox).rooms.values()))


def _one_audience(sandbox: Sandbox, count: int) -> None:
    account(sandbox).arrange((count,))


# -- members


def stored(row: dict[str, Any]) -> dict[str, Any]:
    """A member as lumio keeps it."""
    own = f"{row['list_id']}:{row['contact_id']}"
    return {**row, "id": own, "subscriber_hash": row["id"]}


def _dump_members(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
    return [stored(row) for room in account(sandbox).rooms.values() for row in room.members]


def _create_member(sandbox: Sandbox, text: str) -> str:
    room = _room(sandbox)
    mail = f"made{len(room.members)}.{abs(hash(text)) % 10_000}@example.com"
    merge = {field["tag"]: "" for field in room.fields} | {"FNAME": text}
    values = {"email_address": mail, "status": "subscribed", "merge_fields": merge}
    return f"{room.id}:{room.insert(values)}"


def _update_member(sandbox: Sandbox, record_id: str, text: str) -> None:
    room, contact = _room(sandbox), record_id.partition(":")[2]
    row = room.read(contact)
    assert row is not None
    room.update(contact, {"merge_fields": {**row["merge_fields"], "FNAME": text}})


def _contact(record_id: str) -> str:
    return record_id.partition(":")[2]


def _live(request: Request) -> bool:
    """Not the archived, and not what has changed while the others were read."""
    return request.one("status") != "archived" and request.one("since_last_changed") is None


def _family(child: str) -> Family:
    return Family(
        "audiences",
        child,
        "list_id",
        lambda sandbox, record: account(sandbox).tables["audiences"].purge(record),
        lambda sandbox: account(sandbox).arrange((3, 2)),
    )


MEMBERS = Subject(
    provider="mailchimp",
    resource="members",
    text="merge_fields.FNAME",
    listing="/3.0/lists/*/members",
    live=_live,
    dump=_dump_members,
    create=_create_member,
    update=_update_member,
    delete=lambda sandbox, record_id: _room(sandbox).archive(_contact(record_id)),
    purge=lambda sandbox, record_id: _room(sandbox).forget(_contact(record_id)),
    fresh=_fresh,
    fill=_one_audience,
    environ=ENVIRON,
    sample=Sample(
        new=lambda n: {
            "list_id": FIRST,
            "email_address": f"Made{n}@example.com",
            "fname": f"Made {n}",
            # One that has yet to confirm can be no more archived than one that bounces.
            "status": "subscribed",
        },
        bad={"status": "asleep"},
        create="/3.0/lists/*",
        other=("tags", '["vip", "new"]'),
    ),
)

# -- audiences


def _dump_audiences(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
    found = account(sandbox)
    return [audiences.view(found, list_id) for list_id in found.tables["audiences"].ids()]


def _create_audience(sandbox: Sandbox, name: str) -> str:
    table = account(sandbox).tables["audiences"]
    made = data.audience(name, "", 200_000 + len(table))
    del made["id"]
    return table.insert(made)


AUDIENCES = Subject(
    provider="mailchimp",
    resource="audiences",
    text="name",
    listing="/3.0/lists",
    dump=_dump_audiences,
    create=_create_audience,
    update=lambda s, i, text: account(s).tables["audiences"].update(i, {"name": text}),
    purge=lambda s, i: account(s).tables["audiences"].purge(i),
    fresh=_fresh,
    fill=lambda sandbox, count: account(sandbox).arrange((0,) * count),
    helps=("/3.0/lists#total_items",),
    family=_family("members"),
)

# -- segments


def _create_segment(sandbox: Sandbox, name: str) -> str:
    room = _room(sandbox)
    return room.segments.insert({**data.segment(room.id, 0), "name": name})


SEGMENTS = Subject(
    provider="mailchimp",
    resource="segments",
    text="name",
    listing="/3.0/lists/*/segments",
    live=lambda request: request.one("since_updated_at") is None,
    dump=lambda sandbox: list(_room(sandbox).segments),
    create=_create_segment,
    update=lambda s, i, text: _room(s).segments.update(i, {"name": text}),
    purge=lambda s, i: _room(s).segments.purge(i),
    fresh=_fresh,
    fill=_one_audience,
    family=_family("segments"),
)

# -- what stands alone


def _flat(resource: str, path: str, make: Any) -> Subject:
    """A table whose text is at `path`, of at most two names."""
    top, _, inner = path.partition(".")

    def with_text(row: dict[str, Any], text: str) -> dict[str, Any]:
        return {top: {**row[top], inner: text}} if inner else {top: text}

    def create(sandbox: Sandbox, text: str) -> str:
        found = account(sandbox)
        row = make(found.seed, 50_000 + len(found.tables[resource]), "", "")
        return found.tables[resource].insert({**row, **with_text(row, text)}, row["id"])

    def update(sandbox: Sandbox, record_id: str, text: str) -> None:
        table = account(sandbox).tables[resource]
        table.update(record_id, with_text(table.get(record_id) or {}, text))

    return Subject(
        provider="mailchimp",
        resource=resource,
        text=path,
        listing=f"/3.0/{resource}",
        dump=lambda sandbox: list(account(sandbox).tables[resource]),
        create=create,
        update=update,
        purge=lambda sandbox, record_id: account(sandbox).tables[resource].purge(record_id),
        fresh=_fresh,
    )


SUBJECTS: tuple[Subject, ...] = (
    AUDIENCES,
    MEMBERS,
    SEGMENTS,
    _flat("campaigns", "settings.title", data.campaign),
    _flat("reports", "campaign_title", data.report),
    _flat("automations", "settings.title", data.automation),
)
