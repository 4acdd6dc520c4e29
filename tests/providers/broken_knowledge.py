"""What the cases about what the hub knows must find out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.sync.dry_run_sink import DryRunSink
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.sync.pull.absence import Absence
from lumio_cli.transport.session import Session
from providers.mistakes import Broken, Spoil, method
from support.conformance import Subject


def _says_cached(cached: bool) -> Spoil:
    """A session that says so of every answer."""
    send = Session.send

    def saying(self: Session, *call: Any, **named: Any) -> Reply:
        reply = send(self, *call, **named)
        reply.cached = cached
        return reply

    return lambda _: patch.object(Session, "send", saying)


def _forgets_after_bulk(good: Callable[..., Any]) -> Callable[..., Any]:
    """After a bulk job all is asked for again, as if nothing were known."""
    jobs: list[Walk] = []

    def call(self: Any, walk: Walk) -> Call:
        if walk.options.get("bulk"):
            jobs.append(walk)
        elif jobs:
            walk = replace(walk, window=replace(walk.window, floor=None))
        sent: Call = good(self, walk)
        return sent

    return call


@contextmanager
def _keeps_orphans(subject: Subject) -> Iterator[None]:
    with patch.object(Absence, "orphan", lambda *_: None):
        yield


@contextmanager
def _knows_only_the_hub(subject: Subject) -> Iterator[None]:
    with patch.object(DryRunSink, "keys_after", HubSink.keys_after):
        yield


KNOWLEDGE = (
    Broken("preview_counts_all", "knows only the hub", _knows_only_the_hub, "a preview counts"),
    Broken("cached_is_not_fresh", "hides it", _says_cached(False), "is not called one"),
    Broken("cached_is_not_fresh", "all is cached", _says_cached(True), "is called cached"),
    Broken(
        "bulk_leaves_the_same_knowledge", "forgets all", method("call", _forgets_after_bulk),
        "after a bulk job",
        on="salesforce/leads",
    ),
    Broken("children_go_with_their_owner", "keeps them", _keeps_orphans, "of an owner that is"),
    Broken(
        "told_limits_are_believed", "is deaf", method("remaining", lambda _: lambda *_: ()),
        "was told",
    ),
)  # fmt: skip
