"""Pipedrive's resources for the conformance suite."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.pipedrive import Pipedrive
from support.conformance import Subject
from support.two_way import Sample


def account(sandbox: Sandbox) -> Pipedrive:
    """The company behind the API."""
    return cast("Pipedrive", sandbox.providers["pipedrive"])


def _fresh(sandbox: Sandbox) -> str:
    token = "5a4db0c50000000000000000000000000000f4e5"
    account(sandbox).vault.add("fresh", token)
    return token


def grant(sandbox: Sandbox) -> Credential:
    """An OAuth login whose access token has expired, though lumio believes otherwise."""
    vault = account(sandbox).vault
    refresh = vault.grant(vault.scopes)
    old = vault.issue(vault.scopes, refresh, age=7200)
    return Credential(
        "oauth",
        old.value,
        refresh,
        datetime.fromtimestamp(time.time(), UTC) + timedelta(days=1),
        vault.scopes,
        {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    )


def _live(request: Request) -> bool:
    """A page of everything: neither of what changed nor of what was deleted."""
    return request.method == "GET" and not {"updated_since", "status"} & request.query.keys()


CANNOT = {
    "more_without_place": "a page of v2 says that there is more by its cursor alone",
    "lost_paging": "no answer of v2 says how many records there are",
}


def _subject(
    kind: str,
    text: str,
    bad: Mapping[str, Any] | None = None,
    other: tuple[str, Any] = ("", None),
    *,
    counted: bool = False,
    made: Mapping[str, Any] | None = None,
    **more: Any,
) -> Subject:
    """A resource; `text` is a member of its records, `counted` one whose number is fixed. `bad`
    and `other` as in `Sample`; a new record has what `made` says."""

    def dump(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
        return account(sandbox).dump(kind)

    def create(sandbox: Sandbox, value: str) -> str:
        from lumio_cli.sandbox.pipedrive.data import defaults

        return account(sandbox).tables[kind].insert({**defaults(kind), text: value})

    def update(sandbox: Sandbox, record_id: str, value: str) -> None:
        account(sandbox).tables[kind].update(record_id, {text: value})

    def purge(sandbox: Sandbox, record_id: str) -> None:
        account(sandbox).tables[kind].purge(record_id)

    def fill(sandbox: Sandbox, count: int) -> None:
        account(sandbox).fill(kind, count)

    return Subject(
        provider="pipedrive",
        resource=kind,
        text=text,
        listing=f"/api/v2/{kind}",
        live=_live,
        dump=dump,
        create=create,
        update=update,
        purge=purge,
        fresh=_fresh,
        grant=grant,
        tells={"burst": 20, "daily": 30_000} if kind == "deals" else {},
        cannot=CANNOT,
        fill=fill if counted else None,
        sample=None
        if bad is None
        else Sample(
            new=lambda n: {**(made or {}), text: f"Made {n}"},
            bad=bad,
            create=f"/api/v2/{kind}",
            other=other,
        ),
        **more,
    )


def _delete_deal(sandbox: Sandbox, record_id: str) -> None:
    account(sandbox).tables["deals"].delete(record_id)


SUBJECTS = (
    # Archived deals and deleted ones are listings of their own.
    _subject("deals", "title", {"value": "a lot"}, ("value", 17.5), delete=_delete_deal, idle=4),
    _subject("persons", "name", {"org_id": "nobody"}, ("visible_to", 7)),
    _subject(
        "organizations", "name", {"annual_revenue": "much"}, ("website", "https://acme.example")
    ),
    _subject(
        "activities", "subject", {"deal_id": "none"}, ("note", "Zoë 🦄"), made={"type": "call"}
    ),
    _subject("products", "name", {"tax": "much"}, ("code", "P-1")),
    _subject("pipelines", "name", counted=True),
    _subject("stages", "name", counted=True),
)
