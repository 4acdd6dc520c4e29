"""Adapters that invent values of typed columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lumio_cli.providers.contract.call import Record, Reply
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Column, Walk
from providers.mistakes import Broken, method, resource
from support.cases_values import SPOILT

Records = Callable[[Provider, Walk, Reply], list[Record]]


def _each(change: Callable[[Any], Any]) -> Callable[[Records], Records]:
    """All properties of a page's records, changed."""

    def make(good: Records) -> Records:
        def records(self: Provider, walk: Walk, reply: Reply) -> list[Record]:
            rows = good(self, walk, reply)
            for row in rows:
                row["properties"] = {n: change(v) for n, v in row["properties"].items()}
            return rows

        return records

    return make


def _without_offset(value: Any) -> Any:
    return f"{value[:-6]}Z" if str(value).endswith("+02:00") else value


VALUES: tuple[Broken, ...] = (
    Broken(
        "misfits",
        "a beginning of a text taken for the number",
        method("records", _each(lambda value: 1 if value == SPOILT else value)),
        "is not whole",
    ),
    Broken(
        "moments",
        "a name declared a moment",
        resource(columns=(Column("born", "properties.firstname", "datetime"),)),
        "no moment for SQLite",
    ),
    Broken(
        "moments",
        "milliseconds declared seconds",
        resource(columns=(Column("born", "properties.createdate", "epoch"),)),
        "no moment for SQLite",
    ),
    Broken(
        "moment_forms",
        "an offset that is thrown away",
        method("records", _each(_without_offset)),
        "have not the moments",
    ),
)
