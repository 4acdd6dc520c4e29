"""Salesforce under the conformance suite: the four main types and one custom type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.lookalike import CLIENT_ID
from lumio_cli.sandbox.salesforce import Salesforce
from lumio_cli.sandbox.salesforce.access import grant
from lumio_cli.sandbox.salesforce.catalog import TYPES
from lumio_cli.sandbox.salesforce.records import MERGEABLE
from support.conformance import Subject
from support.two_way import Sample

QUERY = "/services/data/v67.0/query"


def org(sandbox: Sandbox) -> Salesforce:
    """The look-alike behind a sandbox."""
    return cast(Salesforce, sandbox.providers["salesforce"])


def _fresh(sandbox: Sandbox) -> str:
    value = "00Dsb0000000016!sandbox.fresh.not.a.real.session"
    org(sandbox).vault.add("fresh", value)
    return value


def _grant(sandbox: Sandbox) -> Credential:
    account = org(sandbox)
    old = account.vault.issue(account.vault.scopes, age=7200.0)
    return Credential(
        "oauth",
        old.value,
        grant(account),
        # As if it were good for long: that it has expired, Salesforce must say.
        datetime.now(UTC) + timedelta(days=1),
        tuple(sorted(account.vault.scopes)),
        {
            "client_id": CLIENT_ID,
            "login_host": "login.salesforce.com",
            "instance_url": "https://sandbox.my.salesforce.com",
        },
    )


def _full(kind: str, request: Request) -> bool:
    """Changes are asked for at the same path, with a window, and other types, too."""
    asked = request.one("q") or f" FROM {kind}"
    return " WHERE SystemModstamp" not in asked and f" FROM {kind}" in asked


def _column(field: str) -> str:
    """The view's name for a field."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", field).lower()


def subject(
    resource: str,
    kind: str,
    text: str,
    bad: Mapping[str, Any] | None = None,
    other: tuple[str, Any] | None = None,
    **required: Any,
) -> Subject:
    """One type; `text` is a field of it, `bad` and `other` as in `Sample`."""

    def dump(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
        return org(sandbox).store.dump(kind)

    def create(sandbox: Sandbox, value: str) -> str:
        return org(sandbox).store.create(TYPES[kind], {**required, text: value})

    def update(sandbox: Sandbox, record_id: str, value: str) -> None:
        org(sandbox).store.update(TYPES[kind], record_id, {text: value})

    def merge(sandbox: Sandbox, winner: str, loser: str) -> str:
        org(sandbox).store.merge(TYPES[kind], winner, loser)
        return winner

    return Subject(
        provider="salesforce",
        resource=resource,
        text=text,
        listing=QUERY,
        live=partial(_full, kind),
        dump=dump,
        create=create,
        update=update,
        delete=lambda sandbox, record_id: org(sandbox).tables[kind].delete(record_id),
        purge=lambda sandbox, record_id: org(sandbox).tables[kind].purge(record_id),
        merge=merge if kind in MERGEABLE else None,
        fresh=_fresh,
        grant=_grant,
        bulk=True,
        tells={"daily": 100_000} if resource == "leads" else {},
        helps=("*/limits", "*/limits/recordCount") if resource == "leads" else (),
        sample=None
        if bad is None or other is None
        else Sample(
            new=lambda n: {_column(k): v for k, v in {**required, text: f"Made {n}"}.items()},
            bad=bad,
            create="/services/data/*/composite/sobjects",
            other=other,
        ),
    )


SUBJECTS = (
    subject(
        "leads",
        "Lead",
        "Description",
        {"email": "nonsense"},
        ("phone", "+55 84 99999-0000"),
        LastName="New",
        Company="New",
        Status="New",
    ),
    subject(
        "opportunities",
        "Opportunity",
        "Description",
        {"amount": "a lot"},
        ("amount", 17.5),
        Name="New",
        StageName="Prospecting",
        CloseDate="2026-12-31",
    ),
    subject(
        "accounts",
        "Account",
        "Description",
        {"number_of_employees": "many"},
        ("number_of_employees", 12),
        Name="New",
    ),
    subject(
        "contacts",
        "Contact",
        "Description",
        {"email": "nonsense"},
        ("title", "Engenheira"),
        LastName="New",
    ),
)
