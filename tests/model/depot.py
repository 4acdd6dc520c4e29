"""A provider that exists only here: teams, and people who belong to teams.

Teams have no times of change and are always read whole; people are found by theirs, with records
that are listed late. What a record is called (`name`) is told once and never changes. Telephone
numbers and amounts are kept in a form of the provider's own, new records have values that nobody
has sent, and people can be merged: the survivor lists those that it has swallowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from lumio_cli.core.clock import format_time, utc
from lumio_cli.providers.contract.call import Call, Record, Reply, Send
from lumio_cli.providers.contract.fields import Field
from lumio_cli.providers.contract.paging import Token, with_params
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column, Cursor, Resource, Walk, Writes
from lumio_cli.providers.contract.values import as_text
from lumio_cli.providers.contract.writing import Change
from support.clock import FakeClock

PAGE = Token("next", "page", "size")
LAG = 4.0
"""Seconds until a new record is among those that have changed."""
TEAMS = (
    Column("name", "name"),
    Column("size", "fields.size", "integer"),
    Column("open", "open", "boolean"),
    Column("score", "rev", "integer", read_only=True),
)
PEOPLE = (
    Column("name", "name"),
    Column("team", "team"),
    Column("age", "fields.age", "integer"),
    Column("active", "fields.active", "boolean"),
    Column("since", "since", "datetime"),
    Column("seen", "seen", "epoch_ms"),
    Column("mail", "fields.mail", same="folded"),
    Column("tags", "tags", "json", same="set"),
    Column("phone", "fields.phone"),
    Column("pay", "pay", "number"),
    Column("score", "rev", "integer", read_only=True),
)
COLUMNS = {"teams": {c.name: c for c in TEAMS}, "people": {c.name: c for c in PEOPLE}}
Name = Literal["teams", "people"]
DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "teams": {"open": "true"},
    "people": {"active": "true", "tags": '["new"]'},
}
"""What a new record has where nothing was sent."""
Side = Literal["hub", "provider", "default"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How this provider is today: whether no two people may have one name, how deletions of people
    are found, and what an answer to a write tells of the record: all of it, what was written, or
    its id."""

    unique: bool = False
    deletes: tuple[Literal["tombstones", "sweep"], ...] = ("tombstones",)
    tells: Literal["whole", "written", "id"] = "whole"


class Depot(Provider):
    """The provider's module."""

    name = "depot"
    title = "Depot"
    category = "Tests"
    base_url = "https://depot.example"
    hosts = ("depot.example",)
    credential = (Field("token", "Token", secret=True),)
    resources = (
        Resource("teams", "/teams", "Teams", TEAMS, {"full": PAGE}, {"full": 3}, rows="rows",
                 updated="", deletes=("sweep",),
                 writes=Writes(create=3, update=2, archive=3, at_once=3)),
        Resource("people", "/people", "People", PEOPLE,
                 {"full": PAGE, "changes": PAGE, "tombstones": PAGE},
                 {"full": 3, "changes": 3, "tombstones": 3}, rows="rows", updated="changed",
                 cursor=Cursor("changed", lookback=5.0), deletes=("tombstones",),
                 writes=Writes(create=2, update=3, archive=1, at_once=3)),
    )  # fmt: skip

    def __init__(self, shape: Shape) -> None:
        super().__init__({})
        teams, people = type(self).resources
        assert people.writes is not None
        writes = replace(people.writes, unique=("name",) if shape.unique else ())
        self.resources = (teams, replace(people, deletes=shape.deletes, writes=writes))

    server: Server

    def merged(self, walk: Walk, record: Record) -> Mapping[str, str]:
        return {old: str(record["id"]) for old in record.get("merged", ())}

    def survivors(self, resource: Resource, ids: Sequence[str], send: Send) -> Mapping[str, str]:
        return {old: new for old, new in self.server.survivors.items() if old in ids}

    def call(self, walk: Walk) -> Call:
        floor = walk.window.floor
        call = Call("GET", walk.resource.path)
        since = None if floor is None else str(floor.timestamp())
        return with_params(call, kind=walk.kind, since=since)

    def shown(self, column: Column, value: Any) -> Any:
        # As text, as some providers write all that is not text.
        if column.path.startswith("fields."):
            return as_text(column.kind, value) or ""
        return super().shown(column, value)

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterable[Receipt]:
        size = getattr(resource.writes, changes[0].action)
        for start in range(0, len(changes), size):
            items = [
                {"trace": c.trace, "id": c.id, "values": dict(c.values)}
                for c in changes[start : start + size]
            ]
            call = Call("POST", f"{resource.path}/{changes[0].action}", json=items)
            for told in send(call).json():
                yield Receipt(**told)


