"""What `lumio failures` does: records that could not be stored, edits that were refused, and what
becomes of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_timestamp, parse_time
from lumio_cli.core.errors import UsageError
from lumio_cli.hub.edit_events import Requeued
from lumio_cli.hub.edits import State, after
from lumio_cli.hub.sqlite import outbox, records, runs
from lumio_cli.hub.sqlite.runs import DeadLetter
from lumio_cli.providers.contract.values import moment
from lumio_cli.services import NO_LIMIT
from lumio_cli.services.syncing.targets import parse_target
from lumio_cli.sync.pages import prepare, updated_kind
from lumio_cli.sync.run_locks import hold_target

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.hub.edits import Edit
    from lumio_cli.hub.sqlite.records import Row
    from lumio_cli.providers.contract.resource import Resource
    from lumio_cli.runtime import Runtime

Letter = dict[str, Any]


def list_failures(
    runtime: Runtime, target: str | None = None, *, include_closed: bool = False, limit: int = 100
) -> list[Letter]:
    """Dead letters, newest first, without payloads. Raises `UsageError` for an unknown target."""
    provider, resource = (None, None) if target is None else parse_target(target)
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
    """Ids of the dead letters that are closed now, and of those that were closed before; of the
    first, those whose edits were taken out of the outbox."""

    dropped: tuple[int, ...]
    closed_before: tuple[int, ...]
    edits: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "dropped": list(self.dropped),
            "closed_before": list(self.closed_before),
            "edits_dropped": list(self.edits),
        }


def drop(runtime: Runtime, ids: Sequence[int], *, yes: bool) -> Dropped:
    """Close dead letters by hand; edits that were refused are edits no longer. Asks unless `yes`.

    Raises `UsageError` for an unknown id (then none is closed) and where it is not confirmed.
    """
    letters = _find(runtime, ids)
    runtime.prompt.confirm(_warning(letters), name="drop", yes=yes)
    now = format_timestamp(runtime.clock.time())
    dropped, edits = [], []
    with runtime.hub.transaction() as db:
        for letter in letters:
            if not runs.resolve_dead_letter(db, letter["id"], "dropped", now):
                continue
            dropped.append(letter["id"])
            edit = _edit(db, letter)
            # One that was edited since is another edit, which nobody has refused yet.
            if edit is not None and edit.status is State.FAILED:
                outbox.drop(db, edit.provider, edit.resource, edit.record)
                edits.append(letter["id"])
    before = [x["id"] for x in letters if x["id"] not in dropped]
    return Dropped(tuple(dropped), tuple(before), tuple(edits))


def _warning(letters: Sequence[Letter]) -> str:
    """What dropping these comes to."""
    pushes = sum(letter["direction"] == "push" for letter in letters)
    pulls = len(letters) - pushes
    words = []
    if pulls:
        count = "1 record" if pulls == 1 else f"{pulls} records"
        words.append(f"lumio will not try {count} again, unless the provider sends them anew.")
    if pushes:
        count = "1 record" if pushes == 1 else f"{pushes} records"
        words.append(f"The refused edits of {count} are lost: the hub shows the provider's values.")
    return " ".join(words)


def _edit(db: sqlite3.Connection, letter: Letter) -> Edit | None:
    """The edit that a dead letter is about, if it is still there."""
    if letter["direction"] != "push":
        return None
    return outbox.find(db, letter["provider"], letter["resource"], letter["record_id"])


@dataclass(slots=True)
class Retried:
    """What became of each dead letter: stored at last, failed again, or left, since the record
    itself was not kept; of refused edits: pending again, or closed, since there is none any more.
    """

    stored: list[Letter] = field(default_factory=list)
    failed: list[Letter] = field(default_factory=list)
    left: list[Letter] = field(default_factory=list)
    pending: list[Letter] = field(default_factory=list)
    closed: list[Letter] = field(default_factory=list)

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
            "pending": [_short(letter) for letter in self.pending],
            "closed": [_short(letter) for letter in self.closed],
            "hints": [f"lumio sync {target} --mode full" for target in self.targets_left],
        }


def retry(runtime: Runtime, ids: Sequence[int] = ()) -> Retried:
    """Process kept records again, with today's settings, and let refused edits be pushed again; no
    ids: all that are open.

    One transaction a resource. Raises `UsageError` for an unknown id, `BusyError` where a run
    holds a resource, `HubError`.
    """
    done = Retried()
    if ids:
        letters = [x for x in _find(runtime, ids) if x["resolved_at"] is None]
    else:
        letters = list_failures(runtime, limit=NO_LIMIT)
    _retry_edits(runtime, [x for x in letters if x["direction"] == "push"], done)
    letters = [x for x in letters if x["direction"] == "pull"]
    letters.sort(key=_target)
    for (provider, resource), group in groupby(letters, key=_target):
        _retry_resource(runtime, runtime.provider(provider).resource(resource), list(group), done)
    return done


def _retry_edits(runtime: Runtime, letters: Sequence[Letter], done: Retried) -> None:
    """Let the next push send them; it opens the letter anew where they are refused again."""
    if not letters:
        return
    now = format_timestamp(runtime.clock.time())
    with runtime.hub.transaction() as db:
        for letter in letters:
            edit = _edit(db, letter)
            if edit is None:
                runs.resolve_dead_letter(db, letter["id"], "needless", now)
                done.closed.append(letter)
                continue
            if edit.status is State.FAILED:
                outbox.save(db, after(edit, Requeued()))
            runs.resolve_dead_letter(db, letter["id"], "pending", now)
            done.pending.append(letter)


def _target(letter: Letter) -> tuple[str, str]:
    return letter["provider"], letter["resource"]


def _retry_resource(
    runtime: Runtime, resource: Resource, letters: Sequence[Letter], done: Retried
) -> None:
    provider = letters[0]["provider"]
    limit, now = runtime.settings.sync.max_record, format_timestamp(runtime.clock.time())
    locks = runtime.paths.locks
    with (
        # No run is at the resource meanwhile: it may be about to store the same records.
        hold_target(locks, provider, resource.name, "lumio failures retry"),
        runtime.hub.transaction() as db,
    ):
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


def _record(letter: Letter) -> Any:
    """The record as the provider sent it; None where it was not kept, or not whole."""
    if letter["payload"] is None:
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
    payload = json.loads(records.payload_of(db, table, row.id) or "{}")
    held = moment(updated_kind(resource), payload.get(resource.updated))
    if row.updated_at is None or held is None:
        return False
    return parse_time(row.updated_at) > parse_time(held)


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


def _short(letter: Letter) -> Letter:
    """A letter without its payload, for lists."""
    return {name: value for name, value in letter.items() if name != "payload"}
