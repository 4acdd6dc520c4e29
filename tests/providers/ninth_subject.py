"""The ninth provider's service as a look-alike, so that the conformance suite can be run on it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.faults import spoil
from lumio_cli.sandbox.http import Request, Response, Route, Routes
from lumio_cli.sandbox.lookalike import Answered, LookAlike, Token
from lumio_cli.sandbox.options import Options
from lumio_cli.sandbox.table import Document, Table
from support.conformance import Subject

FULL = "ninth-0123456789abcdef0123456789abcdef"
FRESH = "ninth-fresh-0123456789abcdef012345678"


class Service(LookAlike):
    """An account with `options.records` notes."""

    name = "ninth"
    published = MappingProxyType({"minute": 600})

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.vault.add("full", FULL)
        self.notes = self.tables["notes"] = Table(
            self.records,
            lambda n: {"text": f"note {n}", "stars": n % 6},
            _stamp,
            self.clock,
            identify=lambda n: str(n + 1),
        )

    def authenticate(self, request: Request) -> Token:
        token = self.vault.find(self.presented(request))
        if token is None:
            raise Answered(self.refuse(401, "who are you?"))
        return token

    def refuse(self, status: int, message: str) -> Response:
        return Response.of_json({"message": message}, status)

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        rows = body.get("data") if isinstance(body, dict) else None
        if rows is None:
            return body
        if kind == "empty":
            return {"data": [], "next": None}
        if kind == "loop":
            return {**body, "next": request.one("page") or body["next"] or 1}
        if kind == "hollow":
            # The same page by another spelling: the listing goes on, and in no circle.
            return {"data": [], "next": f" {request.one('page') or 0}"}
        if kind == "last":
            return {**body, "next": None}
        spoil(rows, kind, argument, text="text")
        return body


def _stamp(document: Document, _: float, modified: float) -> None:
    document["changed"] = datetime.fromtimestamp(modified, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _notes(service: Service, request: Request) -> Response:
    size, start = int(request.one("size") or 2), int(request.one("page") or 0)
    since = request.one("since") or ""
    later = (n for n in service.notes if int(n["id"]) > start and n["changed"] >= since)
    found = [note for note, _ in zip(later, range(size + 1), strict=False)]
    page = found[:size]
    return Response.of_json({"data": page, "next": page[-1]["id"] if len(found) > size else None})


Service.routes = Routes(
    [
        Route("GET", "/me", lambda *_: Response.of_json({"id": 9, "name": "The ninth"})),
        Route("GET", "/notes", _notes),
    ]
)


def _service(sandbox: Sandbox) -> Service:
    return cast(Service, sandbox.providers["ninth"])


def _fresh(sandbox: Sandbox) -> str:
    _service(sandbox).vault.add("fresh", FRESH)
    return FRESH


SUBJECT = Subject(
    provider="ninth",
    resource="notes",
    text="text",
    listing="/notes",
    live=lambda request: request.one("since") is None,
    dump=lambda sandbox: _service(sandbox).notes,
    create=lambda sandbox, text: _service(sandbox).notes.insert({"text": text, "stars": 1}),
    update=lambda sandbox, note, text: _service(sandbox).notes.update(note, {"text": text}),
    purge=lambda sandbox, note: _service(sandbox).notes.purge(note),
    fresh=_fresh,
)
