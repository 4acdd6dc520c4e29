"""Writing to HubSpot: batches of 100, settled item by item.

Sources: HubSpot's descriptions of the batch endpoints (207 with `results` and `errors`) and its
guide to errors ("multi-status errors": where every input of a batch create has its own
`objectWriteTraceId`, each succeeds or fails alone). An update with an invalid value is refused
whole, with 400; its `errors` may name the inputs, and the message has the values. The guide to
contacts (2026-09) on the lifecycle stage: it can only be set forward in the order of the stages;
to set it backward it has to be cleared first. The changelog ("CRM API write validation
enforcement", August 2026): from version 2026-09 on an account's own rules hold for what the API
writes; a property that one of them requires is missing with 400, and `errors` whose `context` has
its name as `propertyName`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lumio_cli.core.errors import RejectedError, UnavailableError
from lumio_cli.providers.contract.answers import (
    halves,
    in_batches,
    receipt_of,
    unanswered,
    unsettled,
    write_batches,
)
from lumio_cli.providers.contract.call import Call, Send
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.hubspot.properties import Target, written
from lumio_cli.providers.hubspot.resources import BATCH
from lumio_cli.providers.hubspot.survivors import survivors
from lumio_cli.providers.hubspot.verdicts import REFUSED

KINDS = {
    "OBJECT_NOT_FOUND": "gone",
    "CONFLICT": "conflict",
    "OBJECT_ALREADY_EXISTS": "conflict",
    "MISSING_SCOPES": "permission",
    "FORBIDDEN": "permission",
    "RATE_LIMITS": "transient",
    "INTERNAL_ERROR": "transient",
}
"""HubSpot's categories by what they mean; all others are about the values."""
STAGE = "lifecyclestage"
"""The property that can only be set forward in the order of its options."""
_WHOLE = "HubSpot's answer does not say what became of this item"
_DETAILS = "Property values were not valid: "

Pair = tuple[Change, dict[str, Any]]
"""A change and its input of a batch."""


def write_all(
    path: str, changes: Sequence[Change], known: Mapping[str, Target], send: Send
) -> Iterator[Receipt]:
    """Apply changes of one action in batches of 100; one receipt a change.

    `known` are the properties by the names of columns. Of a batch that is refused whole, those
    that the answer names are taken out and the rest is sent again; where it names none, the batch
    is cut in two until the bad item stands alone.
    """
    pairs: list[Pair] = []
    for change in changes:
        try:
            pairs.append((change, _input(change, known)))
        except ValueError as error:
            yield receipt_of(change, error)
    if changes[0].action == "archive":
        # Nothing published says that an archive by a merged record's id spares its survivor.
        try:
            merged = survivors(path, [change.id for change, _ in pairs], send)
        except UnavailableError as error:
            yield from unanswered(changes, error)
            return
        for change, _ in pairs:
            if change.id in merged:
                heir = merged[change.id]
                yield Receipt.failed(change.trace, "gone", f"merged into {heir}", heir)
        pairs = [pair for pair in pairs if pair[0].id not in merged]
    back = [pair for pair in pairs if _goes_back(pair, known)]
    yield from _all(path, [pair for pair in pairs if pair not in back], send)
    yield from _backwards(path, back, known, send)


def _all(path: str, pairs: Sequence[Pair], send: Send) -> Iterator[Receipt]:
    def write(batch: list[Pair]) -> tuple[list[Receipt], list[list[Pair]]]:
        return _write(path, batch, send)

    yield from write_batches(in_batches(pairs, BATCH), write, lambda pair: pair[0])


def _before(change: Change, known: Mapping[str, Target]) -> tuple[str, Target | None]:
    """The stage that the record has, as far as the edit knows; empty: none."""
    for name, value in change.base.items():
        target = known.get(name)
        if target is not None and target.name == STAGE:
            return value or "", target
    return "", None


def _goes_back(pair: Pair, known: Mapping[str, Target]) -> bool:
    """Whether it sets a stage that may not be later than the record's: HubSpot would answer that it
    is done, and leave it."""
    change, item = pair
    wanted = _dict(item.get("properties")).get(STAGE)
    before, target = _before(change, known)
    if change.action != "update" or not wanted or not before or target is None:
        return False
    order = target.options
    forward = {wanted, before} <= set(order) and order.index(wanted) > order.index(before)
    return wanted != before and not forward


