"""Bulk API 2.0 queries: the job, its pages, and CSV made the same as REST's JSON.

What Bulk API does not take is read page by page instead: types that it does not know, queries that
it cannot do, and all of them where the jobs of 24 hours are used up. A job that fails may succeed
another time.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply
from lumio_cli.providers.contract.jobs import Jobs, JobState
from lumio_cli.providers.contract.json_reading import MAX_VALUES
from lumio_cli.providers.contract.paging import NoPlaceError
from lumio_cli.providers.salesforce.soql import EVERYTHING

LEAST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds between two questions about a job: a quarter of its age, within these."""
ENDED_BADLY = {"Failed": "failed", "Aborted": "been aborted"}
CELL_MAX = 16 * 1024 * 1024
"""Characters in one cell; Python's own limit is just what a rich text field holds."""
MOST_ROWS = 100_000
"""Rows of one page, fifty times as many as are asked for: even an empty one takes memory."""
MOST_COMMAS = 16 * 1024 * 1024
"""Commas in one page, those in its texts included: as many cells may a single row have."""
NUMBERS = frozenset({"double", "currency", "percent"})
LATER = "run it again later; with `bulk_from: 0` lumio reads page by page instead"
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_UNSUPPORTED = re.compile(r"not supported|does not support|INVALIDENTITY")
"""In the words of a job that has failed: it will never do."""

csv.field_size_limit(CELL_MAX)


