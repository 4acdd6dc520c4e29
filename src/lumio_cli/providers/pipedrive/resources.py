"""What Pipedrive's resources are: their columns, how they are listed, what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, Send, dig
from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Paging, Single, Token
from lumio_cli.providers.contract.resource import Column, Cursor, Deletion, Kind, Resource, Writes

NEXT = "additional_data.next_cursor"
PAGE = 500
"""Records a page: the most that v2 gives."""
LOOKBACK = 120.0
"""Seconds that a window reaches back: times are whole seconds, and a record that was being
written when we asked may carry an earlier one."""
COSTS = {"list": 10.0, "archived": 20.0, "settings": 5.0, "write": 5.0, "delete": 3.0, "get": 1.0}
"""Tokens of the company's day, by kind of request (`x-token-cost` in the description of v2)."""


PAGES = Token(NEXT, "cursor", "limit")
ARCHIVED = "/api/v2/deals/archived"


@dataclass(frozen=True, slots=True)
class LiveThenArchived:
    """The deals, then the archived ones, which are a listing of their own.

    A deal that is archived while the walk is on its way comes in the second listing, if not in
    both; the same record twice does no harm.
    """

    archived: str
    pages: Token = PAGES

    def first(self, size: int) -> Place:
        """The first page of the deals."""
        return self.pages.first(size)

    def ask(self, call: Call, place: Place) -> Call:
        """The listing that the place lies in. Archived deals cost twice as much, and come without
        the labels that can be asked for with all others."""
        if place.get("archived"):
            asked = {k: v for k, v in call.params.items() if not k.endswith("labels")}
            call = replace(call, path=self.archived, params=asked, cost=COSTS["archived"])
        return self.pages.ask(call, place)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """The next page, or the first of the archived deals."""
        following = self.pages.next(place, reply, rows)
        if place.get("archived"):
            return None if following is None else {**following, "archived": True}
        return {"size": place["size"], "archived": True} if following is None else following


_ONE_BY_ONE = Writes(create=1, update=1, archive=1, at_once=50)
"""No field is unique: what is a duplicate, Pipedrive leaves to people ("Merge duplicates")."""


def _main(
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
    return Resource(
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
    return Resource(
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
USERS = Resource(
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

FIELDS: Mapping[str, str] = {
    "deals": "/api/v2/dealFields",
    "persons": "/api/v2/personFields",
    "organizations": "/api/v2/organizationFields",
    "products": "/api/v2/productFields",
}
"""Where each resource's fields are defined. Activities have no custom fields in v2, and their
definitions need an administrator."""


def list_cost(resource: Resource) -> float:
    """What a page of a resource costs."""
    if resource is USERS:
        return 20.0
    return COSTS["settings" if resource in (PIPELINES, STAGES) else "list"]


def archived_pages(call: Call, size: int, send: Send) -> Iterator[Reply]:
    """Each page of the archived deals that `call` would ask for among the others. Raises
    `BadReplyError` where they go in circles."""
    call = replace(call, path=ARCHIVED, cost=COSTS["archived"])
    place: Place | None = PAGES.first(size)
    met: set[str] = set()
    while place is not None:
        token = str(place.get("token", ""))
        if token in met:
            raise BadReplyError("Pipedrive's deleted deals that were archived do not end")
        met.add(token)
        reply = send(PAGES.ask(call, place))
        yield reply
        place = PAGES.next(place, reply, ())


def deleted(record: Record) -> bool:
    """Whether a record that is listed says of itself that it has been deleted."""
    return dig(record, "is_deleted") is True or dig(record, "status") == "deleted"
