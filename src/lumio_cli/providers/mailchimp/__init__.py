"""Mailchimp Marketing: audiences, their members, segments, campaigns, automations, reports.

Sources: the Marketing API's description (OpenAPI 3.0.55, "Mailchimp Marketing API"), its reference
and the client generated from it (mailchimp/mailchimp-marketing-python 3.0.80); on
mailchimp.com/developer the pages "Fundamentals", "Errors", "Access user data with OAuth 2" and
"Run async requests with the batch endpoint"; answers recorded in the tests of grouparoo/grouparoo
(plugins/@grouparoo/mailchimp) and of singer-io/tap-mailchimp; api-evangelist/mailchimp
(rate-limits). What follows from them:

- An account lives in a data centre, the text after an API key's last dash; for an access token a
  metadata call tells it, which answers 200 for a token that is no good, too.
- Access tokens do not expire. There are no scopes: a key may do what its user's role may.
- `since_last_changed` is said to be *after* that time, whether the second itself is in is not:
  windows begin a second early. Times have whole seconds; one that is written
  in another way is ignored in silence, and everything comes.
- Archived members are listed only by their status; being archived changes `last_changed`. Those
  deleted for good leave no trace.
- A subscriber hash is made of the address: the contact's id is what stays.
- At most ten requests of a user may be under way at once; there are no other published limits, and
  no headers about this one. Under load an edge server may answer 403 without a body.
- `/batches` results are fetched from a storage host by a URL that is signed and lives ten minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lumio_cli.core.errors import BadReplyError, CredentialError
from lumio_cli.providers.contract.auth import Credential, OAuth
from lumio_cli.providers.contract.call import Call, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.messages import Message, Past
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Property, Resource
from lumio_cli.providers.contract.verdict import ErrorTable, Outcome, Verdict
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.mailchimp import batches, sends
from lumio_cli.providers.mailchimp.fields import all_fields, described
from lumio_cli.providers.mailchimp.operations import SKIP, explained
from lumio_cli.providers.mailchimp.resources import (
    AUDIENCES,
    AUTOMATIONS,
    CAMPAIGNS,
    MEMBERS,
    REPORTS,
    SEGMENTS,
)
from lumio_cli.providers.mailchimp.writes import Writer

LOGIN = "https://login.mailchimp.com"
METADATA = "/oauth2/metadata"
AUTO = "auto"
_CENTRE = re.compile(r"[a-z]{2,4}\d{1,3}")


class Mailchimp(Provider):
    """Mailchimp Marketing."""

    name = "mailchimp"
    title = "Mailchimp"
    error_names = ("title", "detail")
    category = "Marketing"
    base_url = "https://api.mailchimp.com"
    hosts = ("api.mailchimp.com", "*.api.mailchimp.com", "login.mailchimp.com")
    open_hosts = (batches.RESULTS_HOST,)
    credential = (
        Field(
            "token",
            "API key (Account > Extras > API keys), with the data centre at its end: -us6",
            secret=True,
            pattern=r"[A-Za-z0-9._-]{16,}",
        ),
        Field(
            "dc",
            "Data centre such as us6, for an access token; auto: the end of an API key says it",
            pattern=r"auto|[a-z]{2,4}\d{1,3}",
            default=AUTO,
        ),
    )
    oauth = OAuth(
        authorize_url=f"{LOGIN}/oauth2/authorize",
        token_path=f"{LOGIN}/oauth2/token",
        scopes=(),
        pkce=False,
        redirect_host="127.0.0.1",
        redirect_port=18925,
    )
    fields = (
        Field(
            "audience", "Id of the audience that new members without a list_id go to", default=""
        ),
        Field(
            "new_status",
            "Status of new members that are written without one: pending asks them by e-mail",
            pattern="subscribed|pending|unsubscribed|transactional",
            default="pending",
        ),
        Field(
            "merge_fields",
            "Which merge fields become columns: all, none, or a list of their tags",
            kind="list",
            default=["all"],
        ),
        Field(
            "bulk_from",
            "From how many changes of members on they are handed over as batch operations",
            kind="integer",
            default=200,
        ),
        Field(
            "skip_merge_validation",
            "Take members without values of merge fields that their audience requires",
            kind="boolean",
            default=False,
        ),
    )
    no_merges = "Mailchimp publishes no merge of members or campaigns."
    quotas = (
        # Ten; two are left for connections that Mailchimp has not seen the end of, and for others.
        Quota(
            "connections",
            8,
            kind="concurrency",
            shared="account",
            exempt=("*/oauth2/*", "/batch-results"),
        ),
    )
    resources = (AUDIENCES, MEMBERS, SEGMENTS, CAMPAIGNS, REPORTS, AUTOMATIONS)
    messages = sends.MESSAGES
    guide = (
        "In Mailchimp open your profile > Account > Extras > API keys and create a key.",
        "The key may do what its user may: a user whose role is Viewer can read, not write.",
        "Run `lumio connect mailchimp` and paste the key, with the data centre at its end.",
        "Or register an app (Account > Extras > Registered apps) with the redirect URI "
        "http://127.0.0.1:18925/callback: `lumio connect mailchimp --oauth --set client_id=ID`.",
    )
    notes = (
        "Members that were deleted for good leave no trace: the next full sync finds them missing.",
        "Opens, clicks and bounces of single members are not read; reports have their sums.",
        "Customer journeys are not listed by the API; classic automations are.",
        "Audiences, campaigns, reports and automations are read whole each time.",
    )

    # -- talking

    def authorize(self, call: Call, credential: Credential) -> Mapping[str, str]:
        """The metadata call has a scheme of its own."""
        scheme = "OAuth" if call.label == METADATA else "Bearer"
        return {"Authorization": f"{scheme} {credential.token}"}

    def locate(self, credential: Credential) -> str:
        """The data centre's host: by the key's ending, or as the metadata call told."""
        centre = credential.fields.get("dc", AUTO)
        if centre == AUTO:
            centre = credential.token.rpartition("-")[2]
        if not _CENTRE.fullmatch(centre):
            raise CredentialError(
                "the API key does not end in a data centre, as in -us6",
                hint="copy the whole key; for an access token give the data centre, too: "
                "lumio connect mailchimp --set dc=us6",
                code="credential_malformed",
            )
        return f"https://{centre}.api.mailchimp.com"

    def judge(self, reply: Reply) -> Verdict | None:
        """Problem documents; a 403 without one is an edge server that has enough for a moment, and
        the metadata call says in a good answer that a token is bad."""
        if reply.status < 400:
            return _judge_metadata(reply) if reply.url.endswith(METADATA) else None
        body = reply.document()
        if reply.status == 429:
            title = ERRORS.code_of(body)
            return Verdict(Outcome.THROTTLED, explained(body), title, quota="connections")
        if "xml" in reply.headers.get("content-type", ""):
            return Verdict(Outcome.REJECTED, "the link to the results is not good (any more)")
        if reply.status == 403 and not body:
            return Verdict(Outcome.THROTTLED, "refused without a word", quota="connections")
        verdict = ERRORS.judge(reply)
        return verdict and replace(verdict, message=explained(body))

    def probe(self, send: Send, credential: Credential) -> Identity:
        """The account; before that, for an access token, where it is."""
        centre = ""
        path = "/3.0/"
        if credential.kind == "oauth":
            told = send(Call("GET", f"{LOGIN}{METADATA}", route=METADATA)).json()
            centre = str(dig(told, "dc") or "")
            if not _CENTRE.fullmatch(centre):
                raise BadReplyError("Mailchimp does not say in which data centre the account is")
            path = f"https://{centre}.api.mailchimp.com{path}"
        names = "account_id,account_name,role,account_timezone,total_subscribers"
        body = send(Call("GET", path, route="/3.0/", params={"fields": names})).json()
        account_id = dig(body, "account_id")
        if not isinstance(account_id, str) or not account_id:
            raise BadReplyError("Mailchimp's answer names no account", hint="try again later")
        return Identity(
            account_id=account_id,
            account_name=str(body.get("account_name") or account_id),
            expires_at=credential.expires_at,
            details={
                "role": str(body.get("role") or ""),
                "time_zone": str(body.get("account_timezone") or ""),
            },
            fields={"dc": centre} if centre else {},
        )

    # -- reading

    def describe(self, resource: Resource, send: Send) -> tuple[Property, ...] | None:
        """The merge fields of all audiences, by tag."""
        chosen = {str(tag).upper() for tag in self.options.get("merge_fields") or ["all"]}
        if resource.name != MEMBERS.name or chosen == {"NONE"}:
            return None
        found = described(all_fields(send))
        return tuple(
            p for p in found if chosen == {"ALL"} or not p.custom or p.name.upper() in chosen
        )

    # -- writing and sending

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterable[Receipt]:
        """Apply changes of one action to members; one receipt a change."""
        options = self.options
        writer = Writer(
            send,
            str(options.get("audience") or ""),
            str(options.get("new_status") or "pending"),
            int(options.get("bulk_from") or 200),
            SKIP if options.get("skip_merge_validation") else {},
        )
        return writer.apply(changes)

    def check(self, message: Message, past: Past) -> None:
        """See `sends.check`."""
        sends.check(message, past)

    def deliver(self, message: Message, send: Send) -> Receipt:
        """See `sends.deliver`."""
        return sends.deliver(message, send)

    def find(self, message: Message, past: Past, send: Send) -> Receipt | None:
        """See `sends.find`."""
        return sends.find(message, send)


ERRORS = ErrorTable(
    "detail",
    "title",
    by_status={401: Outcome.REFUSED, 410: Outcome.REJECTED},
    by_code={
        # Of 403s that are about the credential as a whole.
        Outcome.REFUSED: ("User Disabled", "WrongDatacenter", "Wrong Datacenter", "API Key Invalid")
    },
)


def _judge_metadata(reply: Reply) -> Verdict | None:
    body = reply.document()
    if body.get("dc"):
        return None
    said = str(body.get("error_description") or body.get("error") or "no data centre in the answer")
    return Verdict(Outcome.REFUSED, said, str(body.get("error") or ""))
