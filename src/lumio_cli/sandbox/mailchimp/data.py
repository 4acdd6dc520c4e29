"""The documents that the seed makes: audiences, members, segments, campaigns, reports, automations.

A number always makes the same document. The address of member N is the same in every audience, as
in accounts where one person is on several lists.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any

from .. import words
from .shape import iso

Document = dict[str, Any]
STATUSES = ("subscribed",) * 12 + (
    "unsubscribed",
    "unsubscribed",
    "cleaned",
    "pending",
    "transactional",
)
TAGS = ((5_199_748, "newsletter"), (9_007_199_254_740_993, "VIP 🌟"), (5_199_750, "müller & söhne"))
SEGMENT_BASE = 9_007_199_254_740_993
"""Numbers of segments begin beyond what a float can hold."""


def hash_of(address: str) -> str:
    """A subscriber hash: MD5 of the address in lower case."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


def short(seed: int, kind: str, number: int) -> str:
    """An id of ten hexadecimal digits."""
    return _digest(seed, kind, number)[:10]


def contact_id(seed: int, list_id: str, number: int) -> str:
    """The id of a contact in one audience, which a change of address does not touch."""
    return _digest(seed, list_id, number)


def _digest(seed: int, kind: str, number: int) -> str:
    return hashlib.md5(f"{seed}:{kind}:{number}".encode(), usedforsecurity=False).hexdigest()


