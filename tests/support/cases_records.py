"""What records hold, and what a preview says of them: conformance of ids, fields and texts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from lumio_cli.providers.contract.call import dig
from lumio_cli.sandbox.http import Request, Response
from support.conformance import Rig, Subject, case, rig

UNICODE = "Zoë 日本 🦄 [red]x[/red] <b>&amp; \u202eabc \t“”"
BEYOND_FLOATS = "9007199254740993"


@case()
def check_big_ids(subject: Subject, home: Path) -> None:
    """An id that is a number beyond what a float can hold keeps every digit."""
    with rig(subject, home) as lab:
        lab.sandbox.faults.set([f"badid:number:path={subject.listing}"])
        lab.lumio("sync", subject.target)
        # Where records are known by their parent's id as well, that comes first.
        found = [i for i in lab.payloads if i.endswith(BEYOND_FLOATS)]
        assert len(found) == 1, f"the id has changed: {sorted(lab.payloads)}"
        assert str(dig(lab.payloads[found[0]], subject.declared.key)) == found[0]


@case()
def check_bad_record(subject: Subject, home: Path) -> None:
    """A record without an id is told and kept aside; the others are stored."""
    with rig(subject, home, 5) as lab:
        lab.sandbox.faults.set([f"noid:path={subject.listing}:times=1"])
        entry = lab.lumio("sync", subject.target).resource(subject.resource)
        assert entry["failed"] == 1, f"{entry['failed']} records failed: it was dropped in silence"
        assert entry["status"] == "partial"
        assert len(lab.payloads) == 4


@case()
def check_unknown_fields(subject: Subject, home: Path) -> None:
    """What the adapter does not know stays in the payload."""
    added = {"deep": [1, "ü", None], "big": 2**53 + 1}
    with rig(subject, home) as lab:

        def extend(request: Request, answer: Response, number: int) -> Response:
            body = json.loads(answer.body)
            for row in dig(body, subject.declared.rows):
                row["x_unknown"] = added
            return replace(answer, body=json.dumps(body).encode())

        lab.on_page(extend)
        lab.sync()
        for record_id, payload in lab.payloads.items():
            assert payload.get("x_unknown") == added, f"{record_id} lost what is not known"


@case()
def check_unicode(subject: Subject, home: Path) -> None:
    """Text arrives as it is: scripts, emoji, markup, directions, quotes."""
    with rig(subject, home) as lab:
        subject.update(lab.sandbox, lab.ids[0], UNICODE)
        lab.sync()
        got = lab.text_of(lab.ids[0])
        assert got == UNICODE, f"the text has changed: {got!r}"
        lab.must_be_equal()


@case("sweep")
def check_preview(subject: Subject, home: Path) -> None:
    """A preview says what a sync does, and writes nothing, neither here nor there."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        first, second, *_ = lab.ids
        subject.update(lab.sandbox, first, "changed")
        subject.create(lab.sandbox, "new")
        subject.purge(lab.sandbox, second)
        words = (subject.target, "--mode", "full", "--max-delete", "100")
        names = ("created", "updated", "deleted")
        theirs, ours = list(subject.dump(lab.sandbox)), _fingerprint(lab)
        shown = lab.lumio("preview", *words[:3]).resource(subject.resource)
        assert list(subject.dump(lab.sandbox)) == theirs, "a preview has changed the provider"
        assert _fingerprint(lab) == ours, "a preview has changed the hub"
        assert [shown[name] for name in names[:2]] == [1, 1], shown
        done = lab.lumio("sync", *words).resource(subject.resource)
        assert [done[name] for name in names] == [1, 1, 1], done
        lab.must_be_equal()


def _fingerprint(lab: Rig) -> str:
    """The whole content of the hub, but for SQLite's own bookkeeping."""
    digest = hashlib.sha256()
    for (table,) in lab.sql("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"):
        digest.update(repr(lab.sql(f"SELECT * FROM {table}")).encode())
    return digest.hexdigest()
