"""The messages endpoint: what it takes, what it refuses, and the book of what it accepted.

HTTP 200 means accepted, not delivered. A free-form message more than 24 hours after the user's
last one is refused with 131047; to a user who never wrote it is accepted, as far as this
look-alike goes, since Meta tells of it in a status webhook.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import templating
from .errors import invalid, messaging

WINDOW = 86_400.0
PAIR_SECONDS = 6.0
"""A message to the same user every six seconds; a burst within six borrows from what follows."""
PHONE = re.compile(r"\+?[1-9]\d{6,14}")
USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
MEDIA = ("image", "video", "audio", "document", "sticker")
CAPTIONED = ("image", "video", "document")
TYPES = (*MEDIA, "text", "template", "interactive", "location", "contacts", "reaction")
OPAQUE_MAX = 512


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that was taken. `to` is digits, or a business-scoped user id."""

    id: str
    number: str
    to: str
    type: str
    key: str
    at: float
    body: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "id": self.id,
            "phone_number_id": self.number,
            "to": self.to,
            "type": self.type,
            "biz_opaque_callback_data": self.key,
            "timestamp": int(self.at),
            "message": self.body,
        }


@dataclass(slots=True)
class Burst:
    """What one pair of numbers has sent: since `begun`, `count` messages."""

    begun: float
    count: int

    def free_at(self) -> float:
        """When what was borrowed is paid back."""
        return self.begun + PAIR_SECONDS * self.count


@dataclass(slots=True)
class Outbox:
    """What was accepted, and who has written to the account and when."""

    clock: Callable[[], float]
    accepted: list[Accepted] = field(default_factory=list)
    heard: dict[str, float] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    pacing: dict[str, str] = field(default_factory=dict)
    """By template: the `message_status` that its messages are answered with."""
    pairs: dict[tuple[str, str], Burst] = field(default_factory=dict)

    def add(self, number: str, to: str, body: dict[str, Any]) -> Accepted:
        """Note a message; its id names the recipient, as WhatsApp's do."""
        key = str(body.get("biz_opaque_callback_data", ""))
        count = len(self.accepted) + 1
        inside = b"\x1c\x18" + bytes([len(to)]) + to.encode() + b"\x15\x02\x00\x11\x18\x12"
        wamid = base64.b64encode(inside + f"5A4DB0{count:012X}".encode() + b"\x00").decode()
        message = Accepted(f"wamid.{wamid}", number, to, body["type"], key, self.clock(), body)
        self.accepted.append(message)
        return message

    def summary(self) -> dict[str, Any]:
        """How many messages there are, for whom, and by which key."""
        to = Counter(message.to for message in self.accepted)
        keys = Counter(message.key for message in self.accepted if message.key)
        return {"accepted": len(self.accepted), "by_recipient": to, "by_key": keys}

    def counts(self) -> dict[str, int]:
        """The same in numbers; `repeated` are recipients with more than one message."""
        to = Counter(message.to for message in self.accepted)
        repeated = sum(1 for count in to.values() if count > 1)
        return {"accepted": len(self.accepted), "recipients": len(to), "repeated": repeated}

    def borrow(self, number: str, to: str, most: int) -> bool:
        """Whether the pair may have one more message now; takes it from what it may send."""
        now, pair = self.clock(), (number, to)
        burst = self.pairs.get(pair)
        if burst is None or now >= burst.free_at():
            self.pairs[pair] = Burst(now, 1)
            return True
        if now - burst.begun < PAIR_SECONDS and burst.count < most:
            burst.count += 1
            return True
        return False


def recipient(body: dict[str, Any]) -> str:
    """Who a message is for. Raises Answered."""
    if body.get("messaging_product") != "whatsapp":
        raise invalid("The parameter messaging_product is required.")
    user = body.get("recipient")
    if user is not None:
        if not isinstance(user, str) or not USER_ID.fullmatch(user):
            raise messaging(131009, "recipient is not a valid business-scoped user ID")
        return user
    to = body.get("to")
    if not isinstance(to, str) or not to:
        raise invalid("The parameter to is required.")
    # A user id in `to` is taken and goes nowhere: that is what Meta does, too.
    digits = re.sub(r"[\s()-]", "", to)
    if not PHONE.fullmatch(digits) and not USER_ID.fullmatch(to):
        raise messaging(131009, f"Parameter value is not valid: to {to!r}")
    return digits.removeprefix("+")


