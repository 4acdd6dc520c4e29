"""What the account holds: templates, phone numbers and their profiles."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from ..table import Document, Table, draw
from ..words import CITIES, FIRMS, NOTES, SUBJECTS
from .errors import invalid

WABA_ID = "102290129340398001"
OTHER_WABA_ID = "102290129340398777"
PHONE_ID = "106540352242922001"
APP_ID = "670843887433847"
APP_SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105 - fake, and says so
BUSINESS_ID = "520744086200222"
USER_ID = "122104567890123456"
NUMBERS = 4
"""How many phone numbers an account has, whatever `records` says."""

TEMPLATE_FIELDS = frozenset(
    {
        "id", "name", "language", "status", "category", "sub_category", "previous_category",
        "correct_category", "components", "quality_score", "rejected_reason", "parameter_format",
        "library_template_name", "message_send_ttl_seconds", "cta_url_link_tracking_opted_out",
        "degrees_of_freedom_spec",
    }
)  # fmt: skip
NUMBER_FIELDS = frozenset(
    {
        "id", "display_phone_number", "verified_name", "status", "quality_rating", "country_code",
        "country_dial_code", "code_verification_status", "unified_cert_status", "account_mode",
        "host_platform", "messaging_limit_tier", "is_official_business_account", "username",
        "name_status", "platform_type", "throughput", "conversational_automation", "quality_score",
        "webhook_configuration", "new_name_status", "is_on_biz_app", "is_pin_enabled",
        "is_preverified_number", "search_visibility", "eligibility_for_api_business_global_search",
        "health_status", "certificate", "new_certificate", "last_onboarded_time",
        "whatsapp_business_manager_messaging_limit",
    }
)  # fmt: skip
PROFILE_FIELDS = (
    "about", "address", "description", "email", "profile_picture_url", "websites", "vertical",
)  # fmt: skip
WABA_FIELDS: dict[str, Any] = {
    "id": WABA_ID,
    "name": "Café Größe 🌻 Sandbox",
    "timezone_id": "1",
    "currency": "BRL",
    "country": "BR",
    "account_review_status": "APPROVED",
    "business_verification_status": "VERIFIED",
    "ownership_type": "SELF_OWNED",
    "message_template_namespace": "sandbox_namespace_0001",
    "is_enabled_for_insights": True,
    "status": "ACTIVE",
}
WABA_UNSET = frozenset(
    {
        "marketing_messages_lite_api_status", "marketing_messages_onboarding_status",
        "on_behalf_of_business_info", "health_status", "subscribed_apps", "owner_business_info",
        "disable_marketing_messages_on_cloud_api", "purchase_order_number", "audiences",
    }
)  # fmt: skip
"""Fields that exist and hold nothing here: Graph leaves them out."""
_LANGUAGES = ("en_US", "pt_BR", "es", "ja", "ar")
_CATEGORIES = ("MARKETING", "UTILITY", "AUTHENTICATION")
_STATUSES = ("APPROVED",) * 6 + ("PENDING", "REJECTED", "PAUSED", "DISABLED")
_URL = {"type": "URL", "text": "Open", "url": "https://sandbox.example/{{1}}"}
_OTHERS: dict[int, Document] = {
    1: {
        "name": "appointment",
        "status": "APPROVED",
        "parameter_format": "NAMED",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Olá {{first_name}}",
             "example": {"header_text_named_params": [
                 {"param_name": "first_name", "example": "Ada"}]}},
            {"type": "BODY", "text": "Dia {{day}}, às {{hour}}.",
             "example": {"body_text_named_params": [
                 {"param_name": "day", "example": "7/12"},
                 {"param_name": "hour", "example": "9h"}]}},
        ],
    },
    2: {
        "name": "invoice",
        "status": "APPROVED",
        "components": [
            {"type": "HEADER", "format": "DOCUMENT", "example": {"header_handle": ["4::a"]}},
            {"type": "BODY", "text": "{{1}}: {{2}}", "example": {"body_text": [["Ada", "9"]]}},
            {"type": "BUTTONS", "buttons": [_URL]},
        ],
    },
    3: {
        "name": "news",
        "status": "APPROVED",
        "components": [
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::b"]}},
            {"type": "BODY", "text": "秋の新作です。"},
        ],
    },
}  # fmt: skip
_SAMPLE = "Hi {{1}}, your order {{2}} is on its way — até já 👋"


def template_id(number: int) -> str:
    """The id of the n-th template."""
    return str(159_456_200_000_000_001 + number * 7)


def phone_id(number: int) -> str:
    """The id of the n-th phone number."""
    return str(int(PHONE_ID) + number * 3)


def templates(count: int, seed: int, clock: Callable[[], float]) -> Table:
    """The first is `order_update` in en_US, approved, with two parameters in its body. The next
    are approved as well: parameters with names, a document and an image above the text.
    """

    def make(number: int) -> Document:
        random = draw(seed, "templates", number)
        subject, note = random.choice(SUBJECTS), random.choice(NOTES) or "Bye"
        status = "APPROVED" if number == 0 else random.choice(_STATUSES)
        name = "order_update" if number == 0 else f"template_{number // len(_LANGUAGES):05d}"
        text = _SAMPLE if number == 0 else f"{subject}: {{{{1}}}}\n{note[:200]}"
        sample = [["Ada", "AB-1"]] if number == 0 else [["Ada"]]
        body = {"type": "BODY", "text": text, "example": {"body_text": sample}}
        found: Document = {
            "name": name,
            "language": _LANGUAGES[number % len(_LANGUAGES)],
            "status": status,
            "category": "UTILITY" if number == 0 else random.choice(_CATEGORIES),
            "parameter_format": "POSITIONAL",
            "components": [
                {"type": "HEADER", "format": "TEXT", "text": random.choice(FIRMS)[:60]},
                body,
                {"type": "FOOTER", "text": "Sandbox"},
                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Stop"}]},
            ],
            "quality_score": {
                "score": random.choice(("GREEN", "YELLOW", "UNKNOWN")),
                "date": 1_750_000_000 + number,
            },
            "rejected_reason": "INVALID_FORMAT" if status == "REJECTED" else "NONE",
        }
        if random.random() < 0.2:
            found["previous_category"] = random.choice(_CATEGORIES)
        return found | _OTHERS.get(number, {})

    return Table(count, make, lambda *_: None, clock, identify=template_id)


def numbers(count: int, seed: int, clock: Callable[[], float]) -> Table:
    """The first is the one that the ready line names."""

    def make(number: int) -> Document:
        random = draw(seed, "numbers", number)
        return {
            "display_phone_number": f"+55 11 9{4000 + number:04d}-{random.randrange(10_000):04d}",
            "verified_name": FIRMS[number % len(FIRMS)],
            "status": "PENDING" if number % 5 == 4 else "LINKED",
            "quality_rating": random.choice(("GREEN", "YELLOW", "RED", "NA")),
            "country_code": "BR",
            "country_dial_code": "55",
            "code_verification_status": "VERIFIED",
            "unified_cert_status": "APPROVED",
            "account_mode": "LIVE",
            "host_platform": "CLOUD_API",
            "messaging_limit_tier": random.choice(("TIER_1K", "TIER_10K", "TIER_UNLIMITED")),
            "whatsapp_business_manager_messaging_limit": "TIER_10K",
            "last_onboarded_time": "2025-03-01T10:00:00+0000",
            "is_official_business_account": number == 0,
            "name_status": "APPROVED",
            "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"},
        }

    return Table(count, make, lambda *_: None, clock, identify=phone_id)


def profile(seed: int, number_id: str) -> Document:
    """The profile that a phone number has until it is changed."""
    random = draw(seed, "profiles", int(number_id))
    return {
        "messaging_product": "whatsapp",
        "about": f"{random.choice(SUBJECTS)} 🌱",
        "address": str(random.choice(CITIES) or "Lisboa"),
        "description": f"{random.choice(FIRMS)} — sandbox",
        "email": f"hello{int(number_id) % 1000}@sandbox.example",
        "profile_picture_url": f"https://pps.whatsapp.net/sandbox/{number_id}.jpg",
        "websites": ["https://sandbox.example/", "https://sandbox.example/ü"],
        "vertical": random.choice(("RETAIL", "HEALTH", "OTHER")),
    }


def chosen(document: Mapping[str, Any], wanted: str | None, known: frozenset[str], node: str,
           default: tuple[str, ...]) -> Document:  # fmt: skip
    """The fields of a node that were asked for; the id is always there."""
    names = [n.strip() for n in wanted.split(",") if n.strip()] if wanted else list(default)
    for name in names:
        if name not in known:
            raise invalid(f"Tried accessing nonexisting field ({name}) on node type ({node})")
    return {n: document[n] for n in ("id", *names) if n in document}


def page(
    table: Table, ids: list[str], size: int, after: str | None, link: Callable[[str], str]
) -> tuple[list[str], dict[str, Any]]:
    """The ids of a page and its `paging`. A cursor names the last record that was seen, so that
    deletions do not move what follows; `after` is there on the last page, too."""
    start = 0
    if after is not None:
        try:
            seen = base64.urlsafe_b64decode(after.encode()).decode()
        except ValueError:
            raise invalid("Invalid cursor") from None
        seen = seen.lstrip(AGAIN)
        if seen and table.last_known(seen) is None:
            raise invalid("Invalid cursor")
        start = next((n for n, i in enumerate(ids) if int(i) > int(seen or 0)), len(ids))
    found = ids[start : start + size]
    if not found:
        return [], {}
    cursors = {"before": cursor(found[0]), "after": cursor(found[-1])}
    paging: dict[str, Any] = {"cursors": cursors}
    if start + size < len(ids):
        paging["next"] = link(cursors["after"])
    if start:
        paging["previous"] = link(cursors["before"])
    return found, paging


AGAIN = "~"
"""Before what a cursor names: the same place by another cursor."""


def again(after: str | None) -> str:
    """Another cursor of the place that a request was about; None is the first page."""
    seen = base64.urlsafe_b64decode(after.encode()).decode() if after else ""
    return cursor(AGAIN + seen)


def cursor(record_id: str) -> str:
    """The opaque cursor of a record."""
    return base64.urlsafe_b64encode(record_id.encode()).decode()
