"""What WhatsApp's resources are: their columns, how they are listed, what they need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lumio_cli.providers.contract.call import Record
from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Single
from lumio_cli.providers.contract.resource import Cursor, Resource
from lumio_cli.providers.whatsapp.days import DAY
from lumio_cli.providers.whatsapp.listing import Cursors

MANAGEMENT = "whatsapp_business_management"
MESSAGING = "whatsapp_business_messaging"
READ = (MANAGEMENT,)
LISTING = Cursors()

SETTLING = 3 * DAY
"""Seconds that analytics is asked for again: its last days still grow."""
BY_DAY = "Counts by day. Days that WhatsApp no longer tells stay here; none is ever deleted."


TEMPLATES = Resource(
    name="templates",
    path="/{waba_id}/message_templates",
    title="Message templates",
    rows="data",
    updated="",
    columns=columns(
        "name language status category previous_category parameter_format"
        " quality_score=quality_score.score quality_at:epoch=quality_score.date rejected_reason"
        " components:json"
    ),
    paging={"full": LISTING},
    page_size={"full": 100},
    deletes=("sweep",),
    scopes=READ,
)
TEMPLATE_FIELDS = (
    "id", "name", "language", "status", "category", "previous_category", "parameter_format",
    "components", "quality_score", "rejected_reason",
)  # fmt: skip

PHONE_NUMBERS = Resource(
    name="phone_numbers",
    path="/{waba_id}/phone_numbers",
    title="Phone numbers",
    rows="data",
    updated="",
    columns=columns(
        "display_phone_number verified_name status quality_rating country_code country_dial_code"
        " code_verification_status name_status account_mode platform_type"
        " throughput=throughput.level messaging_limit=whatsapp_business_manager_messaging_limit"
        " is_official_business_account:boolean last_onboarded_time:datetime"
    ),
    paging={"full": LISTING},
    page_size={"full": 100},
    deletes=("sweep",),
    scopes=READ,
)
NUMBER_FIELDS = (
    "id", "display_phone_number", "verified_name", "status", "quality_rating", "country_code",
    "country_dial_code", "code_verification_status", "name_status", "account_mode",
    "platform_type", "throughput", "whatsapp_business_manager_messaging_limit",
    "is_official_business_account", "last_onboarded_time",
)  # fmt: skip
"""Those that clients of 2026 ask for: `messaging_limit_tier` and others of v23.0 are going, and one
unknown field would refuse the whole listing."""

BUSINESS_PROFILES = Resource(
    name="business_profiles",
    path="/{waba_id}/phone_numbers",
    title="Business profiles",
    rows="data",
    updated="",
    columns=columns(
        "display_phone_number about address description email vertical profile_picture_url"
        " websites:json"
    ),
    paging={"full": LISTING},
    # No size of its own: a page is kept when all of its profiles are there, which come one by
    # one, and an account has a handful of numbers.
    deletes=("sweep",),
    scopes=READ,
    # The picture's address is signed anew with every answer.
    ignore=("profile_picture_url",),
)
PROFILE_FIELDS = (
    "about", "address", "description", "email", "profile_picture_url", "websites", "vertical",
)  # fmt: skip


def _by_day(name: str, title: str, listed: str, days: int, note: str = "") -> Resource:
    return Resource(
        name=name,
        path="/{waba_id}",
        title=title,
        updated="day_start",
        columns=columns(f"day day_start:datetime {listed}"),
        # How they are paged depends on the window (`WhatsApp.paging`).
        paging={"full": Single(), "changes": Single()},
        page_size={"full": days, "changes": days},
        cursor=Cursor("day_start", lookback=SETTLING, edits=False),
        scopes=READ,
        metadata=True,
        note=f"{BY_DAY} {note}".strip(),
    )


MESSAGE_ANALYTICS = _by_day(
    "message_analytics", "Messages by day", "sent:integer delivered:integer", 90
)
PRICING_ANALYTICS = _by_day(
    "pricing_analytics",
    "Volume and cost by day",
    "phone_number country pricing_category pricing_type tier volume:integer cost:number",
    30,
)
CONVERSATION_ANALYTICS = _by_day(
    "conversation_analytics",
    "Conversations by day",
    "phone_number country conversation_category conversation_type conversation_direction"
    " conversation:integer cost:number",
    30,
    "Since July 2025 WhatsApp charges by message: look at pricing_analytics.",
)
TEMPLATE_ANALYTICS = Resource(
    name="template_analytics",
    path="/{waba_id}/template_analytics",
    title="Templates by day",
    updated="day_start",
    columns=columns(
        "template_id day day_start:datetime sent:integer delivered:integer read:integer"
        " clicked:json cost:json"
    ),
    paging={"full": Single(), "changes": Single()},
    # Templates a request: more than ten are refused.
    page_size={"full": 10, "changes": 10},
    cursor=Cursor("day_start", lookback=SETTLING, edits=False),
    parents=("templates",),
    scopes=READ,
    metadata=True,
    note=f"{BY_DAY} Ninety days back, where insights are enabled for the account.",
)

MESSAGES = Resource(
    name="messages",
    path="",
    title="Messages from users",
    updated="timestamp",
    columns=columns(
        "sender=from sender_user_id=from_user_id profile_name=contact.profile.name"
        " sent_at:epoch=timestamp timestamp:integer type text=text.body caption=media.caption"
        " media_id=media.id mime_type=media.mime_type button=button.text interactive:json"
        " reply_to=context.id phone_number_id=metadata.phone_number_id"
    ),
    paging={},
    scopes=(MESSAGING,),
    note="WhatsApp has no list of messages: they come by webhook only, and lumio receives none.",
)
STATUSES = Resource(
    name="statuses",
    path="",
    title="What became of messages",
    updated="timestamp",
    columns=columns(
        "message_id status status_at:epoch=timestamp recipient_id recipient_user_id"
        " biz_opaque_callback_data error_code:integer=error.code error_title=error.title"
        " error_details=error.error_data.details billable:boolean=pricing.billable"
        " pricing_model=pricing.pricing_model pricing_category=pricing.category"
        " phone_number_id=metadata.phone_number_id"
    ),
    paging={},
    scopes=(MESSAGING,),
    note="WhatsApp tells of deliveries by webhook only, and lumio receives none.",
)

ANALYTICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "message_analytics": ("analytics", ()),
    "pricing_analytics": (
        "pricing_analytics",
        ("PHONE", "COUNTRY", "PRICING_CATEGORY", "PRICING_TYPE", "TIER"),
    ),
    "conversation_analytics": (
        "conversation_analytics",
        (
            "PHONE", "COUNTRY", "CONVERSATION_CATEGORY", "CONVERSATION_TYPE",
            "CONVERSATION_DIRECTION",
        ),
    ),
}  # fmt: skip
"""By resource: the field of the account, and by what its counts are told apart."""
_METRICS = {
    "pricing_analytics": '["COST","VOLUME"]',
    "conversation_analytics": '["COST","CONVERSATION"]',
}
_SUBJECTS = (
    "template_id", "phone_number", "country", "pricing_category", "pricing_type", "tier",
    "conversation_category", "conversation_type", "conversation_direction",
)  # fmt: skip


def field_with_filters(field: str, dimensions: tuple[str, ...], start: int, end: int) -> str:
    """The account's field with its filters: `analytics.start(1).end(2).granularity(DAY)`."""
    if not dimensions:
        return f"{field}.start({start}).end({end}).granularity(DAY)"
    listed = ",".join(f'"{name}"' for name in dimensions)
    return (
        f"{field}.start({start}).end({end}).granularity(DAILY)"
        f".metric_types({_METRICS[field]}).dimensions([{listed}])"
    )


def points_of(group: Any) -> list[Any]:
    """Return a group's data points; what is no group stands for itself, and becomes a letter."""
    if not isinstance(group, dict):
        return [group]
    found = group.get("data_points")
    return found if isinstance(found, list) else [] if found is None else [found]


def point(row: Any) -> Record:
    """A data point as a record: known by its day and by what it counts. What has no day has no
    id either, and becomes a letter."""
    if not isinstance(row, dict) or not isinstance(row.get("start"), int):
        return row if isinstance(row, dict) else {"value": row}
    try:
        start = datetime.fromtimestamp(row["start"], UTC)
    except (ValueError, OverflowError, OSError):
        return row
    subject = "/".join(str(row[name]) for name in _SUBJECTS if row.get(name) is not None)
    day = start.date().isoformat()
    name = f"{day}/{subject}" if subject else day
    return {**row, "id": name, "day": day, "day_start": start.strftime("%Y-%m-%dT%H:%M:%SZ")}
