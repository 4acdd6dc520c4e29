"""A walk's end, what it proves, and what one bad value costs: conformance to the reading laws."""

from __future__ import annotations

import sqlite3
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lumio_cli.core.clock import format_timestamp, parse_time
from lumio_cli.core.errors import DeniedError
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.sandbox.faults import RAW
from support.cases_credentials import logged_in
from support.conformance import Rig, Subject, case, rig
from support.lab import Outcome

FUTURE = "9999-12-31T23:59:59Z"


# --- the end of a walk ----------------------------------------------------------------------


@case("pages")
def check_hollow_page(subject: Subject, home: Path) -> None:
    """A page without rows that says that more follow is no end, be it the first or a later one."""
    for after in (0, 1):
        with rig(subject, home, subject.page() + 2) as lab:
            lab.sandbox.faults.set([f"hollow:path={subject.listing}:times=1:after={after}"])
            lab.sync()
            lab.must_be_equal()


@case("pages")
def check_more_without_place(subject: Subject, home: Path) -> None:
    """'More' without a place to go on: asked again; else an error, with the cursor where it was
    and no deletion, unless what follows can be asked for all the same (by offset). The next good
    run is whole."""
    with rig(subject, home, subject.page() + 2) as lab:
        lab.sandbox.faults.set([f"nowhere:path={subject.listing}:times=1"])
        lab.sync()
        lab.must_be_equal()
        cursor = _cursor(lab)
        lab.sandbox.faults.set([f"nowhere:path={subject.listing}"])
        done = lab.lumio("sync", subject.target, "--mode", "full", "--max-delete", "100")
        entry = done.resource(subject.resource)
        if not entry["error"]:
            lab.must_be_equal()
        assert (entry["deleted"], _cursor(lab)) == (0, cursor), "it has proven something"
        lab.sandbox.faults.clear()
        lab.clock.forward(3600)
        lab.sync()
        lab.must_be_equal()


@case("pages", "counted")
def check_lost_paging(subject: Subject, home: Path) -> None:
    """A listing that says it has ended long before the provider's own count is not believed."""
    with rig(subject, home, 2 * subject.page()) as lab:
        lab.sandbox.faults.set([f"last:path={subject.listing}:times=1"])
        first = lab.lumio("sync", subject.target)
        if lab.payloads.keys() != set(lab.ids):
            assert first.code == 3, f"exit code {first.code} for half of a listing"
            assert first.resource(subject.resource)["cursor"] is None, "the cursor has moved"
        lab.sync()
        lab.must_be_equal()
        lab.sandbox.faults.set([f"last:path={subject.listing}:times=1"])
        again = lab.lumio("sync", subject.target, "--mode", "full", "--max-delete", "100")
        assert again.resource(subject.resource)["deleted"] == 0, "rows were swept"
        lab.must_be_equal()


@case("pages", "sweep", "asks")
def check_lost_place_deletes_nothing(subject: Subject, home: Path) -> None:
    """Where nothing counts a listing, what a full walk has not met is asked for by id before it is
    taken for deleted: what is found there was left out. What is really gone goes with the next."""
    with rig(subject, home, subject.page() + 3) as lab:
        lab.sync()
        cursor = _cursor(lab)
        lab.clock.forward(3600)
        words = ("sync", subject.target, "--mode", "full", "--max-delete", "100")
        lab.sandbox.faults.set([f"last:path={subject.listing}:times=1"])
        done = lab.lumio(*words)
        entry = done.resource(subject.resource)
        assert entry["deleted"] == 0, f"{entry['deleted']} live records were swept"
        if len(lab.ids) > entry["read"]:
            assert done.code == 3, f"exit code {done.code} for a part of a listing"
            assert entry["error"]["code"] == "incomplete_listing", entry
            assert _cursor(lab) == cursor, "the cursor has moved"
        subject.purge(lab.sandbox, lab.ids[0])
        entry = lab.lumio(*words).resource(subject.resource)
        assert entry["deleted"] == 1, f"{entry['deleted']} records were swept, one is gone"
        lab.must_be_equal()


