"""Full walks and changes, deletions and places: conformance of what a sync brings."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import dig
from lumio_cli.providers.contract.paging import Each, Parents, brings_rows, without_edge
from lumio_cli.providers.contract.resource import Kind, Walk
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.sync.pages import Page
from lumio_cli.sync.pull.slice_pull import SlicePull
from support.conformance import Subject, altered, case, rig


@case()
def check_full(subject: Subject, home: Path) -> None:
    """A full sync makes the hub equal to the provider; another one finds nothing to do."""
    count = 5
    with rig(subject, home, count) as lab:
        first = lab.sync()
        assert (first["mode"], first["created"]) == ("full", count), f"not all came: {first}"
        lab.must_be_equal()
        second = lab.sync("--mode", "full")
        assert second["unchanged"] == count, f"the same records are not the same: {second}"
        lab.must_be_equal()


@case("pages")
def check_edges(subject: Subject, home: Path) -> None:
    """No record, one, a full page and one more: all come, each once."""
    size = subject.page()
    for count in (0, 1, size, size + 1):
        with rig(subject, home, count) as lab:
            entry = lab.sync()
            assert entry["read"] == count, f"{entry['read']} of {count} records were read"
            lab.must_be_equal()


@case()
def check_fresh(subject: Subject, home: Path) -> None:
    """A full sync asks the provider: no page comes from the cache of an earlier run."""
    with rig(subject, home) as lab:
        lab.extra["LUMIO_CACHE__ENABLED"] = "true"
        lab.sync()
        lab.clock.forward(60)
        subject.create(lab.sandbox, "new")
        subject.update(lab.sandbox, lab.ids[0], "changed")
        lab.sync("--mode", "full")
        lab.must_be_equal()


@case("cursor")
def check_nothing_changed(subject: Subject, home: Path) -> None:
    """Where nothing has changed, nothing is read, it costs next to nothing, the cursor moves."""
    with rig(subject, home) as lab:
        lab.clock.forward(3600)
        before = lab.sync()["cursor"]
        lab.clock.forward(3600)
        entry = lab.sync()
        assert entry["mode"] == "incremental", f"it began anew: {entry['mode']}"
        assert entry["read"] == 0, f"{entry['read']} records are read that did not change"
        assert entry["requests"] <= subject.idle, f"nothing costs {entry['requests']} requests"
        assert entry["cursor"] > before, "the cursor stands still"


@case("new only")
def check_new_records(subject: Subject, home: Path) -> None:
    """Where the cursor finds new records only, these come, and no other."""
    with rig(subject, home) as lab:
        lab.clock.forward(3600)
        lab.sync()
        lab.clock.forward(3600)
        made = [subject.create(lab.sandbox, f"new {number}") for number in (1, 2)]
        lab.clock.forward(3600)
        entry = lab.sync()
        counts = {name: entry[name] for name in ("read", "created", "updated", "deleted")}
        assert counts == {"read": 2, "created": 2, "updated": 0, "deleted": 0}, counts
        assert [lab.text_of(i) for i in made] == ["new 1", "new 2"]
        lab.must_be_equal()


@case("edits")
def check_one_change(subject: Subject, home: Path) -> None:
    """One new and one changed record come, and no other."""
    with rig(subject, home) as lab:
        lab.clock.forward(3600)
        lab.sync()
        lab.clock.forward(3600)
        subject.update(lab.sandbox, lab.ids[0], "changed")
        new = subject.create(lab.sandbox, "new")
        lab.clock.forward(3600)
        entry = lab.sync()
        counts = {name: entry[name] for name in ("read", "created", "updated", "deleted")}
        assert counts == {"read": 2, "created": 1, "updated": 1, "deleted": 0}, counts
        assert (lab.text_of(lab.ids[0]), lab.text_of(new)) == ("changed", "new")
        lab.must_be_equal()


@case("edits")
def check_many_changes(subject: Subject, home: Path) -> None:
    """More changes than a page holds all come."""
    count = subject.page("changes") + 1
    with rig(subject, home, count) as lab:
        lab.clock.forward(3600)
        lab.sync()
        for number, record_id in enumerate(lab.ids):
            lab.clock.forward(1)
            subject.update(lab.sandbox, record_id, f"changed {number}")
        lab.clock.forward(3600)
        entry = lab.sync()
        assert entry["updated"] == count, f"{entry['updated']} of {count} changes came"
        lab.must_be_equal()


@case("edits")
def check_equal_times(subject: Subject, home: Path) -> None:
    """A page and more of records of the very moment that the cursor is at: none is skipped."""
    cursor = subject.declared.cursor
    assert cursor is not None
    with (
        rig(subject, home, subject.page("changes") + 2) as lab,
        altered(cursor, lookback=0.0),
    ):
        lab.sync()
        first, *others = lab.ids
        lab.clock.forward(1000)
        subject.update(lab.sandbox, first, "before")
        assert lab.sync()["updated"] == 1
        for record_id in others:  # the clock stands still
            subject.update(lab.sandbox, record_id, "after")
        lab.sync()
        lab.must_be_equal()


@case("pages")
def check_change_during_walk(subject: Subject, home: Path) -> None:
    """What happens to records behind and before a full walk is right after the next sync."""
    with rig(subject, home, subject.page() + 2) as lab:
        first, *_, last = lab.ids

        def meanwhile(request: Request, answer: Response, number: int) -> None:
            if number == 1:
                lab.clock.forward(5)
                if "new only" not in subject.abilities:
                    subject.update(lab.sandbox, first, "meanwhile")
                subject.create(lab.sandbox, "new meanwhile")
                subject.purge(lab.sandbox, last)

        lab.on_page(meanwhile)
        lab.sync()
        lab.clock.forward(3600)
        lab.sync()
        lab.must_be_equal()


@case("tombstones")
def check_tombstones(subject: Subject, home: Path) -> None:
    """A record that the provider lists as deleted is deleted by the next incremental sync."""
    assert subject.delete is not None, "its tombstones cannot be tested"
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        subject.delete(lab.sandbox, lab.ids[0])
        entry = lab.sync()
        assert entry["mode"] == "incremental"
        assert entry["deleted"] == 1, f"{entry['deleted']} deletions were seen, not 1"
        lab.must_be_equal()


@case("sweep")
def check_sweep(subject: Subject, home: Path) -> None:
    """A record that is gone without a trace is deleted by the next full sync, and no other is."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        subject.purge(lab.sandbox, lab.ids[1])
        entry = lab.sync("--mode", "full", "--max-delete", "50")
        assert entry["deleted"] == 1, f"{entry['deleted']} deletions were seen, not 1"
        lab.must_be_equal()


