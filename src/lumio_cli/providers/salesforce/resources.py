"""What Salesforce's resources are: the four of the CRM, and any other type by its API name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lumio_cli.core.errors import ConfigError
from lumio_cli.providers.contract.columns import Kinds, columns, pascal
from lumio_cli.providers.contract.paging import Paging
from lumio_cli.providers.contract.resource import Cursor, Horizon, Kind, Resource, Writes
from lumio_cli.providers.salesforce.soql import CHANGES, EVERYTHING

PAGE = 500
"""Records a query asks for: a quarter of what it may answer, as they are wide."""
COLLECTION = 200
"""Records that one request may write."""
JOB = 10_000
"""Records a bulk job: Salesforce works through them in portions of as many, and a file stays far
below its 100 MB."""
WRITES = Writes(
    create=COLLECTION,
    update=COLLECTION,
    upsert=COLLECTION,
    archive=COLLECTION,
    upsert_key="Id",
    at_once=JOB,
)
"""No field of the four is unique by itself: what is a duplicate, each org's own rules say."""
BIN = "IsDeleted"
"""The field of types that have a recycle bin. Of others a full sync alone sees what is gone."""

_FIELD_HISTORY = re.compile(r"(?!OpportunityHistory$)\w+(?<!Login)History")
"""Types that keep what fields were before; stages of opportunities are kept for good."""


def is_archived(type_: str) -> bool:
    """Whether Salesforce puts records of a type aside as they age: `query` leaves out what is,
    `queryAll` shows it.

    Activities after 365 days (SOAP API Developer Guide, "Archived Activities"); field histories
    from 18 to 24 months (release notes of Winter '19 and Spring '19, "Retention Limit for Field
    History Data").
    """
    return type_ in ("Task", "Event") or _FIELD_HISTORY.fullmatch(type_) is not None


KINDS: Kinds = {
    "int": "integer",
    "long": "integer",
    "double": "number",
    "currency": "number",
    "percent": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
}
"""Salesforce's field types that are more than text."""


def snake(name: str) -> str:
    """An API name as an identifier: OpportunityLineItem is opportunity_line_item, and
    My_Object__c is my_object_c."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"_+", "_", parted).strip("_").lower()


def column_name(field: str) -> str:
    """The column of a field: custom ones keep their API name, in lower case."""
    return field.lower() if "__" in field else snake(field)


_TIMES = (
    "created_date:datetime created_by_id last_modified_date:datetime last_modified_by_id"
    " system_modstamp:datetime"
)
"""What every type has; as all that is not marked, without Create and Update among its properties in
the Object Reference. So is Name where it is made of FirstName and LastName."""


def horizon_of(type_: str) -> Horizon | None:
    """How far back Salesforce keeps a type whose records it gives up by their age: that they are
    absent then is nobody's deletion (help.salesforce.com: "Monitor Login History", "Field History
    Tracking"). Field histories are promised for 18 months "through your org", for 24 by API, and
    for longer with a field audit trail and in orgs from before June 2011: what is there is listed,
    and of the shortest of these times on nothing that is not."""
    if type_ == "LoginHistory":
        return Horizon("LoginTime", "Salesforce keeps the logins of six months", days=180)
    if _FIELD_HISTORY.fullmatch(type_):
        return Horizon("CreatedDate", "Salesforce keeps 18 months of field history", days=540)
    return None


def _resource(name: str, type_: str, title: str, listed: str, note: str = "") -> Resource:
    paging: Mapping[Kind, Paging] = {
        "full": EVERYTHING,
        "changes": CHANGES,
        "tombstones": EVERYTHING,
    }
    return Resource(
        name=name,
        path=type_,
        title=title,
        columns=columns(f"{listed} {_TIMES}", pascal),
        paging=paging,
        page_size=dict.fromkeys(paging, PAGE),
        rows="records",
        key="Id",
        updated="SystemModstamp",
        # A long transaction commits minutes after the time that its records carry.
        cursor=Cursor("SystemModstamp", lookback=300.0, sorted=True),
        deletes=("tombstones", "sweep"),
        scopes=("api",),
        write_scopes=("api",),
        writes=WRITES,
        # A snapshot of the whole org, whoever asks (REST API Developer Guide, "Record Count").
        rough_count=True,
        horizon=horizon_of(type_),
        note=note,
    )


RESOURCES = (
    _resource(
        "leads",
        "Lead",
        "Leads",
        "first_name! last_name! name salutation! title! company! email!~folded phone!"
        " mobile_phone! website! street! city! state! postal_code! country! status! lead_source!"
        " industry! rating! annual_revenue!:number number_of_employees!:integer description!"
        " is_converted:boolean converted_date:date converted_account_id converted_contact_id"
        " converted_opportunity_id master_record_id owner_id! last_activity_date:date",
    ),
    _resource(
        "opportunities",
        "Opportunity",
        "Opportunities",
        "name! account_id! contact_id! stage_name! amount!:number probability!:number"
        " expected_revenue:number total_opportunity_quantity!:number close_date!:date type!"
        " next_step! lead_source! is_closed:boolean is_won:boolean forecast_category"
        " forecast_category_name! fiscal_year:integer fiscal_quarter:integer campaign_id!"
        " pricebook2_id! has_opportunity_line_item:boolean is_private!:boolean description!"
        " owner_id! last_activity_date:date",
    ),
    _resource(
        "accounts",
        "Account",
        "Accounts",
        "name! type! parent_id! account_number! phone! fax! website! industry!"
        " annual_revenue!:number number_of_employees!:integer ownership! ticker_symbol! rating!"
        " site! account_source! billing_street! billing_city! billing_state! billing_postal_code!"
        " billing_country! shipping_street! shipping_city! shipping_state! shipping_postal_code!"
        " shipping_country! description! master_record_id owner_id! last_activity_date:date",
    ),
    _resource(
        "contacts",
        "Contact",
        "Contacts",
        "first_name! last_name! name salutation! title! account_id! email!~folded phone!"
        " mobile_phone! home_phone! other_phone! fax! department! reports_to_id! assistant_name!"
        " birthdate!:date lead_source! mailing_street! mailing_city! mailing_state!"
        " mailing_postal_code! mailing_country! other_street! other_city! other_state!"
        " other_postal_code! other_country! has_opted_out_of_email!:boolean description!"
        " master_record_id owner_id! last_activity_date:date",
    ),
)
CORE = frozenset(resource.path for resource in RESOURCES)


def more_resources(types: Sequence[str]) -> tuple[Resource, ...]:
    """Resources for types that an operator names. Raises `ConfigError` for what is no API name,
    and for two types that would become the same resource."""
    taken = {resource.name: resource.path for resource in RESOURCES}
    found = []
    for type_ in types:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}", type_):
            raise ConfigError(
                f"providers.salesforce.objects: {type_!r} is no API name",
                hint="as in Setup > Object Manager > API Name, for instance Invoice__c",
            )
        name = snake(type_)
        known = {path.lower() for path in taken.values()}
        if type_.lower() in known:
            continue
        if name in taken:
            raise ConfigError(
                f"providers.salesforce.objects: {type_!r} and {taken[name]!r} would both be "
                f"the resource {name}",
                hint="take one of them out",
            )
        taken[name] = type_
        note = "added by the objects setting"
        found.append(_resource(name, type_, type_, "name! owner_id!", note=note))
    return tuple(found)
