"""WhatsApp Business: templates, phone numbers, profiles and analytics; messages to users.

Sources: Meta's published description (facebook/openapi, business messaging API v23.0, November
2025) and, on developers.facebook.com, the WhatsApp documentation's pages on access tokens,
messages, media, templates, analytics, throughput, error codes, webhooks and business-scoped user
ids, and the Graph API's changelog. What follows from them:

- There is no list of contacts, conversations or messages. What users write and what became of our
  messages comes by webhook only; the tables `messages` and `statuses` wait for it.
- An accepted message is not a delivered one. There is no idempotency key. Nothing in the API can
  be asked whether a message was accepted: `message_history` tells delivery events by WhatsApp's
  own id, and neither the recipient nor `biz_opaque_callback_data`, which Meta does not process.
  That comes back in status webhooks alone: where an answer was lost, `find` looks for it there,
  and otherwise nobody can say.
- Free-form messages go out within 24 hours of the user's last message; templates at any time.
- Listings end where `paging.next` is absent; the cursor is there on the last page, too.
- Versions are served for about two years: v25.0 (February 2026) until July 2028.
- A browser login exists as Embedded Signup, which is JavaScript on a registered web page, and
  gives no refresh token: a system user's token is the way for a command line.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from lumio_cli.core.errors import OUTCOME_UNKNOWN, BadReplyError, LumioError, RejectedError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Record, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.messages import Message, Past, Reach
from lumio_cli.providers.contract.paging import Paging, with_params
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Kind, Resource, Walk
from lumio_cli.providers.contract.verdict import Verdict
from lumio_cli.providers.whatsapp import compose, errors, files, probing, profiles, templates
from lumio_cli.providers.whatsapp.analytics import GROUPS, message_days, template_days
from lumio_cli.providers.whatsapp.days import Days, TemplateDays
from lumio_cli.providers.whatsapp.kinds import KINDS
from lumio_cli.providers.whatsapp.recipients import (
    addressed,
    identity,
    is_user_id,
    normal,
    spellings,
)
from lumio_cli.providers.whatsapp.resources import (
    ANALYTICS,
    BUSINESS_PROFILES,
    CONVERSATION_ANALYTICS,
    MESSAGE_ANALYTICS,
    MESSAGES,
    NUMBER_FIELDS,
    PHONE_NUMBERS,
    PRICING_ANALYTICS,
    STATUSES,
    TEMPLATE_ANALYTICS,
    TEMPLATE_FIELDS,
    TEMPLATES,
    point,
    points_of,
)

STATES = {
    "held_for_quality_assessment": (
        "WhatsApp holds it back until the first users' reactions to this template are known, and"
        " drops it if they are bad"
    ),
    "paused": "WhatsApp has paused its delivery",
}
"""What `message_status` says of a message that was accepted, where that is not all (facebook/
openapi, v23.0, MessageStatus; "Template pacing")."""
WINDOW = 86_400.0
"""Seconds after a user's last message in which anything may be sent."""


