"""Batch operations: many requests in one, worked through by Mailchimp while we wait.

A batch is submitted, asked about until it is finished, and its results are fetched from a signed
URL of a storage host, without the credential: a tar.gz of JSON files, in no order, some of them
empty. *Finished* does not mean that all went well: each operation has a status of its own.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, cast

from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    BadReplyError,
    LumioError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.contract.call import Call, Reply, Send, dig
from lumio_cli.providers.contract.jobs import JobState
from lumio_cli.providers.contract.json_reading import read_json
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.mailchimp.operations import (
    Operation,
    of_error,
    of_status,
)

MOST = 1000
"""Operations a batch. Mailchimp names no limit; each waits for the slowest."""
RESULTS_HOST = "mailchimp-api-batch.s3.amazonaws.com"
ROUTE = "/3.0/batches/{batch_id}"
FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0
"""Seconds between two looks at a batch: doubled each time, up to a minute."""
MOST_LOOKS = 70
"""Looks at one batch: a little more than an hour."""
MOST_BYTES = 64 * 1024 * 1024
"""Of unpacked results, with all that is around them: an archive is not trusted to be small because
it is small when packed."""
MOST_FILES = 10_000
"""Files of one archive: Mailchimp puts many results into each."""


def submit(operations: Sequence[Operation]) -> Call:
    """The request that hands over the operations."""
    body = {"operations": [operation.in_batch() for operation in operations]}
    # They say what shall be true, but for those that create or archive, which fail the second time.
    safe = all(operation.change.action in ("update", "upsert") for operation in operations)
    return Call("POST", "/3.0/batches", json=body, safe=safe)


def state(reply: Reply, looks: int = 0) -> JobState:
    """How a batch stands; `info` is where its results are. Raises `BadReplyError`."""
    body = reply.json()
    batch, status = dig(body, "id"), dig(body, "status")
    if not isinstance(batch, str) or not isinstance(status, str):
        raise BadReplyError("Mailchimp's answer about a batch names neither it nor its status")
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(looks, 10))
    return JobState(status == "finished", batch, str(body.get("response_body_url") or ""), wait)


def poll(batch: str, wait: float = 0.0) -> Call:
    """The request that asks how it stands, after so many seconds."""
    return Call("GET", f"/3.0/batches/{batch}", route=ROUTE, delay=wait)


def results(url: str) -> Call:
    """The request for the results, which must not carry the credential."""
    return Call("GET", url, route="/batch-results", auth=False, answer="text")


def run(operations: Sequence[Operation], send: Send) -> Iterator[Receipt]:
    """Have a batch done; one receipt an operation."""
    try:
        standing = state(send(submit(operations)))
    except LumioError as error:
        for operation in operations:
            yield of_error(operation.change, error)
        return
    try:
        found = unpack(_finish(standing, send))
    except LumioError as error:
        # It was handed over: whatever cannot be learned of it may have been done.
        said = f"batch {standing.job} was submitted, and its results are not known"
        for operation in operations:
            change = operation.change
            yield Receipt.unknown(change.trace, f"{said}: {error.message}", change.id)
        if not isinstance(error, RejectedError | UnavailableError):
            raise
        return
    yield from settle(operations, found)


def _finish(standing: JobState, send: Send) -> bytes:
    """The results of a batch, once it is finished."""
    looks = 0
    while not standing.done:
        if looks >= MOST_LOOKS:
            raise UnavailableError(
                f"batch {standing.job} is not finished after {looks} looks", code=OUTCOME_UNKNOWN
            )
        looks += 1
        standing = state(send(poll(standing.job, standing.wait)), looks)
    try:
        return send(results(str(standing.info))).body
    except RejectedError:
        # A URL is good for ten minutes; asking again brings a new one.
        standing = state(send(poll(standing.job)))
        return send(results(str(standing.info))).body


def unpack(raw: bytes) -> dict[str, tuple[int, Any]]:
    """Status and body by operation, from the archive. Raises `BadReplyError` for one that cannot
    be read, or that is larger than results can be. Nothing is written to disk."""
    found: dict[str, tuple[int, Any]] = {}
    files = 0
    try:
        with tarfile.open(fileobj=cast(IO[bytes], _Unpacked(raw)), mode="r|") as archive:
            for entry in archive:
                files += 1
                if files > MOST_FILES:
                    raise BadReplyError("the results of a batch are in more files than they can be")
                file = archive.extractfile(entry) if entry.isfile() else None
                text = file.read() if file is not None else b""
                if text.strip():
                    found |= _read(read_json(text))
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise BadReplyError(f"the results of a batch cannot be read: {error}") from None
    return found


class _Unpacked:
    """What an archive was before it was compressed, as a stream. Not only files have a size: so
    have the names and attributes before them, which are read as a whole."""

    def __init__(self, raw: bytes) -> None:
        self._file = gzip.GzipFile(fileobj=io.BytesIO(raw))
        self._left = MOST_BYTES

    def read(self, size: int) -> bytes:
        """The next bytes. Raises `BadReplyError` after `MOST_BYTES`, and what gzip raises."""
        piece = self._file.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise BadReplyError("the results of a batch are larger than they can be")
        return piece


def _read(items: Any) -> dict[str, tuple[int, Any]]:
    found = {}
    for item in items if isinstance(items, list) else []:
        trace, status = dig(item, "operation_id"), dig(item, "status_code")
        if isinstance(trace, str) and isinstance(status, int):
            found[trace] = (status, _body(item.get("response")))
    return found


def _body(text: Any) -> Any:
    try:
        return read_json(text.encode()) if isinstance(text, str) and text else None
    except ValueError:
        return None


def settle(
    operations: Sequence[Operation], found: Mapping[str, tuple[int, Any]]
) -> Iterator[Receipt]:
    """One receipt an operation; what the results do not name was not settled."""
    for operation in operations:
        if operation.change.trace in found:
            yield of_status(operation, *found[operation.change.trace])
        else:
            change, said = operation.change, "the batch's results do not name this change"
            yield Receipt.unknown(change.trace, said, change.id)
