"""Bulk API 2.0 ingest jobs: a CSV file is uploaded, worked through, and answered row by row."""

# ruff: noqa: ARG001 - a handler gets all the names of its path, whether it needs them or not

from __future__ import annotations

from typing import TYPE_CHECKING

from ..http import Request, Response, Route
from . import sheets
from .catalog import TYPES, TypeInfo
from .errors import Invalid, problem
from .jobs import formats, found, number
from .objects import external
from .state import Ingest, Row

if TYPE_CHECKING:
    from .account import Account

OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
FILE_MAX = 100 * 1024 * 1024


def create(org: Account, request: Request, version: str) -> Response:
    """POST a job: type, operation and, for an upsert, the external id."""
    body = request.json()
    org.writable(request)
    operation, name = body.get("operation"), str(body.get("object"))
    if operation not in OPERATIONS:
        raise problem(400, "INVALIDJOB", f"operation {operation!r} is not known")
    if name not in TYPES or TYPES[name].readonly or name in org.hidden_from(request):
        raise problem(400, "INVALIDENTITY", f"Entity '{name}' is not supported by the Bulk API.")
    delimiter, ending = formats(body)
    job = Ingest(number(org), operation, name, version, org.now(), "Open", delimiter, ending)
    # Of the rules only the one that the job names runs (Bulk API 2.0, "Create a Job").
    job.assign = bool(body.get("assignmentRuleId"))
    if operation == "upsert":
        if not body.get("externalIdFieldName"):
            raise problem(400, "INVALIDJOB", "externalIdFieldName is required for an upsert")
        job.key = external(TYPES[name], body["externalIdFieldName"])
    org.ingests[job.id] = job
    return Response.of_json(job.document())


def upload(org: Account, request: Request, version: str, id: str) -> Response:
    """PUT the file: once, and before the job is closed."""
    job = found(org, org.ingests, id)
    if job.state != "Open" or job.file:
        raise problem(400, "INVALIDJOBSTATE", "the job is closed, or has its data already")
    kind = request.headers.get("content-type", "")
    if not kind.startswith("text/csv"):
        raise problem(415, "UNSUPPORTED_MEDIA_TYPE", f"text/csv is taken, not {kind}")
    if len(request.body) > FILE_MAX:
        raise problem(413, "REQUEST_TOO_LARGE", f"at most {FILE_MAX} bytes")
    job.file = request.body
    return Response(201)


def close(org: Account, request: Request, version: str, id: str) -> Response:
    """PATCH a job: UploadComplete starts it, Aborted ends it."""
    job = found(org, org.ingests, id)
    state = request.json().get("state")
    if state not in ("UploadComplete", "Aborted") or job.state not in ("Open", "UploadComplete"):
        raise problem(400, "INVALIDJOBSTATE", f"a job that is {job.state} can not become {state}")
    job.state = state
    return Response.of_json(job.document())


def info(org: Account, request: Request, version: str, id: str) -> Response:
    """GET how a job stands."""
    job = found(org, org.ingests, id)
    if job.state in ("UploadComplete", "InProgress"):
        job.polls += 1
        job.state = "InProgress"
        if job.polls >= org.polls:
            _work(org, job)
    return Response.of_json(job.told())


def _work(org: Account, job: Ingest) -> None:
    kind = TYPES[job.object]
    try:
        rows = list(sheets.read(job.file, job.delimiter))
    except UnicodeDecodeError:
        job.state, job.error = "Failed", "InvalidBatch : the file is not UTF-8"
        return
    header = list(rows[0]) if rows else []
    unknown = [name for name in header if kind.find(name) is None]
    if unknown:
        job.state = "Failed"
        job.error = f"InvalidBatch : Field name not found : {unknown[0]}"
        return
    for row in rows:
        try:
            job.good.append((*_row(org, job, kind, row), row))
        except Invalid as error:
            fields = " ".join(error.fields) or "--"
            job.bad.append((row.get("Id", ""), f"{error.code}:{error.message}:{fields}", row))
    job.state = "JobComplete"


def _row(org: Account, job: Ingest, kind: TypeInfo, row: Row) -> tuple[str, bool]:
    records, by_id = org.store, row.get("Id", "")
    if job.operation in ("delete", "hardDelete"):
        return records.delete(kind, by_id), False
    values = {
        name: sheets.typed(kind.find(name), text)
        for name, text in row.items()
        if text != "" and name != "Id"
    }
    if job.operation == "insert":
        return records.create(kind, values, job.assign), True
    if job.operation == "update":
        return records.update(kind, by_id, values, job.assign), False
    assert job.key is not None  # noqa: S101 - an upsert has one
    return records.upsert(kind, job.key, row.get(job.key.name), values, job.assign)


def _sheet(job: Ingest, added: list[str], rows: list[list[str]], names: list[str]) -> Response:
    body = sheets.write([[*added, *names], *rows], job.delimiter, job.ending)
    return Response(200, body, {"Content-Type": "text/csv"})


def _names(job: Ingest) -> list[str]:
    rows = [row for *_, row in (*job.good[:1], *job.bad[:1])]
    return list(rows[0]) if rows else []


def successful(org: Account, request: Request, version: str, id: str) -> Response:
    """GET the rows that were written, with ids; not in the order of the file."""
    job = found(org, org.ingests, id)
    names = _names(job)
    rows = [
        [record_id, "true" if made else "false", *(row[name] or "" for name in names)]
        for record_id, made, row in reversed(job.good)
    ]
    return _sheet(job, ["sf__Id", "sf__Created"], rows, names)


def failed(org: Account, request: Request, version: str, id: str) -> Response:
    """GET the rows that were not written, with what was wrong."""
    job = found(org, org.ingests, id)
    names = _names(job)
    rows = [[known, why, *(row[name] or "" for name in names)] for known, why, row in job.bad]
    return _sheet(job, ["sf__Id", "sf__Error"], rows, names)


def unprocessed(org: Account, request: Request, version: str, id: str) -> Response:
    """GET the rows that a job which ended early did not come to."""
    job = found(org, org.ingests, id)
    if job.state in ("Failed", "Aborted"):
        return Response(200, job.file, {"Content-Type": "text/csv"})
    return _sheet(job, [], [], _names(job))


def listed(org: Account, request: Request, version: str) -> Response:
    """GET all ingest jobs."""
    records = [job.told() for job in org.ingests.values()]
    return Response.of_json({"done": True, "records": records, "nextRecordsUrl": None})


def delete(org: Account, request: Request, version: str, id: str) -> Response:
    """DELETE a job that has ended."""
    job = found(org, org.ingests, id)
    if job.state in ("Open", "InProgress"):
        raise problem(400, "INVALIDJOBSTATE", "Deleting a job that has not ended is not allowed")
    del org.ingests[id]
    return Response(204)


_JOBS = "/services/data/{version}/jobs/ingest"
ROUTES = (
    Route("POST", _JOBS, create),
    Route("GET", _JOBS, listed),
    Route("GET", f"{_JOBS}/{{id}}", info),
    Route("PATCH", f"{_JOBS}/{{id}}", close),
    Route("DELETE", f"{_JOBS}/{{id}}", delete),
    Route("PUT", f"{_JOBS}/{{id}}/batches", upload),
    Route("GET", f"{_JOBS}/{{id}}/successfulResults", successful),
    Route("GET", f"{_JOBS}/{{id}}/failedResults", failed),
    Route("GET", f"{_JOBS}/{{id}}/unprocessedrecords", unprocessed),
    Route("GET", f"{_JOBS}/{{id}}/unprocessedRecords", unprocessed),
)
