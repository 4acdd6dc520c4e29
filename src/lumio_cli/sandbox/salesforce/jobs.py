"""Bulk API 2.0 query jobs: a query, asked about until it is done, and read page by page as CSV.

A job keeps the ids that its query found; rows are made when a page of them is read, so that the
largest result takes no more room than its ids.
"""

# ruff: noqa: ARG001 - a handler gets all the names of its path, whether it needs them or not

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from ..lookalike import Answered
from . import sheets
from .catalog import COMPOUND
from .errors import missing, problem
from .ids import make_id
from .search import Row, run
from .soql import parse
from .state import Job

if TYPE_CHECKING:
    from .account import Account

PAGE = 50_000
"""Rows a page where `maxRecords` does not say."""
KEPT_SECONDS = 7 * 86_400.0
STATES = ("UploadComplete", "InProgress", "JobComplete")


def formats(body: dict[str, Any]) -> tuple[str, str]:
    """Delimiter and line ending that a job asks for. Raises Answered (400)."""
    delimiter, ending = body.get("columnDelimiter", "COMMA"), body.get("lineEnding", "LF")
    kind = body.get("contentType", "CSV")
    if delimiter not in sheets.DELIMITERS or ending not in sheets.ENDINGS or kind != "CSV":
        raise problem(400, "INVALIDJOB", "contentType, columnDelimiter or lineEnding is not known")
    return delimiter, ending


def number(org: Account) -> str:
    """The id of the next job."""
    org.job_number += 1
    return make_id("750", org.job_number)


def create(org: Account, request: Request, version: str) -> Response:
    """POST a query. One that is no SOQL is refused at once; what Bulk API cannot do, later."""
    body = request.json()
    operation = body.get("operation")
    if operation not in ("query", "queryAll"):
        raise problem(400, "INVALIDJOB", f"operation {operation!r} is not known")
    delimiter, ending = formats(body)
    try:
        query = parse(str(body.get("query")), org.hidden_from(request))
    except Answered as answered:
        raise problem(400, "API_ERROR", answered.response.body.decode()[:500]) from None
    job = Job(
        number(org), operation, query.type.name, version, org.now(), STATES[0], delimiter, ending
    )
    job.query = query
    if query.type.name in org.unbulkable:
        message = f"Entity '{query.type.name}' is not supported by the Bulk API."
        raise problem(400, "INVALIDENTITY", message)
    if query.count or query.offset:
        raise problem(400, "API_ERROR", "Aggregate queries and OFFSET are not supported in jobs")
    if org.query_jobs >= org.jobs_max:
        message = f"Max bulk v2 query jobs ({org.jobs_max}) per 24 hrs has been reached"
        raise problem(400, "LIMIT_EXCEEDED", message)
    org.jobs[job.id] = job
    org.query_jobs += 1
    return Response.of_json(job.document())


def found(org: Account, jobs: dict[str, Any], id: str) -> Any:
    """A job that is still kept. Raises Answered (404)."""
    job = jobs.get(id)
    if job is None or org.now() - job.created > KEPT_SECONDS:
        raise missing()
    return job


def _step(org: Account, job: Job) -> None:
    """A job moves when it is asked about: once to run, and `org.polls` times to its end."""
    if job.state not in STATES[:2] or job.query is None:
        return
    job.polls += 1
    job.state = "InProgress"
    if job.polls < org.polls:
        return
    if org.job_error:
        job.state, job.error = "Failed", org.job_error
        return
    compound = [f.name for f in job.query.fields if f.type in COMPOUND]
    if compound:
        job.state = "Failed"
        job.error = "FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query"
        return
    table = org.tables[job.object]
    everything, aside = job.operation == "queryAll", org.tables.archived
    job.ids = run(table, job.query, deleted=everything, archived=aside)
    job.state = "JobComplete"


def info(org: Account, request: Request, version: str, id: str) -> Response:
    """GET how a job stands."""
    job = found(org, org.jobs, id)
    _step(org, job)
    return Response.of_json(job.told())


def listed(org: Account, request: Request, version: str) -> Response:
    """GET all query jobs."""
    records = [job.told() for job in org.jobs.values()]
    return Response.of_json({"done": True, "records": records, "nextRecordsUrl": None})


def results(org: Account, request: Request, version: str, id: str) -> Response:
    """GET a page of a result. A locator says where it begins and may be used again; one that
    leads to no rows is still not `null`, where more follow."""
    job = found(org, org.jobs, id)
    if version != job.version:
        raise problem(409, "API_ERROR", "Use the API version that the job was created with")
    if job.state != "JobComplete" or job.query is None:
        state = job.state
        message = (
            "can only download query results of successfully completed bulk job with status: "
            f"JobComplete. Current status: {state}"
        )
        raise problem(412, "JOB_NOT_COMPLETE", message)
    start = _start(request.one("locator"))
    asked = request.one("maxRecords") or ""
    end = start + (min(PAGE, int(asked)) if asked.isdigit() and int(asked) else PAGE)
    if org.hollow_results:
        org.hollow_results -= 1
        ids, more = [], f"{start}.{org.hollow_results}"
    elif end < len(job.ids):
        ids, more = job.ids[start:end], str(end)
    else:
        ids, more = job.ids[start:], ""
    if ids and org.cut_results:
        org.cut_results -= 1
        ids = ids[:-1]
    table, fields = org.tables[job.object], job.query.fields
    lines = [[item.name for item in fields]]
    for record_id in ids:
        document = Row(table, job.object, record_id, record_id in table.gone).document
        lines.append([sheets.cell(item, document.get(item.name)) for item in fields])
    headers = {
        "Content-Type": "text/csv",
        "Sforce-NumberOfRecords": str(len(ids)),
        "Sforce-Locator": _locator(more) if more else "null",
    }
    return Response(200, sheets.write(lines, job.delimiter, job.ending), headers)


def _locator(start: str) -> str:
    return base64.urlsafe_b64encode(start.encode()).decode().rstrip("=")


def _start(locator: str | None) -> int:
    if not locator:
        return 0
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode()
        return int(text.partition(".")[0])
    except ValueError:
        raise problem(400, "INVALID_LOCATOR", "the locator is not one of this job's") from None


def abort(org: Account, request: Request, version: str, id: str) -> Response:
    """PATCH a job's state to Aborted."""
    job = found(org, org.jobs, id)
    if request.json().get("state") != "Aborted" or job.state == "JobComplete":
        raise problem(400, "INVALIDJOBSTATE", f"a job that is {job.state} can not become that")
    job.state = "Aborted"
    return Response.of_json(job.document())


def delete(org: Account, request: Request, version: str, id: str) -> Response:
    """DELETE a job that has ended, and its result."""
    job = found(org, org.jobs, id)
    if job.state in STATES[:2]:
        raise problem(400, "INVALIDJOBSTATE", "Deleting a job that has not ended is not allowed")
    del org.jobs[id]
    return Response(204)


_JOBS = "/services/data/{version}/jobs/query"
ROUTES = (
    Route("POST", _JOBS, create),
    Route("GET", _JOBS, listed),
    Route("GET", f"{_JOBS}/{{id}}", info),
    Route("PATCH", f"{_JOBS}/{{id}}", abort),
    Route("DELETE", f"{_JOBS}/{{id}}", delete),
    Route("GET", f"{_JOBS}/{{id}}/results", results),
)
