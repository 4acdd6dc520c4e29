"""Writing many records: Bulk API 2.0 ingest jobs, settled row by row from their result files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

from lumio_cli.core.errors import (
    CircuitOpenError,
    DeniedError,
    LumioError,
    QuotaError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.contract.answers import in_batches, receipt_of, unsettled
from lumio_cli.providers.contract.call import Call, Reply, Send
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.salesforce.bulk import LEAST_WAIT, LONGEST_WAIT
from lumio_cli.providers.salesforce.fields import Targets
from lumio_cli.providers.salesforce.resources import JOB
from lumio_cli.providers.salesforce.writes import (
    Pair,
    key_of,
    refusal,
    sorted_out,
    write_pairs,
)

NOTHING = "#N/A"
"""Clears a field. An empty cell leaves it as it is."""
QUESTIONS = 500
"""How often a job is asked about: some four hours."""
OPERATIONS = {"create": "insert", "update": "update", "upsert": "upsert", "archive": "delete"}
ENDED = ("JobComplete", "Failed", "Aborted")


@dataclass
class Upload:
    """The file of one job, and how its rows are known again in the results, which come in no
    order: by the id or the key of their record, new ones by all they hold."""

    action: str
    key: str
    pairs: Sequence[Pair]
    names: list[str] = field(default_factory=list)
    waiting: dict[tuple[str, ...], list[Change]] = field(default_factory=dict)

    def body(self) -> bytes:
        """The CSV: a column for each field that any of the changes sets."""
        columns = dict.fromkeys(name for _, values in self.pairs for name in values)
        self.names = list(dict.fromkeys([*([self.key] if self.key else []), *columns]))
        out = io.StringIO(newline="")
        sheet = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        sheet.writerow(self.names)
        for change, values in self.pairs:
            row = [self._cell(change, values, name) for name in self.names]
            sheet.writerow(row)
            self.waiting.setdefault(self._mark(row), []).append(change)
        return out.getvalue().encode()

    def _cell(self, change: Change, values: Mapping[str, object], name: str) -> str:
        if name == self.key:
            return change.id
        if name not in values:
            return ""
        value = values[name]
        if value is None:
            return "" if self.action == "create" else NOTHING
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _mark(self, row: Sequence[str]) -> tuple[str, ...]:
        return (row[0].lower(),) if self.key else tuple(row)

    def take(self, row: dict[str, str]) -> Change | None:
        """The change that a row of a result file is about, once."""
        try:
            found = self.waiting.get(self._mark([row[name] for name in self.names]))
        except KeyError:
            return None
        return found.pop(0) if found else None

    def left(self) -> list[Change]:
        """Changes that no result has named."""
        return [change for changes in self.waiting.values() for change in changes]


def ingest_all(
    data: str, type_: str, changes: Sequence[Change], known: Targets, send: Send
) -> Iterator[Receipt]:
    """Apply changes of one action in jobs of 10,000; one receipt a change.

    Raises `LumioError` as `Writing.write` does.
    """
    good, bad = sorted_out(changes, known)
    yield from bad
    # A file has no other way to say nothing: who means these letters must not be sent by file.
    literal = [pair for pair in good if NOTHING in pair[1].values()]
    yield from write_pairs(data, type_, literal, known, send)
    rest = [pair for pair in good if NOTHING not in pair[1].values()]
    for _, group in groupby(rest, key=lambda pair: pair[0].key):
        for batch in in_batches(list(group), JOB):
            yield from _ingest(data, type_, batch, known, send)


def _ingest(
    data: str, type_: str, pairs: Sequence[Pair], known: Targets, send: Send
) -> Iterator[Receipt]:
    first = pairs[0][0]
    key = {"create": "", "upsert": key_of(first, known)}.get(first.action, "Id")
    upload = Upload(first.action, key, pairs)
    path, route = f"{data}/jobs/ingest", "/services/data/{version}/jobs/ingest"
    try:
        job = _uploaded(path, route, type_, upload, send)
    except DeniedError as error:
        yield from (receipt_of(change, error) for change, _ in pairs)
        return
    except RejectedError:
        # Not every type can be written in bulk.
        yield from write_pairs(data, type_, pairs, known, send)
        return
    except (QuotaError, CircuitOpenError):
        raise
    except UnavailableError as error:
        # A job that was not closed does nothing.
        for change, _ in pairs:
            yield Receipt.retry(change.trace, error.message, change.id)
        return
    try:
        # Closed already, by a request whose answer was lost: how the job stands says the rest.
        with suppress(RejectedError):
            send(_close(path, route, job))
        state, why = _wait(path, route, job, send)
        if state in ENDED:
            yield from _settled(path, route, job, upload, send)
    except LumioError as error:
        # The job goes on without anybody who asks about it.
        yield from (unsettled(change, error.message) for change in upload.left())
        raise
    for change in upload.left():
        if state in ("Failed", "Aborted"):
            message = f"the bulk job {job} ended as {state} before this record{why}"
            yield Receipt.retry(change.trace, message, change.id)
        elif state in ENDED:
            message = f"the results of the bulk job {job} do not name this record"
            yield unsettled(change, message)
        else:
            yield unsettled(change, f"the bulk job {job} has not ended: it is {state or 'unknown'}")


def _uploaded(path: str, route: str, type_: str, upload: Upload, send: Send) -> str:
    """A job with its file, not closed yet; its id."""
    job = send(_create(path, route, type_, upload)).document().get("id")
    if not job:
        raise UnavailableError("Salesforce's answer names no bulk job")
    send(_put(path, route, str(job), upload))
    return str(job)


def _create(path: str, route: str, type_: str, upload: Upload) -> Call:
    body = {
        "object": type_,
        "operation": OPERATIONS[upload.action],
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    if upload.action == "upsert":
        body["externalIdFieldName"] = upload.key
    return Call("POST", path, route=route, json=body, safe=True)


def _put(path: str, route: str, job: str, upload: Upload) -> Call:
    return Call(
        "PUT",
        f"{path}/{job}/batches",
        route=f"{route}/{{job}}/batches",
        content=upload.body(),
        headers={"content-type": "text/csv; charset=UTF-8"},
        answer="text",
    )


def _close(path: str, route: str, job: str) -> Call:
    body = {"state": "UploadComplete"}
    return Call("PATCH", f"{path}/{job}", route=f"{route}/{{job}}", json=body, safe=True)


def _wait(path: str, route: str, job: str, send: Send) -> tuple[str, str]:
    """Ask about the job, less and less often, until it has ended; its state, and why it failed."""
    pause, state, why = LEAST_WAIT, "", ""
    for _ in range(QUESTIONS):
        call = Call("GET", f"{path}/{job}", route=f"{route}/{{job}}", delay=pause)
        told = send(call).document()
        state, why = str(told.get("state") or ""), str(told.get("errorMessage") or "")
        if state in ENDED:
            break
        pause = min(LONGEST_WAIT, pause * 1.5)
    return state, f": {why}" if why else ""


def _settled(path: str, route: str, job: str, upload: Upload, send: Send) -> Iterator[Receipt]:
    for row in _sheet(path, route, job, "successfulResults", send):
        change = upload.take(row)
        if change is not None:
            record_id = row.get("sf__Id") or change.id
            yield Receipt.done(change.trace, record_id, {"Id": record_id})
    for row in _sheet(path, route, job, "failedResults", send):
        change = upload.take(row)
        if change is not None:
            code, _, told = row.get("sf__Error", "").partition(":")
            message, _, names = told.rpartition(":")
            fields = [name for name in names.split() if name != "--"]
            yield refusal(change, code, message or told, fields)


def _sheet(path: str, route: str, job: str, what: str, send: Send) -> Iterator[dict[str, str]]:
    call = Call(
        "GET",
        f"{path}/{job}/{what}",
        route=f"{route}/{{job}}/{what}",
        headers={"accept": "text/csv"},
        answer="text",
    )
    reply: Reply = send(call)
    yield from csv.DictReader(io.StringIO(reply.body.decode("utf-8"), newline=""))