def check(body: dict[str, Any], known: Callable[[str], bool], find: Callable[[str, str], Any],
          media: Callable[[str], bool]) -> None:  # fmt: skip
    """Whether a message's content is one that WhatsApp takes. Raises Answered.

    `known` says whether a message id exists, `find` gives a template by name and language, and
    `media` says whether an uploaded file exists.
    """
    kind = body.get("type", "text")
    if kind not in TYPES:
        raise messaging(131051, f"Message type {kind} is not supported")
    if len(str(body.get("biz_opaque_callback_data", ""))) > OPAQUE_MAX:
        raise invalid(f"Param biz_opaque_callback_data must be at most {OPAQUE_MAX} characters")
    content: Any = body.get(kind)
    shape: Any = list if kind == "contacts" else dict
    if not content or type(content) is not shape:
        raise invalid(f"The parameter {kind} is required.")
    if kind == "text":
        _text(content.get("body"), "text['body']", 4096)
    elif kind in MEDIA:
        _media(kind, content, media)
    elif kind == "template":
        templating.check(content, find)
    elif kind == "interactive":
        _interactive(content)
    elif kind == "location":
        _location(content)
    elif kind == "reaction":
        if not known(str(content.get("message_id", ""))):
            raise messaging(131009, "reaction message_id is not a message of this conversation")
    elif any(not _named(contact) for contact in content):
        raise messaging(131009, "Every contact needs name.formatted_name and one other name")


def _named(contact: Any) -> bool:
    name = contact.get("name") if isinstance(contact, dict) else None
    return isinstance(name, dict) and bool(name.get("formatted_name")) and len(name) > 1


def _text(value: Any, what: str, most: int, least: int = 1) -> None:
    if not isinstance(value, str) or len(value) < least:
        raise invalid(f"The parameter {what} is required.")
    if len(value) > most:
        raise invalid(f"Param {what} must be at most {most} characters long.")


def _media(kind: str, content: dict[str, Any], media: Callable[[str], bool]) -> None:
    if ("id" in content) == ("link" in content):
        raise invalid(f"One of {kind}['id'] and {kind}['link'] is required.")
    if "link" in content and not str(content["link"]).startswith(("http://", "https://")):
        raise messaging(131009, f"{kind}['link'] is not a valid URL")
    if "id" in content and not media(str(content["id"])):
        raise messaging(131009, f"Media ID {content['id']} was not found")
    if "caption" in content:
        if kind not in CAPTIONED:
            raise invalid(f"Unexpected key 'caption' on param {kind!r}.")
        _text(content["caption"], f"{kind}['caption']", 1024)


def _interactive(content: dict[str, Any]) -> None:
    kind, action = content.get("type"), content.get("action")
    if not isinstance(action, dict):
        raise invalid("The parameter interactive['action'] is required.")
    if kind not in ("button", "list"):
        return
    most = 1024 if kind == "button" else 4096
    _text((content.get("body") or {}).get("text"), "interactive['body']['text']", most)
    for part in ("header", "footer"):
        text = (content.get(part) or {}).get("text")
        if text is not None:
            _text(text, f"interactive['{part}']['text']", 60)
    if kind == "button":
        buttons = action.get("buttons") or []
        if not 1 <= len(buttons) <= 3:
            raise messaging(131009, "Invalid buttons count. Min allowed buttons: 1, Max: 3")
        titles = [str(b["reply"]["title"]) for b in buttons]
        for title in titles:
            _text(title, "button title", 20)
        if len(set(titles)) < len(titles):
            raise messaging(131009, "Button titles must be unique")
        return
    _list(action)


def _list(action: dict[str, Any]) -> None:
    _text(action.get("button"), "interactive['action']['button']", 20)
    sections = action.get("sections") or []
    rows = [row for section in sections for row in section.get("rows") or ()]
    if not 1 <= len(sections) <= 10 or not 1 <= len(rows) <= 10:
        raise messaging(131009, "Total row count exceed max allowed count: 10")
    if len(sections) > 1:
        for section in sections:
            _text(section.get("title"), "section title", 24)
    for row in rows:
        _text(row.get("id"), "row id", 200)
        _text(row.get("title"), "row title", 24)
        _text(row.get("description", ""), "row description", 72, least=0)
    if len({row["id"] for row in rows}) < len(rows):
        raise messaging(131009, "Row ids must be unique")


def _location(content: dict[str, Any]) -> None:
    try:
        latitude, longitude = float(content["latitude"]), float(content["longitude"])
    except (KeyError, TypeError, ValueError):
        raise invalid("The parameters latitude and longitude are required numbers.") from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise messaging(131009, "latitude or longitude is out of range")