@case("hides")
def check_hidden_is_kept(subject: Subject, home: Path) -> None:
    """What the provider hides for its age stays, is told by `status`, and counts for nothing."""
    assert subject.hide is not None
    with rig(subject, home, 4) as lab:
        lab.sync()
        hidden = (lab.ids[::-1] if subject.newest_first else lab.ids)[:2]
        for record_id in hidden:
            subject.hide(lab.sandbox, record_id)
        lab.clock.forward(3600)
        lab.sync("--mode", "full", "--max-delete", "0")
        assert set(hidden) <= lab.payloads.keys(), "what is hidden was taken for deleted"
        (state,) = (
            r
            for p in lab.lumio("status", subject.target).document["providers"]
            for r in p["resources"]
            if r["resource"] == subject.resource
        )
        assert state["hidden"] == len(hidden), f"status says that {state['hidden']} are hidden"


# --- clocks and cursors ---------------------------------------------------------------------


@case("cursor")
def check_clock_ahead(subject: Subject, home: Path) -> None:
    """A provider's clock that is ahead of ours moves no cursor into the future."""
    _clock_is_wrong(subject, home, "3600")


@case("cursor", wide=True)
def check_clock_far_ahead(subject: Subject, home: Path) -> None:
    """The same in the year 9999, and where there is no Date at all."""
    _clock_is_wrong(subject, home, str(int(parse_time(FUTURE).timestamp() - time.time()) - 60))
    _clock_is_wrong(subject, home, "none")


def _clock_is_wrong(subject: Subject, home: Path, skew: str) -> None:
    with rig(subject, home, clock=time.time) as lab:
        lab.sandbox.faults.set([f"skew:{skew}"])
        lab.sync()
        _must_be_past(lab)
        entry = lab.sync()
        assert entry["mode"] == "incremental", "everything is read anew"
        lab.sandbox.faults.clear()
        _change_is_seen(lab)


@case("cursor", wide=True)
def check_cursor_in_the_future(subject: Subject, home: Path) -> None:
    """A hub whose cursor an older lumio has moved into the future, or that cannot be read, goes
    back to the last good one."""
    for bad in (FUTURE, "yesterday"):
        with rig(subject, home, clock=time.time) as lab:
            lab.sync()
            good = _cursor(lab)
            _set_cursor(lab, bad)
            lab.sandbox.faults.clear()
            _change_is_seen(lab)
            _must_be_past(lab)
            assert good is not None


def _change_is_seen(lab: Rig) -> None:
    """A record that is made, or changed, now is read by the next run."""
    subject = lab.subject
    if "edits" in subject.abilities:
        subject.update(lab.sandbox, lab.ids[0], "changed now")
    else:
        subject.create(lab.sandbox, "made now")
    lab.sync()
    lab.must_be_equal()


def _cursor(lab: Rig) -> str | None:
    name = lab.subject.provider, lab.subject.resource
    rows = lab.sql("SELECT cursor FROM lumio_resources WHERE provider = ? AND resource = ?", *name)
    return rows[0][0] if rows else None


def _set_cursor(lab: Rig, cursor: str) -> None:
    connection = sqlite3.connect(lab.hub_path)
    with connection:
        connection.execute(
            "UPDATE lumio_resources SET cursor = ? WHERE provider = ? AND resource = ?",
            [cursor, lab.subject.provider, lab.subject.resource],
        )
    connection.close()


def _must_be_past(lab: Rig) -> None:
    cursor = str(_cursor(lab))
    if not cursor.startswith("seq:"):
        now = time.time() + 60
        assert parse_time(cursor).timestamp() <= now, f"{cursor} > {format_timestamp(now)}"


# --- one bad value --------------------------------------------------------------------------


@case()
def check_null_row(subject: Subject, home: Path) -> None:
    """A null among the rows is told and kept aside; the others are stored."""
    with rig(subject, home, 4) as lab:
        lab.sandbox.faults.set([f"nullrow:path={subject.listing}:times=1"])
        entry = lab.lumio("sync", subject.target).resource(subject.resource)
        assert (entry["failed"], entry["status"]) == (1, "partial"), f"dropped in silence: {entry}"
        assert len(lab.payloads) == 3, f"{len(lab.payloads)} of 3 good records are there"


