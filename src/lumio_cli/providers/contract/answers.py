"""What writes of every provider have in common: errors as receipts, and batches that are halved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    CircuitOpenError,
    DeniedError,
    GoneError,
    LumioError,
    QuotaError,
    RejectedError,
    UnavailableError,
    UsageError,
)
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change

Item = TypeVar("Item")


def is_conflict(error: RejectedError) -> bool:
    """Return whether a refusal says that another record is in the way: by its status, 409."""
    return error.status == 409


def receipt_of(
    change: Change,
    error: LumioError | ValueError,
    *,
    scopes: Sequence[str] | None = None,
    conflict: Callable[[RejectedError], bool] = is_conflict,
) -> Receipt:
    """Return the receipt of a change whose request ended in `error`.

    A record that is to be archived and is gone is what was asked for. `scopes` are the missing
    ones of a `DeniedError` where they are not its own. A `ValueError` or a `UsageError` is about
    the values: nothing was sent. Raises `error` where it says nothing of this change.
    """
    if isinstance(error, DeniedError):
        return Receipt.failed(change.trace, "permission", denial(error, scopes), change.id)
    if isinstance(error, RejectedError) and conflict(error):
        return Receipt.failed(change.trace, "conflict", error.message, change.id)
    if isinstance(error, GoneError):
        if change.action == "archive":
            return Receipt.done(change.trace, change.id)
        return Receipt.failed(change.trace, "gone", error.message, change.id)
    if isinstance(error, RejectedError | UsageError):
        return Receipt.failed(change.trace, "validation", error.message, change.id)
    if isinstance(error, ValueError):
        return Receipt.failed(change.trace, "validation", str(error), change.id)
    if isinstance(error, UnavailableError):
        if error.code == OUTCOME_UNKNOWN:
            return unsettled(change, error.message)
        return Receipt.retry(change.trace, error.message, change.id)
    raise error


def denial(error: DeniedError, scopes: Sequence[str] | None = None) -> str:
    """Return what a refusal says, with the scopes that are missing."""
    missing = ", ".join(error.scopes if scopes is None else scopes)
    return f"{error.message}; missing scope: {missing}" if missing else error.message


def unsettled(change: Change, message: str) -> Receipt:
    """Return the receipt of a change of which nobody can say whether it was applied.

    Only a create would do harm if it were sent again: all others say what shall be true.
    """
    if change.action == "create":
        return Receipt.unknown(change.trace, message, change.id)
    return Receipt.retry(change.trace, message, change.id)


def in_batches(items: Sequence[Item], size: int) -> list[list[Item]]:
    """Return `items` in lists of at most `size`."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def halves(batch: Sequence[Item]) -> list[list[Item]]:
    """Return a batch of two or more in two parts: the way to the one item that spoils it."""
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


def write_batches(
    batches: Iterable[list[Item]],
    write: Callable[[list[Item]], tuple[Iterable[Receipt], list[list[Item]]]],
    change_of: Callable[[Item], Change],
) -> Iterator[Receipt]:
    """Yield the receipts of batches that are written one after the other.

    `write` returns receipts for what is settled, and what is to be sent again as batches (see
    `halves`): they come before the next one. Where it raises `DeniedError`, so it would be with all
    that is left, which is not worth a request each. Other errors of `write` pass through.
    """
    # Last in, first out.
    waiting = [*batches][::-1]
    while waiting:
        batch = waiting.pop()
        try:
            receipts, again = write(batch)
        except DeniedError as error:
            for item in (item for part in (batch, *waiting[::-1]) for item in part):
                yield receipt_of(change_of(item), error)
            return
        yield from receipts
        waiting.extend(part for part in again[::-1] if part)


def unanswered(changes: Sequence[Change], error: UnavailableError) -> list[Receipt]:
    """Return the receipts of changes of one action whose request got no answer.

    Raises `error` where certainly none was applied and the next request would fare no better: a
    quota is used up, the provider is left alone, or a create was not sent.
    """
    sent = error.code == OUTCOME_UNKNOWN or changes[0].action != "create"
    if isinstance(error, QuotaError | CircuitOpenError) or not sent:
        raise error
    return [unsettled(change, error.message) for change in changes]
