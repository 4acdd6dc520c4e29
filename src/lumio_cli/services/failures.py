"""What `lumio failures` does: records that could not be stored, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lumio_cli.clock import format_timestamp, parse_time
from lumio_cli.errors import UsageError
from lumio_cli.hub import records, runs
from lumio_cli.hub.runs import DeadLetter
from lumio_cli.services.runlocks import busy_error, target_lock
from lumio_cli.sync.pages import prepare

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.hub.records import Row
    from lumio_cli.providers.base import Resource
    from lumio_cli.runtime import Runtime

Letter = dict[str, Any]

EVERYTHING = 1 << 40


def list_failures(
    runtime: Runtime, target: str | None = None, *, include_closed: bool = False, limit: int = 100
) -> list[Letter]:
    """Dead letters, newest first, without payloads. Raises `UsageError` for an unknown target."""
    provider, resource = _parse(target)
    reader = runtime.hub_reader
    if reader is None:
        return []
    return runs.list_dead_letters(
        reader.connection, provider, resource, include_resolved=include_closed, limit=limit
    )


def show_failure(runtime: Runtime, letter_id: int) -> Letter:
    """One dead letter. Its `payload` comes last, decoded where it is JSON, else as it was kept.

    Raises `UsageError` where there is none of that id.
    """
    letter = _find(runtime, [letter_id])[0]
    letter["payload"] = letter.pop("payload")
    if letter["payload"] is not None:
        # It may be cut, or not JSON to begin with: then the text is what there is to see.
        with suppress(ValueError):
            letter["payload"] = json.loads(letter["payload"])
    return letter


@dataclass(frozen=True, slots=True)
class Dropped:
    """Ids of the dead letters that are closed now, and of those that were closed before."""

    dropped: tuple[int, ...]
    closed_before: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {"dropped": list(self.dropped), "closed_before": list(self.closed_before)}


def drop(runtime: Runtime, ids: Sequence[int], *, yes: bool) -> Dropped:
    """Close dead letters by hand. Asks unless `yes`.

    Raises `UsageError` for an unknown id (then none is closed) and where it is not confirmed.
    """
    letters = _find(runtime, ids)
    count = "1 record" if len(letters) == 1 else f"{len(letters)} records"
    runtime.prompt.confirm(
        f"lumio will not try {count} again, unless the provider sends them anew.",
        name="drop",
        yes=yes,
    )
    now = format_timestamp(runtime.clock.time())
    with runtime.hub.transaction() as db:
        dropped = [
            x["id"] for x in letters if runs.resolve_dead_letter(db, x["id"], "dropped", now)
        ]
    before = [x["id"] for x in letters if x["id"] not in dropped]
    return Dropped(tuple(dropped), tuple(before))


@dataclass(slots=True)
class Retried:
    """What became of each dead letter: stored at last, failed again, or left, since the record
    itself was not kept.
    """

    stored: list[Letter] = field(default_factory=list)
    failed: list[Letter] = field(default_factory=list)
    left: list[Letter] = field(default_factory=list)

    @property
    def open(self) -> list[Letter]:
        """What is still open."""
        return [*self.failed, *self.left]

    @property
    def targets_left(self) -> list[str]:
        """The targets that have to be read again for the letters that were left."""
        return sorted({f"{x['provider']}/{x['resource']}" for x in self.left})

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "stored": [_short(letter) for letter in self.stored],
            "failed": [_short(letter) for letter in self.failed],
            "left": [_short(letter) for letter in self.left],
            "hints": [f"lumio sync {target} --mode full" for target in self.targets_left],
        }


def retry(runtime: Runtime, ids: Sequence[int] = ()) -> Retried:
    """Process kept records again, with today's settings; no ids: all that are open.

    One transaction a resource. Raises `UsageError` for an unknown id, `BusyError` where a run
    holds a resource, `HubError`.
    """
    done = Retried()
    if ids:
        letters = [x for x in _find(runtime, ids) if x["resolved_at"] is None]
    else:
        letters = list_failures(runtime, limit=EVERYTHING)
    letters.sort(key=_target)
    for (provider, resource), group in groupby(letters, key=_target):
        _retry_resource(runtime, runtime.provider(provider).resource(resource), list(group), done)
    return done


def _target(letter: Letter) -> tuple[str, str]:
    return letter["provider"], letter["resource"]


def _retry_resource(
    runtime: Runtime, resource: Resource, letters: Sequence[Letter], done: Retried
) -> None:
    provider = letters[0]["provider"]
    limit, now = runtime.settings.sync.max_record, format_timestamp(runtime.clock.time())
    with _locked(runtime, provider, resource.name), runtime.hub.transaction() as db:
        records.ensure_table(db, provider, resource.name)
        for listed in letters:
            # One payload at a time: each may have a quarter of a megabyte.
            letter = runs.read_dead_letter(db, listed["id"]) or listed
            record = _record(letter)
            if record is None:
                done.left.append(letter)
                continue
            prepared = prepare(provider, resource, [record], limit)
            for again in prepared.letters:
                runs.add_dead_letters(db, [_same(letter, again)], letter["run_id"], now)
                done.failed.append(runs.read_dead_letter(db, letter["id"]) or letter)
            for row in prepared.rows:
                _store(db, provider, resource, row, now)
                runs.resolve_dead_letter(db, letter["id"], "stored", now)
                runs.resolve_stored(db, provider, resource.name, [row.id], now)
                done.stored.append({**letter, "record_id": row.id})


@contextmanager
def _locked(runtime: Runtime, provider: str, resource: str) -> Iterator[None]:
    """No run is at the resource meanwhile: it may be about to store the same records."""
    lock = target_lock(runtime.paths.locks, provider, resource, what="lumio failures retry")
    if not lock.try_acquire():
        raise busy_error(f"{provider}/{resource}", lock.holder())
    try:
        yield
    finally:
        lock.release()


def _record(letter: Letter) -> Any:
    """The record as the provider sent it; None where it was not kept, or not whole."""
    if letter["payload"] is None or letter["direction"] != "pull":
        return None
    try:
        return json.loads(letter["payload"])
    except ValueError:
        return None


def _same(letter: Letter, again: DeadLetter) -> DeadLetter:
    """The new failure of an old letter: it stays that letter, and keeps its record."""
    return replace(again, record_id=letter["record_id"], payload=letter["payload"])


def _store(db: sqlite3.Connection, provider: str, resource: Resource, row: Row, now: str) -> None:
    """Store a row, unless the hub holds a version of the record that is not older."""
    table = records.raw_table(provider, resource.name)
    found = records.compare(db, table, [row])
    if found.unchanged or (found.updated and not _is_newer(db, table, resource, row)):
        return
    records.upsert(db, table, [row], records.next_seq(db), now)
    records.add_records(db, provider, resource.name, len(found.created))


def _is_newer(db: sqlite3.Connection, table: str, resource: Resource, row: Row) -> bool:
    """Whether a kept record is newer than the hub's; where nobody can say, the hub's stays."""
    held = json.loads(records.payload_of(db, table, row.id) or "{}").get(resource.updated)
    try:
        return parse_time(str(row.updated_at)) > parse_time(str(held))
    except ValueError:
        return False


def _find(runtime: Runtime, ids: Sequence[int]) -> list[Letter]:
    """The dead letters of these ids, in their order. Raises `UsageError` for one that is not."""
    reader = runtime.hub_reader
    found = {}
    for letter_id in dict.fromkeys(ids):
        letter = None
        if reader is not None and 0 < letter_id < 1 << 63:  # more than that SQLite cannot hold
            letter = runs.read_dead_letter(reader.connection, letter_id)
        if letter is None:
            raise UsageError(
                f"there is no failure {letter_id}", hint="`lumio failures list --all` shows them"
            )
        found[letter_id] = letter
    return list(found.values())


def _parse(target: str | None) -> tuple[str | None, str | None]:
    """Provider and resource of a target. Raises `UsageError` for names that do not exist."""
    if target is None:
        return None, None
    from lumio_cli.providers.base import suggest
    from lumio_cli.providers.registry import provider_class

    name, slash, resource = target.partition("/")
    known = [r.name for r in provider_class(name).resources]
    if slash and resource not in known:
        raise UsageError(
            f"{name} has no resource {resource!r}", hint=suggest(resource, known, "resources")
        )
    return name, resource or None


def _short(letter: Letter) -> Letter:
    """A letter without its payload, for lists."""
    return {name: value for name, value in letter.items() if name != "payload"}