def job_call(path: str, query: str, operation: str, rows: int) -> Call:
    """The request that makes a job. `rows` a page goes with it, for those that read the result."""
    body = {
        "operation": operation,
        "query": query,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    route = "/services/data/{version}/jobs/query"
    # A job that was made twice harms nobody: only one of them is asked about.
    return Call("POST", path, route=route, params={"maxRecords": str(rows)}, json=body, safe=True)


def _submit(call: Call) -> Call:
    return replace(call, params={})


def _poll(call: Call, job: str) -> Call:
    return Call("GET", f"{call.path}/{job}", route=f"{call.label}/{{job}}")


def _read(call: Call, place: Place) -> Call:
    params = {**call.params, **({"locator": place["token"]} if "token" in place else {})}
    return Call(
        "GET",
        f"{call.path}/{place['job']}/results",
        route=f"{call.label}/{{job}}/results",
        params=params,
        headers={"accept": "text/csv"},
        answer="text",
    )


def job_state(reply: Reply) -> JobState:
    """How a job stands; `info` is how many records it has found, where that is told. Raises
    `BadReplyError` where it has failed, so that it is begun anew and not asked about for ever."""
    body = reply.json()
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise BadReplyError("Salesforce's answer names no bulk job", hint=LATER)
    state = str(body.get("state"))
    if state in ENDED_BADLY:
        why = body.get("errorMessage") or "Salesforce does not say why"
        raise BadReplyError(
            f"Salesforce's bulk job {body['id']} has {ENDED_BADLY[state]}: {why}",
            hint=LATER,
            code="provider_unavailable",
        )
    found = body.get("numberRecordsProcessed")
    info = found if isinstance(found, int) and not isinstance(found, bool) else None
    return JobState(state == "JobComplete", body["id"], info, wait=_patience(reply, body))


def _patience(reply: Reply, body: Mapping[str, Any]) -> float:
    """A job that has taken long takes longer: both times are by Salesforce's own clock."""
    try:
        made = datetime.fromisoformat(str(body.get("createdDate")))
        age = (reply.date - made).total_seconds() if reply.date else 0.0
    except (TypeError, ValueError):
        age = 0.0
    return min(LONGEST_WAIT, max(LEAST_WAIT, age / 4))


def _following(place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
    """The next page of a result: the last one says `null`. Raises `BadReplyError` where the end is
    none."""
    locator, read = reply.headers.get("sforce-locator", ""), place.get("read", 0) + len(rows)
    if not locator:
        raise NoPlaceError("no Sforce-Locator")
    if locator != "null":
        return {**place, "token": locator, "read": read}
    if isinstance(place["info"], int) and read < place["info"]:
        raise BadReplyError(
            f"the result of Salesforce's bulk job {place['job']} ends after {read:,} of"
            f" {place['info']:,} records",
            hint=LATER,
        )
    return None


class QueryJobs(Jobs):
    """A job where Bulk API takes the query; else an ordinary listing, whose places name no job."""

    def ask(self, call: Call, place: Place) -> Call:
        """A step of the job, or a page of the listing."""
        if _is_listed(place):
            return EVERYTHING.ask(_listing(call), place)
        return Jobs.ask(self, call, place)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """The place after; raises `BadReplyError` as `job_state` and listings do."""
        if _is_listed(place):
            following = EVERYTHING.next(place, reply, rows)
        elif place["step"] == "page" or _taken(reply):
            return Jobs.next(self, place, reply, rows)
        else:
            following = EVERYTHING.first(place["size"])
        return following and {**following, "step": "page"}


def _is_listed(place: Place) -> bool:
    return place["step"] == "page" and "job" not in place


def _taken(reply: Reply) -> bool:
    """Whether Bulk API does what was asked for, as far as an answer says; see `verdicts.judge`."""
    body = reply.document()
    failed = body.get("state") in ENDED_BADLY
    unsupported = failed and _UNSUPPORTED.search(str(body.get("errorMessage")))
    return reply.status < 400 and not unsupported


def _listing(call: Call) -> Call:
    """The query of a job as one that is answered at once."""
    what, base = call.json["operation"], call.path.removesuffix("/jobs/query")
    route = f"{call.label.removesuffix('/jobs/query')}/{what}"
    return Call("GET", f"{base}/{what}", route=route, params={"q": call.json["query"]})


JOBS = QueryJobs(_submit, _poll, job_state, _read, _following)


def read_rows(reply: Reply, names: Sequence[str]) -> list[Record]:
    """The rows of a page, all of them text or None.

    Columns come in the order in which they were asked for (`names`); pages begin with a header,
    but the guide promises it for the first one only. Raises `BadReplyError` where the page is not
    whole, or no result at all, or has more than `MAX_VALUES` cells
    or `MOST_ROWS`.
    """
    header: Sequence[str] | None = None
    rows: list[Record] = []
    cells = 0
    try:
        if reply.body.count(b",") > MOST_COMMAS:
            raise ValueError("it has too many commas")  # noqa: TRY301 told as the others are
        for line in csv.reader(_lines(reply.body), strict=True):
            cells += len(line)
            if cells > MAX_VALUES:
                raise ValueError(f"it has more than {MAX_VALUES:,} cells")  # noqa: TRY301
            if header is None and line:
                header = line if "Id" in line else names
                if header is line:
                    continue
            if line and header is not None:
                # Salesforce knows no empty text: what is empty is null.
                pairs = zip(header, line, strict=True)
                rows.append({name: value or None for name, value in pairs})
            if len(rows) > MOST_ROWS:
                raise ValueError(f"it has more than {MOST_ROWS:,} rows")  # noqa: TRY301
    except UnicodeDecodeError:
        raise BadReplyError("a page of a bulk job is not in UTF-8", hint=LATER) from None
    except (csv.Error, ValueError) as error:
        raise BadReplyError(f"a page of a bulk job is not whole: {error}", hint=LATER) from None
    told = reply.headers.get("sforce-numberofrecords", "")
    if told.isdigit() and int(told) != len(rows):
        raise BadReplyError(f"a page of a bulk job has {len(rows)} records, not {told}", hint=LATER)
    return rows


def _lines(body: bytes) -> Iterator[str]:
    """The lines of a sheet, one at a time. Raises ValueError for one that is longer than a cell may
    be, and UnicodeDecodeError."""
    # As text in memory a sheet with an emoji takes four times its size.
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", newline="")
    while line := text.readline(CELL_MAX):
        if len(line) >= CELL_MAX and not line.endswith(("\n", "\r")):
            raise ValueError("it has a line that is too long")
        # As in JSON: see `values.read_json`.
        yield line.replace("\0", "\ufffd")


def retyped(rows: Sequence[Any], types: Mapping[str, str]) -> list[Record]:
    """Rows as REST would have answered them, by the types of their fields: the same JSON, so that
    a record has the same digest whichever way it came. Only texts have lost a type: what is
    none of its kind, and what REST has answered, stays as it is."""
    casts = {name: kind for name, kind in types.items() if kind in _CASTS}
    for row in rows:
        for name, kind in casts.items() if isinstance(row, dict) else ():
            value = row.get(name)
            if isinstance(value, str):
                row[name] = _CASTS[kind](value)
    return list(rows)


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _number(text: str) -> float | str:
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else text


def _datetime(text: str) -> str:
    return f"{text[:-1]}+0000" if text.endswith("Z") else text


_CASTS = {
    "boolean": _boolean,
    "int": _integer,
    "long": _integer,
    "datetime": _datetime,
    **dict.fromkeys(NUMBERS, _number),
}
