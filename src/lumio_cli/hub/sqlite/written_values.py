"""What was sent to a provider, as far as that is not yet over: forms that it keeps in another way,
what no answer has told, and new records that no reading has shown.

One row a record and one form a field. A form goes when the provider's value does.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lumio_cli.hub.sqlite.records import VARIABLES


@dataclass(frozen=True, slots=True)
class Form:
    """A field's value as it was `sent` and as the provider has `kept` it, both as the view shows
    them. `open`: no answer has told what became of it; `kept` is then what it was before.
    """

    sent: Any
    kept: Any
    open: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What is remembered of a record. `told` are the columns that the answer to its creation told,
    as long as no reading has shown the record; None: it was shown, or is not of our making."""

    record: str
    forms: Mapping[str, Form] = field(default_factory=dict)
    told: frozenset[str] | None = None


def find(
    db: sqlite3.Connection, provider: str, resource: str, ids: Iterable[str]
) -> dict[str, Written]:
    """What is remembered of records, by id."""
    any_ = db.execute(
        "SELECT 1 FROM lumio_written WHERE provider = ? AND resource = ? LIMIT 1",
        [provider, resource],
    ).fetchone()
    listed, found = list(ids) if any_ else [], {}
    for start in range(0, len(listed), VARIABLES - 2):
        part = listed[start : start + VARIABLES - 2]
        for record, forms, told in db.execute(
            "SELECT record, forms, told FROM lumio_written WHERE provider = ? AND resource = ?"
            f" AND record IN ({','.join('?' * len(part))})",
            [provider, resource, *part],
        ):
            known = {name: Form(*form) for name, form in json.loads(forms).items()}
            found[record] = Written(
                record, known, None if told is None else frozenset(json.loads(told))
            )
    return found


def save(db: sqlite3.Connection, provider: str, resource: str, written: Written) -> None:
    """Remember this of a record, in place of what was remembered; nothing, where it is nothing."""
    if not written.forms and written.told is None:
        forget(db, provider, resource, [written.record])
        return
    forms = {name: [form.sent, form.kept, form.open] for name, form in written.forms.items()}
    told = None if written.told is None else json.dumps(sorted(written.told))
    db.execute(
        "INSERT OR REPLACE INTO lumio_written (provider, resource, record, forms, told)"
        " VALUES (?, ?, ?, ?, ?)",
        [provider, resource, written.record, json.dumps(forms, ensure_ascii=False), told],
    )


def forget(db: sqlite3.Connection, provider: str, resource: str, ids: Iterable[str]) -> None:
    """Remember nothing of these records."""
    db.executemany(
        "DELETE FROM lumio_written WHERE provider = ? AND resource = ? AND record = ?",
        ((provider, resource, record) for record in ids),
    )