def _backwards(
    path: str, pairs: Sequence[Pair], known: Mapping[str, Target], send: Send
) -> Iterator[Receipt]:
    """Set earlier stages: "to set it backward first clear it". Where the second update is refused,
    the record gets back the stage that it had."""
    cleared, refused = [], []
    by_trace = {change.trace: (change, item) for change, item in pairs}
    for receipt in _all(path, [_staged(change, "") for change, _ in pairs], send):
        if receipt.status == "done":
            cleared.append(by_trace[receipt.trace])
        else:
            yield receipt
    for receipt in _all(path, cleared, send):
        if receipt.status == "failed" and receipt.kind != "gone":
            refused.append(receipt)
        else:
            yield receipt
    again = [_staged(c, _before(c, known)[0]) for c in (by_trace[r.trace][0] for r in refused)]
    left = {r.trace for r in _all(path, again, send) if r.status != "done"}
    for receipt in refused:
        message = f"{receipt.message}; {STAGE} is empty now" if receipt.trace in left else None
        yield replace(receipt, message=message or receipt.message)


def _staged(change: Change, stage: str) -> Pair:
    """An update of the stage alone."""
    properties = {STAGE: stage}
    return change, {
        "objectWriteTraceId": change.trace,
        "properties": properties,
        "id": change.id,
    }


def _write(path: str, batch: list[Pair], send: Send) -> tuple[list[Receipt], list[list[Pair]]]:
    """Receipts for what is settled, and the batches to send next.

    Raises `LumioError` where nothing of the batch was applied.
    """
    changes = [change for change, _ in batch]
    action = changes[0].action
    body = {"inputs": [item for _, item in batch]}
    # Only a create would do harm if it were repeated: the others say what shall be true.
    call = Call("POST", f"{path}/batch/{action}", json=body, safe=action != "create")
    try:
        reply = send(call)
    except RejectedError as error:
        told = {"message": error.message, "category": error.category}
        return _halved(batch, told)
    except UnavailableError as error:
        return unanswered(changes, error), []
    if reply.status in REFUSED:
        return _without_the_named(batch, reply.document())
    if reply.status == 204:  # archive: nothing is said of each, all are gone
        return [Receipt.done(change.trace, change.id) for change in changes], []
    return list(_settle(changes, reply.document())), []


def _halved(batch: list[Pair], error: Mapping[str, Any]) -> tuple[list[Receipt], list[list[Pair]]]:
    if len(batch) == 1:
        return [_refusal(batch[0][0], error)], []
    return [], halves(batch)


def _without_the_named(
    batch: list[Pair], body: Mapping[str, Any]
) -> tuple[list[Receipt], list[list[Pair]]]:
    """What to do about a batch that was refused whole, by what the answer says of its items.

    Items that it names by trace or index are refused. Those that have a value which it names are
    refused where there is only one; more of them are asked about apart, since a value can be
    invalid in one record and valid in another.
    """
    named = _named(batch, body)
    if named:
        rest = [pair for pair in batch if pair[0].trace not in named]
        return [_refusal(c, named[c.trace]) for c, _ in batch if c.trace in named], [rest]
    suspects = [pair for pair in batch if _is_suspect(pair, body)]
    if not suspects or len(suspects) == len(batch):
        return _halved(batch, body)
    rest = [pair for pair in batch if pair not in suspects]
    if len(suspects) == 1:
        return [_refusal(suspects[0][0], body)], [rest]
    return [], [rest, suspects]


