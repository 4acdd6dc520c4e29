"""What Mailchimp's resources are: their columns and how they are listed."""

from __future__ import annotations

from collections.abc import Mapping

from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Each
from lumio_cli.providers.contract.resource import Choice, Cursor, Kind, Writes
from lumio_cli.providers.mailchimp.behaviour import (
    LIST,
    Audiences,
    Campaigns,
    Collection,
    Members,
    Reports,
    Segments,
    put_list,
)
from lumio_cli.providers.mailchimp.listing import Changed, Pages

BATCH = 500
"""Members that one request to an audience takes (reference, "Batch subscribe or unsubscribe")."""


STATUSES = Choice(("subscribed", "unsubscribed", "cleaned", "pending", "transactional"))
"""What a member's status may be set to (reference, "Add or update list member")."""
EMAIL_TYPES = Choice(("html", "text"))
SIZE = 500
"""Rows a page: half of what it may have, since members with their merge fields are large."""
PAGE: Mapping[Kind, int] = {"full": SIZE, "changes": SIZE, "tombstones": SIZE}

AUDIENCES = Audiences(
    name="audiences",
    path="/3.0/lists",
    title="Audiences",
    columns=columns(
        "name web_id:integer company=contact.company country=contact.country"
        " from_name=campaign_defaults.from_name from_email=campaign_defaults.from_email"
        " language=campaign_defaults.language visibility double_optin:boolean"
        " marketing_permissions:boolean list_rating:integer"
        " member_count:integer=stats.member_count"
        " unsubscribe_count:integer=stats.unsubscribe_count"
        " cleaned_count:integer=stats.cleaned_count campaign_count:integer=stats.campaign_count"
        " open_rate:number=stats.open_rate click_rate:number=stats.click_rate"
        " campaign_last_sent:datetime=stats.campaign_last_sent"
        " last_sub_date:datetime=stats.last_sub_date"
        " last_unsub_date:datetime=stats.last_unsub_date subscribe_url=subscribe_url_long"
        " permission_reminder contact:json date_created:datetime"
    ),
    paging={"full": Pages()},
    page_size={"full": SIZE},
    rows="lists",
    updated="",
    deletes=("sweep",),
    note="Mailchimp cannot say which audiences changed: they are always read whole.",
)

# Tags have no order. A member is known by the MD5 of the address in lower case, so that an audience
# has each address once, however it is written (reference, `subscriber_hash`).
MEMBERS = Members(
    name="members",
    path=f"/3.0/lists/{LIST}/members",
    title="Members of audiences",
    columns=columns(
        "list_id! email_address!~folded status! full_name fname!=merge_fields.FNAME"
        " lname!=merge_fields.LNAME phone!=merge_fields.PHONE address!:json=merge_fields.ADDRESS"
        " merge_fields!:json tags!:json~set tags_count:integer interests!:json language!"
        " vip!:boolean email_type! member_rating:integer source unsubscribe_reason"
        " avg_open_rate:number=stats.avg_open_rate avg_click_rate:number=stats.avg_click_rate"
        " country_code=location.country_code timezone=location.timezone"
        " latitude:number=location.latitude longitude:number=location.longitude location!:json"
        " marketing_permissions!:json email_client last_note:json ip_signup! ip_opt!"
        " timestamp_signup!:datetime timestamp_opt!:datetime last_changed:datetime web_id:integer"
        " unique_email_id subscriber_hash contact_id",
        choices={"status": STATUSES, "email_type": EMAIL_TYPES},
    ),
    paging={
        "full": Each(put_list, Changed()),
        "changes": Each(put_list, Changed()),
        "tombstones": Each(put_list, Pages()),
    },
    page_size=PAGE,
    rows="members",
    updated="last_changed",
    cursor=Cursor("last_changed", lookback=300.0),
    deletes=("tombstones", "sweep"),
    parents=("audiences",),
    group="list_id",
    writes=Writes(
        create=BATCH,
        update=1,
        upsert=1,
        archive=1,
        upsert_key="email_address",
        at_once=BATCH,
        unique=("email_address",),
    ),
    note=(
        "Archived members are deletions, and so are those of an audience that is gone. Who was "
        "deleted for good is found by the next full sync."
    ),
)