@dataclass(frozen=True, slots=True)
class Wrote:
    """A field, as it was set; of a whole record with `name` empty: created, deleted, restored,
    merged. What the provider gives a record that the hub creates is nobody's word: a `default`.

    `at` is a number that grows with everything that happens, in the hub or at the provider.
    """

    at: int
    side: Side
    resource: str
    record: str
    name: str
    value: Any


class Server:
    """What the provider has. `log` is all that was ever written to it; `unheard` what was sent and
    never arrived, without the hub having been told so; `first_read` when the hub first knew all of
    a record."""

    def __init__(self, clock: FakeClock, shape: Shape) -> None:
        self.clock = clock
        self.shape = shape
        self.at = 0
        self.live: dict[str, dict[str, Record]] = {"teams": {}, "people": {}}
        self.gone: dict[str, dict[str, Record]] = {"teams": {}, "people": {}}
        self.names: dict[str, dict[str, str]] = {"teams": {}, "people": {}}
        self.swallowed: dict[str, str] = {}
        self.log: list[Wrote] = []
        self.unheard: list[Wrote] = []
        self.first_read: dict[tuple[str, str], int] = {}
        self.touched: dict[tuple[str, str], int] = {}
        self.twins: list[str] = []
        self.invalid = False

    def tick(self) -> int:
        """The number of the next thing that happens."""
        self.at += 1
        return self.at

    # -- what happens to its records

    def create(self, side: Literal["hub", "provider"], of: str, values: Mapping[str, Any]) -> str:
        """A new record, with the values as the provider keeps them; its id."""
        name = str(values["name"])
        if any(record["name"] == name for record in self.live[of].values()):
            self.twins.append(name)
        record_id = f"{of[0]}{len(self.names[of]) + 100}"
        self.names[of][record_id] = name
        self.live[of][record_id] = {"id": record_id, "name": name, "fields": {}}
        self.log.append(Wrote(self.tick(), side, of, record_id, "", "created"))
        for column in COLUMNS[of].values():
            if not column.read_only:
                self._put(side, of, record_id, column.name, values.get(column.name))
        given: Side = "default" if side == "hub" else side
        for name, value in DEFAULTS[of].items():
            if values.get(name) is None:
                self._put(given, of, record_id, name, value)
        self._touch(of, record_id)
        self.live[of][record_id]["listed"] = self.clock.time() + LAG
        return record_id

    def change(
        self, side: Literal["hub", "provider"], of: str, record_id: str, values: Mapping[str, Any]
    ) -> None:
        """New values of a record."""
        for name, value in values.items():
            self._put(side, of, record_id, name, value)
        self._touch(of, record_id)

    def delete(self, side: Literal["hub", "provider"], of: str, record_id: str) -> None:
        """A record goes."""
        self.log.append(Wrote(self.tick(), side, of, record_id, "", "deleted"))
        self.gone[of][record_id] = self.live[of].pop(record_id)

    def merge(self, winner: str, loser: str) -> None:
        """One of the people becomes part of another, who takes what was empty."""
        gone, kept = self.live["people"].pop(loser), self.live["people"][winner]
        kept["merged"] = [*kept.get("merged", ()), *gone.get("merged", ()), loser]
        self.swallowed[loser] = winner
        self.log.append(Wrote(self.tick(), "provider", "people", loser, "", "merged"))
        fields = {n: v for n, v in gone["fields"].items() if v and not kept["fields"].get(n)}
        self.change("provider", "people", winner, fields)

    @property
    def survivors(self) -> dict[str, str]:
        """By id of a merged record the one that answers for it."""
        live = self.live["people"]
        return {old: new for new, record in live.items() for old in record.get("merged", ())}

    def restore(self, of: str, record_id: str) -> None:
        """A record comes back."""
        self.log.append(Wrote(self.tick(), "provider", of, record_id, "", "restored"))
        self.live[of][record_id] = self.gone[of].pop(record_id)
        self._touch(of, record_id)

    def _put(self, side: Side, of: str, record_id: str, name: str, value: Any) -> None:
        column, record = COLUMNS[of][name], self.live[of][record_id]
        kept = _kept(column, value)
        *inner, last = column.path.split(".")
        holder = record[inner[0]] if inner else record
        if last not in holder or holder[last] != kept or side == "hub":
            holder[last] = kept
            self.log.append(Wrote(self.tick(), side, of, record_id, name, value_of(column, record)))

    def _touch(self, of: str, record_id: str) -> None:
        self.clock.advance(0.01)
        record = self.live[of][record_id]
        self.touched[of, record_id] = self.tick()
        record["rev"], record["changed"] = self.at, format_time(utc(self.clock.time()))
        record["listed"] = self.clock.time()

    # -- what it answers

    def answer(self, call: Call) -> Reply:
        """The answer to one request."""
        date = utc(float(int(self.clock.time())))
        of = call.path.split("/")[1]
        body = self._page(of, call) if call.method == "GET" else self._apply(of, call)
        return Reply(200, {}, json.dumps(body).encode(), date=date)

    def miss(self, call: Call) -> None:
        """A write that does not arrive."""
        of = call.path.split("/")[1]
        self.unheard += [
            Wrote(self.tick(), "hub", of, item["id"], name, value)
            for item in call.json
            for name, value in item["values"].items()
        ]

    def _page(self, of: str, call: Call) -> Any:
        kind, after = call.params["kind"], str(call.params.get("page", ""))
        listed = self.gone[of] if kind == "tombstones" else self.live[of]
        found = [listed[record_id] for record_id in sorted(listed) if record_id > after]
        if kind == "changes":
            now, since = self.clock.time(), float(str(call.params["since"]))
            found = [
                r
                for r in found
                if datetime.fromisoformat(r["changed"]).timestamp() >= since and r["listed"] <= now
            ]
        size = int(str(call.params["size"]))
        rows = [{k: v for k, v in r.items() if k != "listed"} for r in found[:size]]
        return {"rows": rows, "next": rows[-1]["id"] if len(found) > size else None}

    def _apply(self, of: str, call: Call) -> Any:
        action = call.path.split("/")[2]
        told = []
        for item in call.json:
            receipt = {"trace": item["trace"], "status": "done", "id": item["id"]}
            told.append(receipt)
            refused = self._refusal(of, action, item)
            if refused:
                receipt.update(status="failed", kind=refused, message=f"refused: {refused}")
                continue
            if action == "create":
                receipt["id"] = self.create("hub", of, item["values"])
            elif action == "update":
                self.change("hub", of, item["id"], item["values"])
            elif item["id"] in self.live[of]:
                self.delete("hub", of, item["id"])
            if action != "archive":
                record = self.live[of][receipt["id"]]
                receipt["record"] = self._told(of, record, item["values"])
        return told

    def _told(self, of: str, record: Record, written: Iterable[str]) -> Record:
        """What an answer tells of a record."""
        if self.shape.tells == "whole":
            return {name: value for name, value in record.items() if name != "listed"}
        told: Record = {"id": record["id"]}
        for name in written if self.shape.tells == "written" else ():
            *inner, last = COLUMNS[of][name].path.split(".")
            if inner:
                told.setdefault(inner[0], {})[last] = record[inner[0]][last]
            else:
                told[last] = record[last]
        return told

    def _refusal(self, of: str, action: str, item: Mapping[str, Any]) -> str:
        values = item["values"]
        if self.invalid:
            self.invalid = False
            return "validation"
        if action == "update" and item["id"] not in self.live[of]:
            return "gone"
        if action == "archive" and item["id"] not in self.names[of]:
            self.twins.append(f"asked to delete {item['id']}, which never was")
        if values.get("team") and values["team"] not in self.names["teams"]:
            return "validation"
        exact = action == "create" and self.shape.unique and of == "people"
        taken = {r["name"] for r in self.live[of].values()} if exact else set()
        return "conflict" if values.get("name") in taken else ""


