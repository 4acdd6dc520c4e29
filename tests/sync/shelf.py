"""A library with branches: a provider and its look-alike, for the shapes that HubSpot has not.

Books are listed branch by branch, loans are exported by a job, notices come from chosen boards,
visits only by webhook. Accounts have addresses of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lumio_cli.core.errors import BadReplyError, CredentialError
from lumio_cli.providers.contract.auth import Credential, Way, read_tokens
from lumio_cli.providers.contract.call import Call, Record, Reply, Send
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.jobs import Jobs, JobState
from lumio_cli.providers.contract.paging import Each, Link, Token, with_params
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.resource import Column, Cursor, Kind, Resource, Walk
from lumio_cli.sandbox.http import Request, Response, Route, Routes
from lumio_cli.sandbox.lookalike import Answered, LookAlike
from lumio_cli.sandbox.lookalike import Token as Grant
from lumio_cli.sandbox.options import Options
from lumio_cli.sandbox.table import Document, Table

PAGE = Token("next", "page", "size")


def _of_branch(call: Call, key: str) -> Call:
    return Call("GET", f"/branches/{key}/books", route="/branches/{id}/books", params=call.params)


def _state(reply: Reply) -> JobState:
    body = reply.json()
    if body["state"] == "failed":
        raise BadReplyError("the export failed")
    return JobState(body["state"] == "done", body["job"], info=body.get("parts"), wait=2.0)


def _next_part(place: dict[str, Any], reply: Reply, rows: Any) -> dict[str, Any] | None:
    part = place.get("part", 0) + 1
    return {**place, "part": part} if part < place["info"] else None


EXPORT = Jobs(
    submit=lambda call: Call("POST", "/exports", json={}, safe=True),
    poll=lambda call, job: Call("GET", f"/exports/{job}", route="/exports/{id}"),
    state=_state,
    read=lambda call, place: Call(
        "GET",
        f"/exports/{place['job']}/{place.get('part', 0)}",
        route="/exports/{id}/{part}",
        answer="text",
    ),
    following=_next_part,
)
COLUMNS = (Column("title", "title"), Column("bought", "bought", "epoch"))


class Shelf(Provider):
    """The library."""

    name = "shelf"
    title = "Shelf"
    category = "Library"
    base_url = "https://login.shelf.example"
    hosts = ("login.shelf.example", "*.branches.shelf.example")
    credential = (
        Field("token", "Token", secret=True),
        Field("town", "Name of the town", default="anywhere"),
    )
    ways = (
        Way(
            "client_credentials",
            "An app of yours",
            (Field("client_id", "Client id"), Field("client_secret", "Secret", secret=True)),
        ),
    )
    fields = (Field("boards", "Boards to read", kind="list", default=["east"]),)
    quotas = (Quota("minute", 6000, 60.0),)
    resources = (
        Resource("branches", "/branches", "Branches", COLUMNS[:1], {"full": Link("next")},
                 rows="rows", updated="", deletes=("sweep",)),
        Resource("books", "/books", "Books", COLUMNS,
                 {"full": Each(_of_branch, PAGE), "changes": Each(_of_branch, PAGE)},
                 {"full": 2, "changes": 2}, rows="rows", updated="changed",
                 cursor=Cursor("changed", lookback=60.0), parents=("branches",),
                 deletes=("sweep",)),
        Resource("loans", "/loans", "Loans", COLUMNS[:1], {"full": EXPORT}, updated="",
                 deletes=("sweep",)),
        Resource("notices", "/notices", "Notices", COLUMNS[:1], {"full": PAGE, "changes": PAGE},
                 {"full": 2, "changes": 2}, rows="rows", updated="changed",
                 cursor=Cursor("changed"), note="Taken down, they stay in the hub."),
        Resource("visits", "", "Visits", COLUMNS[:1], {}, note="They come by webhook."),
    )  # fmt: skip

    def locate(self, credential: Credential) -> str:
        town = credential.fields.get("town", "")
        if not town:
            raise CredentialError("the town is missing", hint="--set town=NAME")
        return f"https://{town}.branches.shelf.example"

    def renewal(self, credential: Credential, now: datetime) -> Call | None:
        if credential.kind != "client_credentials":
            return None
        return Call("POST", "/token", form=credential.fields, auth=False, safe=True)

    def tokens(self, reply: Reply, *, now: datetime, old: Credential) -> Credential:
        return read_tokens(reply, now=now, old=old)

    def probe(self, send: Send, credential: Credential) -> Identity:
        me = send(Call("GET", "/me")).json()
        return Identity(me["id"], me["name"], fields={"town": me["town"]})

    def slices(
        self, resource: Resource, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        if resource.name == "books":
            return {"": {"parent": "branches"}}
        if resource.name == "notices":
            return {board: {"board": board} for board in self.options["boards"]}
        return {"": {}}

    def call(self, walk: Walk) -> Call:
        floor = walk.window.floor
        call = Call("GET", walk.resource.path)
        if walk.resource.name == "notices":
            call = Call("GET", f"/boards/{walk.options['board']}", route="/boards/{name}")
        return with_params(call, since=str(floor.timestamp()) if floor else None)

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        if walk.resource.name == "loans":
            return [dict(zip(("id", "title"), line.split(","), strict=True))
                    for line in reply.body.decode().splitlines()]  # fmt: skip
        return super().records(walk, reply)


class Town(LookAlike):
    """One town's library: `options.records` books in each of two branches, and as many loans."""

    name = "shelf"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.vault.add("full", "sandbox-shelf-token")
        self.polls = 2
        self.exports = 0
        self.closed_boards: set[str] = set()
        self.branches = ["b1", "b2"]
        self.books = {name: self._table(name) for name in (*self.branches, "b3")}
        self.boards = {name: self._table(name) for name in ("east", "west")}
        self.tables["loans"] = self._table("loan")

    def _table(self, prefix: str) -> Table:
        return Table(
            self.records,
            lambda n: {"title": f"{prefix} {n}", "bought": 1_500_000_000 + n},
            _stamp,
            self.clock,
            identify=lambda n: f"{prefix}-{n}",
        )

    def authenticate(self, request: Request) -> Grant:
        token = self.vault.find(self.presented(request))
        if token is None:
            raise Answered(self.refuse(401, "who are you?"))
        return token

    def refuse(self, status: int, message: str) -> Response:
        return Response.of_json({"message": message}, status)

    def page(self, table: Table, request: Request) -> Response:
        since = float(request.one("since") or 0)
        ids = [i for i in table.ids() if table.modified(i) >= since]
        start, size = int(request.one("page") or 0), int(request.one("size") or 2)
        after = start + size if start + size < len(ids) else None
        rows = [table.get(i) for i in ids[start : start + size]]
        return Response.of_json({"rows": rows, "next": after})


