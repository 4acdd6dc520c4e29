"""What the cases about holds must find out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from lumio_cli.providers.contract.call import Reply
from providers.mistakes import Broken
from support.conformance import Subject


def _only_seconds(reply: Reply, clock: Any, longest: float) -> float | None:
    return reply.number("retry-after")


@contextmanager
def _reads_only_seconds(subject: Subject) -> Iterator[None]:
    with patch("lumio_cli.transport.default_verdicts.retry_after", _only_seconds):
        yield


@contextmanager
def _takes_seconds_for_milliseconds(subject: Subject) -> Iterator[None]:
    with patch("lumio_cli.transport.quota.retry_after.DAY", 1000):
        yield


@contextmanager
def _waits_for_years(subject: Subject) -> Iterator[None]:
    with ExitStack() as stack:
        for name in ("limiter.longest_hold", "limiter.longest_spent", "bounds.longest_hold"):
            stack.enter_context(patch(f"lumio_cli.transport.quota.{name}", lambda *_: 1e9))
        yield


@contextmanager
def _waits_out_an_outage(subject: Subject) -> Iterator[None]:
    with patch("lumio_cli.transport.quota.limiter.OUTAGE", math.inf):
        yield


@contextmanager
def _one_for_all(subject: Subject) -> Iterator[None]:
    with patch("lumio_cli.transport.session.whose", lambda account, base_url: account):
        yield


@contextmanager
def _keeps_it_to_itself(subject: Subject) -> Iterator[None]:
    with patch("lumio_cli.transport.retry.come_back", lambda *_, **__: "run it again later"):
        yield


HOLDS = (
    Broken("retry_after_forms", "seconds only", _reads_only_seconds, "is a hold of"),
    Broken("retry_after_forms", "too soon", _takes_seconds_for_milliseconds, "is a hold of 1 s"),
    Broken("hold_in_proportion", "waits for years", _waits_for_years, "is a hold of"),
    Broken("hold_in_proportion", "waits out an outage", _waits_out_an_outage, "is an outage of"),
    Broken("hold_in_proportion", "says no more", _keeps_it_to_itself, "run it again later"),
    Broken("hold_of_one_origin", "one for all", _one_for_all, "exit code 5"),
)
