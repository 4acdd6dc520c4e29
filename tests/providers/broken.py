"""Adapters with one mistake each, made of a good one for as long as a test needs."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from lumio_cli.providers.base import (
    Call,
    Column,
    Field,
    Identity,
    Kind,
    Outcome,
    Place,
    Quota,
    Record,
    Reply,
    Resource,
    Verdict,
    Walk,
    dig,
)
from lumio_cli.providers.paging import Paging
from lumio_cli.providers.writing import Change, Receipt
from support.conformance import Subject, altered

Spoil = Callable[[Subject], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Broken:
    """A mistake: the case that must find it, and what the case says of it (a pattern)."""

    case: str
    mistake: str
    spoil: Spoil
    says: str


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


def _twice(good: Callable[..., Any]) -> Callable[..., Any]:
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
            return good(self, walk)

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


# -- mistakes


def _ascii(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False).encode("ascii", "replace")
    return json.loads(text)


def _anonymous(good: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, send, credential: Identity("", "")


def _shown(good: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, send, credential: Identity("1", f"account of {credential.token}")


def _impatient(good: Callable[..., Any]) -> Callable[..., Any]:
    def judge(self: Any, reply: Reply) -> Verdict | None:
        return Verdict(Outcome.THROTTLED, retry_after=0.0) if reply.status == 429 else None

    return judge


def _writing(good: Callable[..., Any]) -> Callable[..., Any]:
    def fill(self: Any, walk: Walk, records: list[Record], send: Any) -> list[Record]:
        body = {"properties": {"city": "a mark"}}
        send(Call("POST", f"/crm/objects/2026-03/{walk.resource.name}", json=body))
        return list(good(self, walk, records, send))

    return fill


def _own_client(subject: Subject) -> AbstractContextManager[Any]:
    """Follows links by itself, with the credential that it remembers."""
    known: list[str] = []

    def authorize(self: Any, call: Call, credential: Any) -> Mapping[str, str]:
        known.append(credential.token)
        return {"Authorization": f"Bearer {credential.token}"}

    def records(self: Any, walk: Walk, reply: Reply) -> list[Record]:
        body = reply.json()
        link = dig(body, "paging.next.link")
        if link and walk.kind == "full":
            headers = {"Authorization": f"Bearer {known[-1]}"}
            urllib.request.urlopen(urllib.request.Request(link, headers=headers)).close()
        return list(body["results"])

    return patch.multiple(subject.cls, authorize=authorize, records=records)


def _own_redirects(subject: Subject) -> AbstractContextManager[Any]:
    """Follows redirects by itself, with the credential that it remembers."""
    known: list[str] = []

    def authorize(self: Any, call: Call, credential: Any) -> Mapping[str, str]:
        known.append(credential.token)
        return {"Authorization": f"Bearer {credential.token}"}

    def judge(self: Any, reply: Reply) -> Verdict | None:
        if reply.status == 302:
            headers = {"Authorization": f"Bearer {known[-1]}"}
            target = reply.headers["location"]
            urllib.request.urlopen(urllib.request.Request(target, headers=headers)).close()
        return None

    return patch.multiple(subject.cls, authorize=authorize, judge=judge)


TOKEN = Field("token", "A token", secret=False)
KNOWN = {"id", "properties", "createdAt", "updatedAt"}
ALL: tuple[Broken, ...] = (
    Broken("names", "a resource with a hyphen", resource(name="the-contacts"), "identifier"),
    Broken("names", "another name than its own", fact(name="hubspott"), "is found as"),
    Broken("hosts", "a wildcard", fact(hosts=("*.hubapi.com",)), "bare host name"),
    Broken("hosts", "a URL", fact(hosts=("https://api.hubapi.com",)), "bare host name"),
    Broken("hosts", "a base URL elsewhere", fact(base_url="https://api.example.com"), "not among"),
    Broken("hosts", "plain HTTP", fact(base_url="http://api.hubapi.com"), "not https"),
    Broken("foreign_hosts", "all subdomains", fact(hosts=("*.hubapi.com",)), "would go to"),
    Broken("quotas", "a count of nothing", fact(quotas=(Quota("burst", 0),)), "nothing pass"),
    Broken("quotas", "no time", fact(quotas=(Quota("burst", 1, 0.0),)), "a span of"),
    Broken("quotas", "a name twice", fact(quotas=(Quota("q", 1), Quota("q", 2))), "not unique"),
    Broken(
        "columns",
        "a name twice",
        resource(columns=(Column("a", "a"), Column("A", "b"))),
        "not unique",
    ),
    Broken("columns", "the hub's own name", resource(columns=(Column("id", "id"),)), "hub's own"),
    Broken("columns", "no path", resource(columns=(Column("a", ""),)), "cannot be read"),
    Broken("scopes", "a resource without", resource(scopes=()), "names no scope"),
    Broken("scopes", "an empty one", resource(scopes=("",)), "a scope ''"),
    Broken("scopes", "a login without them", oauth(scopes=("oauth",)), "does not ask for"),
    Broken("walks", "no paging for tombstones", resource(paging={"full": None}), "no paging for"),
    Broken("walks", "no deletions", resource(deletes=()), "nothing uses|never be seen"),
    Broken("walks", "a lookback into the future", cursor(lookback=-60.0), "negative"),
    Broken("walks", "pages of nothing", resource(page_size={"full": 0}), "empty page"),
    Broken("fields", "a token that is not secret", fact(credential=(TOKEN,)), "is secret"),
    Broken("fields", "no guide", fact(guide=()), "no guide"),
    Broken("connect", "an account without an id", method("probe", _anonymous), "without a name"),
    Broken("connect", "a token in its name", method("probe", _shown), "leaked"),
    Broken("wrong_credential", "401 swallowed", judged(s401=Outcome.OK), "not about the"),
    Broken("wrong_credential", "401 retried", judged(s401=Outcome.RETRY), "not about the"),
    Broken("expired", "401 swallowed", judged(s401=Outcome.OK), "not about the"),
    Broken("refresh", "no renewal", judged(s401=Outcome.REFUSED), "not renewed"),
    Broken("denied", "403 retried", judged(s403=Outcome.RETRY), "not skipped"),
    Broken("denied", "403 as a bad token", judged(s403=Outcome.REFUSED), "not skipped"),
    Broken("full", "drops a record", rows(lambda found, _: found[:-1]), "not all came"),
    Broken(
        "full",
        "a value that changes",
        each(lambda r: {**r, "seen_at": id(r)}),
        "not the same",
    ),
    Broken(
        "edges",
        "drops the last page",
        paging("full", lambda place, following, reply, rows: None),
        "were read",
    ),
    Broken(
        "edges",
        "drops full pages",
        rows(lambda found, walk: [] if len(found) == walk.resource.page_size["full"] else found),
        "were read",
    ),
    Broken(
        "fresh",
        "pages of an earlier run",
        remembered(),
        "missing|differs",
    ),
    Broken("nothing_changed", "no floor", floor(lambda begin: None), "did not change"),
    Broken(
        "new_records",
        "a floor that is too late",
        floor(lambda begin: begin + timedelta(hours=2)),
        "'read': 0",
    ),
    Broken(
        "one_change",
        "a floor that is too late",
        floor(lambda begin: begin + timedelta(hours=2)),
        "'read': 0",
    ),
    Broken(
        "many_changes",
        "one page of changes",
        paging("changes", lambda place, following, reply, rows: None),
        "changes came",
    ),
    Broken(
        "equal_times",
        "an exclusive floor",
        floor(lambda begin: begin + timedelta(milliseconds=1)),
        "differs",
    ),
    Broken(
        "equal_times",
        "skips equal times on the next page",
        paging("changes", lambda place, following, reply, rows: None),
        "differs",
    ),
    Broken("change_during_walk", "begins too late", cursor(lookback=-60.0), "missing|differs"),
    Broken("tombstones", "forgets them", resource(deletes=("sweep",)), "deletions were seen"),
    Broken("sweep", "forgets it", resource(deletes=("tombstones",)), "deletions were seen"),
    Broken(
        "empty",
        "a record for nothing",
        rows(lambda found, walk: found or ([{"id": "none"}] if walk.kind == "full" else [])),
        "deleted 3 records",
    ),
    Broken(
        "loop",
        "numbers its pages",
        paging(
            "full",
            lambda place, following, reply, rows: {**following, "page": place.get("page", 0) + 1},
        ),
        "in circles",
    ),
    Broken(
        "places",
        "a tuple",
        paging(
            "full",
            lambda place, following, reply, rows: {**following, "token": (following["token"],)},
            lambda place: {**place, "token": place["token"][0]} if "token" in place else place,
        ),
        "no plain JSON",
    ),
    Broken(
        "places",
        "bytes",
        paging("full", lambda place, following, reply, rows: {**following, "token": b"1"}),
        "is no JSON",
    ),
    Broken(
        "places",
        "repeats a page",
        paging(
            "full",
            lambda place, following, reply, rows: (
                following if place.get("again") else {**place, "again": True}
            ),
        ),
        "came twice",
    ),
    Broken(
        "resume",
        "loses its place in a checkpoint",
        paging(
            "full",
            lambda place, following, reply, rows: {"size": place["size"], 1: following["token"]},
            lambda place: {"size": place["size"], **({"token": place[1]} if 1 in place else {})},
        ),
        "after 2 pages",
    ),
    Broken("big_ids", "floats", each(lambda r: {**r, "id": str(int(float(r["id"])))}), "changed"),
    Broken("big_ids", "numbers", each(lambda r: {**r, "id": float(r["id"])}), "id has changed"),
    Broken(
        "bad_record",
        "dropped in silence",
        rows(lambda found, _: [r for r in found if "id" in r]),
        "in silence",
    ),
    Broken(
        "unknown_fields",
        "keeps what it knows",
        each(lambda r: {k: v for k, v in r.items() if k in KNOWN}),
        "lost what is not known",
    ),
    Broken("unicode", "plain ASCII", each(_ascii), "text has changed"),
    Broken("preview", "writes while it reads", method("fill", _writing), "changed the provider"),
    Broken("429_with_retry_after", "impatient", method("judge", _impatient), "instead of"),
    Broken("429_without_retry_after", "gives up", judged(s429=Outcome.REJECTED), "exit code"),
    Broken("429_without_retry_after", "a day", judged(s429=Outcome.EXHAUSTED), "exit code"),
    Broken("5xx", "gives up", judged(s5xx=Outcome.REJECTED), "exit code"),
    Broken(
        "truncated",
        "may not be repeated",
        calls(lambda call, _: replace(call, safe=False)),
        "exit code",
    ),
    Broken("quota_is_kept", "knows of none", fact(quotas=()), "over a quota"),
    Broken("foreign_links", "a client of its own", _own_client, "to another host"),
    Broken("foreign_redirects", "a client of its own", _own_redirects, "to another host"),
    Broken("push_updates", "writes nothing", NOTHING, "at the provider"),
    Broken("push_creates", "writes twice", method("write", _twice), "exit code"),
    Broken("push_deletes", "deletes nothing", NOTHING, "is still there"),
    Broken(
        "push_one_bad_item",
        "all is well",
        receipts(lambda receipt: replace(receipt, status="done")),
        "exit code 0 instead of 3",
    ),
    Broken(
        "push_lost_create",
        "sends again what may be there",
        receipts(
            lambda receipt: (
                replace(receipt, status="retry") if receipt.status == "unknown" else receipt
            )
        ),
        "exit code",
    ),
    Broken(
        "push_merges_fields",
        "writes more than was changed",
        written(lambda change: replace(change, values={**change.values, "city": "Natal"})),
        "not 'Theirs'",
    ),
    Broken(
        "push_conflict",
        "looks too late",
        floor(lambda begin: begin + timedelta(days=1)),
        "exit code 0 instead of 3",
    ),
    Broken(
        "push_edited_and_gone",
        "sees no deletion",
        both(resource(deletes=()), NOTHING),
        "exit code 0 instead of 3",
    ),
    Broken(
        "push_deleted_and_changed",
        "looks too late",
        floor(lambda begin: begin + timedelta(days=1)),
        "exit code 0 instead of 3",
    ),
    Broken("push_edit_during_pull", "writes nothing", NOTHING, "at the provider"),
)
