"""What the cases about walks, clocks and bad values must find out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import orjson

from lumio_cli.core.errors import LumioError
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.paging import Token
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.hubspot.account import PRIVATE_APP
from lumio_cli.sync.pull.bounds import Bounds
from lumio_cli.sync.pull.resource_pull import Pull
from providers.mistakes import Broken, judged, method, resource, rows
from support.conformance import Subject


def _code(name: str, instead: Any) -> Any:
    """Another piece of lumio's own, wherever it is called by that name."""

    def spoil(subject: Subject) -> AbstractContextManager[Any]:
        return patch(f"lumio_cli.{name}", instead)

    return spoil


@contextmanager
def _ends_with_an_empty_page(subject: Subject) -> Iterator[None]:
    good = Token.next
    with patch.object(Token, "next", lambda *a: good(*a) if a[3] else None):
        yield


@contextmanager
def _counts_at_any_price(subject: Subject) -> Iterator[None]:
    with patch.object(Pull, "_expected", lambda p: p.provider.count(p.resource, p._send)):
        yield


@contextmanager
def _says_it_in_python(subject: Subject) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(
            patch("lumio_cli.sync.pull.slice_pull.understood", lambda _: nullcontext())
        )
        stack.enter_context(
            patch(
                "lumio_cli.sync.pull.resource_pull.unexpected",
                lambda _, error: LumioError(repr(error)),
            )
        )
        yield


@contextmanager
def _ends_the_run(subject: Subject) -> Iterator[None]:
    def end(self: Pull, error: LumioError) -> None:
        raise error

    with patch.object(Pull, "_end", end):
        yield


def _asks_once_more(good: Callable[..., Any]) -> Callable[..., Any]:
    """Whose account it is must be told whole."""

    def probe(self: Any, send: Any, credential: Any) -> Any:
        send(Call("POST", PRIVATE_APP, json={"tokenKey": credential.token})).json()
        return good(self, send, credential)

    return probe


_believes = _code("transport.attempt._date", lambda reply, ours: None)
_any_cursor = patch.object(Bounds, "good_cursor", lambda self, cursor: cursor)

WALKS = (
    Broken(
        "hollow_page",
        "an empty page is the end",
        _ends_with_an_empty_page,
        "are missing|exit code 3",
    ),
    Broken(
        "more_without_place",
        "no place is the end",
        resource(paging={"full": Token("paging.next.after", "after", "limit")}),
        "exit code|are missing",
    ),
    Broken("lost_paging", "counts roughly", resource(rough_count=True), "half of a listing"),
    Broken(
        "lost_place_deletes_nothing",
        "asks for nothing by id",
        method("alive", lambda _: lambda *_: ()),
        "were swept",
        on="pipedrive/deals",
    ),
    Broken(
        "hidden_is_kept",
        "has no horizon",
        resource(horizon=None),
        "exit code 3",
        on="shopify/orders",
    ),
    Broken("clock_ahead", "believes every clock", _believes, " > "),
    Broken("clock_far_ahead", "believes every clock", _believes, " > "),
    Broken(
        "cursor_in_the_future",
        "believes every cursor",
        lambda _: _any_cursor,
        "differs|exit code",
    ),
    Broken(
        "null_row",
        "passes over it",
        rows(lambda found, _: [row for row in found if row is not None]),
        "dropped in silence",
    ),
    Broken(
        "bad_value",
        "strict",
        _code("providers.contract.json_reading.read_json", orjson.loads),
        "exit code",
    ),
    Broken("refused_count", "must count", _counts_at_any_price, "exit code"),
    Broken("refused_help", "must count", _counts_at_any_price, "exit code"),
    Broken("refused_help", "must know its scopes", method("probe", _asks_once_more), "exit code"),
    Broken("cut_off", "says 3", _code("sync.run.exit_code_of", lambda _: 3), "exit code 3"),
    Broken("mistake_of_ours", "ends the run", _ends_the_run, "did not go on"),
    Broken("one_denied", "ends the run", _ends_the_run, "did not go on"),
    Broken(
        "one_denied", "takes it for the credential", judged(s403=Outcome.REFUSED), "go on|failed"
    ),
    Broken("mistake_of_ours", "says it in Python", _says_it_in_python, "names Python"),
)
