"""Writing members: created 500 at a time, changed one by one, or by batch where there are many.

- create: one request for 500, answered row by row, whose rows have neither tags nor marketing
  permissions (`Add_List_Members` of the API's description, 3.0.55; the client that is generated
  from it says the same): members with these are created one by one, where both are taken
  (`Add_List_Members_1`). A member who is there already is a conflict; one who is archived is
  un-archived by PATCH with a status (Mailchimp's support, by stackoverflow.com/a/63584277): all
  else that the address has at Mailchimp, such as its history, is kept.
- upsert by address, update, archive: PUT, PATCH and DELETE of one member.
- From `bulk_from` of such changes on they are handed over as batch operations.
- `tags` are those that a member is to have: of one who is there what it has is read, and the
  difference is written.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lumio_cli.core.errors import (
    DeniedError,
    GoneError,
    LumioError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.contract.answers import halves, in_batches, receipt_of, write_batches
from lumio_cli.providers.contract.call import Call, Send
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.mailchimp import batches
from lumio_cli.providers.mailchimp.fields import (
    METADATA_SECONDS,
    Fields,
    WrongValueError,
    merge_fields,
    tag_names,
)
from lumio_cli.providers.mailchimp.listing import MOST
from lumio_cli.providers.mailchimp.operations import (
    ROUTE,
    Operation,
    done,
    of_error,
    split_id,
    subscriber_hash,
)
from lumio_cli.providers.mailchimp.resources import BATCH


class Writer:
    """Applies changes of one action to members, through `send`.

    default_list  the audience of new members that name none
    new_status    the status of new members that have none
    bulk_from     how many changes are worth a batch
    params        of the query of each request that has a member in its body
    """

    def __init__(
        self,
        send: Send,
        default_list: str = "",
        new_status: str = "pending",
        bulk_from: int = 200,
        params: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._send = send
        self._default_list = default_list
        self._new_status = new_status
        self._bulk_from = bulk_from
        self._params = params
        self._fields: dict[str, Fields] = {}

    def apply(self, changes: Sequence[Change]) -> Iterator[Receipt]:
        """One receipt a change."""
        ready: list[Operation] = []
        for change in changes:
            try:
                ready.append(self._prepare(change))
            except WrongValueError as error:
                yield receipt_of(change, error)
            except (RejectedError, UnavailableError) as error:
                yield of_error(change, error)
        if changes and changes[0].action == "create":
            in_rows = [o for o in ready if not _more_than_row(o)]
            others, alone = [o for o in ready if _more_than_row(o)], []
        else:
            in_rows = []
            alone = [o for o in ready if o.tags is not None]
            others = [o for o in ready if o.tags is None]
        if len(others) < self._bulk_from:
            alone, others = [*others, *alone], []
        for start in range(0, len(others), batches.MOST):
            yield from self._in_batch(others[start : start + batches.MOST])
        yield from self._one_by_one(alone)
        yield from self._create(in_rows)

    # -- what is to be sent

    def _prepare(self, change: Change) -> Operation:
        """Raises `WrongValueError` for a change that Mailchimp could not carry out."""
        values = dict(change.values)
        if change.action in ("update", "archive"):
            list_id, name = split_id(change.id)
            if values.pop("list_id", list_id) != list_id:
                raise WrongValueError("list_id is fixed: a member belongs to its audience")
        else:
            list_id = str(values.pop("list_id", None) or self._default_list)
            if not list_id.isalnum():
                raise WrongValueError(
                    "which audience? give list_id, or set providers.mailchimp.audience"
                )
            name = ""
        if change.action == "archive":
            return Operation(change, list_id, name, None)
        body = self._known(list_id).body(values)
        tags = frozenset(tag_names(body.pop("tags"))) if "tags" in body else None
        if change.action == "update":
            return Operation(change, list_id, name, body, tags, self._params)
        if change.action == "upsert":
            body.setdefault("email_address", change.id)
            body["status_if_new"] = body.get("status") or self._new_status
            if change.key not in ("", "email_address"):
                raise WrongValueError("members are found by email_address")
        body.setdefault("status", self._new_status)
        if change.action == "upsert" and "status" not in values:
            # Only who asks for a status changes that of a member who is there.
            del body["status"]
        address = str(body.get("email_address") or "")
        if "@" not in address:
            raise WrongValueError("email_address is missing, or is none")
        name = subscriber_hash((change.action == "upsert" and change.id) or address)
        return Operation(change, list_id, name, body, tags, self._params)

    def _known(self, list_id: str) -> Fields:
        if list_id not in self._fields:
            found = merge_fields(list_id, self._send, METADATA_SECONDS)
            self._fields[list_id] = Fields.of(found)
        return self._fields[list_id]

    # -- many at once

    def _in_batch(self, operations: Sequence[Operation]) -> Iterator[Receipt]:
        yield from self._settled(operations, batches.run(operations, self._send))

    def _settled(
        self, operations: Sequence[Operation], receipts: Iterable[Receipt]
    ) -> Iterator[Receipt]:
        """Receipts of a batch. Those that take a look come last: what has none when that fails was
        not applied."""
        by_trace = {operation.change.trace: operation for operation in operations}
        conflicts = []
        for receipt in receipts:
            if receipt.kind == "conflict":
                conflicts.append(receipt)
            else:
                yield receipt
        for receipt in conflicts:
            yield self._looked_at(by_trace[receipt.trace], receipt)

    # -- one by one

    def _one_by_one(self, operations: Sequence[Operation]) -> Iterator[Receipt]:
        # What is closed or out of reach for one will be for the next.
        closed: DeniedError | None = None
        away: UnavailableError | None = None
        for operation in operations:
            if closed is not None:
                yield of_error(operation.change, closed)
                continue
            if away is not None:
                change = operation.change
                yield Receipt.retry(change.trace, away.message, change.id)
                continue
            try:
                yield self._write(operation)
            except DeniedError as error:
                closed = error
                yield of_error(operation.change, error)
            except UnavailableError as error:
                away = error
                yield of_error(operation.change, error)
            except LumioError as error:
                yield of_error(operation.change, error)

    def _write(self, operation: Operation) -> Receipt:
        try:
            body: Any = None
            if operation.body or operation.change.action != "update":
                reply = self._send(operation.call)
                body = reply.json() if reply.body else None
        except RejectedError as error:
            refusal = of_error(operation.change, error)
            conflict = refusal.kind == "conflict"
            return self._looked_at(operation, refusal) if conflict else refusal
        if operation.tags is not None and operation.change.action != "create":
            body = self._tagged(operation, body)
        return done(operation.change, body, operation.list_id)

    def _tagged(self, operation: Operation, answer: Any) -> dict[str, Any]:
        """Set the tags of a member whom the rest was written of; what is known of it then. Where
        they are refused they are told as they are, so that just they have not been taken."""
        told = {n: v for n, v in (answer or {}).items() if n not in ("tags", "tags_count")}
        try:
            self._set_tags(operation, operation.tags or frozenset())
        except RejectedError:
            if not operation.body:
                raise
            return {**told, "tags": (answer or {}).get("tags") or []}
        # The answer was given before: what it says of tags is over, and nothing says what is.
        return told

    def _looked_at(self, operation: Operation, refusal: Receipt) -> Receipt:
        """A conflict after a look at the member: none with one that is archived."""
        if operation.change.action == "archive":
            return self._archived(operation, refusal)
        if operation.change.action == "create":
            return self._brought_back(operation, refusal)
        return refusal

    def _brought_back(self, operation: Operation, refusal: Receipt) -> Receipt:
        """Un-archive the member who has the address of a new one. Others stay as they are."""
        asked = Call("GET", operation.path, route=ROUTE, params={"fields": "status"})
        try:
            if self._send(asked).json().get("status") != "archived":
                return refusal
        except GoneError:
            return refusal
        except (RejectedError, UnavailableError) as error:
            return of_error(operation.change, error)
        try:
            answer = self._send(operation.back).json()
        except UnavailableError as error:
            # It may be there by now: a second look would take it for somebody else's.
            change = operation.change
            return Receipt.unknown(change.trace, error.message, change.id)
        except RejectedError as error:
            return of_error(operation.change, error)
        if operation.tags is not None:
            try:
                answer = self._tagged(operation, answer)
            except LumioError:
                # Whatever keeps the tags from being set, the member is there.
                answer = {**answer, "tags": answer.get("tags") or []}
        return done(operation.change, answer, operation.list_id)

    def _archived(self, operation: Operation, refusal: Receipt) -> Receipt:
        """405 is the answer for a member that is archived already, and for one that may not be."""
        asked = Call("GET", operation.path, route=ROUTE, params={"fields": "status"})
        try:
            if self._send(asked).json().get("status") == "archived":
                return Receipt.done(operation.change.trace, operation.change.id)
        except GoneError:
            return Receipt.done(operation.change.trace, operation.change.id)
        except UnavailableError as error:
            return of_error(operation.change, error)
        return refusal

    def _set_tags(self, operation: Operation, wanted: frozenset[str]) -> None:
        """Give the member these tags and no others. Both requests may be repeated."""
        path, route = f"{operation.path}/tags", f"{ROUTE}/tags"
        asked = Call("GET", path, route=route, params={"count": str(MOST), "fields": "tags.name"})
        has = {str(tag["name"]) for tag in self._send(asked).json().get("tags") or ()}
        tags = [{"name": name, "status": "active"} for name in sorted(wanted - has)]
        tags += [{"name": name, "status": "inactive"} for name in sorted(has - wanted)]
        if tags:
            self._send(Call("POST", path, route=route, json={"tags": tags}, safe=True))

    # -- 500 at a time

    def _create(self, operations: Sequence[Operation]) -> Iterator[Receipt]:
        by_list: dict[str, list[Operation]] = defaultdict(list)
        for operation in operations:
            by_list[operation.list_id].append(operation)
        groups = [batch for group in by_list.values() for batch in in_batches(group, BATCH)]
        yield from write_batches(groups, self._create_batch, lambda o: o.change)

    def _create_batch(
        self, operations: list[Operation]
    ) -> tuple[list[Receipt], list[list[Operation]]]:
        """Create members of one audience. A batch that is refused whole is cut in two until the
        bad row stands alone."""
        list_id = operations[0].list_id
        body = {"members": [o.body for o in operations], "update_existing": False}
        path, route = f"/3.0/lists/{list_id}", "/3.0/lists/{list_id}"
        call = Call("POST", path, route=route, params=self._params, json=body, safe=False)
        try:
            answer = self._send(call).json()
        except LumioError as error:
            refused = isinstance(error, RejectedError) and not isinstance(error, GoneError)
            if refused and len(operations) > 1:
                return [], halves(operations)
            return [of_error(o.change, error) for o in operations], []
        told = settle_rows(list_id, operations, answer)
        return list(self._settled(operations, told)), []


def _more_than_row(operation: Operation) -> bool:
    """Whether a new member has what the rows of a batch have not."""
    return bool(operation.tags or (operation.body or {}).get("marketing_permissions"))


def settle_rows(
    list_id: str, operations: Sequence[Operation], answer: Mapping[str, Any]
) -> Iterator[Receipt]:
    """Receipts from the answer to a batch of members, whose rows are told apart by address. The
    status is 200 whatever became of them."""
    waiting: dict[str, deque[Operation]] = defaultdict(deque)
    for operation in operations:
        waiting[str((operation.body or {})["email_address"]).lower()].append(operation)

    def taken(row: Any) -> Operation | None:
        queue = waiting.get(str(row.get("email_address") or "").lower())
        return queue.popleft() if queue else None

    for row in [*(answer.get("new_members") or ()), *(answer.get("updated_members") or ())]:
        if (made := taken(row)) is not None:
            yield done(made.change, row, list_id)
    for error in answer.get("errors") or ():
        if (refused := taken(error)) is not None:
            exists = error.get("error_code") == "ERROR_CONTACT_EXISTS"
            message = " ".join(
                str(error.get(name)) for name in ("error", "field", "field_message")
                if error.get(name)
            )  # fmt: skip
            kind = "conflict" if exists else "validation"
            yield Receipt.failed(refused.change.trace, kind, message, refused.change.id)
    for queue in waiting.values():
        for operation in queue:
            said = "Mailchimp's answer does not name this address"
            yield Receipt.unknown(operation.change.trace, said, operation.change.id)