@case()
def check_empty(subject: Subject, home: Path) -> None:
    """An empty listing deletes nothing, whatever is allowed."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.sandbox.faults.set([f"empty:path={subject.listing}"])
        outcome = lab.lumio("sync", subject.target, "--mode", "full", "--max-delete", "100")
        entry = outcome.resource(subject.resource)
        assert entry["deleted"] == 0, f"an empty listing deleted {entry['deleted']} records"
        lab.sandbox.faults.clear()
        lab.must_be_equal()


@case("pages")
def check_loop(subject: Subject, home: Path) -> None:
    """A listing that goes in circles is an error after a few pages, and moves no cursor."""
    with rig(subject, home, subject.page() + 1) as lab:
        lab.sandbox.faults.set([f"loop:path={subject.listing}"])
        stop = Stop()

        def watch(request: Request, answer: Response, number: int) -> None:
            if number == 12:
                stop.set("SIGTERM", 143)

        pages = lab.on_page(watch)
        entry = lab.lumio("sync", subject.target, stop=stop).resource(subject.resource)
        assert len(pages) < 12, "it goes in circles"
        assert entry["error"], "a circle is no error"
        assert entry["error"]["code"] == "paging_loop", entry["error"]
        assert entry["cursor"] is None, "the cursor has moved"


@case()
def check_places(subject: Subject, home: Path) -> None:
    """Every place of every kind of walk is plain JSON, and asking changes neither it nor a call."""
    kinds: list[Kind] = [k for k in get_args(Kind) if k in subject.declared.paging]
    size = 2
    with rig(subject, home, 5) as lab, lab.runtime() as runtime:
        provider = runtime.provider(subject.provider)
        resource = provider.resource(subject.resource)
        send = open_for(runtime, provider).send
        for kind in kinds:
            if kind == "tombstones" and subject.delete is not None:
                for record_id in lab.ids[:3]:
                    subject.delete(lab.sandbox, record_id)
            for name, options in provider.slices(resource, kind, None).items():
                walk = Walk(resource, kind, slice=name, options=options)
                paging = provider.paging(walk)
                if isinstance(paging, Parents | Each):
                    continue
                place: dict[str, Any] | None = paging.first(size)
                met: list[str] = []
                pages = 0
                while place is not None:
                    place = _plain(place)
                    call = provider.call(walk)
                    before = copy.deepcopy((call, place))
                    reply = send(paging.ask(call, place))
                    rows = provider.records(walk, reply) if brings_rows(place) else []
                    following = paging.next(place, reply, rows)
                    rows = without_edge(place, rows, resource.key)
                    assert (call, place) == before, f"{kind}: paging changes what it is given"
                    rows = without_edge(place, rows, resource.key)
                    met += [str(dig(row, resource.key)) for row in rows]
                    pages += 1
                    assert pages < 20, f"{kind}: the walk does not end"
                    place = following
                assert len(set(met)) == len(met), f"{kind}: records came twice"
                if kind == "full":
                    assert sorted(met) == sorted(lab.ids), f"{kind}: not all records came"
                if kind == "tombstones" and subject.delete is not None:
                    assert len(met) == 3, f"{kind}: not all deletions came"


def _plain(place: Mapping[str, Any]) -> dict[str, Any]:
    """The place as a checkpoint gives it back."""
    try:
        text = json.dumps(place)
    except TypeError as error:
        raise AssertionError(f"the place is no JSON: {error}") from None
    again: dict[str, Any] = json.loads(text)
    assert again == place, f"the place is no plain JSON: {place} != {again}"
    return again


@case("pages")
def check_resume(subject: Subject, home: Path) -> None:
    """A walk that is stopped after every page goes on at the next: no page twice, none left out."""
    count = subject.page() * 2 + 1
    pages = ceil(count / subject.page())
    with rig(subject, home, count) as lab:
        stop, stored = Stop(), 0
        store = SlicePull._store

        def end(slice_pull: SlicePull, page: Page) -> None:
            # Not before: a page is whole only with the requests that fill it.
            nonlocal stored
            store(slice_pull, page)
            stored += bool(page.rows)
            if 0 < stored < pages:
                stop.set("SIGTERM", 143)

        seen = lab.on_page(lambda *_: None)
        for run in range(1, pages + 1):
            stop = Stop()
            with patch.object(SlicePull, "_store", end):
                lab.sync(code=0 if run == pages else 143, stop=stop)
            expected = min(run * subject.page(), count)
            held = len(lab.payloads)
            # A page by offset begins with the last row of the one before.
            fits = expected - run < held <= expected
            assert fits, f"{held} records after {run} pages, not {expected}"
        assert len(seen) == len(set(seen)) == pages, f"pages were asked for twice: {seen}"
        lab.must_be_equal()
