"""Adapters, and a core, that take merges for deletions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from sqlite3 import Connection
from unittest.mock import patch

from lumio_cli.hub.sqlite import merges
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.sync.merging import heirs
from providers.mistakes import Broken, Spoil, both, fact
from support.conformance import Subject

_tells_nothing: Spoil = both(
    fact(merged=Provider.merged), fact(survivors=Provider.survivors)
)  # what is gone is then deleted, for all that anybody knows


@contextmanager
def _overwrites(subject: Subject) -> Iterator[None]:
    with patch.object(heirs, "_is_empty", lambda *_: True):
        yield


@contextmanager
def _believes_others(subject: Subject) -> Iterator[None]:
    with patch.object(merges, "listed", lambda *_: set()):
        yield


@contextmanager
def _keeps_notes(subject: Subject) -> Iterator[None]:
    with patch.object(merges, "deny", merges.confirm):
        yield


@contextmanager
def _forgets(subject: Subject) -> Iterator[None]:
    def forget(db: Connection, provider: str, resource: str, ids: Iterable[str]) -> None:
        db.executemany(
            "DELETE FROM lumio_merged WHERE provider = ? AND resource = ? AND id = ?",
            ((provider, resource, i) for i in ids),
        )

    with patch.object(merges, "deny", forget):
        yield


@contextmanager
def _deletes_at_once(subject: Subject) -> Iterator[None]:
    with patch("lumio_cli.providers.hubspot.writes.survivors", lambda *_: {}):
        yield


MERGES = (
    Broken("merges_are_told", "says nothing of merges", _tells_nothing, "neither tells"),
    Broken("merged_is_gone", "says nothing of merges", _tells_nothing, "should not be there"),
    Broken("merged_edit_goes_on", "says nothing of merges", _tells_nothing, "the edit is lost"),
    Broken("merged_edit_waits", "overwrites the survivor", _overwrites, "exit code 0"),
    Broken(
        "merged_deletion_waits",
        "deletes without a look",
        both(_tells_nothing, _deletes_at_once),
        "exit code",
    ),
    Broken(
        "merged_meanwhile",
        "says nothing of merges",
        _tells_nothing,
        "created again",
    ),
    Broken("listed_is_alive", "believes others", _believes_others, "are missing"),
    Broken("listed_is_alive", "forgets what it has denied", _forgets, "names the other again"),
    Broken("back_after_a_merge", "keeps its notes", _keeps_notes, "part of another still"),
)
