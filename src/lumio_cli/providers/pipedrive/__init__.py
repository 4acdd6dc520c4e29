"""Pipedrive: deals, persons, organizations, activities, products, pipelines and stages.

Sources: Pipedrive's published descriptions of API v2 and v1 (openapi-v2.yaml, openapi.yaml on
developers.pipedrive.com, with the token cost and the scopes of each endpoint); on
pipedrive.readme.io the pages "Rate limiting" (core-api-concepts-rate-limiting), "Pipedrive API v2
migration guide", "Pagination", "Custom fields", "Responses", "HTTP status codes", "OAuth
authorization", "OAuth status codes", "How to find the API token" and "Registering a private app";
on developers.pipedrive.com/changelog "archived deals and leads will not be returned in existing
endpoints" (July 2025), "Deprecation of selected API v1 endpoints" (April 2025, out of support
since August 2026), "Introducing new Fields API v2" (December 2025) and the option labels of
May 2026; for headers that the documentation does not name, the public client wavyx/pdcli, which
was checked against the live API. What follows from them:

- v2 pages by an opaque cursor, at most 500 records at a time. A listing by id does not move when
  its records change: walks are sorted by id, and a cursor can be resumed.
- `updated_since` includes its moment, `updated_until` does not; times are whole seconds, in UTC.
  Products know no `updated_until`, and none is needed: what changes behind a walk carries a time
  after its beginning, and so comes with the next one.
- Archived deals are left out of the listing of deals and have their own, at twice the cost.
- Deleted deals of the last 30 days can be listed (`status=deleted`), archived ones by the listing
  of archived deals, which has the same parameter. What that one shows is written nowhere: only
  what says of itself that it is deleted is taken for it. Nothing lists other deleted records (v1's
  `/recents` does not promise to): they are found by their absence.
- 402 says that the company's account is not open: its trial has ended, or a payment is missing.
- Custom fields lie under `custom_fields` by hashes, which differ from account to account. Values
  with options come with labels where the listing can be asked for them (not products, not
  archived deals: there the field definitions tell).
- A token of a user (`x-api-token`) may ask 20 to 120 times in 2 seconds, by plan, a token of an
  app four times as often. A company may spend 30,000 tokens a day, times its plan's factor, times
  its seats, and each endpoint has its price. The day ends at midnight "of the server", which is
  taken to be UTC.
- Who goes on after many 429s is answered 403 by Cloudflare, with a page that is no JSON.
- Which scopes an app asks for is part of its registration; the authorize URL has no say. The
  token answer names the company's own host (`api_domain`), which is faster than the common one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from lumio_cli.core.errors import BadReplyError, CredentialError
from lumio_cli.providers.contract.auth import Credential, OAuth, read_tokens
from lumio_cli.providers.contract.call import Call, Json, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column, Property, Resource
from lumio_cli.providers.contract.verdict import ErrorTable, Outcome, Verdict
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.pipedrive.fields import properties, read_definitions, shown_as
from lumio_cli.providers.pipedrive.listing import FIELDS
from lumio_cli.providers.pipedrive.resources import MAIN, PIPELINES, STAGES, USERS
from lumio_cli.providers.pipedrive.writes import known_fields, write_all

PLANS = {"lite": (20, 1), "growth": (40, 2), "premium": (100, 5), "ultimate": (120, 7)}
"""Requests in two seconds with a user's token, and the factor of the daily budget, by plan."""
BASE_TOKENS = 30_000
SHUT_OUT = 900.0
"""Seconds to stay away after Cloudflare has closed the door. Pipedrive does not say how long."""
CLOSED = 86_400.0
"""Seconds after which a company's account that is not open is worth another look: whoever pays the
bill is no part of a run, and no wait is long enough for it."""
LONGEST_RESET = 10.0
"""A reset of the two-second window that is further away than this is no reset of it."""
OWN_HOST = re.compile(r"https://[a-z0-9][a-z0-9-]*\.pipedrive\.com")
NOT_OPEN = (
    "the company's account is not open, because its trial has ended or payment details are missing;"
    " an administrator can open it in Pipedrive's billing settings"
)
ERRORS = ErrorTable("error", "code", by_status={415: Outcome.DENIED})


