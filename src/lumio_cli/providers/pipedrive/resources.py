"""What Pipedrive's resources are: their columns, how they are listed, what they cost."""

from __future__ import annotations

from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Paging, Single
from lumio_cli.providers.contract.resource import Column, Cursor, Deletion, Kind, Resource, Writes
from lumio_cli.providers.pipedrive.behaviour import (
    Activities,
    Labelled,
    Listed,
    Products,
    Settings,
    Users,
)
from lumio_cli.providers.pipedrive.listing import ARCHIVED, PAGE, PAGES, LiveThenArchived

LOOKBACK = 120.0
"""Seconds that a window reaches back: times are whole seconds, and a record that was being
written when we asked may carry an earlier one."""


_ONE_BY_ONE = Writes(create=1, update=1, archive=1, at_once=50)
"""No field is unique: what is a duplicate, Pipedrive leaves to people ("Merge duplicates")."""


def _main(
    kind: type[Listed],
    name: str,
    title: str,
    stem: str,
    columns: tuple[Column, ...],
    *,
    deletes: tuple[Deletion, ...] = ("sweep",),
    pages: Paging = PAGES,
    note: str = "",
) -> Resource:
    paging: dict[Kind, Paging] = {"full": pages, "changes": pages}
    if "tombstones" in deletes:
        paging["tombstones"] = PAGES
    return kind(
        name=name,
        path=f"/api/v2/{name}",
        title=title,
        columns=columns,
        paging=paging,
        page_size=dict.fromkeys(paging, PAGE),
        rows="data",
        updated="update_time",
        cursor=Cursor("update_time", lookback=LOOKBACK),
        deletes=deletes,
        scopes=(f"{stem}:read",),
        write_scopes=(f"{stem}:full",),
        writes=_ONE_BY_ONE,
        note=note,
    )


_SWEPT = "Deletions are seen by a full sync: the API has no list of what was deleted."

# Labels have no order.
DEALS = _main(
    Labelled,
    "deals",
    "Deals",
    "deals",
    columns(
        "title! value!:number currency! status! stage_id!:integer pipeline_id!:integer"
        " person_id!:integer org_id!:integer owner_id!:integer probability!:number"
        " expected_close_date!:date lost_reason! won_time!:datetime lost_time!:datetime"
        " close_time!:datetime label_ids!:json~set visible_to!:integer labels:json"
        " creator_user_id:integer add_time:datetime update_time:datetime"
        " stage_change_time:datetime local_won_date:date local_lost_date:date"
        " local_close_date:date is_archived:boolean archive_time:datetime origin origin_id"
        " channel:integer channel_id source_lead_id acv:number arr:number mrr:number"
    ),
    deletes=("tombstones", "sweep"),
    pages=LiveThenArchived(ARCHIVED),
    note="Archived deals are among them, with is_archived = 1; they cannot be changed.",
)
PERSONS = _main(
    Labelled,
    "persons",
    "Persons",
    "contacts",
    columns(
        "name! org_id!:integer owner_id!:integer emails!:json phones!:json label_ids!:json~set"
        " visible_to!:integer job_title! notes! birthday!:date im!:json first_name last_name"
        " labels:json postal_address=postal_address.value picture_id:integer add_time:datetime"
        " update_time:datetime"
    ),
    note=_SWEPT,
)
ORGANIZATIONS = _main(
    Labelled,
    "organizations",
    "Organizations",
    "contacts",
    columns(
        "name! owner_id!:integer address!=address.value label_ids!:json~set visible_to!:integer"
        " website! linkedin! industry!:integer annual_revenue!:number employee_count!:integer"
        " labels:json address_country=address.country address_region=address.admin_area_level_1"
        " address_city=address.locality address_street=address.route"
        " address_street_number=address.street_number address_postal_code=address.postal_code"
        " add_time:datetime update_time:datetime"
    ),
    note=_SWEPT,
)
ACTIVITIES = _main(
    Activities,
    "activities",
    "Activities",
    "activities",
    columns(
        "subject! type! done!:boolean due_date!:date due_time! duration! owner_id!:integer"
        " deal_id!:integer lead_id! person_id!:integer org_id!:integer project_id!:integer note!"
        " public_description! busy!:boolean priority!:integer participants!:json"
        " location!=location.value attendees:json creator_user_id:integer"
        " marked_as_done_time:datetime conference_meeting_client conference_meeting_url"
        " conference_meeting_id add_time:datetime update_time:datetime"
    ),
    note=_SWEPT,
)
PRODUCTS = _main(
    Products,
    "products",
    "Products",
    "products",
    columns(
        "name! code! description! unit! tax!:number category! owner_id!:integer"
        " is_linkable!:boolean visible_to!:integer prices!:json billing_frequency!"
        " billing_frequency_cycles!:integer add_time:datetime update_time:datetime"
    ),
    note=_SWEPT,
)
MAIN = (DEALS, PERSONS, ORGANIZATIONS, ACTIVITIES, PRODUCTS)


def _settings(name: str, title: str, columns: tuple[Column, ...]) -> Resource:
    return Settings(
        name=name,
        path=f"/api/v2/{name}",
        title=title,
        columns=columns,
        paging={"full": PAGES},
        page_size={"full": PAGE},
        rows="data",
        updated="update_time",
        deletes=("sweep",),
        scopes=("deals:read",),
        write_scopes=("admin",),
        writes=_ONE_BY_ONE,
    )


PIPELINES = _settings(
    "pipelines",
    "Pipelines",
    columns(
        "name! is_deal_probability_enabled!:boolean order_nr:integer add_time:datetime"
        " update_time:datetime"
    ),
)
STAGES = _settings(
    "stages",
    "Stages",
    columns(
        "name! pipeline_id!:integer deal_probability!:integer is_deal_rot_enabled!:boolean"
        " days_to_rotten!:integer order_nr:integer add_time:datetime update_time:datetime"
    ),
)
USERS = Users(
    name="users",
    path="/api/v1/users",
    title="Users",
    columns=columns(
        "name email phone active:boolean=active_flag activated:boolean role_id:integer"
        " timezone_name locale default_currency created:datetime modified:datetime"
        " last_login:datetime"
    ),
    paging={"full": Single()},
    rows="data",
    updated="modified",
    deletes=("sweep",),
    scopes=("users:read",),
    metadata=True,
    note="There is no v2 of it; its times are in UTC, and say so nowhere.",
)
