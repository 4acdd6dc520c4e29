"""Adapters that say what was sent in the place of what they were answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from lumio_cli.providers.contract.call import Send
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.contract.values import put
from lumio_cli.providers.contract.writing import Change
from providers.mistakes import Broken, method


def _invented(good: Callable[..., Any]) -> Callable[..., Any]:
    """`write`, with records that are made of what was sent."""

    def write(
        self: Any, resource: Resource, changes: Sequence[Change], send: Send
    ) -> Iterator[Receipt]:
        columns = {column.name: column for column in resource.columns}
        sent = {change.trace: change.values for change in changes}
        for receipt in good(self, resource, changes, send):
            record: dict[str, Any] = {"id": receipt.id}
            for name, value in sent[receipt.trace].items():
                put(record, columns[name].path, self.shown(columns[name], value))
            yield replace(receipt, record=record) if receipt.status == "done" else receipt

    return write


INVENTED = method("write", _invented)
SAYS = "an answer made of what was sent"
WRITES: tuple[Broken, ...] = (
    Broken(
        "push_outage",
        "takes any JSON for a word of the provider",
        method("is_error", lambda good: lambda self, body: True),
        "'failed'",
    ),
    Broken("push_reformed", SAYS, INVENTED, r"\[\]"),
    Broken("push_not_taken", SAYS, INVENTED, "nobody was told"),
    Broken("push_first_reading", SAYS, INVENTED, "exit code 3"),
)
