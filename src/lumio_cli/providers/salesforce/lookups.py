"""Questions to an org beside its listings: who it is, and what became of some records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.auth import Credential, told_besides
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.fields import Identity
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.salesforce.fields import listed
from lumio_cli.providers.salesforce.resources import BIN
from lumio_cli.providers.salesforce.soql import (
    ID,
    select,
    unwrap,
)

ASKED = 200
"""Ids that fit into the condition of a query in an address."""
MASTER = "MasterRecordId"
"""Where a record that was merged names the one that was kept. Accounts, contacts, leads and a few
other types have it."""


class Org(Protocol):
    """What asks: a provider that knows its version."""

    def get(self, what: str, params: Mapping[str, str] | None = None) -> Call:
        """Return a request below the data of its version."""
        ...

    def describe_call(self, resource: Resource) -> Call:
        """Return the request for a type's description."""
        ...


def probe(provider: Org, send: Send, credential: Credential) -> Identity:
    """Return the organization, and what is left of its allocation. Raises `BadReplyError`."""
    query = "SELECT Id, Name, OrganizationType, IsSandbox, InstanceName FROM Organization"
    found = dig(send(provider.get("queryAll", {"q": f"{query} LIMIT 1"})).json(), "records")
    org = found[0] if isinstance(found, list) and found else None
    account = dig(org, "Id")
    if not isinstance(org, dict) or not isinstance(account, str) or not ID.fullmatch(account):
        raise BadReplyError("Salesforce names no organization", hint="try again later")
    details = {
        "edition": str(org.get("OrganizationType") or ""),
        "instance": str(org.get("InstanceName") or ""),
        "sandbox": "yes" if org.get("IsSandbox") else "no",
    }
    # It takes a permission of its own.
    if daily := dig(told_besides(send, provider.get("limits"))[0], "DailyApiRequests"):
        left, most = dig(daily, "Remaining"), dig(daily, "Max")
        details["requests_left"] = f"{left} of {most} in 24 hours"
    return Identity(
        account_id=account,
        account_name=str(org.get("Name") or account),
        scopes=credential.scopes,
        expires_at=credential.expires_at,
        details=details,
    )


def survivors(
    provider: Org, resource: Resource, ids: Sequence[str], send: Send
) -> Mapping[str, str]:
    """Return what the recycle bin says of records: into which they were merged."""
    ids = [record for record in ids if ID.fullmatch(record)]
    if not ids:
        return {}
    told = listed(send(provider.describe_call(resource)))
    if MASTER not in {item["name"] for item in told}:
        return {}
    found: dict[str, str] = {}
    for start in range(0, len(ids), ASKED):
        asked = ", ".join(f"'{record}'" for record in ids[start : start + ASKED])
        conditions = [f"Id IN ({asked})", f"{BIN} = true", f"{MASTER} != null"]
        query = select(resource.path, (MASTER,), conditions)
        for record in unwrap(send(provider.get("queryAll", {"q": query})).json())["records"]:
            found[str(record["Id"])] = str(record[MASTER])
    return found


def alive(provider: Org, resource: Resource, ids: Sequence[str], send: Send) -> Collection[str]:
    """Return what a query by id finds of records, without the recycle bin."""
    asked = ", ".join(f"'{record}'" for record in ids if ID.fullmatch(record))
    if not asked:
        return ()
    query = select(resource.path, ("Id",), [f"Id IN ({asked})"])
    found = unwrap(send(provider.get("query", {"q": query})).json())["records"]
    return [str(record["Id"]) for record in found]


def estimate(provider: Org, resource: Resource, send: Send) -> int | None:
    """Return how many records of a type the org thinks that it has; None where it does not say."""
    call = provider.get("limits/recordCount", {"sObjects": resource.path})
    told = dig(send(call).json(), "sObjects")
    for item in told if isinstance(told, list) else ():
        number = dig(item, "count")
        if dig(item, "name") == resource.path and isinstance(number, int):
            return number
    return None