def _named(batch: list[Pair], body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The errors by the traces of the items that they name."""
    traces = {change.trace for change, _ in batch}
    found: dict[str, Mapping[str, Any]] = {}
    for error in _errors(body):
        context = _dict(error.get("context"))
        named = [str(trace) for trace in _list(context.get("objectWriteTraceId"))]
        indexes = [int(i) for i in map(str, _list(context.get("index"))) if i.isdecimal()]
        named += [batch[index][0].trace for index in indexes if index < len(batch)]
        for trace in named:
            if trace in traces:
                found.setdefault(trace, {"category": body.get("category"), **error})
    return found


def _is_suspect(pair: Pair, body: Mapping[str, Any]) -> bool:
    """Whether the item has a value that the message of a refusal names."""
    sent = _dict(pair[1].get("properties"))
    return any(
        "propertyValue" in item and sent.get(str(item.get("name"))) == item["propertyValue"]
        for item in _details(str(body.get("message")))
    )


def _settle(changes: Sequence[Change], body: Mapping[str, Any]) -> Iterator[Receipt]:
    """Receipts from a 200, 201 or 207 answer, item by item.

    Results and errors name their input by `objectWriteTraceId` and, but for creates, by the
    record's id; what neither of them names was not settled.
    """
    left = {change.trace: change for change in changes}
    by_id = {change.id: change.trace for change in changes if change.id}
    for record in map(_dict, _list(body.get("results"))):
        id_ = str(record.get("id") or "")
        change = left.pop(str(record.get("objectWriteTraceId") or by_id.get(id_)), None)
        if change is not None and id_:
            shown = {k: v for k, v in record.items() if k != "objectWriteTraceId"}
            yield Receipt.done(change.trace, id_, shown)
        elif change is not None:
            left[change.trace] = change
    for error in map(_dict, _list(body.get("errors"))):
        context = _dict(error.get("context"))
        traces = [str(trace) for trace in _list(context.get("objectWriteTraceId"))]
        traces += [by_id[i] for i in map(str, _list(context.get("ids"))) if i in by_id]
        for trace in traces:
            if trace in left:
                yield _refusal(left.pop(trace), error)
    yield from (unsettled(change, _WHOLE) for change in left.values())


def _refusal(change: Change, error: Mapping[str, Any]) -> Receipt:
    """The receipt of an item that HubSpot refuses, with its own reasons."""
    category, message = str(error.get("category") or ""), _reason(error)
    kind = KINDS.get(category, "validation")
    if "already has that value" in message or "already exists" in message:
        kind = "conflict"
    if kind == "gone" and change.action == "archive":
        return Receipt.done(change.trace, change.id)
    if kind == "transient":
        return Receipt.retry(change.trace, message, change.id)
    return Receipt.failed(change.trace, kind, message, change.id)


def _reason(error: Mapping[str, Any]) -> str:
    """HubSpot's own words, each with its code and the fields that it is about; without the JSON
    that it packs into messages."""
    message = str(error.get("message") or "HubSpot gives no reason")
    single = [error] if "code" in error else []
    parts = single or [_dict(part) for part in _list(error.get("errors"))] or _details(message)
    told = [_told(part, part.get("code") or part.get("error")) for part in parts]
    if any(told):
        return "; ".join(text for text in told if text)
    category = str(error.get("category") or "")
    return _told({**error, "message": message}, "" if category in message else category)


def _told(part: Mapping[str, Any], code: Any) -> str:
    """A message with its code, and before it those of its fields that it does not name itself."""
    if not part.get("message"):
        return ""
    text, context = str(part["message"]), _dict(part.get("context"))
    fields = _list(context.get("propertyName")) or _list(context.get("properties"))
    fields = fields or ([part["name"]] if part.get("name") else [])
    unnamed = [name for name in map(str, fields) if not _names(text, name)]
    said = f"{', '.join(unnamed)}: {text}" if unnamed else text
    return f"{said} ({code})" if code else said


def _names(text: str, field: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(field)}(?!\w)", text, re.IGNORECASE) is not None


def _details(message: str) -> list[dict[str, Any]]:
    """The list of refused values that HubSpot writes into a message, if there is one."""
    _, found, packed = message.partition(_DETAILS)
    try:
        return [_dict(item) for item in _list(json.loads(packed))] if found else []
    except ValueError:
        return []


def _errors(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [body, *(_dict(error) for error in _list(body.get("errors")))]


def _input(change: Change, known: Mapping[str, Target]) -> dict[str, Any]:
    """One input of a batch, as its action wants it. Raises `ValueError`."""
    if change.action == "archive":
        return {"id": change.id}
    if change.action == "upsert":
        raise ValueError("HubSpot's records are created, or updated by their id")
    properties = written(change.values, known)
    found: dict[str, Any] = {"objectWriteTraceId": change.trace, "properties": properties}
    if change.action == "create":
        found["properties"] = {name: text for name, text in properties.items() if text}
        return {**found, "associations": []}
    return {**found, "id": change.id}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
