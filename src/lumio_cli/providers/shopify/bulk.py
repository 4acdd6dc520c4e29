"""Bulk operations: run, looked at until they are done, and read from a file of JSON lines.

Asked to group objects, Shopify writes each parent before its children (without, in any order:
description of `bulkOperationRunQuery.groupObjects`). The file lies on storage.googleapis.com and
is read by Range requests of a few megabytes, each cut where a parent begins: a parent whose
children may go on begins the next chunk. Memory stays as flat as that, and each chunk is a page
with a checkpoint of its own. Files and their addresses are kept for seven days.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumio_cli.core.errors import BadReplyError, DeniedError, RejectedError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, dig
from lumio_cli.providers.contract.jobs import Jobs, JobState
from lumio_cli.providers.contract.json_reading import read_json, refuse_crowds
from lumio_cli.providers.shopify import graph
from lumio_cli.providers.shopify.documents import LOOK

CHUNK = 512 * 1024
"""Bytes of a first try at a chunk."""
MOST = 256 * 1024 * 1024
"""Bytes of the largest chunk: a parent with more children than that cannot be read."""
MOST_LINES = 500_000
"""Lines of the largest chunk: as many records take all the memory that a page may."""
WAIT = 5.0
"""Seconds between two looks at an operation."""
PARENT = b'"__parentId":'


@dataclass(frozen=True, slots=True)
class Export(Jobs):
    """An operation that may be run once more where it was refused: `relent` leaves out what it may
    have been refused for, and says whether there was any."""

    relent: Callable[[], bool]

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        try:
            return Jobs.next(self, place, reply, rows)
        except DeniedError:
            if not self.relent():
                raise
            return {"step": "submit", "size": place["size"], "retried": True}


def jobs(flat: bool, relent: Callable[[], bool]) -> Export:
    """The paging of a bulk walk. `flat`: the records are the children, and their parents do not
    matter; `relent` as in `Export`."""

    def following(place: Place, reply: Reply, _: Sequence[Record]) -> Place | None:
        if not place["info"]:
            return None
        body, more = chunk(reply, flat)
        if not more:
            return None
        if body:
            return {**place, "offset": place.get("offset", 0) + len(body), "span": CHUNK}
        span = 4 * int(place.get("span", CHUNK))
        if span > MOST:
            raise BadReplyError(
                "Shopify's bulk file has a record with too many children to be read",
                hint="report it to lumio's maintainers",
            )
        return {**place, "span": span}

    return Export(lambda call: call, _poll, state, _read, following, relent)


def _poll(call: Call, job: str) -> Call:
    found = re.search(r"/admin/api/([^/]+)/", call.path)
    return graph.call(found.group(1) if found else "", LOOK, {"id": job})


def state(reply: Reply) -> JobState:
    """How an operation stands, from the answer that began it or from a later look at it.

    Raises `BadReplyError` for one that failed, `DeniedError` for one that failed since it asked for
    what the app may not see, `RejectedError` for one that is no longer known, or was canceled. None
    of them gets better: a walk that hangs on it begins anew.
    """
    data = dig(reply.json(), "data") or {}
    begun = data.get("bulkOperationRunQuery") or {}
    for error in begun.get("userErrors") or ():
        raise RejectedError(
            f"Shopify does not run the bulk operation: {error.get('message')}",
            category=str(error.get("code") or ""),
        )
    found = begun.get("bulkOperation") or data.get("bulkOperation")
    if not isinstance(found, dict):
        raise RejectedError("Shopify no longer knows the bulk operation", category="EXPIRED")
    status = str(found.get("status"))
    if status in ("CREATED", "RUNNING"):
        return JobState(False, str(found["id"]), wait=WAIT)
    if status != "COMPLETED":
        why = str(found.get("errorCode") or status)
        said, pages = f"Shopify's bulk operation ended as {status} ({why})", "`bulk_from: 0`"
        if why == "ACCESS_DENIED":
            raise DeniedError(
                said,
                hint="the app lacks a scope for what is read: `lumio providers show shopify` lists "
                f"them; {pages} in the settings reads pages, which name it",
            )
        hint = f"run it again; {pages} in the settings does without bulk operations"
        if status == "FAILED":
            # INTERNAL_SERVER_ERROR and TIMEOUT: faults of Shopify's, that pass.
            raise BadReplyError(said, hint=hint, code="provider_unavailable")
        raise RejectedError(said, category=why, hint=hint)
    # An operation that found nothing has no file.
    return JobState(True, str(found["id"]), info={"url": found["url"]} if found["url"] else None)


def _read(call: Call, place: Place) -> Call:
    """The next bytes of the file; of a result without one, the operation itself once more."""
    if not place["info"]:
        return _poll(call, place["job"])
    offset = int(place.get("offset", 0))
    last = offset + int(place.get("span", CHUNK)) - 1
    return Call(
        "GET",
        str(place["info"]["url"]),
        route="/bulk-operation-outputs/{file}",
        headers={"range": f"bytes={offset}-{last}", "accept-encoding": "identity"},
        auth=False,
        answer="text",
    )


def chunk(reply: Reply, flat: bool) -> tuple[bytes, bool]:
    """The part of an answer that ends with a whole family, and whether there is more to read."""
    body = reply.body
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", reply.headers.get("content-range", ""))
    if found is None:
        if reply.status != 200:
            raise BadReplyError("Shopify's bulk file came without saying which part it is")
        return body, False
    first, last, size = (int(number) for number in found.groups())
    if len(body) != last - first + 1:
        raise BadReplyError("Shopify's bulk file came in part", hint="run it again")
    if last + 1 >= size:
        return body, False
    end = body.rfind(b"\n") + 1
    if not flat:
        # Up to the last parent: its children may go on in the next chunk.
        start = end
        while start > 0:
            start = body.rfind(b"\n", 0, start - 1) + 1
            line = body[start : body.find(b"\n", start)]
            if line.startswith(b"{") and PARENT not in line:
                break
        end = start
    return body[:end], True


def records(reply: Reply, children: str, flat: bool) -> list[Record]:
    """The records of a chunk: parents with their children as the list `children`, or, where
    `flat`, the children alone. A line that cannot be placed comes without an id. Raises
    `BadReplyError` for a chunk of more than `MOST_LINES`, or `MAX_VALUES` values."""
    body, _ = chunk(reply, flat)
    try:
        refuse_crowds(body)
    except ValueError as error:
        raise BadReplyError(f"a part of Shopify's bulk file cannot be read: {error}") from None
    if body.count(b"\n") > MOST_LINES:
        raise BadReplyError(
            f"a part of Shopify's bulk file cannot be read: it has more than {MOST_LINES:,} lines"
        )
    found: list[Any] = []
    last: Record | None = None
    lines = [line for line in body.split(b"\n") if line]
    if lines and not any(line.startswith((b"{", b"null")) for line in lines):
        raise BadReplyError("Shopify's bulk file is not one of JSON lines", hint="run it again")
    for row in map(_row, lines):
        parent = row.pop("__parentId", None) if isinstance(row, dict) else None
        if not isinstance(row, dict) or "unreadable" in row:
            found.append(row)  # it may be a parent or a child: the others do not hang on it
        elif flat:
            if parent is not None:
                found.append(row)
        elif parent is None:
            last = {**row, children: []} if children else row
            found.append(last)
        elif last is not None and last.get("id") == parent:
            last[children].append(row)
        else:
            found.append({"unreadable": {**row, "__parentId": parent}})
    return found


def _row(line: bytes) -> Any:
    """What a line says; one that cannot be read costs itself only."""
    try:
        return read_json(line)
    except ValueError:
        return {"unreadable": line.decode("utf-8", "replace")}


def is_file(reply: Reply) -> bool:
    """Whether an answer is a part of a result, and not one of the API."""
    headers: Mapping[str, str] = reply.headers
    return reply.status == 206 or "json;" not in f"{headers.get('content-type', '')};"