SEGMENTS = Segments(
    name="segments",
    path=f"/3.0/lists/{LIST}/segments",
    title="Segments and tags of audiences",
    columns=columns(
        "list_id name type member_count:integer match=options.match"
        " conditions:json=options.conditions created_at:datetime updated_at:datetime"
    ),
    paging={"full": Each(put_list, Pages()), "changes": Each(put_list, Pages())},
    page_size={"full": SIZE, "changes": SIZE},
    rows="segments",
    updated="updated_at",
    cursor=Cursor("updated_at", lookback=300.0),
    deletes=("sweep",),
    parents=("audiences",),
    group="list_id",
    note="A number of members that changes by itself is seen by the next full sync.",
)

CAMPAIGNS = Campaigns(
    name="campaigns",
    path="/3.0/campaigns",
    title="Campaigns",
    columns=columns(
        "web_id:integer type status title=settings.title subject_line=settings.subject_line"
        " preview_text=settings.preview_text from_name=settings.from_name"
        " reply_to=settings.reply_to template_id:integer=settings.template_id"
        " folder_id=settings.folder_id list_id=recipients.list_id list_name=recipients.list_name"
        " segment_id:integer=recipients.segment_opts.saved_segment_id"
        " recipient_count:integer=recipients.recipient_count emails_sent:integer content_type"
        " opens:integer=report_summary.opens unique_opens:integer=report_summary.unique_opens"
        " open_rate:number=report_summary.open_rate clicks:integer=report_summary.clicks"
        " subscriber_clicks:integer=report_summary.subscriber_clicks"
        " click_rate:number=report_summary.click_rate archive_url parent_campaign_id"
        " create_time:datetime send_time:datetime"
    ),
    paging={"full": Pages()},
    page_size={"full": SIZE},
    rows="campaigns",
    updated="",
    deletes=("sweep",),
    note="Mailchimp cannot say which campaigns changed: they are always read whole.",
)

REPORTS = Reports(
    name="reports",
    path="/3.0/reports",
    title="Campaign reports",
    columns=columns(
        "campaign_title type subject_line list_id list_name emails_sent:integer"
        " abuse_reports:integer unsubscribed:integer hard_bounces:integer=bounces.hard_bounces"
        " soft_bounces:integer=bounces.soft_bounces syntax_errors:integer=bounces.syntax_errors"
        " forwards:integer=forwards.forwards_count opens:integer=opens.opens_total"
        " unique_opens:integer=opens.unique_opens open_rate:number=opens.open_rate"
        " last_open:datetime=opens.last_open clicks:integer=clicks.clicks_total"
        " unique_clicks:integer=clicks.unique_clicks"
        " subscriber_clicks:integer=clicks.unique_subscriber_clicks"
        " click_rate:number=clicks.click_rate last_click:datetime=clicks.last_click"
        " total_orders:integer=ecommerce.total_orders total_spent:number=ecommerce.total_spent"
        " total_revenue:number=ecommerce.total_revenue currency=ecommerce.currency_code"
        " send_time:datetime"
    ),
    paging={"full": Pages()},
    page_size={"full": SIZE},
    rows="reports",
    updated="",
    deletes=("sweep",),
    note="Always read whole: opens and clicks go on for months, and change no time.",
)

AUTOMATIONS = Collection(
    name="automations",
    path="/3.0/automations",
    title="Classic automations",
    columns=columns(
        "status title=settings.title from_name=settings.from_name reply_to=settings.reply_to"
        " workflow_type=trigger_settings.workflow_type"
        " emails:integer=trigger_settings.workflow_emails_count list_id=recipients.list_id"
        " list_name=recipients.list_name emails_sent:integer opens:integer=report_summary.opens"
        " unique_opens:integer=report_summary.unique_opens"
        " open_rate:number=report_summary.open_rate clicks:integer=report_summary.clicks"
        " click_rate:number=report_summary.click_rate create_time:datetime start_time:datetime"
    ),
    paging={"full": Pages()},
    page_size={"full": SIZE},
    rows="automations",
    updated="",
    deletes=("sweep",),
    note="Classic automations only: the API does not list customer journeys.",
)
