"""Writing: sObject collections of 200 records, settled one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from urllib.parse import quote

from lumio_cli.core.errors import RejectedError, UnavailableError
from lumio_cli.providers.contract.answers import (
    halves,
    in_batches,
    receipt_of,
    unanswered,
    unsettled,
    write_batches,
)
from lumio_cli.providers.contract.call import Call, Reply, Send
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.salesforce.fields import Targets, typed, value_of
from lumio_cli.providers.salesforce.resources import COLLECTION

KINDS = {
    "gone": ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"),
    "conflict": ("DUPLICATE_VALUE", "DUPLICATES_DETECTED", "DUPLICATE_EXTERNAL_ID"),
    "permission": ("INSUFFICIENT_ACCESS", "INVALID_FIELD_FOR_INSERT_UPDATE", "FIELD_NOT_UPDATABLE"),
    "transient": (
        "UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "QUERY_TIMEOUT",
        "UNKNOWN_EXCEPTION",
    ),
}  # fmt: skip
"""Salesforce's codes, or how they begin, by what they mean; all others are about the values."""

_REFERENCE = "INVALID_CROSS_REFERENCE_KEY"

RULES = "false|true|01Q[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?"
"""What the setting `assignment_rules` may be; the ids of rules begin with 01Q."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which of the org's own rules a write runs.

    Without the header Salesforce runs the active assignment rules of leads, cases and accounts,
    which give the records that are written to others (REST API Developer Guide, "Assignment Rule
    Header": "If the header is not provided in the request, the default value is TRUE"). In a job of
    Bulk API 2.0 only that rule runs which `assignmentRuleId` names. `save`: what a duplicate rule
    only warns of is saved ("Duplicate Rule Header", `allowSave`).
    """

    assignment: str = "false"
    save: bool = False

    def ruled(self, send: Send) -> Send:
        """The way to Salesforce, with these rules said to every request that writes."""
        said = {"false": "FALSE", "true": "TRUE"}.get(self.assignment, self.assignment)
        headers = {"Sforce-Auto-Assign": said}
        if self.save:
            headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"

        def sending(call: Call) -> Reply:
            if call.method == "POST" and call.path.endswith("/jobs/ingest"):
                if said != self.assignment:
                    return send(call)
                return send(replace(call, json={**call.json, "assignmentRuleId": said}))
            if "/composite/sobjects" not in call.path or call.method == "DELETE":
                return send(call)
            return send(replace(call, headers={**call.headers, **headers}))

        return sending


Pair = tuple[Change, dict[str, Any]]
"""A change and its values by the names of fields, as JSON has them."""


def kind_of(code: str, fields: Sequence[str] = ()) -> str:
    """What an error code is about. An error in `fields` is never about the record itself: one
    that is gone is another one then, to which they refer."""
    for kind, starts in KINDS.items():
        if code.startswith(starts):
            return "validation" if kind == "gone" and fields else kind
    return "validation"


def refusal(change: Change, code: str, message: str, fields: Sequence[str] = ()) -> Receipt:
    """The receipt for a record that was refused.

    One that is to be deleted and is gone already is what was wanted.
    """
    kind = kind_of(code, fields)
    referring = any(map(_refers, change.values, change.values.values()))
    if kind == "gone" and code.startswith(_REFERENCE) and referring:
        # Salesforce does not always say in which field the wrong reference is: the record itself
        # may well be there.
        kind = "validation"
    if change.action == "archive" and kind == "gone":
        return Receipt.done(change.trace, change.id)
    if kind == "transient":
        return Receipt.retry(change.trace, f"{message} ({code})", change.id)
    return Receipt.failed(change.trace, kind, f"{message} ({code})", change.id)


