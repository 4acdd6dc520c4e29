"""Ways to break an adapter, each for as long as a test needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from lumio_cli.providers.contract.call import Call, Place, Record, Reply
from lumio_cli.providers.contract.paging import Paging
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Kind, Resource, Walk
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from lumio_cli.providers.contract.writing import Change
from support.conformance import Subject, altered

Spoil = Callable[[Subject], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Broken:
    """A mistake: the case that must find it, and what the case says of it (a pattern). `on`: the
    target that it is made on, where that is not the first of all."""

    case: str
    mistake: str
    spoil: Spoil
    says: str
    on: str = ""


# -- ways to break something


def fact(**values: Any) -> Spoil:
    """Other facts of the provider."""

    @contextmanager
    def spoil(subject: Subject) -> Iterator[None]:
        with patch.multiple(subject.cls, **values):
            yield

    return spoil


def resource(**values: Any) -> Spoil:
    """Other facts of the resource."""
    return lambda subject: altered(subject.declared, **values)


def cursor(**values: Any) -> Spoil:
    """Another cursor."""
    return lambda subject: altered(subject.declared.cursor, **values)


def oauth(**values: Any) -> Spoil:
    """Another login."""
    return lambda subject: altered(subject.cls.oauth, **values)


def method(name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Spoil:
    """Another method, made of the good one."""

    def spoil(subject: Subject) -> AbstractContextManager[Any]:
        return patch.object(subject.cls, name, make(getattr(subject.cls, name)))

    return spoil


def judged(**by_class: Outcome) -> Spoil:
    """Another verdict on a status: `s401=...`, or on all of a hundred: `s5xx=...`."""

    def make(good: Callable[..., Any]) -> Callable[..., Any]:
        def judge(self: Any, reply: Reply) -> Verdict | None:
            outcome = by_class.get(f"s{reply.status}") or by_class.get(f"s{reply.status // 100}xx")
            return good(self, reply) if outcome is None else Verdict(outcome)

        return judge

    return method("judge", make)


def rows(change: Callable[[list[Record], Walk], list[Record]]) -> Spoil:
    """Other records than the page holds."""

    def make(good: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, walk, reply: change(good(self, walk, reply), walk)

    return method("records", make)


def written(change: Callable[[Change], Change | None]) -> Spoil:
    """Other changes than those that were to be written; None is not written, but said to be."""

    def make(good: Callable[..., Any]) -> Callable[..., Any]:
        def write(self: Any, resource: Resource, changes: Sequence[Change], send: Any) -> Any:
            sent = [other for c in changes if (other := change(c)) is not None]
            yield from good(self, resource, sent, send) if sent else ()
            for c in changes:
                if change(c) is None:
                    yield Receipt(c.trace, "done", c.id or "1")

        return write

    return method("write", make)


def receipts(change: Callable[[Receipt], Receipt]) -> Spoil:
    """Other receipts than the right ones."""

    def make(good: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *more: [change(receipt) for receipt in good(self, *more)]

    return method("write", make)


def twice(good: Callable[..., Any]) -> Callable[..., Any]:
    def write(self: Any, *more: Any) -> Any:
        list(good(self, *more))
        return good(self, *more)

    return write


def both(*spoils: Spoil) -> Spoil:
    """Several mistakes at once."""

    @contextmanager
    def spoil(subject: Subject) -> Iterator[None]:
        with ExitStack() as stack:
            for one in spoils:
                stack.enter_context(one(subject))
            yield

    return spoil


NOTHING = written(lambda change: None)


def remembered() -> Spoil:
    """Each page as it was when it was first asked for."""

    def make(good: Callable[..., Any]) -> Callable[..., Any]:
        pages: dict[str, list[Record]] = {}

        def records(self: Any, walk: Walk, reply: Reply) -> list[Record]:
            return pages.setdefault(reply.url, good(self, walk, reply))

        return records

    return method("records", make)


def each(change: Callable[[Record], Record]) -> Spoil:
    """Each record changed."""
    return rows(lambda found, _: [change(record) for record in found])


def calls(change: Callable[[Call, Walk], Call]) -> Spoil:
    """Other requests."""

    def make(good: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, walk: change(good(self, walk), walk)

    return method("call", make)


def floor(move: Callable[[Any], Any]) -> Spoil:
    """Another beginning of the window."""

    def make(good: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, walk: Walk) -> Call:
            begin = walk.window.floor
            if walk.kind == "changes" and begin is not None:
                walk = replace(walk, window=replace(walk.window, floor=move(begin)))
            found: Call = good(self, walk)
            return found

        return call

    return method("call", make)


@dataclass(frozen=True)
class Astray:
    """A paging that goes wrong after `inner` has said where to go."""

    inner: Paging
    step: Callable[[Place, Place, Reply, Sequence[Record]], Place | None]
    back: Callable[[Place], Place] = dict

    def first(self, size: int) -> Place:
        return self.inner.first(size)

    def ask(self, call: Call, place: Place) -> Call:
        return self.inner.ask(call, self.back(place))

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        following = self.inner.next(self.back(place), reply, rows)
        return None if following is None else self.step(place, following, reply, rows)


def paging(
    kind: Kind,
    step: Callable[[Place, Place, Reply, Sequence[Record]], Place | None],
    back: Callable[[Place], Place] = dict,
) -> Spoil:
    """Another way from page to page."""

    def spoil(subject: Subject) -> AbstractContextManager[Any]:
        styles: Any = subject.declared.paging
        return patch.dict(styles, {kind: Astray(styles[kind], step, back)})

    return spoil
