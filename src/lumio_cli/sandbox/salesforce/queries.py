"""`query` and `queryAll`: pages of at most 2,000 records, and the cursors behind their links."""

# ruff: noqa: ARG001 - a handler gets all the names of its path, whether it needs them or not

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from .catalog import FieldInfo
from .errors import problem
from .search import Row, run
from .soql import Query, parse
from .state import Cursor

if TYPE_CHECKING:
    from .account import Account

BATCH_MAX = 2000
BATCH_MIN = 200
CURSORS_MAX = 10
"""Cursors a user may have open: one more, and the oldest is closed."""
CURSOR_SECONDS = 2 * 86_400.0


def rows(org: Account, query: Query, ids: Sequence[str], version: str) -> list[dict[str, Any]]:
    """Records as REST answers them. One that is gone since the query is shown as it was."""
    kind = query.type.name
    table = org.tables[kind]
    found = []
    for record_id in ids:
        document = Row(table, kind, record_id, record_id in table.gone).document
        found.append(
            {
                "attributes": {
                    "type": kind,
                    "url": f"/services/data/{version}/sobjects/{kind}/{record_id}",
                },
                **{field.name: _shown(field, document, kind, version) for field in query.fields},
            }
        )
    return found


def _shown(field: FieldInfo, document: dict[str, Any], kind: str, version: str) -> Any:
    value = document.get(field.name)
    if field.type == "base64":
        # A file comes as an address, not as its bytes.
        return f"/services/data/{version}/sobjects/{kind}/{document['Id']}/{field.name}"
    return value


def ask(org: Account, request: Request, version: str) -> Response:
    """GET query: records that are neither deleted nor archived."""
    return _ask(org, request, version, "query")


def ask_all(org: Account, request: Request, version: str) -> Response:
    """GET queryAll: those in the recycle bin as well."""
    return _ask(org, request, version, "queryAll")


def _ask(org: Account, request: Request, version: str, endpoint: str) -> Response:
    text = request.one("q")
    if not text:
        raise problem(400, "MALFORMED_QUERY", "A query string has to be specified")
    query = parse(text, org.hidden_from(request))
    everything, aside = endpoint == "queryAll", org.tables.archived
    ids = run(org.tables[query.type.name], query, deleted=everything, archived=aside)
    if query.count:
        return Response.of_json({"totalSize": len(ids), "done": True, "records": []})
    until = org.now() + CURSOR_SECONDS
    cursor = Cursor(query, ids, _batch(request), until, endpoint)
    return _page(org, cursor, 0, version)


def _batch(request: Request) -> int:
    """`Sforce-Query-Options: batchSize=N`, from 200 to 2,000."""
    option = request.headers.get("sforce-query-options", "").replace(" ", "")
    value = option.partition("batchSize=")[2]
    return min(BATCH_MAX, max(BATCH_MIN, int(value))) if value.isdigit() else BATCH_MAX


def _page(org: Account, cursor: Cursor, start: int, version: str, name: str = "") -> Response:
    end = start + cursor.batch
    body: dict[str, Any] = {"totalSize": len(cursor.ids), "done": end >= len(cursor.ids)}
    if not body["done"]:
        name = name or _open(org, cursor)
        body["nextRecordsUrl"] = f"/services/data/{version}/{cursor.endpoint}/{name}-{end}"
    body["records"] = rows(org, cursor.query, cursor.ids[start:end], version)
    return Response.of_json(body)


def _open(org: Account, cursor: Cursor) -> str:
    org.cursor_number += 1
    name = f"0r8sb0000{org.cursor_number:09d}"
    org.cursors[name] = cursor
    while len(org.cursors) > CURSORS_MAX:
        del org.cursors[next(iter(org.cursors))]
    return name


def more(org: Account, request: Request, version: str, locator: str) -> Response:
    """GET the next page of a query."""
    if locator in org.held:
        return Response.of_json(org.held[locator])
    name, _, start = locator.rpartition("-")
    cursor = org.cursors.get(name)
    if cursor is None or cursor.expires_at <= org.now() or not start.isdigit():
        raise problem(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _page(org, cursor, int(start), version, name)


def hollow(org: Account, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A page without rows that is not done, with the address that has this page."""
    org.cursor_number += 1
    name = f"0r8sb0000{org.cursor_number:09d}-0"
    org.held[name] = dict(body)
    following = f"/{'/'.join(path.strip('/').split('/')[:4])}/{name}"
    return {**body, "done": False, "nextRecordsUrl": following, "records": []}


_DATA = "/services/data/{version}"
ROUTES = (
    Route("GET", f"{_DATA}/query", ask),
    Route("GET", f"{_DATA}/queryAll", ask_all),
    Route("GET", f"{_DATA}/query/{{locator}}", more),
    Route("GET", f"{_DATA}/queryAll/{{locator}}", more),
)
