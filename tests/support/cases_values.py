"""What typed columns show: what came, or NULL, and never an invention."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lumio_cli.hub.sqlite.columns import quote
from lumio_cli.providers.contract.call import dig
from lumio_cli.providers.contract.resource import Column
from lumio_cli.providers.contract.values import put
from lumio_cli.sandbox.http import Request, Response
from support.conformance import MOMENTS, NUMBERS, Rig, Subject, case, rig

SPOILT = "1,250.00"
"""No number, no moment, no day, neither true nor false."""
WHEN = "2025-01-02T09:16:26"
FORMS = (
    f"{WHEN}Z",
    f"{WHEN}.000+0000",
    f"{WHEN.replace('T', ' ')}",
    "2025-01-02T11:16:26+02:00",
    "1735809386000",
)
"""One moment, as providers write it."""
FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@case("typed", wide=True)
def check_misfits(subject: Subject, home: Path) -> None:
    """What is no value of its column is NULL in the view, whole in the payload, and counted until
    the provider has mended it."""
    column = next(subject.free(*NUMBERS, *MOMENTS, "date", "boolean"))
    with rig(subject, home) as lab:
        _rewrite(lab, column, [SPOILT])
        lab.sync()
        bad = [i for i, p in lab.payloads.items() if dig(p, column.path) == SPOILT]
        assert len(bad) == 1, f"the payload of {column.name} is not whole"
        ((shown,),) = lab.sql(f"SELECT {quote(column.name)} FROM {_view(lab)} WHERE id = ?", bad[0])
        assert shown is None, f"{column.name} shows {shown!r} for {SPOILT!r}"
        counted = _counted(lab)
        assert counted == {column.name: 1}, f"bad values are counted as {counted}"
        found = json.loads(lab.lumio("hub", "check").out)
        assert found["ok"], f"the counts are not what they say: {found}"
        lab.sync("--mode", "full")
        assert _counted(lab) == {}, "what was mended is counted as bad"


@case()
def check_moments(subject: Subject, home: Path) -> None:
    """Every moment is RFC 3339 in UTC, every day is one, and none is lost."""
    with rig(subject, home, 12) as lab:
        lab.sync()
        ((listed,),) = lab.sql(
            "SELECT columns FROM lumio_resources WHERE provider = ? AND resource = ?",
            subject.provider,
            subject.resource,
        )
        for name, path, kind in [c[:3] for c in json.loads(listed)]:
            if kind in (*MOMENTS, "date"):
                _must_be_moments(lab, name, path, kind == "date")
        _must_be_moments(lab, "_updated_at", subject.declared.updated, False)


@case("dated", wide=True)
def check_moment_forms(subject: Subject, home: Path) -> None:
    """A moment is the same one in whatever form it comes."""
    column = next(subject.free("datetime"))
    with rig(subject, home, len(FORMS)) as lab:
        _rewrite(lab, column, FORMS)
        lab.sync()
        came = {i: dig(payload, column.path) for i, payload in lab.payloads.items()}
        lost = set(FORMS) - set(came.values())
        assert not lost, f"the payloads have not the moments {lost}"
        for record, shown in lab.sql(f"SELECT id, {quote(column.name)} FROM {_view(lab)}"):
            if came[record] in FORMS:
                right = str(shown).startswith(WHEN) and FORM.fullmatch(str(shown))
                assert right, f"{column.name} shows {shown!r} for {came[record]!r}"


def _rewrite(lab: Rig, column: Column, values: Sequence[str]) -> None:
    """Put values into the rows of the first page that comes, one each."""

    def write(request: Request, answer: Response, number: int) -> Response | None:
        if number > 1:
            return None
        body = json.loads(answer.body)
        for row, value in zip(dig(body, lab.subject.declared.rows), values, strict=False):
            put(row, column.path, value)
        return replace(answer, body=json.dumps(body).encode())

    lab.on_page(write)


def _counted(lab: Rig) -> dict[str, int]:
    """What `status` says of bad values."""
    told = json.loads(lab.lumio("status", lab.subject.target).out)
    found: dict[str, int] = told["providers"][0]["resources"][0]["bad_values"]
    return found


def _must_be_moments(lab: Rig, name: str, path: str, day: bool) -> None:
    rows = lab.sql(f"SELECT id, {quote(name)}, julianday({quote(name)}) FROM {_view(lab)}")
    for record, shown, number in rows:
        came = dig(lab.payloads[record], path) if path else None
        if came in (None, "", 0, "0"):
            assert shown is None, f"{name} shows {shown!r} for {came!r}"
            continue
        assert number is not None, f"{name} is {shown!r} for {came!r}: no moment for SQLite"
        form = re.compile(r"\d{4}-\d\d-\d\d") if day else FORM
        assert form.fullmatch(shown), f"{name} shows {shown!r}"


def _view(lab: Rig) -> str:
    return f"{lab.subject.provider}_{lab.subject.resource}"