def _refers(column: str, value: str | None) -> bool:
    """Whether a value may be the id of another record: so are columns of references called."""
    named = column.lower().endswith(("_id", "__c"))
    return named and re.fullmatch(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", value or "") is not None


def sorted_out(changes: Sequence[Change], known: Targets) -> tuple[list[Pair], list[Receipt]]:
    """Changes with their values as JSON has them, and receipts for those that no field takes."""
    good, bad = [], []
    for change in changes:
        try:
            values = typed(change.action, change.values, known)
            if change.action == "upsert" and change.key in known:
                target = known[change.key]
                values[target.name] = value_of(target.type, change.id)
            good.append((change, values))
        except ValueError as error:
            bad.append(receipt_of(change, error))
    return good, bad


def key_of(change: Change, known: Targets) -> str:
    """The field that an upsert finds its record by."""
    target = known.get(change.key)
    return target.name if target else change.key or "Id"


def write_all(
    data: str, type_: str, changes: Sequence[Change], known: Targets, send: Send
) -> Iterator[Receipt]:
    """Apply changes of one action, 200 a request; one receipt a change.

    `data` is the path of the API's version, `known` the fields by the names of columns. A request
    that Salesforce refuses whole is cut in two until the bad record stands alone.
    """
    good, bad = sorted_out(changes, known)
    yield from bad
    yield from write_pairs(data, type_, good, known, send)


def write_pairs(
    data: str, type_: str, good: Sequence[Pair], known: Targets, send: Send
) -> Iterator[Receipt]:
    """As `write_all`, of changes whose values are sorted out."""
    batches: list[list[Pair]] = []
    for _, group in groupby(good, key=lambda pair: pair[0].key):
        batches += in_batches(list(group), COLLECTION)

    def write(pairs: list[Pair]) -> tuple[list[Receipt], list[list[Pair]]]:
        changes = [change for change, _ in pairs]
        try:
            results = send(_call(data, type_, pairs, known)).json()
        except RejectedError as error:
            if len(pairs) > 1:
                return [], halves(pairs)
            return [refusal(changes[0], error.category, error.message)], []
        except UnavailableError as error:
            return unanswered(changes, error), []
        told = results if isinstance(results, list) else []
        return [
            _settle(change, told[number] if number < len(told) else None)
            for number, change in enumerate(changes)
        ], []

    yield from write_batches(batches, write, lambda pair: pair[0])


def _settle(change: Change, result: Any) -> Receipt:
    """Results come in the order of the records."""
    if isinstance(result, dict) and result.get("success") is True:
        record_id = str(result.get("id") or change.id)
        return Receipt.done(change.trace, record_id, {"Id": record_id})
    errors = result.get("errors") if isinstance(result, dict) else None
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return unsettled(change, "Salesforce's answer does not say what became of this record")
    first = errors[0]
    message = "; ".join(str(e.get("message")) for e in errors if isinstance(e, dict))
    return refusal(change, str(first.get("statusCode")), message, first.get("fields") or ())


def _call(data: str, type_: str, pairs: Sequence[Pair], known: Targets) -> Call:
    """The request for one collection. Only a create would do harm if it were repeated."""
    first = pairs[0][0]
    path, route = f"{data}/composite/sobjects", "/services/data/{version}/composite/sobjects"
    if first.action == "archive":
        params = {"ids": ",".join(change.id for change, _ in pairs), "allOrNone": "false"}
        return Call("DELETE", path, route=route, params=params, safe=True)
    key = key_of(first, known)
    records = []
    for change, values in pairs:
        record: dict[str, Any] = {"attributes": {"type": type_}, **values}
        if change.action == "update":
            record["id"] = change.id
        elif change.action == "upsert":
            record.setdefault(key, change.id)
        records.append(record)
    body = {"allOrNone": False, "records": records}
    if first.action == "create":
        return Call("POST", path, route=route, json=body)
    if first.action == "upsert":
        path, route = f"{path}/{type_}/{quote(key)}", f"{route}/{{type}}/{{field}}"
    return Call("PATCH", path, route=route, json=body, safe=True)