def reformed(name: str, value: Any) -> Any:
    """A telephone number or an amount as the provider keeps it; all else as it is."""
    if name == "phone" and value:
        digits = "".join(filter(str.isdigit, str(value)))
        return f"+{digits}" if str(value).startswith("+") else f"+55{digits}"
    return round(float(value), 2) if name == "pay" and value not in (None, "") else value


def _kept(column: Column, text: Any) -> Any:
    """A value that was written, in the form that the provider prefers."""
    text = reformed(column.name, text)
    if column.kind == "json":
        return sorted(set(json.loads(text))) if text else []
    if column.path.startswith("fields."):
        return "" if text is None else str(text).lower()
    if text is None:
        return None
    if column.kind == "boolean":
        return text == "true"
    if column.kind in ("datetime", "epoch_ms"):
        moment = datetime.fromisoformat(str(text))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = moment.timestamp()
        return round(seconds * 1000) if column.kind == "epoch_ms" else f"{moment:%FT%T}.000Z"
    return text


def value_of(column: Column, record: Mapping[str, Any]) -> Any:
    """What a view has to show of a record."""
    value: Any = record
    for part in column.path.split("."):
        value = value.get(part)
    if value is None or value == "":
        return None
    if column.kind == "boolean":
        return int(str(value).lower() == "true")
    if column.kind == "epoch_ms":
        return format_time(utc(value / 1000))
    return json.dumps(value) if column.kind == "json" else value
