"""Fields that a provider has, and does not tell this time: what the hub has of them stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from lumio_cli.hub.sqlite import records
from lumio_cli.hub.sqlite.records import Row
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.sync.pages import prepare


def told_before(
    db: sqlite3.Connection,
    provider: str,
    resource: Resource,
    rows: Sequence[Row],
    untold: frozenset[str],
    max_record: int,
) -> Sequence[Row]:
    """Return the rows, with what the hub has of the fields `untold` that they lack.

    The words are looked for in the payloads: who lacks none of them need not be taken apart.
    """
    lacking = [r for r in rows if not all(f'"{name}":' in r.payload for name in untold)]
    if not lacking or not records.has_table(db, provider, resource.name):
        return rows  # a preview may have no hub
    held = records.held(db, records.raw_table(provider, resource.name), [r.id for r in lacking])
    whole: dict[str, Row] = {}
    for row in lacking:
        if row.id in held:
            new, old = orjson.loads(row.payload), orjson.loads(held[row.id].payload)
            kept = _with(new, old, untold)
            whole |= {r.id: r for r in prepare(provider, resource, [kept], max_record).rows}
    return [whole.get(row.id, row) for row in rows] if whole else rows


def _with(new: dict[str, Any], old: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The record with what it had of `names`. An object within has it back only where nothing that
    is told of it has changed: it may be another address by now, or another customer."""
    kept = {name: value for name, value in old.items() if name in names and name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            whole = _with(value, before, names)
            kept[name] = whole if whole == before else value
    return new | kept
