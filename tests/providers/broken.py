"""Adapters with one mistake each, made of a good one for as long as a test needs."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from unittest.mock import patch

from lumio_cli.providers.contract.call import Call, Record, Reply, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.resource import Column, Walk
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from providers.broken_holds import HOLDS
from providers.broken_knowledge import KNOWLEDGE
from providers.broken_merges import MERGES
from providers.broken_values import VALUES
from providers.broken_walks import WALKS
from providers.broken_writes import WRITES
from providers.mistakes import (
    NOTHING,
    Broken,
    both,
    calls,
    cursor,
    each,
    fact,
    floor,
    judged,
    method,
    oauth,
    paging,
    receipts,
    remembered,
    resource,
    rows,
    twice,
    written,
)
from support.conformance import Subject

# -- mistakes


def _ascii(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False).encode("ascii", "replace")
    return json.loads(text)


def _anonymous(good: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, send, credential: Identity("", "")


def _shown(good: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, send, credential: Identity("1", f"account of {credential.token}")


@contextmanager
def _shown_as_it_is(subject: Subject) -> Iterator[None]:
    """The token in the account's name, and nobody who takes it out."""

    def identify(provider: Any, send: Any, credential: Any) -> Identity:
        found: Identity = provider.probe(send, credential)
        return found

    with (
        method("probe", _shown)(subject),
        patch("lumio_cli.services.connections.account_guard.identify", identify),
        patch("lumio_cli.services.connections.connect.identify", identify),
    ):
        yield


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


def _with_lost_token(place: dict[Any, Any]) -> dict[str, Any]:
    """The place that is left of one whose key JSON has made a text of."""
    return {"size": place["size"], **({"token": place[1]} if 1 in place else {})}


ALL: tuple[Broken, ...] = (
    *HOLDS,
    *KNOWLEDGE,
    *VALUES,
    *WRITES,
    *WALKS,
    *MERGES,
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
    Broken("connect", "a token in its name", _shown_as_it_is, "leaked"),
    Broken("wrong_credential", "401 swallowed", judged(s401=Outcome.OK), "not about the"),
    Broken("wrong_credential", "401 retried", judged(s401=Outcome.RETRY), "not about the"),
    Broken("expired", "401 swallowed", judged(s401=Outcome.OK), "not about the"),
    Broken("refresh", "no renewal", method("renewal", lambda _: lambda *_: None), "not renewed"),
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
        "were read|incomplete_listing",
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
        "should not be there",
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
            lambda place, following, reply, rows: cast(
                Any, {"size": place["size"], 1: following["token"]}
            ),
            _with_lost_token,
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
    Broken("push_creates", "writes twice", method("write", twice), "exit code"),
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
