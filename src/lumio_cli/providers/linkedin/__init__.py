"""LinkedIn: pages that you administer, their posts and figures, lead forms and their answers.

Sources, on learn.microsoft.com/en-us/linkedin: marketing/versioning and
marketing/integrations/migrations; shared/api-guide/concepts/rate-limits, pagination, protocol
version, query tunnelling and error handling; shared/authentication (authorization code flow,
programmatic refresh tokens, token introspection); marketing/community-management: organization
access control, organization lookup, share statistics, follower statistics, posts-api, images-api,
Community Management API migration; marketing/lead-sync/leadsync. On GitHub:
linkedin-developers/linkedin-api-python-client (encoding), api-evangelist/linkedin-ads
(lifecycle: versions and what a sunset one answers), PostHog/posthog pull request 64614 (how a
429 names the day), airbytehq/airbyte issues 74240 and 55794 (sunset versions). What follows:

- Each call names a version of the API, which is served for at least twelve months. The default,
  202607, is published as served until July 15, 2027.
- Queries are Rest.li 2.0: delimiters stand as they are, everything else is percent-encoded. They
  are therefore written into the path.
- Limits are a day's, by member and by application, end at midnight UTC and are shown by no header.
  LinkedIn publishes no numbers. For the development tier of the Community Management API public
  connectors report 100 calls a member and 500 an application, and no BATCH_GET (the README of
  @sixb/connector-linkedin): pages are read one by one. Calls are counted here over all endpoints
  together, which is the careful reading.
- Posts are read by administrators of a page, of its content, and by posters of its sponsored
  content; statistics by administrators only. Drafts are shown with `viewContext=AUTHOR` only: it
  is documented for one post, and public clients give it to the finder, too.
- A listing of posts can be sorted by change or by creation, newest first, but not filtered. All
  are listed by creation, so that an edit in between moves none; changes by the time of change,
  until one is too old.
- Statistics are for days of UTC, whose `end` is not included; all of a range comes in one answer.
- A text is in the little text format; what is not escaped cuts it off without an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lumio_cli.core.errors import RejectedError
from lumio_cli.providers.contract.auth import (
    Credential,
    OAuth,
    read_tokens,
    token_call,
    told_besides,
)
from lumio_cli.providers.contract.call import Call, Json, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.messages import Message, Past
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column, Resource
from lumio_cli.providers.contract.verdict import Verdict
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.linkedin import posting, verdicts
from lumio_cli.providers.linkedin.behaviour import ORGANIC
from lumio_cli.providers.linkedin.resources import (
    LEADS,
    ORGANIZATIONS,
    PAGES,
    READ,
    RESOURCES,
    WRITE,
)
from lumio_cli.providers.linkedin.restli import call, urn
from lumio_cli.providers.linkedin.rows import ADMINISTRATOR, CONTENT_ROLES

OAUTH = "https://www.linkedin.com/oauth/v2"
NEVER = 253_402_300_800
"""The year 10000, in seconds since 1970: no date has room for what lies behind it."""
NOBODY = "member-without-pages"
"""Stands for a member that no page names, since nothing else says who it is."""
REFRESH_UNTIL = "refresh_until"
"""The field of a credential that says when its refresh token ends."""


class LinkedIn(Provider):
    """LinkedIn pages."""

    name = "linkedin"
    title = "LinkedIn"
    error_names = ("status", "serviceErrorCode")
    category = "Social media"
    base_url = "https://api.linkedin.com"
    hosts = ("api.linkedin.com", "www.linkedin.com")
    realtime = "none"
    credential = (
        Field(
            "token",
            "Access token of a member who administers the pages, from your app's token generator",
            secret=True,
            pattern=r"[A-Za-z0-9_.~+/=-]{20,}",
        ),
    )
    oauth = OAuth(
        authorize_url=f"{OAUTH}/authorization",
        token_path=f"{OAUTH}/accessToken",
        revoke_path=f"{OAUTH}/revoke",
        # Those of the Community Management API. One that an app has no product for ends the
        # login, so that the scope of the Lead Sync API is not asked for by itself.
        scopes=(READ, WRITE, PAGES),
        optional_scopes=(LEADS,),
        optional_param="",
        pkce=False,
        redirect_host="127.0.0.1",
        redirect_port=18920,
    )
    fields = (
        Field(
            "api_version",
            "Version of the API, as YYYYMM; LinkedIn serves one for about a year",
            default="202607",
            pattern=r"20\d\d(0[1-9]|1[0-2])",
        ),
        Field(
            "lead_types",
            "Which leads of your pages are synced: COMPANY, EVENT, ORGANIZATION_PRODUCT",
            kind="list",
            default=list(ORGANIC),
            pattern="|".join(ORGANIC),
        ),
        Field(
            "ad_accounts",
            "Numbers of the ad accounts whose lead forms and leads are synced as well",
            kind="list",
            default=[],
            pattern=r"\d+",
        ),
    )
    quotas = (
        Quota("member", 100, kind="daily", exempt=("*/oauth/*", "/dms-uploads/*")),
        Quota(
            "application", 500, kind="daily", shared="app", exempt=("*/oauth/*", "/dms-uploads/*")
        ),
    )
    resources = RESOURCES
    messages = (posting.POST,)
    no_merges = "LinkedIn publishes no merge of posts, pages or leads."
    guide = (
        "On linkedin.com/developers create an app for your page, and let an administrator of the"
        " page verify it.",
        "Under Products request the Community Management API, and the Lead Sync API if you want"
        " leads: LinkedIn reviews both.",
        "Under Auth add the redirect URL http://127.0.0.1:18920/callback, and copy the client id"
        " and the secret.",
        "Run `lumio connect linkedin --oauth`.",
        "For leads, make a token with the token generator of the developer portal instead, with the"
        " scopes below, and run `lumio connect linkedin`.",
    )
    notes = (
        "Without LinkedIn's approval of your app for the Community Management API there is nothing"
        " to sync; lead forms need the Lead Sync API, which is approved separately.",
        "A new app is in the development tier: 100 calls a member and 500 an app each day. In the"
        " standard tier set your own numbers under providers.linkedin.limits; the developer portal"
        " shows them under Analytics.",
        "An access token is good for 60 days. Apps without programmatic refresh tokens, which"
        " LinkedIn gives to approved partners, have to log in again after that; with them, after a"
        " year.",
        "Only pages are covered: not the posts of people, nor ads, comments, reactions or videos.",
        "Statistics are organic: sponsored posts are not counted. Days come from the last twelve"
        " months; the last two may be missing.",
        "Deleted posts, forms and leads are noticed by full syncs only.",
        "Answers to lead forms name questions by number: their wording is in lead_forms.",
    )

    @property
    def version(self) -> str:
        """The version of the API that is asked, as LinkedIn writes it: year and month."""
        return str(self.options.get("api_version") or "202607")

    def _call(self, method: str, path: str, route: str = "", restli: str = "") -> Call:
        return call(self.version, method, path, route, restli=restli)

    # -- talking

    def judge(self, reply: Reply) -> Verdict | None:
        """A 429 that names the day is over at midnight UTC; a 426 wants another version."""
        return verdicts.judge(reply)

    def tokens(self, reply: Reply, *, now: datetime, old: Credential) -> Credential:
        """With the end of the refresh token, which refreshing does not put off."""
        found = read_tokens(reply, now=now, old=old)
        seconds = reply.json().get("refresh_token_expires_in")
        if not seconds:
            return found
        until = (now + timedelta(seconds=float(seconds))).astimezone(UTC)
        text = until.isoformat(timespec="seconds").replace("+00:00", "Z")
        return replace(found, fields={**found.fields, REFRESH_UNTIL: text})

    def probe(self, send: Send, credential: Credential) -> Identity:
        """The member and the pages it administers; scopes and expiry by token introspection, which
        takes the app's id and secret and nothing from the quotas."""
        path = f"{ORGANIZATIONS.path}?q=roleAssignee&state=APPROVED&start=0&count=100"
        listed = dig(send(self._call("GET", path, restli="FINDER")).json(), "elements")
        elements = listed if isinstance(listed, list) else []
        members = [m for e in elements if isinstance(m := dig(e, "roleAssignee"), str)]
        scopes, expires = self._introspect(send, credential)
        name = ""
        if scopes is not None and "profile" in scopes:
            name = self._name(send)
        member = members[0].rpartition(":")[2] if members else NOBODY
        roles = [e for e in elements if dig(e, "role") == ADMINISTRATOR]
        pages = f"{len(roles)} page{'' if len(roles) == 1 else 's'}"
        details = {"pages": pages}
        if content := sum(dig(e, "role") in CONTENT_ROLES for e in elements):
            details["content roles"] = str(content)
        if until := credential.fields.get(REFRESH_UNTIL):
            details["log in again before"] = until
        return Identity(
            account_id=member,
            account_name=name or f"administrator of {pages}",
            scopes=scopes,
            expires_at=expires,
            details=details,
        )

    def _name(self, send: Send) -> str:
        """What the member is called; empty where LinkedIn does not tell: it is only shown."""
        return str(dig(told_besides(send, Call("GET", "/v2/userinfo"))[0], "name") or "")

    def _introspect(
        self, send: Send, credential: Credential
    ) -> tuple[tuple[str, ...] | None, datetime | None]:
        """The token's scopes and its end, as far as LinkedIn tells."""
        known = credential.scopes, credential.expires_at
        assert self.oauth is not None  # noqa: S101 declared above
        if not credential.fields.get("client_secret"):
            return known
        form = {"token": credential.token}
        asked = token_call(self.oauth, form, credential.fields)
        path = f"{OAUTH}/introspectToken"
        # The token itself is proven by the pages.
        inspection = replace(asked, path=path, route="/oauth/introspect", safe=True)
        body, _ = told_besides(send, inspection)
        scope, end = dig(body, "scope"), dig(body, "expires_at")
        return (
            tuple(scope.replace(",", " ").split()) if isinstance(scope, str) else known[0],
            datetime.fromtimestamp(end, UTC)
            if isinstance(end, int) and 0 < end < NEVER
            else known[1],
        )

    # -- writing

    def shown(self, column: Column, value: Json) -> Json:
        """A page may be given by its number; a listing has its URN."""
        known = re.fullmatch(r"\s*(\d+)\s*", str(value)) if column.path == "author" else None
        return urn("organization", known[1]) if known else super().shown(column, value)

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
        """Posts are made, reworded and deleted; one request and one receipt each."""
        if resource.writes is None:
            raise RejectedError(f"{resource.title} cannot be written")
        return posting.write(self.version, changes, send)

    def names(self, to: str, past: Past) -> tuple[str, ...]:
        """A page's number, whether its URN was written or the number."""
        return (to.strip().removeprefix("urn:li:organization:"),)

    def check(self, message: Message, past: Past) -> None:
        """Raises `UsageError` for a post that LinkedIn would not take."""
        posting.check(message)

    def deliver(self, message: Message, send: Send) -> Receipt:
        """Post to a page; the receipt's id is the post's URN."""
        return posting.deliver(self.version, message, send)

    def find(self, message: Message, past: Past, send: Send) -> Receipt | None:
        """Whether a post whose answer was lost is there; None: not among the newest."""
        return posting.find(self.version, message, send)
