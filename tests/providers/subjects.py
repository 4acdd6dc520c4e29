"""The providers under test. One joins by its `Subject`s here; nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.hubspot.auth import CLIENT_ID, CLIENT_SECRET, Grant
from lumio_cli.sandbox.hubspot.catalog import Owner
from lumio_cli.sandbox.hubspot.metadata import owner_document
from lumio_cli.sandbox.hubspot.tokens import ALL_SCOPES
from providers import (
    linkedin_subjects,
    mailchimp_subjects,
    pipedrive_subjects,
    salesforce_subjects,
    shopify_subjects,
    slack_subjects,
    whatsapp_subjects,
)
from support.conformance import Case, Family, Subject
from support.laws import cases_of
from support.two_way import Sample

# -- HubSpot


def _fresh(sandbox: Sandbox) -> str:
    token = "pat-na1-00000000-0000-4000-8000-00000000f4e5"
    sandbox.hubspot.vault.add("fresh", token, frozenset(ALL_SCOPES))
    return token


def _grant(sandbox: Sandbox) -> Credential:
    vault = sandbox.hubspot.vault
    grant = Grant(ALL_SCOPES, "http://localhost:18921/callback", None, "plain")
    vault.refreshes["na1-refresh"] = grant
    old = vault.issue(grant.scopes, "na1-refresh", 7200)
    return Credential(
        "oauth",
        old.value,
        "na1-refresh",
        # As if it were good for long: that it has expired, the provider must say.
        datetime.now(UTC) + timedelta(days=1),
        grant.scopes,
        {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    )


def _live(request: Request) -> bool:
    return request.method == "GET" and request.one("archived") != "true"


def _crm(
    kind: str,
    text: str,
    bad: Mapping[str, Any],
    other: tuple[str, Any],
    new: Callable[[int], Mapping[str, Any]] | None = None,
    **required: str,
) -> Subject:
    """One of HubSpot's object types; `text` is a property of it."""

    def made(number: int) -> Mapping[str, Any]:
        return {**required, text: f"Made {number}"} if new is None else new(number)

    def dump(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
        return sandbox.hubspot.dump(kind)

    def create(sandbox: Sandbox, value: str) -> str:
        return sandbox.hubspot.create(kind, {**required, text: value})

    def update(sandbox: Sandbox, record_id: str, value: str) -> None:
        sandbox.hubspot.update(kind, record_id, {text: value})

    def merge(sandbox: Sandbox, winner: str, loser: str) -> str:
        # Deals have always become a third one.
        return sandbox.hubspot.merge(kind, winner, loser, new_id=kind == "deals")

    return Subject(
        provider="hubspot",
        resource=kind,
        text=f"properties.{text}",
        listing=f"/crm/objects/2026-03/{kind}",
        live=_live,
        dump=dump,
        create=create,
        update=update,
        delete=lambda sandbox, record_id: sandbox.hubspot.archive(kind, record_id),
        purge=lambda sandbox, record_id: sandbox.hubspot.purge(kind, record_id),
        merge=merge if kind != "products" else None,
        fresh=_fresh,
        grant=_grant,
        family=Family(
            kind,
            "associations",
            f"iif(_payload ->> 'parent' LIKE '{kind}-%', "
            "substr(_payload ->> 'parent', instr(_payload ->> 'parent', ':') + 1), '')",
            lambda sandbox, record: sandbox.hubspot.archive(kind, record),
        )
        if kind in ("contacts", "deals", "tickets")
        else None,
        tells={"burst": 190, "daily": 1_000_000} if kind == "contacts" else {},
        helps=("/oauth/*/introspect", "/oauth/v2/private-apps/*", "/crm/objects/*/contacts/search")
        if kind == "contacts"
        else (),
        sample=Sample(
            new=made, bad=bad, create=f"*/crm/objects/2026-03/{kind}/batch/create", other=other
        ),
    )


def _owner(number: int, name: str = "Owner") -> Owner:
    return Owner(str(1000 + number), f"o{number}@sandbox.example", name, "Test", 5_000_001 + number)


def _fill_owners(sandbox: Sandbox, count: int) -> None:
    sandbox.hubspot.owners[:] = [_owner(n) for n in range(count)]


def _create_owner(sandbox: Sandbox, name: str) -> str:
    owners = sandbox.hubspot.owners
    owners.append(_owner(int(owners[-1].id) - 999, name))
    return owners[-1].id


def _update_owner(sandbox: Sandbox, record_id: str, name: str) -> None:
    owners = sandbox.hubspot.owners
    owners[:] = [replace(o, first_name=name) if o.id == record_id else o for o in owners]


def _purge_owner(sandbox: Sandbox, record_id: str) -> None:
    owners = sandbox.hubspot.owners
    owners[:] = [o for o in owners if o.id != record_id]


OWNERS = Subject(
    provider="hubspot",
    resource="owners",
    text="firstName",
    listing="/crm/v3/owners",
    live=_live,
    dump=lambda sandbox: map(owner_document, sandbox.hubspot.owners),
    create=_create_owner,
    update=_update_owner,
    purge=_purge_owner,
    fresh=_fresh,
    fill=_fill_owners,
    cannot={"lost_paging": "nothing counts owners: a page without `paging` is the last"},
)

HUBSPOT = (
    _crm(
        "contacts",
        "city",
        {"email": "nonsense"},
        ("jobtitle", "Engenheira"),
        lambda n: {"email": f"made{n}@example.com", "city": "Natal", "firstname": "Zoë 🦄"},
    ),
    _crm("companies", "city", {"numberofemployees": "many"}, ("numberofemployees", 12), name="New"),
    _crm(
        "deals",
        "description",
        {"amount": "a lot"},
        ("amount", 17.5),
        dealname="New",
        dealstage="qualifiedtobuy",
        pipeline="default",
    ),
    _crm("products", "description", {"price": "dear"}, ("price", 3), name="New"),
    _crm(
        "tickets",
        "content",
        {"hs_pipeline_stage": "none such"},
        ("hs_ticket_priority", "HIGH"),
        subject="New",
        hs_pipeline_stage="1",
    ),
    OWNERS,
)

# -- all of them

SUBJECTS: tuple[Subject, ...] = (
    *HUBSPOT,
    *whatsapp_subjects.SUBJECTS,
    *shopify_subjects.SUBJECTS,
    *salesforce_subjects.SUBJECTS,
    *mailchimp_subjects.SUBJECTS,
    *slack_subjects.SUBJECTS,
    *linkedin_subjects.SUBJECTS,
    *pipedrive_subjects.SUBJECTS,
)
PAIRS: tuple[tuple[Subject, Case], ...] = tuple(
    (subject, case) for subject in SUBJECTS for case in cases_of(subject, SUBJECTS)
)

DEFECTS: dict[tuple[str, str], str] = {}
"""Target and case of what is known to fail, and why. A defect that is gone must be taken out."""
