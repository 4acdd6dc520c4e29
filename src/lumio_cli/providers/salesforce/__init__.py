"""Salesforce: leads, opportunities, accounts, contacts and any other type of an org.

Sources. On developer.salesforce.com: REST API Developer Guide ("Query", "QueryAll", "sObject
Describe", "Record Count", "Limits", "Limit Info Header", "Status Codes and Error Responses",
"Use sObject Collections", "Composite"), Bulk API 2.0 and Bulk API Developer Guide ("Create a Query
Job", "Get Results for a Query Job", "Prepare CSV Files", "Understanding Bulk API 2.0 Ingest"),
Salesforce Developer Limits and Allocations Quick Reference ("API Request Limits and Allocations",
"SOQL and SOSL Limits"), SOAP API Developer Guide ("QueryLocator"). On help.salesforce.com: articles
000386440 (longest SOQL statement), 000386264 (longest URI, SOQL inside a composite request),
000384958 (INVALID_QUERY_LOCATOR), 000389067 (concurrent requests), "OAuth 2.0 Web Server Flow",
"... Client Credentials Flow", "... JWT Bearer Flow", and the release notes on external client apps.
Shapes of answers: Salesforce's Postman collection (Platform APIs v64) and its own OpenAPI of
sObjects (v59); clients that are widely used (simple-salesforce 1.12, jsforce). What follows:

- A query answers at most 2,000 records, fewer where they are wide; its cursor lasts two days, and
  only while the user opens no ten newer ones. So every walk goes by the last record's Id, or
  SystemModstamp and Id, which a run that was killed can go on from at any time; by the cursor only
  from a page that has no records yet.
- SystemModstamp moves with each change by users, triggers and imports, and has whole seconds. Rows
  of a window come in its order, so that the cursor moves page by page. A transaction commits after
  the time that it writes: windows reach back. Types without it have LastModifiedDate, CreatedDate
  or LoginTime, as their description says; of types with none of them everything is read each time.
- Deleted and merged records stay in the recycle bin for 15 days, where `queryAll` shows them with
  IsDeleted, the merged ones with the MasterRecordId of the record that was kept. What was purged
  from it, or is of a type without that field, is seen by a full walk alone. Old activities are
  archived: `query` shows them no longer, `queryAll` does.
- One field that is gone fails the whole query: fields are described anew whenever that happens.
- Compound fields (addresses, locations) cannot be read by Bulk API and repeat their parts; base64
  fields come as links. Neither is asked for, nor are LastViewedDate and LastReferencedDate, which
  are the reader's own. A statement may have 100,000 characters, an address with its headers 16,384
  bytes: a longer one goes into the body of a composite request.
- Bulk API 2.0 is meant for 10,000 records and more. Its locators stay good as long as the job, for
  seven days; its CSV has no null but the empty cell (nor has Salesforce an empty text), Z where
  REST has +0000, and numbers in either notation.
- The allocation of requests belongs to the org and counts the last 24 hours, not a day: 100,000 and
  more by edition and licences, 15,000 in a Developer Edition. Only requests that take 20 seconds or
  longer count as concurrent: 25, in a Developer Edition 5.
- New connected apps cannot be made since Spring '26; external client apps take their place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lumio_cli.core.errors import BadReplyError, DeniedError, GoneError, RejectedError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Json, Record, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.paging import Paging, Single
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column, Kind, Property, Resource, Walk
from lumio_cli.providers.contract.verdict import Verdict
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.salesforce import access, lookups, verdicts
from lumio_cli.providers.salesforce.bulk import JOBS, job_call, read_rows, retyped
from lumio_cli.providers.salesforce.fields import described, listed, moment_of, targets
from lumio_cli.providers.salesforce.ingest import ingest_all
from lumio_cli.providers.salesforce.resources import (
    BIN,
    CORE,
    RESOURCES,
    is_archived,
    more_resources,
)
from lumio_cli.providers.salesforce.soql import (
    Keyset,
    columns,
    moment,
    select,
    stamp_of,
    unwrap,
)
from lumio_cli.providers.salesforce.writes import RULES, Rules, write_all

METADATA_SECONDS = 1800.0
"""How long a description of a type may be served from the cache."""
BULK_FROM = 20_000
"""Records from which a job takes fewer requests than the pages would, and less of Salesforce."""
BULK_WRITE_FROM = 2_000
BULK_PAGE = 2_000
"""Rows of a bulk result that are read at once: wide ones take some tens of megabytes."""
DATA = "/services/data/{version}"


class Salesforce(Provider):
    """One Salesforce org."""

    name = "salesforce"
    title = "Salesforce"
    error_names = ("errorCode",)
    category = "CRM"
    base_url = "https://login.salesforce.com"
    hosts = ("login.salesforce.com", "test.salesforce.com", "*.my.salesforce.com")
    credential = (
        Field(
            "token",
            "Access token (session id), as `sf org display --verbose` shows it",
            secret=True,
            pattern=r"[!-~]{15,}",
        ),
        Field(
            "instance_url",
            "Address of the org: https://NAME.my.salesforce.com",
            pattern=rf"https://{access.MY_DOMAIN}/?",
        ),
    )
    oauth = access.OAUTH
    ways = access.WAYS
    fields = (
        Field("api_version", "Version of the API", default="67.0", pattern=r"\d\d\.0"),
        Field(
            "objects",
            "More types to sync, by their API names: Invoice__c, Case, ...",
            kind="list",
            default=[],
        ),
        Field(
            "read_fields",
            "Which fields are read: all, mapped (those that have a column), or names beside these",
            kind="list",
            default=["all"],
        ),
        Field(
            "bulk_from",
            "Records from which a full sync uses Bulk API 2.0; 0 is never",
            kind="integer",
            default=BULK_FROM,
        ),
        Field("bulk_page", "Rows of a bulk result a request", kind="integer", default=BULK_PAGE),
        Field(
            "bulk_write_from",
            "Changes from which a push uses Bulk API 2.0; 0 is never",
            kind="integer",
            default=BULK_WRITE_FROM,
        ),
        Field(
            "assignment_rules",
            "Whether a push runs the org's assignment rules: false, true (not in bulk jobs), or a "
            "rule's id",
            default="false",
            pattern=RULES,
        ),
        Field(
            "duplicate_rules",
            "Whether duplicate rules that only alert may stop a push: stop or save",
            default="stop",
            pattern="stop|save",
        ),
    )
    quotas = (
        Quota("daily", 100_000, kind="daily", shared="account", exempt=("/services/oauth2/*",)),
        Quota("concurrent", 25, kind="concurrency", shared="account"),
    )
    resources: tuple[Resource, ...] = RESOURCES
    guide = (
        "In Salesforce open Setup > App Manager > New External Client App and enable OAuth, with"
        " the scopes listed below and `refresh_token`.",
        "For a login in the browser: Callback URL http://localhost:18924/callback, require PKCE,"
        " then `lumio connect salesforce --oauth --set client_id=CONSUMER_KEY --set"
        " login_host=NAME.my.salesforce.com`. The app is known at the org's own address, its My"
        " Domain: a sandbox has NAME--SANDBOX.sandbox.my.salesforce.com.",
        "For servers: enable the client credentials flow, choose the user it runs as in the app's"
        " policies, then `lumio connect salesforce --way client_credentials`; or upload a"
        " certificate, enable the JWT bearer flow, then `lumio connect salesforce --way jwt --set"
        " login_host=NAME.my.salesforce.com`.",
        "The user needs API Enabled, and read permission on the types and fields.",
        "An access token works as well, for as long as its session lives:"
        " `lumio connect salesforce --set instance_url=https://NAME.my.salesforce.com`.",
    )
    notes = (
        "No events: change data capture and platform events come over the Pub/Sub API, which is"
        " gRPC; lumio asks for what has a newer SystemModstamp instead.",
        "Formula fields change without touching SystemModstamp: a full sync sees it.",
        "Records purged from the recycle bin, and deletions in types without one, are seen by a"
        " full sync.",
        "Compound fields come as their parts; the content of files is not read.",
        "Types without SystemModstamp (histories, logins) are followed by LastModifiedDate,"
        " CreatedDate or LoginTime: later edits of such records are seen by a full sync.",
        "The daily quota is one of the last 24 hours; what was used comes back hour by hour.",
    )

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        types = [str(name) for name in options.get("objects") or ()]
        self.resources = (*RESOURCES, *more_resources(types))
        self._counts_by_query = False

    # -- talking

    def locate(self, credential: Credential) -> str:
        """The org's own address."""
        return access.locate(credential)

    def tokens(self, reply: Reply, *, now: datetime, old: Credential) -> Credential:
        """The credential of a token answer, with the org's address in it."""
        return access.tokens(reply, now=now, old=old)

    def renewal(self, credential: Credential, now: datetime) -> Call | None:
        """By refresh token, client credentials or a signed assertion, as the credential is."""
        return access.renewal(credential, now) or super().renewal(credential, now)

    def judge(self, reply: Reply) -> Verdict | None:
        """By Salesforce's error code; see `verdicts`."""
        return verdicts.judge(reply)

    def remaining(self, call: Call, reply: Reply) -> tuple[Allowance, ...]:
        """The Sforce-Limit-Info header, or what `/limits` says."""
        return verdicts.remaining(call, reply)

    def probe(self, send: Send, credential: Credential) -> Identity:
        """The organization, and what is left of its allocation."""
        return lookups.probe(self, send, credential)

    # -- reading

    def _data(self) -> str:
        """The path of the API's version."""
        return f"/services/data/v{self.options.get('api_version') or '67.0'}"

    def get(self, what: str, params: Mapping[str, str] | None = None) -> Call:
        """Return a request below the data of the version."""
        return Call("GET", f"{self._data()}/{what}", route=f"{DATA}/{what}", params=params or {})

    def describe_call(self, resource: Resource) -> Call:
        """Return the request for a type's description."""
        return Call(
            "GET",
            f"{self._data()}/sobjects/{resource.path}/describe",
            route=f"{DATA}/sobjects/{{type}}/describe",
            cache_for=METADATA_SECONDS,
        )

    def describe(self, resource: Resource, send: Send) -> tuple[Property, ...] | None:
        """The fields that are read: all of them, or those that are mapped or named; in any case the
        one that tells of changes and, of types that lumio does not know, the one that tells of
        deletions.

        Raises `DeniedError` for a type that is not there: one that the user may not see looks the
        same.
        """
        try:
            told = listed(send(self.describe_call(resource)))
        except GoneError as error:
            raise DeniedError(
                f"Salesforce has no type {resource.path}, or this user may not see it",
                hint="check the API name, and the user's permission to read it",
            ) from error
        wished = {str(name) for name in self.options.get("read_fields") or ["all"]}
        wished.add(stamp_of(item["name"] for item in told))
        if resource.path not in CORE:
            wished.add(BIN)
        return described(told, self._mapped(resource), wished)

    def _mapped(self, resource: Resource) -> tuple[Column, ...]:
        """The declared columns and those that the operator added."""
        added = (self.options.get("columns") or {}).get(resource.name) or {}
        return (*resource.columns, *(Column(name, path) for name, path in added.items()))

    def slices(
        self, resource: Resource, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """One; by a bulk job where a full walk is expected to be a long one."""
        least = int(self.options.get("bulk_from", BULK_FROM))
        bulk = kind == "full" and bool(least) and expected is not None and expected >= least
        return {"": {"bulk": True} if bulk else {}}

    def paging(self, walk: Walk) -> Paging:
        """Page by page, or by a job."""
        if walk.options.get("bulk"):
            return JOBS
        if walk.kind == "tombstones" and not self._has_bin(walk):
            return Single()
        if walk.kind == "changes":
            return Keyset(stamp_of(self._asked(walk)))
        return super().paging(walk)

    def _has_bin(self, walk: Walk) -> bool:
        """Whether the type has a recycle bin, as far as its description is known."""
        return walk.resource.path in (*CORE, "Task", "Event") or BIN in walk.properties

    def call(self, walk: Walk) -> Call:
        """A query. One for what was deleted includes the recycle bin, and needs no other fields; of
        a type without one the description, which the cache has, is all there is to ask for."""
        type_ = walk.resource.path
        if walk.kind == "tombstones":
            if not self._has_bin(walk):
                return self.describe_call(walk.resource)
            master = [lookups.MASTER] if lookups.MASTER in self._asked(walk) else []
            query = select(type_, master, [f"{BIN} = true"])
            return self.get("queryAll", {"q": query})
        fields = self._asked(walk)
        what, conditions = "query", []
        if is_archived(type_):
            what, conditions = "queryAll", [f"{BIN} = false"] if self._has_bin(walk) else []
        if walk.options.get("bulk"):
            rows = int(self.options.get("bulk_page", BULK_PAGE))
            path = f"{self._data()}/jobs/query"
            return job_call(path, select(type_, fields, conditions), what, rows)
        stamp = stamp_of(fields)
        if walk.kind == "changes" and stamp:
            for sign, bound in ((">=", walk.window.floor), ("<=", walk.window.ceiling)):
                if bound is not None:
                    conditions.append(f"{stamp} {sign} {moment(bound)}")
        return self.get(what, {"q": select(type_, fields, conditions)})

    def _asked(self, walk: Walk) -> tuple[str, ...]:
        """The fields that a walk reads: those described, else those that have a column."""
        return walk.properties or tuple(column.path for column in walk.resource.columns)

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        """The records of a page, without the `attributes` that only repeat type and address."""
        if walk.kind == "tombstones" and not self._has_bin(walk):
            return []
        if reply.headers.get("content-type", "").startswith("text/csv"):
            return read_rows(reply, columns(self._asked(walk)))
        rows = unwrap(reply.json()).get(walk.resource.rows)
        if not isinstance(rows, list):
            raise BadReplyError(
                f"Salesforce answered a page of {walk.resource.name} without its records",
                hint="try again later; `lumio debug` shows the exchange",
            )
        return [
            {k: v for k, v in row.items() if k != "attributes"} if isinstance(row, dict) else row
            for row in rows
        ]

    def fill(self, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Rows of a bulk job get their types back; the description comes from the cache."""
        if not walk.options.get("bulk") or not records:
            return records
        return retyped(records, self._types(walk.resource, send))

    def _types(self, resource: Resource, send: Send) -> dict[str, str]:
        told = listed(send(self.describe_call(resource)))
        return {item["name"]: str(item.get("type")) for item in told}

    def count(self, resource: Resource, send: Send) -> int | None:
        """Salesforce's own estimate, which costs it next to nothing; for users without "View Setup
        and Configuration", to whom it is refused, and of histories, of which there is none, a query
        that counts (SOQL Reference, "COUNT()")."""
        if not self._counts_by_query:
            try:
                if (number := lookups.estimate(self, resource, send)) is not None:
                    return number
            except (DeniedError, GoneError, RejectedError):
                self._counts_by_query = True
        what = "queryAll" if is_archived(resource.path) else "query"
        query = f"SELECT COUNT() FROM {resource.path}"  # noqa: S608 a checked API name
        call = self.get(what, {"q": query})
        found = dig(send(call).json(), "totalSize")
        return found if isinstance(found, int) else None

    def merged(self, walk: Walk, record: Record) -> Mapping[str, str]:
        """A record that was deleted as the result of a merge names the one that was kept."""
        master = record.get(lookups.MASTER) if walk.kind == "tombstones" else None
        return {str(record.get("Id")): str(master)} if master else {}

    def survivors(self, resource: Resource, ids: Sequence[str], send: Send) -> Mapping[str, str]:
        """What the recycle bin says of them; what was purged from it nobody can tell."""
        return lookups.survivors(self, resource, ids, send)

    def alive(self, resource: Resource, ids: Sequence[str], send: Send) -> Collection[str]:
        """What a query by id finds, without the recycle bin: the count is an estimate."""
        return lookups.alive(self, resource, ids, send)

    # -- writing

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
        """Apply changes of one action, in collections of 200, or in bulk jobs where they are many;
        one receipt a change."""
        known = {}
        if changes[0].action != "archive":
            told = listed(send(self.describe_call(resource)))
            known = targets(told, self._mapped(resource))
        least = int(self.options.get("bulk_write_from", BULK_WRITE_FROM))
        many = bool(least) and len(changes) >= least
        rules = Rules(
            str(self.options.get("assignment_rules") or "false"),
            self.options.get("duplicate_rules") == "save",
        )
        apply = ingest_all if many else write_all
        yield from apply(self._data(), resource.path, changes, known, rules.ruled(send))

    def shown(self, column: Column, value: Json) -> Json:
        """As JSON has it: moments in Salesforce's own form and in whole seconds, of which it keeps
        no parts, and numbers that need not be whole as doubles."""
        found = super().shown(column, value)
        if column.kind == "number" and isinstance(found, int):
            return float(found)
        if column.kind != "datetime" or not isinstance(found, str):
            return found
        try:
            bare = moment_of(found).replace(tzinfo=None)
        except ValueError:
            return found  # no moment: Salesforce says what is wrong with it
        return f"{bare.isoformat(timespec='milliseconds')}+0000"
