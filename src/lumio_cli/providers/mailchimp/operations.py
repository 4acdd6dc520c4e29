"""One change of a member as one request, alone or inside a batch, and its answer as a receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lumio_cli.core.errors import OUTCOME_UNKNOWN, LumioError, RejectedError
from lumio_cli.providers.contract.answers import receipt_of
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.mailchimp.fields import WrongValueError
from lumio_cli.providers.mailchimp.rows import member

EXISTS = "Member Exists"
ROUTE = "/3.0/lists/{list_id}/members/{member}"
MEMBERS = "/3.0/lists/{list_id}/members"
METHODS = {"create": "POST", "update": "PATCH", "upsert": "PUT", "archive": "DELETE"}
SKIP = {"skip_merge_validation": "true"}
"""The parameter by which a member needs no values of required merge fields: of POST of one and of
500, of PUT and of PATCH (OpenAPI 3.0.55)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A change, the audience and member it is about, and what is sent for it. `tags` are those that
    the member is to have; None: they stay. `params` go with every request that has a body."""

    change: Change
    list_id: str
    name: str
    body: dict[str, Any] | None
    tags: frozenset[str] | None = None
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Of the member."""
        return f"/3.0/lists/{self.list_id}/members/{quote(self.name, safe='')}"

    @property
    def call(self) -> Call:
        """The request. But for that which creates, all of them say what shall be true, so that they
        may be repeated."""
        new = self.change.action == "create"
        path, route = (f"/3.0/lists/{self.list_id}/members", MEMBERS) if new else (self.path, ROUTE)
        method, params = METHODS[self.change.action], {} if self.body is None else self.params
        return Call(method, path, route=route, params=params, json=self._sent(), safe=not new)

    @property
    def back(self) -> Call:
        """The request that un-archives the member who has this address, as a new one is to be."""
        return Call("PATCH", self.path, route=ROUTE, params=self.params, json=self.body, safe=True)

    def _sent(self) -> dict[str, Any] | None:
        """The body. Only a new member's takes tags (`Add_List_Members_1` of the description)."""
        if self.change.action == "create" and self.tags:
            return {**(self.body or {}), "tags": sorted(self.tags)}
        return self.body

    def in_batch(self) -> dict[str, Any]:
        """The same as one operation of a batch, whose body is JSON inside of JSON."""
        call = self.call
        found: dict[str, Any] = {
            "method": call.method,
            "path": call.path.removeprefix("/3.0"),
            "operation_id": self.change.trace,
        }
        if call.params:
            found["params"] = dict(call.params)
        return found if call.json is None else {**found, "body": json.dumps(call.json)}


def subscriber_hash(address: str) -> str:
    """MD5 of the address in lower case (reference, `subscriber_hash`)."""
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


def split_id(record_id: str) -> tuple[str, str]:
    """Audience and contact of a member's id. Raises `WrongValueError`."""
    list_id, colon, contact = record_id.partition(":")
    if not colon or not list_id.isalnum() or not contact:
        raise WrongValueError(f"{record_id!r} is no id of a member: AUDIENCE:CONTACT")
    return list_id, contact


# --- receipts


def done(change: Change, body: Any, list_id: str) -> Receipt:
    """It was applied; `body` is the member as Mailchimp has it now, or as much as is known."""
    if not isinstance(body, dict):
        return Receipt.done(change.trace, change.id)
    if "email_address" not in body:
        return Receipt.done(change.trace, change.id, body or None)
    record = member(body, list_id)
    return Receipt.done(change.trace, str(record.get("id") or change.id), record)


def of_error(change: Change, error: LumioError) -> Receipt:
    """What an error of the request means for its change. Raises errors that the next one would
    meet as well."""
    if error.code == OUTCOME_UNKNOWN:
        return Receipt.unknown(change.trace, error.message, change.id)
    return receipt_of(change, error, conflict=_is_conflict)


def _is_conflict(error: RejectedError) -> bool:
    return error.status == 405 or error.category == EXISTS


def of_status(operation: Operation, status: int, body: Any) -> Receipt:
    """What an operation's own answer inside a batch means."""
    change = operation.change
    if 200 <= status < 300:
        return done(change, body, operation.list_id)
    said = body if isinstance(body, Mapping) else {}
    message = explained(said) or f"status {status}"
    if status == 429 or status >= 500:
        return Receipt.retry(change.trace, message, change.id)
    if status == 404:
        if change.action == "archive":
            return Receipt.done(change.trace, change.id)
        return Receipt.failed(change.trace, "gone", message, change.id)
    if status in (401, 403):
        return Receipt.failed(change.trace, "permission", message, change.id)
    conflict = status == 405 or said.get("title") == EXISTS
    kind = "conflict" if conflict else "validation"
    return Receipt.failed(change.trace, kind, message, change.id)


def explained(body: Mapping[str, Any]) -> str:
    """What a problem document says, with what is wrong with which field."""
    named = [
        f"{error.get('field') or '?'}: {error.get('message')}"
        for error in body.get("errors") or ()
        if isinstance(error, Mapping) and error.get("message")
    ]
    detail = str(body.get("detail") or body.get("title") or "")
    return " ".join([detail, *([f"({'; '.join(named)})"] if named else [])]).strip()