class WhatsApp(Provider):
    """WhatsApp Business Platform, Cloud API."""

    name = "whatsapp"
    title = "WhatsApp Business"
    category = "Messaging"
    base_url = "https://graph.facebook.com"
    hosts = ("graph.facebook.com",)
    realtime = "webhooks"
    credential = (
        Field(
            "token",
            "Access token of a system user (Business settings > System users)",
            secret=True,
            pattern=r"[A-Za-z0-9_|-]{20,}",
        ),
        Field(
            "waba_id",
            "Id of the WhatsApp Business account; found by itself where the token opens one only",
            pattern=r"[0-9]*",
            default="",
        ),
        Field(
            "phone_number_id",
            "Id of the number that messages are sent from, or the number itself (+5511...); found"
            " by itself where there is one only",
            pattern=r"[0-9]*|\+[0-9()-]{7,24}",
            default="",
        ),
        Field(
            "app_secret",
            "App secret (App settings > Basic), for apps that require it with each call",
            secret=True,
            pattern=r"([0-9A-Za-z]{16,128})?",
            default="",
        ),
    )
    fields = (
        Field(
            "api_version",
            "Version of the Graph API, such as v25.0",
            default="v25.0",
            pattern=r"v\d+\.0",
        ),
    )
    quotas = (
        # 80 a second for each number, of what comes in as well; a tenth of a second more, since
        # requests do not arrive as they were sent. A number that was upgraded has 1,000.
        Quota(
            "messages",
            80,
            1.1,
            kind="window",
            keyed="number",
            shared="account",
            routes=("/{phone_number_id}/messages",),
        ),
        # One in six seconds to the same user. WhatsApp lends up to 45 at once, and then takes
        # nothing for as long as they would have needed: nothing is borrowed here.
        Quota(
            "pair",
            1,
            6.0,
            burst=1,
            keyed="pair",
            shared="account",
            routes=("/{phone_number_id}/messages",),
        ),
        Quota(
            "management",
            errors.MANAGEMENT_COUNT,
            3600.0,
            kind="window",
            shared="app",
            exempt=("/{phone_number_id}/messages", "/{phone_number_id}/media"),
        ),
    )
    resources = (
        TEMPLATES,
        PHONE_NUMBERS,
        BUSINESS_PROFILES,
        MESSAGE_ANALYTICS,
        PRICING_ANALYTICS,
        CONVERSATION_ANALYTICS,
        TEMPLATE_ANALYTICS,
        MESSAGES,
        STATUSES,
    )
    messages: ClassVar = KINDS
    no_merges = "WhatsApp publishes no merge of templates, numbers or messages."
    guide = (
        "At developers.facebook.com create an app for WhatsApp (use case Connect with customers"
        " through WhatsApp).",
        "In Business settings > Users > System users add a system user, and assign to it the app"
        " and the WhatsApp account, both with full control.",
        "Generate a token for it, for that app, that never expires, with the permissions"
        " whatsapp_business_management and whatsapp_business_messaging.",
        "Run `lumio connect whatsapp`. If the token opens several accounts or numbers, name the"
        " number that messages come from: `--set phone_number_id=ID`, or the number itself with its"
        " plus sign; without a number, the account: `--set waba_id=ID`.",
        "If the app requires its secret (App settings > Advanced > Require app secret), set"
        " LUMIO_WHATSAPP_APP_SECRET before you connect, or type it where lumio asks.",
    )
    notes = (
        "There is no list of messages, contacts or conversations: messages and delivery statuses"
        " come by webhook only, and lumio receives none.",
        "A message that is sent is one that WhatsApp has accepted. Whether it was delivered only"
        " webhooks tell.",
        "WhatsApp cannot be asked whether a message was accepted. If the answer to a send was lost,"
        " it stays unknown; it is not sent again.",
        "A login in the browser is Embedded Signup, which works on web pages only.",
        "A token of a system user is not renewed by itself: make one that never expires.",
    )

    # -- talking

    def _path(self, path: str) -> str:
        return f"/{self.options.get('api_version') or 'v25.0'}{path}"

    def address(self, call: Call, credential: Credential) -> Call:
        """The account's and the number's ids, in the path and in what quotas are counted by; and
        where the app's secret is known, the proof that the call comes from the app: Graph takes it
        from every app, and wants it of those with "Require App Secret" (Graph API, "Secure
        requests")."""
        fill = partial(
            re.sub,
            r"\{(waba_id|phone_number_id)\}",
            lambda found: probing.numeric(credential, found[1]),
        )
        keys = {name: fill(value) for name, value in call.keys.items()}
        params = call.params
        if secret := credential.fields.get("app_secret"):
            proof = hmac.digest(secret.encode(), credential.token.encode(), "sha256").hex()
            params = {**params, "appsecret_proof": proof}
        return replace(call, path=fill(call.path), params=params, keys=keys, route=call.label)

    def judge(self, reply: Reply) -> Verdict | None:
        """By the code of the error that Graph answers."""
        return errors.verdict(reply)

    def remaining(self, call: Call, reply: Reply) -> tuple[Allowance, ...]:
        """The usage headers: percentages of the calls to the account and of the app's."""
        return errors.allowances(reply)

    def probe(self, send: Send, credential: Credential) -> Identity:
        """The token's permissions, the account it opens and the number it sends from."""
        return probing.probe(send, credential, self._path)

    # -- reading

    def slices(
        self, resource: Resource, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Each in one piece; the analytics of templates by the templates that are known."""
        return {"": {"parent": "templates"} if resource is TEMPLATE_ANALYTICS else {}}

    def paging(self, walk: Walk) -> Paging:
        """Analytics by days, from the window's floor on."""
        floor, account = walk.window.floor, self._path("/{waba_id}")
        if walk.resource is TEMPLATE_ANALYTICS:
            return TemplateDays(path=account, write=template_days, floor=floor)
        if walk.resource.name in ANALYTICS:
            return Days(account, partial(message_days, walk.resource.name), floor)
        return super().paging(walk)

    def call(self, walk: Walk) -> Call:
        """A listing's page, or the account, whose fields analytics are."""
        resource = walk.resource
        call = Call("GET", self._path(resource.path), route=resource.path)
        fields = {
            TEMPLATES.name: TEMPLATE_FIELDS,
            PHONE_NUMBERS.name: NUMBER_FIELDS,
            BUSINESS_PROFILES.name: ("id", "display_phone_number"),
        }.get(resource.name)
        if fields is None:
            return call
        call = with_params(call, fields=",".join(fields))
        if resource is TEMPLATES:
            return with_params(call, summary="total_count")
        return with_params(call, sort="creation_time.asc")

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        """Analytics arrives nested; each data point becomes a record of its day."""
        name = walk.resource.name
        if name == TEMPLATE_ANALYTICS.name:
            groups = super().records(replace(walk, resource=GROUPS), reply)
        elif name in ANALYTICS:
            field = ANALYTICS[name][0]
            value = dig(reply.json(), field)
            # Where there is nothing to tell, the field is left out.
            groups = [] if value is None else value.get("data") or [value]
        else:
            return super().records(walk, reply)
        return [point(row) for group in groups for row in points_of(group)]

    def fill(self, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """The profile of each phone number, by a request of its own."""
        if walk.resource is not BUSINESS_PROFILES:
            return records
        return [profiles.with_profile(self._path, record, send) for record in records]

    def total(self, walk: Walk, reply: Reply) -> int | None:
        """A listing of templates says how many there are, if it is asked."""
        total = dig(reply.json(), "summary.total_count")
        return total if isinstance(total, int) else None

    # -- sending

    def check(self, message: Message, past: Past) -> None:
        """Raises `UsageError` for what WhatsApp would not take, and `RejectedError` for a message
        other than a template to someone who last wrote more than 24 hours ago. Who never wrote, as
        far as the hub knows, may have done so before there were webhooks: that one passes."""
        to = normal(message.to)
        content = compose.content(message, lambda _: "")
        if message.kind == "template":
            language = content["template"]["language"]["code"]
            components = content["template"].get("components", ())
            templates.judge(content["template"]["name"], language, components, past)
            return
        last = _last_heard(to, past)
        if last is not None and message.at.timestamp() - last > WINDOW:
            raise RejectedError(
                f"{message.to} last wrote more than 24 hours ago: WhatsApp delivers templates only",
                category="131047",
                hint="send a template: `lumio send whatsapp --template NAME`",
            )

    def names(self, to: str, past: Past) -> tuple[str, ...]:
        """One for all spellings of a number."""
        return (identity(to),)

    def prepared(self, message: Message, past: Past) -> Message:
        """A template's parameters by its own format, and its header by its own type."""
        return templates.prepared(message, past)

    def parameters(self, values: Mapping[str, Any], past: Past) -> frozenset[str]:
        """The names that a template has for its parameters."""
        return templates.parameters(values, past)

    def reach(self, past: Past) -> Reach | None:
        """How many users the portfolio may write to in a day, outside of the 24 hours."""
        return templates.reach(past)

    def counts(self, message: Message, past: Past) -> bool:
        """Whether it opens a conversation: within 24 hours of the user's last message it does
        not."""
        if message.kind != "template":
            return False
        last = _last_heard(normal(message.to), past)
        return last is None or message.at.timestamp() - last > WINDOW

    def deliver(self, message: Message, send: Send) -> Receipt:
        """Upload its file, if it has one, and send it; the receipt's id is WhatsApp's of it.

        What concerns the account and not this message is raised: a refused token, a missing
        permission, a quota that stays used up, an outage.
        """
        to = normal(message.to)
        keys = {"number": "{phone_number_id}"}

        def upload(file: Mapping[str, Any]) -> str:
            path = self._path("/{phone_number_id}/media")
            found = dig(send(files.upload(path, file, keys)).json(), "id")
            if not isinstance(found, str | int):
                raise BadReplyError("WhatsApp answered an upload without the file's id")
            return str(found)

        try:
            body = {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                **addressed(to),
                **compose.content(message, upload),
                "biz_opaque_callback_data": message.key,
            }
            path, route = self._path("/{phone_number_id}/messages"), "/{phone_number_id}/messages"
            keys |= {"pair": f"{{phone_number_id}}:{to}"}
            reply = send(Call("POST", path, route=route, json=body, safe=False, keys=keys))
        except RejectedError as error:
            kind = errors.kind_of(error.category)
            return Receipt.failed(message.key, kind, error.message)
        except LumioError as error:
            if error.code != OUTCOME_UNKNOWN:
                raise
            return Receipt.unknown(message.key, error.message, kind=OUTCOME_UNKNOWN)
        record = reply.json()
        accepted = dig(record, "messages")
        told = accepted[0] if isinstance(accepted, list) and accepted else None
        found = dig(told, "id")
        if not isinstance(found, str):
            words = "WhatsApp's answer does not name the message"
            return Receipt.unknown(message.key, words)
        state = dig(told, "message_status")
        kind = state if isinstance(state, str) else ""
        return Receipt.done(message.key, found, record, kind, STATES.get(kind, ""))

    def find(self, message: Message, past: Past, send: Send) -> Receipt | None:
        """A status webhook that carries our key proves that the message was accepted. Without one
        nobody can say: the API has no answer to that question."""
        match = {"biz_opaque_callback_data": message.key}
        found = past.latest(STATUSES.name, match, "message_id")
        return Receipt.done(message.key, found) if found else None


def _last_heard(to: str, past: Past) -> float | None:
    """When the user last wrote, in seconds since 1970, as far as the hub knows."""
    names = {"from_user_id": (to,)} if is_user_id(to) else {"from": spellings(to)}
    found = [
        past.latest(MESSAGES.name, {path: spelling}, "timestamp")
        for path, listed in names.items()
        for spelling in listed
    ]
    times = [float(text) for text in found if text and re.fullmatch(r"\d+(\.\d+)?", text)]
    return max(times, default=None)