def _stamp(document: Document, _: float, modified: float) -> None:
    document["changed"] = datetime.fromtimestamp(modified, UTC).isoformat()


def _branches(town: Town, request: Request) -> Response:
    number = int(request.one("n") or 0)
    rows = [{"id": name, "title": name.upper()} for name in town.branches[number : number + 1]]
    more = number + 1 < len(town.branches)
    link = f"{request.base_url}/branches?n={number + 1}" if more else None
    return Response.of_json({"rows": rows, "next": link})


def _board(town: Town, request: Request, name: str) -> Response:
    if name in town.closed_boards:
        raise Answered(town.refuse(404, "no such board"))
    return town.page(town.boards[name], request)


def _export(town: Town, request: Request, job: str = "") -> Response:
    if not job:
        town.exports += 1
        return Response.of_json({"state": "running", "job": f"job{town.exports}"})
    town.polls -= 1
    state = "running" if town.polls > 0 else "done"
    return Response.of_json({"state": state, "job": job, "parts": 3})


def _part(town: Town, request: Request, job: str, part: str) -> Response:
    ids = town.tables["loans"].ids()[int(part) :: 3]
    lines = "".join(f"{i},{(town.tables['loans'].get(i) or {})['title']}\n" for i in ids)
    return Response(200, lines.encode(), {"Content-Type": "text/csv"})


def _token(town: Town, request: Request) -> Response:
    form = {**request.form(), "grant_type": "client_credentials"}
    token, _ = town.vault.exchange(form)
    return Response.of_json({"access_token": token.value, "expires_in": 3600})


Town.routes = Routes(
    [
        Route(
            "GET",
            "/me",
            lambda town, _: Response.of_json({"id": "t1", "name": "Town", "town": "ulm"}),
        ),
        Route("POST", "/token", _token, quota="open"),
        Route("GET", "/branches", _branches),
        Route("GET", "/branches/{name}/books", lambda t, r, name: t.page(t.books[name], r)),
        Route("GET", "/boards/{name}", _board),
        Route("POST", "/exports", _export),
        Route("GET", "/exports/{job}", _export),
        Route("GET", "/exports/{job}/{part}", _part),
    ]
)
