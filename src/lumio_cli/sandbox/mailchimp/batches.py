"""Batch operations: submitted, worked through between two looks at them, their results an archive.

The archive lies with a storage host that knows nothing of the account: its URL is signed, good for
ten minutes, and a request that carries a credential as well is refused.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

import orjson

from ..http import Request, Response, Route
from .problems import invalid, not_found, refused
from .shape import Document, iso, page
from .state import Batch

if TYPE_CHECKING:
    from .account import Account

URL_SECONDS = 600.0
PENDING_MOST = 500
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
STEPS = ("pending", "preprocessing", "started", "finalizing", "finished")


def _submit(account: Account, request: Request) -> Response:
    operations = request.json().get("operations")
    if not isinstance(operations, list) or not operations:
        raise invalid(("operations", "This value should not be blank."))
    for number, operation in enumerate(operations):
        if operation.get("method") not in METHODS or not operation.get("path"):
            raise invalid((f"operations.item:{number}", "A method and a path are required."))
        if "body" in operation and not isinstance(operation["body"], str):
            raise invalid((f"operations.item:{number}.body", "Schema describes string."))
    if sum(b.status != "finished" for b in account.batches.values()) >= PENDING_MOST:
        raise refused(429, f"You have more than {PENDING_MOST} pending batches.")
    batch_id = f"sandbox{len(account.batches):03}"
    batch = Batch(batch_id, operations, account.now(), dict(request.headers))
    account.batches[batch_id] = batch
    return Response.of_json(_view(account, request, batch))


def _view(account: Account, request: Request, batch: Batch) -> Document:
    finished = batch.status == "finished"
    expires = int(account.now() + URL_SECONDS)
    url = (
        f"{request.base_url}/batch-results/{batch.id}-response.tar.gz"
        f"?AWSAccessKeyId=SANDBOX&Expires={expires}&Signature=sandbox"
    )
    return {
        "id": batch.id,
        "status": batch.status,
        "total_operations": len(batch.operations),
        "finished_operations": len(batch.results),
        "errored_operations": batch.errored,
        "submitted_at": iso(batch.submitted_at),
        "completed_at": iso(batch.completed_at) if batch.completed_at is not None else "",
        "response_body_url": url if finished else "",
        "_links": [],
    }


def _found(account: Account, batch_id: str) -> Batch:
    if batch_id not in account.batches:
        raise not_found()
    return account.batches[batch_id]


def _ask(account: Account, request: Request, batch_id: str) -> Response:
    """How it stands. It is done when it was asked about often enough: `account.batch_polls`."""
    batch = _found(account, batch_id)
    batch.polls += 1
    if batch.polls >= account.batch_polls and batch.status != "finished":
        batch.results = [_perform(account, request, batch, o) for o in batch.operations]
        batch.completed_at, batch.status = account.now(), "finished"
    elif batch.status != "finished":
        batch.status = STEPS[min(batch.polls, len(STEPS) - 2)]
    return Response.of_json(_view(account, request, batch))


def _perform(account: Account, asked: Request, batch: Batch, operation: Document) -> Document:
    query = {name: [str(value)] for name, value in (operation.get("params") or {}).items()}
    body = str(operation.get("body") or "").encode()
    path = f"/3.0/{operation['path'].strip('/').removeprefix('3.0/')}"
    request = Request(operation["method"], path, query, batch.headers, body, asked.base_url)
    answer = account.perform(request)
    return {
        "status_code": answer.status,
        "operation_id": operation.get("operation_id"),
        "response": answer.body.decode() or "{}",
    }


def _list_all(account: Account, request: Request) -> Response:
    found = list(account.batches.values())
    return page(request, "batches", found, lambda b: _view(account, request, b))


def _delete(account: Account, _: Request, batch_id: str) -> Response:
    _found(account, batch_id)
    del account.batches[batch_id]
    return Response(204)


# --- the storage host


def _xml(status: int, code: str, message: str) -> Response:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(status, body.encode(), {"Content-Type": "application/xml"})


def _download(account: Account, request: Request, file: str) -> Response:
    if "authorization" in request.headers:
        return _xml(400, "InvalidArgument", "Only one auth mechanism allowed")
    expires = request.one("Expires") or "0"
    if request.one("Signature") != "sandbox" or float(expires) < account.now():
        return _xml(403, "AccessDenied", "Request has expired")
    batch = account.batches.get(file.removesuffix("-response.tar.gz"))
    if batch is None or batch.status != "finished":
        return _xml(404, "NoSuchKey", "The specified key does not exist.")
    return Response(200, archive(batch), {"Content-Type": "application/x-gzip"})


def archive(batch: Batch) -> bytes:
    """The results as files of a tar.gz: not in the order of the operations, one of them empty."""
    backwards = batch.results[::-1]
    middle = len(backwards) // 2
    parts: list[list[Any]] = [backwards[middle:], [], backwards[:middle]]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folder = tarfile.TarInfo(".")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for number, part in enumerate(parts):
            body = orjson.dumps(part) if part else b""
            info = tarfile.TarInfo(f"./{batch.id}-{number}.json")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


ROUTES = (
    Route("GET", "/3.0/batches", _list_all),
    Route("POST", "/3.0/batches", _submit),
    Route("GET", "/3.0/batches/{batch_id}", _ask),
    Route("DELETE", "/3.0/batches/{batch_id}", _delete),
    Route("GET", "/batch-results/{file}", _download, quota="open"),
)
