"""Bulk operations: run, looked at until they are done, and read from a file of JSON lines.

Asked to group objects, Shopify writes each parent before its children (without, in any order:
description of `bulkOperationRunQuery.groupObjects`). The file lies on storage.googleapis.com and
is read by Range requests of a few megabytes, each cut where a parent begins: a parent whose
children may go on begins the next chunk. Memory stays as flat as that, and each chunk is a page
with a checkpoint of its own. Files and their addresses are kept for seven days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lumio_cli.errors import BadReplyError, RejectedError
from lumio_cli.providers.base import Call, Place, Record, Reply, dig
from lumio_cli.providers.paging import Jobs, JobState
from lumio_cli.providers.shopify import graph
from lumio_cli.providers.shopify.documents import LOOK

CHUNK = 512 * 1024
"""Bytes of a first try at a chunk."""
MOST = 256 * 1024 * 1024
"""Bytes of the largest chunk: a parent with more children than that cannot be read."""
WAIT = 5.0
"""Seconds between two looks at an operation."""
PARENT = b'"__parentId":'


def jobs(flat: bool) -> Jobs:
    """The paging of a bulk walk. `flat`: the records are the children, and their parents do not
    matter."""

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

    return Jobs(submit=lambda call: call, poll=_poll, state=state, read=_read, following=following)


def _poll(call: Call, job: str) -> Call:
    found = re.search(r"/admin/api/([^/]+)/", call.path)
    return graph.call(found.group(1) if found else "", LOOK, {"id": job})


def state(reply: Reply) -> JobState:
    """How an operation stands, from the answer that began it or from a later look at it.

    Raises `RejectedError` for one that failed or is no longer known: it will not get better, so
    that a walk that hangs on it begins anew.
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
        why = found.get("errorCode") or status
        raise RejectedError(
            f"Shopify's bulk operation ended as {status} ({why})",
            category=str(why),
            hint="run it again; `bulk_from: 0` in the settings does without bulk operations",
        )
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
            if PARENT not in body[start : body.find(b"\n", start)]:
                break
        end = start
    return body[:end], True


def records(reply: Reply, children: str, flat: bool) -> list[Record]:
    """The records of a chunk: parents with their children as the list `children`, or, where
    `flat`, the children alone. A line that cannot be placed comes without an id."""
    import orjson

    body, _ = chunk(reply, flat)
    found: list[Record] = []
    for line in body.splitlines():
        try:
            row: Any = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise BadReplyError(
                f"Shopify's bulk file has a line that is not JSON: {error}"
            ) from None
        parent = row.pop("__parentId", None)
        if flat:
            if parent is not None:
                found.append(row)
        elif parent is None:
            found.append({**row, children: []} if children else row)
        elif found and found[-1].get("id") == parent:
            found[-1][children].append(row)
        else:
            found.append({"unreadable": {**row, "__parentId": parent}})
    return found


def is_file(reply: Reply) -> bool:
    """Whether an answer is a part of a result, and not one of the API."""
    headers: Mapping[str, str] = reply.headers
    return reply.status == 206 or "json;" not in f"{headers.get('content-type', '')};"
