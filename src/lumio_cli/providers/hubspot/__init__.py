"""HubSpot CRM: contacts, companies, deals, products, tickets and how they belong together.

Sources: HubSpot's public API descriptions (HubSpot-public-api-spec-collection: CRM objects,
properties, owners, pipelines, associations, account info and OAuth, each numbered and of 2026-03)
and, on developers.hubspot.com, the guides on usage limits, CRM search and service keys
("account-service-keys") and the changelog entries "increasing-our-api-limits",
"bug-fix-batch-read-limit-for-hubspot-associations-api", "service-keys",
"legacy-private-app-creation-sunset", "v1-oauth-api-deprecation" and
"legacy-apis-and-legacy-apps-whats-going-unsupported-and-when". What follows from them:

- A listing returns only the properties that are asked for, at most 100 records a page; a search at
  most 200, and 10,000 a query, whatever its `after` says. A search is therefore walked by
  `hs_object_id` inside a fixed window of modification dates; `after` is used only where a page
  without rows says that more follow.
- The search index lags behind writes by seconds, sometimes minutes: windows reach back.
- A search request's body may have 3,000 characters, a URL about 8,000: where the properties do not
  fit, the listing brings ids only and batch reads (100 a call) bring the rest.
- Search and batches of associations are exempt from the ten-second limit; search has its own, of
  five requests a second over all types of an account (`x-hubspot-rate-limit-exemptions`).
- Archiving does not touch the modification date: the archived are listed on their own.
- Contacts carry `lastmodifieddate`, everything else `hs_lastmodifieddate`.
- Numbered versions lose HubSpot's support in 2027 (associations v4 in March, v3 in September): the
  version of all endpoints is one setting. Unless told, CRM objects are asked for by a dated version
  and all others by numbered ones; see `endpoints`. A login's own endpoints are `/oauth/v3` whatever
  it says, since a wrong word in it must lock nobody out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.auth import Credential, OAuth
from lumio_cli.providers.contract.call import Call, Json, Record, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.paging import with_params
from lumio_cli.providers.contract.provider import Provider, found_alone
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column, Kind, Property, Resource, Walk
from lumio_cli.providers.contract.values import as_text
from lumio_cli.providers.contract.verdict import Verdict
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.hubspot import account, verdicts
from lumio_cli.providers.hubspot.endpoints import CHECKED, Api, endpoint
from lumio_cli.providers.hubspot.properties import (
    METADATA_SECONDS,
    definitions,
    described,
    targets,
)
from lumio_cli.providers.hubspot.resources import (
    ASSOCIATIONS,
    BATCH,
    OBJECTS,
    OWNERS,
    PAIRS,
    PIPELINES,
    links,
    stages,
)
from lumio_cli.providers.hubspot.survivors import MERGED, survivors
from lumio_cli.providers.hubspot.writes import write_all

SEARCH_BODY = 2_600
"""Characters of properties that fit into a search body of 3,000, with its filters."""
LIST_URL = 6_000
"""Characters of properties that fit into a URL with room for hosts, paths and proxies."""


class HubSpot(Provider):
    """HubSpot CRM."""

    name = "hubspot"
    title = "HubSpot"
    error_names = ("category", "correlationId", "status")
    category = "CRM"
    base_url = "https://api.hubapi.com"
    hosts = ("api.hubapi.com",)
    realtime = "webhooks"
    credential = (
        Field(
            "token",
            "Service key (Development > Keys > Service keys), or access token of a private app",
            secret=True,
            pattern=r"pat-[a-z0-9]+-[0-9a-fA-F-]{36}|[A-Za-z0-9_-]{20,}",
        ),
    )
    oauth = OAuth(
        authorize_url="https://app.hubspot.com/oauth/authorize",
        redirect_port=18921,
        token_path=f"{endpoint(CHECKED, 'oauth')}/token",
        revoke_path=f"{endpoint(CHECKED, 'oauth')}/token/revoke",
        scopes=(
            "oauth",
            "crm.objects.contacts.read",
            "crm.objects.companies.read",
            "crm.objects.deals.read",
        ),
        optional_scopes=(
            "crm.objects.contacts.write",
            "crm.objects.companies.write",
            "crm.objects.deals.write",
            "crm.objects.owners.read",
            "e-commerce",
            "tickets",
        ),
    )
    fields = (
        Field(
            "api_version",
            "Version of all of HubSpot's endpoints: a dated one such as 2026-03, or v3; auto: each "
            "as lumio was checked against it",
            default=CHECKED,
            pattern=r"auto|v3|20\d\d-\d\d",
        ),
        Field(
            "custom_properties",
            "Which custom properties become columns: all, none, or a list of their names",
            kind="list",
            default=["all"],
        ),
    )
    quotas = (
        Quota(
            "burst",
            190,
            10.0,
            kind="window",
            shared="token",
            exempt=("*/search", "/crm/*associations/*/batch/*", "/oauth/*"),
        ),
        # Five a second; a fifth of a second more, since requests do not arrive as they were sent.
        Quota("search", 5, 1.2, kind="window", shared="account", routes=("*/search",)),
        Quota("daily", 1_000_000, kind="daily", shared="account", exempt=("/oauth/*",)),
    )
    resources = (*OBJECTS, ASSOCIATIONS, OWNERS, PIPELINES)
    guide = (
        "In HubSpot open Development > Keys > Service keys and create a service key. Super admins"
        " can, and users with developer tools access; service keys are in public beta.",
        "Give it the scopes listed below; those for writing only if you want to push changes.",
        "Copy the key and run `lumio connect hubspot`.",
        "The access token of a legacy private app works as well; HubSpot lets nobody create new"
        " ones since October 26, 2026.",
        "Or use an app of yours that has the redirect URL http://localhost:18921/callback: "
        "`lumio connect hubspot --oauth --set client_id=ID`.",
    )

    # -- talking

    def judge(self, reply: Reply) -> Verdict | None:
        """By HubSpot's status, category and policy; see `verdicts`."""
        return verdicts.judge(reply)

    def remaining(self, call: Call, reply: Reply) -> tuple[Allowance, ...]:
        """The X-HubSpot-RateLimit headers; search answers carry none of them."""
        return verdicts.remaining(reply)

    def probe(self, send: Send, credential: Credential) -> Identity:
        """The account's details, and the token's scopes where HubSpot tells them."""
        return account.probe(self._path("account"), self._path("oauth"), send, credential)

    # -- reading

    def _path(self, api: Api, *names: str) -> str:
        """A path of an API, in the version that is set."""
        version = str(self.options.get("api_version") or CHECKED)
        return "/".join((endpoint(version, api), *names))

    def describe(self, resource: Resource, send: Send) -> tuple[Property, ...] | None:
        """The mapped properties that exist, and the custom ones that are wanted."""
        if resource not in OBJECTS:
            return None
        chosen = {str(name) for name in self.options.get("custom_properties") or ["all"]}
        return described(self._definitions(resource, send), self._mapped(resource), chosen)

    def _definitions(self, resource: Resource, send: Send) -> list[Mapping[str, Any]]:
        return definitions(self._path("properties", resource.name), send)

    def _mapped(self, resource: Resource) -> tuple[Column, ...]:
        """The declared columns and those that the operator added."""
        added = (self.options.get("columns") or {}).get(resource.name) or {}
        return (*resource.columns, *(Column(name, path) for name, path in added.items()))

    def slices(
        self, resource: Resource, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Associations by pairs of types, pipelines by type; everything else in one piece."""
        if resource is ASSOCIATIONS:
            return {f"{a}-{b}": {"parent": a, "from": a, "to": b} for a, b in PAIRS}
        if resource is PIPELINES:
            return {name: {"type": name} for name in ("deals", "tickets")}
        return {"": {}}

    def call(self, walk: Walk) -> Call:
        """List, search or, for associations, batch read."""
        resource, options = walk.resource, walk.options
        if resource is ASSOCIATIONS:
            pair = (str(options["from"]), str(options["to"]))
            path = self._path("associations", *pair, "batch", "read")
            return Call("POST", path, json={"inputs": []}, safe=True)
        if resource is PIPELINES:
            path = self._path("pipelines", str(options["type"]))
            return Call("GET", path, cache_for=METADATA_SECONDS)
        if resource is OWNERS:
            return Call("GET", self._path("owners"), cache_for=METADATA_SECONDS)
        path = self._path("objects", resource.name)
        if walk.kind == "changes":
            return self._search(walk, f"{path}/search")
        call = with_params(Call("GET", path), archived=str(walk.kind == "tombstones").lower())
        if walk.kind == "tombstones":
            return with_params(call, properties="hs_object_id")
        return with_params(call, properties=",".join(self._asked(walk)))

    def _search(self, walk: Walk, path: str) -> Call:
        assert walk.resource.cursor is not None  # noqa: S101 every CRM object has one
        field = walk.resource.cursor.path.removeprefix("properties.")
        filters = []
        if walk.window.floor is not None:
            filters.append(_bound(field, "GTE", walk.window.floor))
        if walk.window.ceiling is not None:
            filters.append(_bound(field, "LTE", walk.window.ceiling))
        body = {
            "filterGroups": [{"filters": filters}],
            # The published schema wants sorts as strings; the documented form is this one, and
            # a plain property name sorts ascending.
            "sorts": ["hs_object_id"],
            "properties": list(self._asked(walk)),
            "limit": 200,
            "after": "0",
        }
        return Call("POST", path, json=body, safe=True)

    def _asked(self, walk: Walk) -> tuple[str, ...]:
        """The properties that the listing itself can carry."""
        if not self._must_fill(walk):
            return walk.properties
        return ("hs_object_id",)

    def _must_fill(self, walk: Walk) -> bool:
        room = SEARCH_BODY if walk.kind == "changes" else LIST_URL
        quotes = 3 if walk.kind == "changes" else 1
        return sum(len(p) + quotes for p in walk.properties) > room

    def fill(self, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Batch reads, where the properties do not fit into the listing's request."""
        if walk.resource not in OBJECTS or walk.kind == "tombstones" or not self._must_fill(walk):
            return records
        found: list[Record] = []
        ids: list[str] = []
        for record in records:
            value = record.get("id") if isinstance(record, dict) else None
            if isinstance(value, str | int):
                ids.append(str(value))
            else:
                # What cannot be asked for is passed on: it has to become a dead letter.
                found.append(record)
        for start in range(0, len(ids), BATCH):
            body = {
                "inputs": [{"id": i} for i in ids[start : start + BATCH]],
                "properties": list(walk.properties),
                "propertiesWithHistory": [],
            }
            path = self._path("objects", walk.resource.name, "batch", "read")
            reply = send(Call("POST", path, json=body, safe=True))
            _refuse_partial(reply)
            found.extend(reply.json()["results"])
        return found

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        """Associations and pipelines arrive nested; each link and each stage becomes a record."""
        rows = super().records(walk, reply)
        if walk.resource is ASSOCIATIONS:
            _refuse_partial(reply)
            a, b = walk.options["from"], walk.options["to"]
            return [record for result in rows for record in links(a, b, result)]
        if walk.resource is PIPELINES:
            return [
                record for pipeline in rows for record in stages(walk.options["type"], pipeline)
            ]
        return rows

    def total(self, walk: Walk, reply: Reply) -> int | None:
        """A search says how many records match; after the first page fewer do."""
        return _number(reply) if walk.kind == "changes" else None

    def count(self, resource: Resource, send: Send) -> int | None:
        """A search for everything, of which one record is asked for."""
        if resource not in OBJECTS:
            return None
        body = {
            "filterGroups": [],
            "sorts": [],
            "properties": ["hs_object_id"],
            "limit": 1,
            "after": "0",
        }
        path = self._path("objects", resource.name, "search")
        return _number(send(Call("POST", path, json=body, safe=True)))

    def group_of(self, walk: Walk, parent_id: str) -> str:
        """The links of one record to one other type."""
        return f"{walk.slice}:{parent_id}"

    def merged(self, walk: Walk, record: Record) -> Mapping[str, str]:
        """The survivor lists those that it is made of, and they vanish: one of them, where it keeps
        the other's id; both, where it has a new one, as deals have since they can be merged at all
        (changelog "announcement-deals-now-support-merging")."""
        properties = record.get("properties")
        value = properties.get(MERGED) if isinstance(properties, dict) else None
        if not value or walk.kind == "tombstones":
            return {}
        return {part: str(record.get("id")) for part in str(value).split(";") if part}

    def survivors(self, resource: Resource, ids: Sequence[str], send: Send) -> Mapping[str, str]:
        """A read by the id of a merged record answers the survivor, which lists that id (same
        changelog: the id in the answer is the new record's)."""
        if resource not in OBJECTS:
            return {}
        return survivors(self._path("objects", resource.name), ids, send)

    def alive(self, resource: Resource, ids: Sequence[str], send: Send) -> Collection[str]:
        """Nothing counts owners; one that was archived is not found unless it is asked for so."""
        if resource is not OWNERS:
            return ()
        path = self._path("owners")
        return found_alone(ids, lambda i: Call("GET", f"{path}/{i}", route=f"{path}/{{id}}"), send)

    # -- writing

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
        """Apply changes of one action in batches of 100; one receipt a change."""
        known = {}
        if changes[0].action != "archive":
            known = targets(self._definitions(resource, send), self._mapped(resource))
        yield from write_all(self._path("objects", resource.name), changes, known, send)

    def shown(self, column: Column, value: Json) -> Json:
        """All of HubSpot's values are texts."""
        return as_text(column.kind, value)


def _number(reply: Reply) -> int | None:
    """How many records a search finds; None where its answer does not say."""
    value = dig(reply.json(), "total")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _bound(field: str, operator: str, value: datetime) -> dict[str, str]:
    milliseconds = int(value.timestamp() * 1000)
    return {"propertyName": field, "operator": operator, "value": str(milliseconds)}


def _refuse_partial(reply: Reply) -> None:
    """A batch read that was answered in part (207) is whole only if what is missing is not there.

    Records without associations are reported as OBJECT_NOT_FOUND, as are those deleted meanwhile.
    Raises `BadReplyError` for any other error: what it left out must not look deleted.
    """
    for error in reply.json().get("errors") or ():
        category = str(dig(error, "category") or "")
        if category != "OBJECT_NOT_FOUND":
            raise BadReplyError(
                f"HubSpot answered a batch in part: {dig(error, 'message') or category}",
                hint="nothing was lost; run it again later",
            )
