"""Bulk API 2.0 queries: the job, its pages, and CSV made the same as REST's JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lumio_cli.errors import BadReplyError, RejectedError
from lumio_cli.providers.base import Call, Place, Record, Reply
from lumio_cli.providers.paging import Jobs, JobState

LEAST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds between two questions about a job: a quarter of its age, within these."""
CELL_MAX = 16 * 1024 * 1024
"""Characters in one cell; Python's own limit is just what a rich text field holds."""
NUMBERS = frozenset({"double", "currency", "percent"})

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
    params = {**call.params, **({"locator": place["locator"]} if "locator" in place else {})}
    return Call(
        "GET",
        f"{call.path}/{place['job']}/results",
        route=f"{call.label}/{{job}}/results",
        params=params,
        headers={"accept": "text/csv"},
        answer="text",
    )


def job_state(reply: Reply) -> JobState:
    """How a job stands. Raises `RejectedError` where it has failed, so that it is begun anew and
    not asked about for ever."""
    body = reply.json()
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise BadReplyError("Salesforce's answer names no bulk job")
    state = str(body.get("state"))
    if state in ("Failed", "Aborted"):
        why = body.get("errorMessage") or "Salesforce does not say why"
        raise RejectedError(
            f"the bulk job {body['id']} is {state.lower()}: {why}",
            category=state,
            hint="with `bulk_from: 0` lumio reads page by page instead",
        )
    return JobState(state == "JobComplete", body["id"], wait=_patience(reply, body))


def _patience(reply: Reply, body: Mapping[str, Any]) -> float:
    """A job that has taken long takes longer: both times are by Salesforce's own clock."""
    try:
        made = datetime.fromisoformat(str(body.get("createdDate")))
        age = (reply.date - made).total_seconds() if reply.date else 0.0
    except (TypeError, ValueError):
        age = 0.0
    return min(LONGEST_WAIT, max(LEAST_WAIT, age / 4))


def _following(place: Place, reply: Reply, _rows: Sequence[Record]) -> Place | None:
    locator = reply.headers.get("sforce-locator", "null")
    return {**place, "locator": locator} if locator not in ("", "null") else None


JOBS = Jobs(_submit, _poll, job_state, _read, _following)


def read_rows(reply: Reply, names: Sequence[str]) -> list[Record]:
    """The rows of a page, all of them text or None.

    Columns come in the order in which they were asked for (`names`); pages begin with a header,
    but the guide promises it for the first one only. Raises `BadReplyError` where the page is not
    whole, or no result at all.
    """
    lines = csv.reader(io.StringIO(reply.body.decode("utf-8"), newline=""), strict=True)
    try:
        found = [line for line in lines if line]
        header = found.pop(0) if found and "Id" in found[0] else names
        # Salesforce knows no empty text: what is empty is null.
        rows = [
            {name: value or None for name, value in zip(header, line, strict=True)}
            for line in found
        ]
    except (csv.Error, ValueError) as error:
        raise BadReplyError(f"a page of a bulk job is not whole: {error}") from None
    told = reply.headers.get("sforce-numberofrecords", "")
    if told.isdigit() and int(told) != len(rows):
        raise BadReplyError(f"a page of a bulk job has {len(rows)} records, not {told}")
    return rows


def retyped(rows: Sequence[Any], types: Mapping[str, str]) -> list[Record]:
    """Rows as REST would have answered them, by the types of their fields: the same JSON, so that
    a record has the same digest whichever way it came."""
    casts = {name: kind for name, kind in types.items() if kind in _CASTS}
    for row in rows:
        for name, kind in casts.items():
            value = row.get(name)
            if value is not None:
                row[name] = _CASTS[kind](value)
    return list(rows)


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _datetime(text: str) -> str:
    return f"{text[:-1]}+0000" if text.endswith("Z") else text


_CASTS = {
    "boolean": _boolean,
    "int": _integer,
    "long": _integer,
    "datetime": _datetime,
    **dict.fromkeys(NUMBERS, _number),
}