@case(wide=True)
def check_bad_value(subject: Subject, home: Path) -> None:
    """Text that strict JSON does not know costs its record at most, and no other."""
    for kind in [*(name for name in RAW if name), "bom"]:
        with rig(subject, home, 2) as lab:
            lab.sandbox.faults.set([f"raw:{kind}:path={subject.listing}"])
            outcome = lab.lumio("sync", subject.target)
            assert outcome.code in (0, 3), f"{kind}: exit code {outcome.code}: {outcome.out}"
            entry = outcome.resource(subject.resource)
            assert entry["error"] is None, f"{kind} made the page unreadable: {entry}"
            assert len(lab.payloads) + entry["failed"] == 2, f"{kind} cost more than its record"
            assert len(lab.payloads) >= 1, f"{kind} cost more than its record"
            assert len(lab.payloads) == 2 or kind not in ("surrogate", "control"), (
                f"{kind} cost its record, which can be stored"
            )


# --- what helps must not hurt, and how it ended ---------------------------------------------


@case(wide=True)
def check_refused_count(subject: Subject, home: Path) -> None:
    """A count that is refused ends no pull."""
    with rig(subject, home) as lab:
        error = DeniedError("counting is not permitted")
        with patch.object(subject.cls, "count", side_effect=error, autospec=True):
            lab.sync()
        lab.must_be_equal()


@case("helps", wide=True)
def check_refused_help(subject: Subject, home: Path) -> None:
    """What is only asked in order to help may be refused, gone or no answer at all: that ends
    neither a pull, by a login where there are any, nor `connect`."""
    with rig(subject, home, clock=time.time) as lab:
        environ = logged_in(lab) if subject.grant is not None else {}
        for fault in ("html", "404", "403"):
            lab.sandbox.faults.set([f"{fault}:path={path}" for path in subject.helps])
            for words in (f"sync {subject.target} --mode full", f"connect {subject.provider}"):
                outcome = lab.lumio(*words.split(), environ=environ)
                assert outcome.code == 0, f"{fault}: exit code {outcome.code}: {outcome.out}"
                environ = {}
        lab.must_be_equal()
        asked = [path for _, _, path, _ in lab.sandbox.requests]
        for path in subject.helps:
            met = any(fnmatchcase(p, f"/{subject.provider}{path}") for p in asked)
            assert met, f"{path} was not asked for"


@case("pages", wide=True)
def check_cut_off(subject: Subject, home: Path) -> None:
    """A single target that is cut off on its way ends with the code of its error, in the process
    and in the document."""
    with rig(subject, home, subject.page() + 1) as lab:
        lab.sandbox.faults.set([f"503:path={subject.listing}:after=1"])
        entry = lab.sync(code=5)
        assert entry["error"]["exit_code"] == 5, entry
        assert entry["cursor"] is None, "the cursor has moved"


@case(wide=True)
def check_mistake_of_ours(subject: Subject, home: Path) -> None:
    """A mistake inside of one resource costs that one: the others go on, the document has them all,
    and what is told of it names no Python."""
    good = subject.cls.fill
    for mistake in (KeyError("page"), RuntimeError("page")):

        def fill(self: Provider, walk: Walk, *more: Any, of: Exception = mistake) -> Any:
            if walk.resource.name == subject.resource:
                raise of
            return good(self, walk, *more)

        with rig(subject, home) as lab:
            with patch.object(subject.cls, "fill", fill):
                outcome = lab.lumio("sync", subject.target, *subject.others)
            assert _ended(subject, outcome) == "failed", outcome.out
            said = outcome.out + outcome.err
            assert type(mistake).__name__ not in said, "it names Python"
            assert "page'" not in said, "it names Python"


@case(wide=True)
def check_one_denied(subject: Subject, home: Path) -> None:
    """A permission that is missing for one resource costs that one: the others go on."""
    with rig(subject, home) as lab:
        denied = lab.sandbox.providers[subject.provider].failure(403, None)
        lab.on_page(lambda *_: denied)
        outcome = lab.lumio("sync", subject.target, *subject.others)
        assert _ended(subject, outcome) == "skipped", outcome.out


def _ended(subject: Subject, outcome: Outcome) -> str:
    """How the subject ended, when the others have gone on."""
    resources = outcome.document.get("resources", ())
    told = {f"{subject.provider}/{entry['resource']}": entry for entry in resources}
    for target in subject.others:
        went_on = target in told and told[target]["status"] == "succeeded" and told[target]["read"]
        assert went_on, f"{target} did not go on: {told.get(target)}"
    assert subject.target in told, "the document leaves it out"
    return str(told[subject.target]["status"])
