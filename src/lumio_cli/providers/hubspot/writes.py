"""Writing to HubSpot: batches of 100, settled item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lumio_cli.errors import RejectedError
from lumio_cli.providers.base import Call, Change, Receipt, Send
from lumio_cli.providers.hubspot.resources import BATCH


def write_all(path: str, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
    """Apply changes of one action in batches of 100; one receipt a change.

    A batch that is refused whole (400 for one bad value, 409 for one known e-mail) is cut in
    two until the bad item stands alone.
    """
    for start in range(0, len(changes), BATCH):
        yield from _write_batch(path, changes[start : start + BATCH], send)


def _write_batch(path: str, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
    action = changes[0].action
    body = {"inputs": [_input(change) for change in changes]}
    # Only a create would do harm if it were repeated: the others say what shall be true.
    call = Call("POST", f"{path}/batch/{action}", json=body, safe=action != "create")
    try:
        reply = send(call)
    except RejectedError as error:
        if len(changes) > 1:
            middle = len(changes) // 2
            yield from _write_batch(path, changes[:middle], send)
            yield from _write_batch(path, changes[middle:], send)
            return
        kind = (error.category or "rejected").lower()
        yield Receipt(changes[0].trace, "failed", changes[0].id, None, kind, error.message)
        return
    if reply.status == 204:  # archive: nothing is said of each, all are gone
        yield from (Receipt(change.trace, "done", change.id) for change in changes)
        return
    yield from _settle(changes, reply.json())


def _settle(changes: Sequence[Change], body: Mapping[str, Any]) -> Iterator[Receipt]:
    """Receipts from a 200, 201 or 207 answer, item by item.

    Results and errors name their input by `objectWriteTraceId` and, but for creates, by the
    record's id; what neither of them names was not settled.
    """
    by_trace = {change.trace: change for change in changes}
    by_id = {change.id: change.trace for change in changes if change.id}
    settled: set[str] = set()
    for record in body.get("results") or ():
        trace = str(record.get("objectWriteTraceId") or by_id.get(str(record["id"])) or "")
        if trace in by_trace:
            settled.add(trace)
            yield Receipt(trace, "done", str(record["id"]), record)
    for error in body.get("errors") or ():
        context = error.get("context") or {}
        named = [*(context.get("objectWriteTraceId") or ())]
        named += [by_id[i] for i in map(str, context.get("ids") or ()) if i in by_id]
        for trace in named:
            if trace in by_trace and trace not in settled:
                settled.add(trace)
                kind = str(error.get("category") or "rejected").lower()
                yield Receipt(
                    trace, "failed", by_trace[trace].id, None, kind, str(error.get("message"))
                )
    for trace, change in by_trace.items():
        if trace not in settled:
            message = "HubSpot's answer does not say what became of this item"
            yield Receipt(trace, "unknown", change.id, None, "unsettled", message)


def _input(change: Change) -> dict[str, Any]:
    """One input of a batch, as its action wants it."""
    if change.action == "archive":
        return {"id": change.id}
    # HubSpot clears a property by an empty string; null is refused.
    properties = {name: "" if v is None else v for name, v in change.values.items()}
    found: dict[str, Any] = {"objectWriteTraceId": change.trace, "properties": properties}
    if change.action == "create":
        return {**found, "associations": []}
    found["id"] = change.id
    if change.key:
        found["idProperty"] = change.key
    return found