class Pipedrive(Provider):
    """Pipedrive CRM, by API v2."""

    name = "pipedrive"
    title = "Pipedrive"
    error_names = ("success",)
    category = "CRM"
    base_url = "https://api.pipedrive.com"
    hosts = ("api.pipedrive.com", "oauth.pipedrive.com", "*.pipedrive.com")
    realtime = "webhooks"
    credential = (
        Field(
            "token",
            "Personal API token (Company settings > Personal preferences > API)",
            secret=True,
            pattern=r"[0-9a-f]{40}|[A-Za-z0-9_.:=+/-]{20,}",
        ),
    )
    oauth = OAuth(
        authorize_url="https://oauth.pipedrive.com/oauth/authorize",
        token_path="https://oauth.pipedrive.com/oauth/token",  # noqa: S106 an address
        scopes=(
            "base",
            "deals:read",
            "contacts:read",
            "activities:read",
            "products:read",
            "users:read",
        ),
        optional_scopes=(
            "deals:full",
            "contacts:full",
            "activities:full",
            "products:full",
            "admin",
        ),
        optional_param="",
        pkce=False,
        basic=True,
        redirect_port=18928,
    )
    fields = (
        Field(
            "plan",
            "Your plan, which decides how fast and how much may be asked: " + ", ".join(PLANS),
            default="lite",
            pattern="|".join(PLANS),
        ),
        Field("seats", "Seats of your company, for the daily budget", kind="integer", default=1),
        Field(
            "custom_fields",
            "Which custom fields become columns: all, none, or a list of their names or keys",
            kind="list",
            default=["all"],
        ),
    )
    no_merges = (
        "The API tells of a merge (`merge_what_id`) only to whoever makes it: the record that was"
        " merged is listed as deleted, or no longer, and nothing names the other."
    )
    quotas: tuple[Quota, ...] = (
        # Two seconds, and a little more, since requests do not arrive as they were sent.
        Quota("burst", PLANS["lite"][0], 2.2, kind="window", exempt=("*/oauth/*",)),
        Quota(
            "daily",
            BASE_TOKENS,
            kind="daily",
            shared="account",
            costed=True,
            exempt=("*/oauth/*",),
        ),
        # Fair use of POST by a user's token, counted in UTC; x-daily-requests-left tells.
        Quota("writes", 10_000, kind="daily", keyed="user"),
    )
    resources = (*MAIN, PIPELINES, STAGES, USERS)
    guide = (
        "In Pipedrive open your account menu > Company settings > Personal preferences > API and"
        " copy your personal API token.",
        "It may do what you may do. If there is no API page, an administrator has to allow it to"
        " your permission set.",
        "Run `lumio connect pipedrive`.",
        "Or register a private app in the Developer Hub with the callback URL"
        " http://localhost:18928/callback and the scopes below, then:"
        " `lumio connect pipedrive --oauth --set client_id=ID`.",
    )
    notes = (
        "Deletions of persons, organizations, activities and products are seen by a full sync only:"
        " the API lists deleted deals (of 30 days), and nothing else that was deleted.",
        "Users come from the cache for up to 30 minutes; --mode full asks for them.",
        "Archived deals can be read and not written.",
        "A label or an option that is renamed reaches records that have it with a full sync.",
        "Leads, notes, files, mail and projects are not synced.",
    )

    def __init__(self, options: Mapping[str, Any]) -> None:
        burst, factor = PLANS[str(options.get("plan") or "lite")]
        seats = max(1, int(options.get("seats") or 1))
        counts = {"burst": burst, "daily": BASE_TOKENS * factor * seats}
        self.quotas = tuple(replace(q, count=counts.get(q.name, q.count)) for q in self.quotas)
        super().__init__(options)

    # -- talking

    def authorize(self, call: Call, credential: Credential) -> Mapping[str, str]:
        """A user's token has a header of its own; an app's is a bearer token."""
        if credential.kind == "token":
            return {"x-api-token": credential.token}
        return super().authorize(call, credential)

    def address(self, call: Call, credential: Credential) -> Call:
        """Only what a user's token writes counts towards that user's fair use."""
        if call.method != "POST" or credential.kind != "token":
            return call
        return replace(call, keys={**call.keys, "user": "own"})

    def locate(self, credential: Credential) -> str:
        """The company's own host, where the credential knows it. Raises `CredentialError` for an
        address that is none of Pipedrive's."""
        domain = credential.fields.get("api_domain", "").rstrip("/")
        if domain and not OWN_HOST.fullmatch(domain):
            raise CredentialError(
                "the company's address that is stored with the credential is not Pipedrive's",
                hint="`lumio connect pipedrive` again",
            )
        return domain

    def tokens(self, reply: Reply, *, now: datetime, old: Credential) -> Credential:
        """Keeps the company's host; an expired login is known by Pipedrive's wording, too."""
        body = _body(reply)
        said = str(body.get("message") or "")
        if reply.status >= 400 and said.lower().startswith("invalid grant"):
            raise CredentialError(f"the token endpoint refused: {said}", code="login_expired")
        found = read_tokens(reply, now=now, old=old)
        domain = str(body.get("api_domain") or "").rstrip("/")
        if not OWN_HOST.fullmatch(domain):
            return found
        return replace(found, fields={**found.fields, "api_domain": domain})

    def judge(self, reply: Reply) -> Verdict | None:
        """A 429 is about the day or about two seconds, by the headers; a 403 is a missing scope,
        a limit of the account (it has a `code`) or Cloudflare (it is no JSON)."""
        body = _body(reply)
        message, code = str(body.get("error") or ""), str(body.get("code") or "")
        if reply.status < 400:
            if body.get("success") is False:
                return Verdict(Outcome.REJECTED, message, code)
            return None
        if reply.status == 429:
            return _throttled(reply, message)
        if reply.status == 402:
            # Nothing is wrong with the credential, and nothing has been done.
            said = f"{message}: {NOT_OPEN}" if message else NOT_OPEN
            return Verdict(Outcome.RETRY, said, code, CLOSED)
        if reply.status == 403:
            if not body and "json" not in reply.headers.get("content-type", ""):
                said = "Cloudflare has shut this client out for ignoring the rate limit"
                return Verdict(Outcome.EXHAUSTED, said, "cloudflare", SHUT_OUT, "burst")
            if code.startswith("feature_capping"):
                return Verdict(Outcome.REJECTED, message, code)
        return ERRORS.judge(reply)

    def remaining(self, call: Call, reply: Reply) -> tuple[Allowance, ...]:
        """The burst's headers, and those of the daily budget, which are not always there."""
        found = []
        limit = reply.number("x-ratelimit-limit")
        # Searches have a window of their own, and show that one.
        if limit is not None and not call.label.endswith("/search"):
            found.append(Allowance("burst", limit, reply.number("x-ratelimit-remaining")))
        left = reply.number("x-daily-ratelimit-token-remaining")
        if left is not None:
            most = reply.number("x-daily-ratelimit-token-limit")
            found.append(Allowance("daily", most, left))
        return tuple(found)

    def probe(self, send: Send, credential: Credential) -> Identity:
        """The user's own data: two tokens, and any credential may ask for it."""
        body = send(Call("GET", "/api/v1/users/me", cost=2.0)).json()
        company = dig(body, "data.company_id")
        if not isinstance(company, int | str) or isinstance(company, bool) or company == "":
            raise BadReplyError("Pipedrive's user names no company", hint="try again later")
        domain = str(dig(body, "data.company_domain") or "")
        host = f"https://{domain}.pipedrive.com"
        return Identity(
            account_id=str(company),
            account_name=str(dig(body, "data.company_name") or domain or company),
            scopes=credential.scopes,
            expires_at=credential.expires_at,
            details={
                "user": str(dig(body, "data.name") or ""),
                "time_zone": str(dig(body, "data.timezone_name") or ""),
                "company_domain": domain,
            },
            fields={"api_domain": host} if OWN_HOST.fullmatch(host) else {},
        )

    # -- reading

    def describe(self, resource: Resource, send: Send) -> tuple[Property, ...] | None:
        """The custom fields that are wanted, each by the name it has in Pipedrive."""
        if resource.name not in FIELDS:
            return None
        chosen = [str(name) for name in self.options.get("custom_fields") or ["all"]]
        added = (self.options.get("columns") or {}).get(resource.name) or {}
        return properties(resource, read_definitions(resource, send), chosen, added)

    # -- writing

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
        """Apply changes of one action, one call each; one receipt a change."""
        definitions = []
        if any(change.action != "archive" for change in changes):
            definitions = read_definitions(resource, send)
        added = (self.options.get("columns") or {}).get(resource.name) or {}
        found = properties(resource, definitions, ["all"], added)
        return write_all(resource, changes, known_fields(found, definitions), send)

    def shown(self, column: Column, value: Json) -> Json:
        """As a listing shows it: times in whole seconds, nothing in a list as `[]`."""
        return shown_as(column, value)


def _throttled(reply: Reply, message: str) -> Verdict:
    if reply.number("x-daily-ratelimit-token-remaining") == 0:
        # What Retry-After says then is about the burst, and would be waited for in vain.
        return Verdict(Outcome.EXHAUSTED, message, "", _to_midnight(reply.date), "daily")
    after = None
    if "retry-after" not in reply.headers:
        reset = reply.number("x-ratelimit-reset")
        after = reset if reset is not None and 0 < reset <= LONGEST_RESET else None
    return Verdict(Outcome.THROTTLED, message, "", after, "burst")


def _to_midnight(now: datetime | None) -> float | None:
    """Seconds to the end of the provider's day; None without its clock."""
    if now is None:
        return None
    day = now.astimezone(UTC).date() + timedelta(days=1)
    return (datetime.combine(day, time(), UTC) - now).total_seconds()


def _body(reply: Reply) -> Mapping[str, Any]:
    """The object of an answer; empty where there is none."""
    if reply.status < 400 and not (reply.body and 200 <= reply.status < 300):
        return {}
    try:
        body = reply.json()
    except BadReplyError:
        if reply.status < 400:
            raise
        return {}
    return body if isinstance(body, dict) else {}