def address(number: int) -> str:
    """The e-mail address of member `number`."""
    first = words.PEOPLE[number % len(words.PEOPLE)][1]
    family = words.FAMILIES[number // 3 % len(words.FAMILIES)][1]
    host = words.MAIL_HOSTS[number % len(words.MAIL_HOSTS)]
    return f"{first}.{family}.{number}@{host}"


# --- audiences


def audience(name: str, list_id: str, web_id: int) -> Document:
    """A list, without its numbers: they are counted when it is read."""
    return {
        "id": list_id,
        "web_id": web_id,
        "name": name,
        "contact": {
            "company": words.FIRMS[web_id % len(words.FIRMS)], "address1": "1 Main St",
            "address2": "", "city": "Atlanta", "state": "GA", "zip": "30308", "country": "US",
            "phone": "",
        },
        "permission_reminder": "You signed up on our website.",
        "use_archive_bar": True,
        "campaign_defaults": {
            "from_name": "Sandbox", "from_email": "sender@example.com", "subject": "",
            "language": "en",
        },
        "notify_on_subscribe": "",
        "notify_on_unsubscribe": "",
        "list_rating": 0,
        "email_type_option": False,
        "subscribe_url_short": "http://eepurl.example/abc",
        "subscribe_url_long": f"https://sandbox.example/subscribe?id={list_id}",
        "beamer_address": f"us6-{list_id}@inbound.example",
        "visibility": "prv",
        "double_optin": False,
        "has_welcome": False,
        "marketing_permissions": False,
        "modules": [],
    }  # fmt: skip


def _field(number: int, tag: str, name: str, kind: str, **more: Any) -> Document:
    return {
        "merge_id": number, "tag": tag, "name": name, "type": kind, "required": False,
        "default_value": "", "public": False, "display_order": number + 1, "options": {},
        "help_text": "", **more,
    }  # fmt: skip


FIELDS: tuple[tuple[Document, ...], ...] = (
    (
        _field(1, "FNAME", "First Name", "text", options={"size": 25}),
        _field(2, "LNAME", "Last Name", "text", options={"size": 25}),
        _field(3, "ADDRESS", "Address", "address", options={"default_country": 164}),
        _field(4, "PHONE", "Phone Number", "phone", options={"phone_format": "none"}),
        _field(5, "BIRTHDAY", "Birthday", "birthday", options={"date_format": "MM/DD"}),
        _field(6, "LTV", "Lifetime value", "number"),
        _field(7, "JOINED_AT", "Joined", "date", options={"date_format": "MM/DD/YYYY"}),
        _field(8, "LEVEL", "Level", "dropdown", options={"choices": ["gold", "silver"]}),
        _field(9, "NOTE", "Größe & Notiz 📝", "text", options={"size": 25}),
    ),
    (
        _field(1, "FNAME", "First Name", "text", options={"size": 25}),
        _field(2, "LNAME", "Last Name", "text", options={"size": 25}),
        _field(3, "PHONE", "Phone Number", "phone", options={"phone_format": "none"}),
        # The same tag as in the first audience, and another type.
        _field(4, "LTV", "Lifetime value", "text", options={"size": 25}),
    ),
    (
        _field(1, "FNAME", "First Name", "text", required=True, options={"size": 25}),
        _field(2, "LNAME", "Last Name", "text", options={"size": 25}),
    ),
)
"""The merge fields of the first audiences; later ones have the last."""


def fields_of(position: int) -> list[Document]:
    """The merge fields of a generated audience."""
    return [{**field} for field in FIELDS[min(position, len(FIELDS) - 1)]]


# --- members


def member(seed: int, list_id: str, fields: list[Document], number: int) -> Document:
    """A member, without its times."""
    rng = random.Random(f"{seed}:{list_id}:{number}")
    first, family = (
        words.PEOPLE[number % len(words.PEOPLE)][0],
        words.FAMILIES[number // 3 % len(words.FAMILIES)][0],
    )
    values: Document = {"FNAME": first, "LNAME": family}
    merge = {field["tag"]: values.get(field["tag"], _value(field, rng)) for field in fields}
    status = STATUSES[rng.randrange(len(STATUSES))]
    tags = [TAGS[i] for i in range(len(TAGS)) if rng.random() < 0.3]
    return whole_member(
        list_id,
        contact_id(seed, list_id, number),
        440_000_000 + int(contact_id(seed, list_id, number)[:6], 16),
        {
            "email_address": address(number),
            "status": status,
            "merge_fields": merge,
            "language": rng.choice(("en", "pt", "ja", "")),
            "vip": rng.random() < 0.05,
            "tags": [{"id": number, "name": name} for number, name in tags],
            "source": "Import",
            "member_rating": rng.randrange(1, 6),
        },
    )


def _value(field: Document, rng: random.Random) -> Any:
    kind = field["type"]
    if rng.random() < 0.3:
        return ""
    if kind == "number":
        return rng.randrange(100_000) / 4
    if kind == "address":
        return {
            "addr1": f"{rng.randrange(1, 999)} Straße", "addr2": "",
            "city": rng.choice(words.CITIES) or "Atlanta", "state": "GA", "zip": "30308",
            "country": "US",
        }  # fmt: skip
    if kind == "phone":
        return f"+55 11 {rng.randrange(90_000_000, 99_999_999)}"
    if kind == "birthday":
        return f"{rng.randrange(1, 13):02}/{rng.randrange(1, 29):02}"
    if kind == "date":
        return f"{rng.randrange(2015, 2026)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    if kind == "dropdown":
        return rng.choice(field["options"]["choices"])
    return rng.choice(words.NOTES) or ""


def whole_member(list_id: str, contact: str, web_id: int, values: Document) -> Document:
    """A member with everything that Mailchimp shows, from what is known of it."""
    mail = str(values["email_address"])
    merge = values.get("merge_fields") or {}
    return {
        "id": hash_of(mail),
        "email_address": mail,
        "unique_email_id": hash_of(f"unique {mail}")[:10],
        "contact_id": contact,
        "full_name": f"{merge.get('FNAME') or ''} {merge.get('LNAME') or ''}".strip(),
        "web_id": web_id,
        "email_type": values.get("email_type", "html"),
        "status": values["status"],
        "consents_to_one_to_one_messaging": True,
        "merge_fields": merge,
        "interests": values.get("interests") or {},
        "stats": {"avg_open_rate": 0.25, "avg_click_rate": 0},
        "ip_signup": values.get("ip_signup", ""),
        "timestamp_signup": values.get("timestamp_signup", ""),
        "ip_opt": values.get("ip_opt", "192.0.2.1"),
        "member_rating": values.get("member_rating", 2),
        "language": values.get("language", ""),
        "vip": bool(values.get("vip", False)),
        "email_client": "",
        "location": {
            "latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": "",
            "timezone": "", "region": "", **(values.get("location") or {}),
        },
        "source": values.get("source", "API - Generic"),
        "marketing_permissions": [
            {"text": "", **permission} for permission in values.get("marketing_permissions") or ()
        ],
        "tags_count": len(values.get("tags") or ()),
        "tags": values.get("tags") or [],
        "list_id": list_id,
    }  # fmt: skip


def stamp_member(document: Document, created: float, modified: float) -> None:
    """The times of a member."""
    document.setdefault("timestamp_opt", iso(created))
    document["last_changed"] = iso(modified)


# --- segments


def segment(list_id: str, number: int) -> Document:
    """A saved segment, or one in two a static one, which is a tag."""
    name = f"{words.SUBJECTS[number % len(words.SUBJECTS)]} {number}"
    conditions = [
        {"condition_type": "TextMerge", "field": "FNAME", "op": "is", "value": "Zoë"}
    ]  # fmt: skip
    return {
        "name": name,
        "member_count": number * 7 % 100,
        "type": "static" if number % 2 else "saved",
        "options": {"match": "any", "conditions": [] if number % 2 else conditions},
        "list_id": list_id,
    }


def stamp_segment(document: Document, created: float, modified: float) -> None:
    """The times of a segment; its id is a number in answers."""
    document["id"] = int(document["id"])
    document["created_at"], document["updated_at"] = iso(created), iso(modified)


# --- campaigns and reports

SETTINGS = {
    "subject_line": "", "preview_text": "", "title": "", "from_name": "", "reply_to": "",
    "use_conversation": False, "to_name": "", "folder_id": "", "authenticate": True,
    "auto_footer": False, "inline_css": False, "auto_tweet": False, "fb_comments": True,
    "timewarp": False, "template_id": 0, "drag_and_drop": False,
}  # fmt: skip
TRACKING = {
    "opens": True, "html_clicks": True, "text_clicks": False, "goal_tracking": False,
    "ecomm360": False, "google_analytics": "", "clicktale": "",
}  # fmt: skip
NO_REPORT = {
    "opens": 0, "unique_opens": 0, "open_rate": 0, "clicks": 0, "subscriber_clicks": 0,
    "click_rate": 0,
}  # fmt: skip


def campaign(seed: int, number: int, list_id: str, list_name: str) -> Document:
    """A campaign that was sent."""
    rng = random.Random(f"{seed}:campaign:{number}")
    subject = words.SUBJECTS[number % len(words.SUBJECTS)]
    sent = rng.randrange(10, 5000)
    return {
        "id": short(seed, "campaign", number),
        "web_id": 5_000_000 + number,
        "type": ("regular", "regular", "plaintext", "variate")[number % 4],
        "archive_url": f"http://eepurl.example/{number}",
        "long_archive_url": f"https://mailchi.example/{number}",
        "status": "sent",
        "emails_sent": sent,
        "content_type": "template",
        "needs_block_refresh": False,
        "resendable": False,
        "recipients": {
            "list_id": list_id, "list_is_active": True, "list_name": list_name,
            "segment_text": "", "recipient_count": sent,
        },
        "settings": {
            **SETTINGS, "subject_line": subject, "title": f"{subject} {number}",
            "from_name": words.FIRMS[number % len(words.FIRMS)], "reply_to": "sender@example.com",
        },
        "tracking": {**TRACKING},
        "report_summary": {
            "opens": sent // 2, "unique_opens": sent // 3, "open_rate": 0.33,
            "clicks": sent // 9, "subscriber_clicks": sent // 10, "click_rate": 0.1,
        },
        "delivery_status": {"enabled": False},
    }  # fmt: skip


def stamp_campaign(document: Document, created: float, _: float) -> None:
    """The times of a campaign: a draft has no time of sending."""
    document["create_time"] = iso(created)
    if document["status"] == "sent":
        document.setdefault("send_time", iso(created + 3600))
    document.setdefault("send_time", "")


def report(seed: int, number: int, list_id: str, list_name: str) -> Document:
    """The report of campaign `number`."""
    sent = campaign(seed, number, list_id, list_name)
    return report_of(sent)


def report_of(sent: Document) -> Document:
    """The report of a campaign that was sent."""
    count = sent["emails_sent"]
    return {
        "id": sent["id"],
        "campaign_title": sent["settings"]["title"],
        "type": sent["type"],
        "list_id": sent["recipients"]["list_id"],
        "list_is_active": True,
        "list_name": sent["recipients"]["list_name"],
        "subject_line": sent["settings"]["subject_line"],
        "preview_text": sent["settings"]["preview_text"],
        "emails_sent": count,
        "abuse_reports": 0,
        "unsubscribed": count // 100,
        "bounces": {"hard_bounces": 1, "soft_bounces": 2, "syntax_errors": 0},
        "forwards": {"forwards_count": 0, "forwards_opens": 0},
        "opens": {
            "opens_total": count // 2, "unique_opens": count // 3, "open_rate": 0.33,
            "last_open": "2026-06-01T10:00:00+00:00",
        },
        "clicks": {
            "clicks_total": count // 9, "unique_clicks": count // 10,
            "unique_subscriber_clicks": count // 11, "click_rate": 0.1, "last_click": "",
        },
        "facebook_likes": {"recipient_likes": 0, "unique_likes": 0, "facebook_likes": 0},
        "list_stats": {"sub_rate": 1, "unsub_rate": 0, "open_rate": 20.5, "click_rate": 3},
        "timeseries": [
            {
                "timestamp": f"2026-06-01T{hour:02}:00:00+00:00", "emails_sent": 0,
                "unique_opens": hour, "recipients_clicks": 0,
            }
            for hour in range(24)
        ],
        "share_report": {
            "share_url": "https://sandbox.example/share", "share_password": "sandbox-share-secret",
        },
        "ecommerce": {
            "total_orders": 0, "total_spent": 0, "total_revenue": 0, "currency_code": "USD",
        },
        "delivery_status": {"enabled": False},
    }  # fmt: skip


def stamp_report(document: Document, created: float, _: float) -> None:
    """When its campaign was sent."""
    document.setdefault("send_time", iso(created + 3600))


def automation(seed: int, number: int, list_id: str, list_name: str) -> Document:
    """A classic automation."""
    kinds = ("welcomeSeries", "abandonedCart", "dateAdded", "api")
    return {
        "id": short(seed, "automation", number),
        "status": ("sending", "paused", "save")[number % 3],
        "emails_sent": number * 13 % 500,
        "recipients": {
            "list_id": list_id, "list_is_active": True, "list_name": list_name,
            "segment_opts": {"match": "any", "conditions": []}, "store_id": "",
        },
        "settings": {
            "title": f"{words.SUBJECTS[number % len(words.SUBJECTS)]} {number}",
            "from_name": "Sandbox", "reply_to": "sender@example.com", "use_conversation": False,
            "to_name": "*|FNAME|*", "authenticate": True, "auto_footer": False,
            "inline_css": False,
        },
        "tracking": {**TRACKING},
        "trigger_settings": {
            "workflow_type": kinds[number % len(kinds)], "workflow_title": "Série",
            "runtime": {"days": ["monday"], "hours": {"type": "send_asap"}},
            "workflow_emails_count": 1,
        },
        "report_summary": {**NO_REPORT},
    }  # fmt: skip


def stamp_automation(document: Document, created: float, _: float) -> None:
    """The times of an automation: one that never ran has no start."""
    document["create_time"] = iso(created)
    document.setdefault("start_time", "" if document["status"] == "save" else iso(created + 60))
