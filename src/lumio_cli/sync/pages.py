"""From an answer's records to rows that can be stored, and letters for those that cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from lumio_cli.hub.sqlite.records import Row
from lumio_cli.hub.sqlite.runs import DeadLetter
from lumio_cli.hub.sqlite.state import Checkpoint
from lumio_cli.providers.contract.call import Record, dig
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.contract.values import as_id, moment

KEPT_PAYLOAD = 256 * 1024
"""Bytes of a bad record that are kept with its dead letter."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, ready to be stored.

    gone     ids that the page proves deleted (tombstones)
    became   ids of records that are others by now, as the page tells, with the others' ids; None:
             the provider never tells
    groups   parents whose records are all on this page: others of theirs are gone
    seen     whether unchanged records are to be remembered, for the sweep
    cursor   where the cursor may move with this page; None: not yet
    total    how many records the walk is expected to have
    volatile paths whose changes are not worth a line of a record's history
    hides    whether the provider says that it hides older records
    """

    provider: str
    resource: str
    kind: str
    rows: Sequence[Row]
    letters: Sequence[DeadLetter]
    checkpoint: Checkpoint
    gone: Sequence[str] = ()
    became: Mapping[str, str] | None = None
    groups: Sequence[str] = ()
    seen: bool = False
    cursor: str | None = None
    total: int | None = None
    volatile: frozenset[str] = frozenset()
    hides: bool = False


@dataclass(slots=True)
class Prepared:
    """A page's records, sorted into good and bad."""

    rows: list[Row] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


def prepare(provider: str, resource: Resource, records: Sequence[Any], max_record: int) -> Prepared:
    """Rows for the good records, dead letters for the bad; nothing here stops a page.

    The payload is the record's JSON with sorted keys, so that its digest does not depend on the
    order in which a provider happens to write its fields.
    """
    found = Prepared()
    rows = found.rows
    key, updated, group, ignore = resource.key, resource.updated, resource.group, resource.ignore
    plain_key = "." not in key
    kind = updated_kind(resource)
    for record in records:
        record_id = None
        if isinstance(record, dict):
            record_id = record.get(key) if plain_key else dig(record, key)
        checked = as_id(record_id)
        if checked is None:
            found.letters.append(_bad_id(provider, resource, record, record_id))
            continue
        try:
            payload = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
        except (orjson.JSONEncodeError, RecursionError) as error:
            found.letters.append(
                DeadLetter(
                    provider,
                    resource.name,
                    checked,
                    "bad_encoding",
                    f"the record holds text that is not valid Unicode: {error}",
                )
            )
            continue
        if len(payload) > max_record:
            found.letters.append(
                DeadLetter(
                    provider,
                    resource.name,
                    checked,
                    "too_large",
                    f"the record has {len(payload):,} bytes; at most {max_record:,} are stored "
                    "(sync.max_record)",
                )
            )
            continue
        digested = payload if not ignore else _without(record, ignore)
        when = record.get(updated) if updated else None
        rows.append(
            Row(
                checked,
                blake2b(digested, digest_size=16).digest(),
                moment(kind, when),
                _owner(record, group),
                payload.decode(),
            )
        )
    return found


def _owner(record: Record, group: str) -> str | None:
    """The parent that a record names, where its resource has any."""
    owner = dig(record, group) if group else None
    return str(owner) if owner is not None else None


def updated_kind(resource: Resource) -> str:
    """How the provider writes the time of a record's last change, as a column of it says."""
    kinds = (c.kind for c in resource.columns if c.path == resource.updated)
    return next((kind for kind in kinds if kind in ("epoch", "epoch_ms")), "datetime")


def _bad_id(provider: str, resource: Resource, record: Any, value: Any) -> DeadLetter:
    try:
        payload = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError):
        payload = repr(record).encode("utf-8", "replace")
    if value is None:
        kind, message = "no_id", f"the record has no {resource.key!r}"
    else:
        kind = "bad_id"
        what = type(value).__name__
        message = f"the record's {resource.key!r} is a {what}, not an id"
        if isinstance(value, str) and "\ufffd" in value:
            message = f"the record's {resource.key!r} holds what is no character"
    # Without an id of its own a bad record is known by its content, so that meeting it again is
    # the same failure and not another one.
    name = f"sha:{blake2b(payload, digest_size=8).hexdigest()}"
    return DeadLetter(
        provider,
        resource.name,
        name,
        kind,
        message,
        payload[:KEPT_PAYLOAD].decode("utf-8", "replace"),
    )


def _without(record: Record, ignore: Sequence[str]) -> bytes:
    """The record's canonical JSON, without the paths that change without meaning."""
    copy: dict[str, Any] = orjson.loads(orjson.dumps(record))
    for path in ignore:
        *parents, last = path.split(".")
        holder: Any = copy
        for part in parents:
            holder = holder.get(part) if isinstance(holder, Mapping) else None
        if isinstance(holder, dict):
            holder.pop(last, None)
    return orjson.dumps(copy, option=orjson.OPT_SORT_KEYS)
