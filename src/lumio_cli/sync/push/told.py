"""What a provider's module tells of a batch that it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    BadReplyError,
    GoneError,
    LumioError,
    RejectedError,
)
from lumio_cli.hub.edits import Edit
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.contract.writing import Change, Writing
from lumio_cli.sync.mishaps import understood


class Told:
    """What the provider's module tells of one batch, receipt by receipt.

    error    why it ended early
    clean    nothing was sent so far that changes anything
    """

    def __init__(self, provider: Writing, target: str, send: Callable[[Call], Reply]) -> None:
        self._provider = provider
        self._target = target
        self._to = send
        self._receipts: Iterator[Receipt] | None = None
        self.error: LumioError | None = None
        self.clean = True

    def next(
        self, resource: Resource, changes: Sequence[Change], waiting: dict[str, Edit]
    ) -> tuple[Edit, Receipt] | None:
        """The next edit that is told of, taken out of those that wait; None at the end."""
        try:
            with understood(self._target):
                if self._receipts is None:
                    self._receipts = iter(self._provider.write(resource, changes, self._send))
                receipt = next(self._receipts, None)
                return None if receipt is None else (waiting.pop(receipt.trace), receipt)
        except LumioError as error:
            self.error = error
            return None

    def _send(self, call: Call) -> Reply:
        self.clean = self.clean and call.method == "GET"
        return self._to(call)

    @property
    def puzzled(self) -> bool:
        """Whether it could not put a value into words. Answers are not of this kind: what is wrong
        with them is another error."""
        cause = None if self.error is None else self.error.__cause__
        return self.clean and isinstance(cause, ArithmeticError | RecursionError)

    @property
    def refused(self) -> bool:
        """Whether the error is about what was to be written, and no reason to write nothing else.
        That something is not there is not about a record: a receipt would say so of one.
        """
        rejected = isinstance(self.error, RejectedError) and not isinstance(self.error, GoneError)
        return rejected or self.puzzled


def unanswered(edit: Edit, told: Told) -> Receipt:
    """The receipt of a change that the provider's module gave none for."""
    error = told.error
    if error is None:
        return Receipt(edit.trace, "unknown", message="the adapter gave no receipt")
    if told.refused:
        why = f"lumio cannot write its values: {error.__cause__}" if told.puzzled else error.message
        return Receipt(edit.trace, "failed", kind="validation", message=why)
    unread = isinstance(error, BadReplyError) and not told.clean
    in_doubt = error.code == OUTCOME_UNKNOWN or unread
    return Receipt(edit.trace, "unknown" if in_doubt else "retry", message=error.message)
