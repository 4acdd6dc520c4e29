"""What Salesforce's resources are: the four of the CRM, and any other type by its API name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lumio_cli.core.errors import ConfigError
from lumio_cli.providers.contract.resource import Column, Cursor, Horizon, Resource, Writes
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
READ_ONLY = frozenset(
    {
        "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp",
        "LastActivityDate", "MasterRecordId", "IsConverted", "ConvertedDate",
        "ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId", "ExpectedRevenue",
        "IsClosed", "IsWon", "ForecastCategory", "FiscalYear", "FiscalQuarter",
        "HasOpportunityLineItem",
    }
)  # fmt: skip
"""Fields without Create and Update among their properties in the Object Reference. So is Name
where it is made of FirstName and LastName."""
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


KINDS = {
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


def _columns(listed: str) -> tuple[Column, ...]:
    """Columns from `Field` or `Field:kind`."""
    found = []
    fixed = READ_ONLY | {"Name"} if "FirstName" in listed.split() else READ_ONLY
    for item in listed.split():
        field, _, kind = item.partition(":")
        found.append(
            Column(
                column_name(field),
                field,
                kind or "text",  # type: ignore[arg-type]
                read_only=field in fixed,
                same="folded" if field == "Email" else "exact",
            )
        )
    return tuple(found)


_TIMES = (
    "CreatedDate:datetime CreatedById LastModifiedDate:datetime LastModifiedById"
    " SystemModstamp:datetime"
)


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


def _resource(name: str, type_: str, title: str, columns: str, note: str = "") -> Resource:
    paging = {"full": EVERYTHING, "changes": CHANGES, "tombstones": EVERYTHING}
    return Resource(
        name=name,
        path=type_,
        title=title,
        columns=_columns(f"{columns} {_TIMES}"),
        paging=paging,  # type: ignore[arg-type]
        page_size=dict.fromkeys(paging, PAGE),  # type: ignore[arg-type]
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
        "FirstName LastName Name Salutation Title Company Email Phone MobilePhone Website Street"
        " City State PostalCode Country Status LeadSource Industry Rating AnnualRevenue:number"
        " NumberOfEmployees:integer Description IsConverted:boolean ConvertedDate:date"
        " ConvertedAccountId ConvertedContactId ConvertedOpportunityId MasterRecordId OwnerId"
        " LastActivityDate:date",
    ),
    _resource(
        "opportunities",
        "Opportunity",
        "Opportunities",
        "Name AccountId ContactId StageName Amount:number Probability:number"
        " ExpectedRevenue:number TotalOpportunityQuantity:number CloseDate:date Type NextStep"
        " LeadSource IsClosed:boolean IsWon:boolean ForecastCategory ForecastCategoryName"
        " FiscalYear:integer FiscalQuarter:integer CampaignId Pricebook2Id"
        " HasOpportunityLineItem:boolean IsPrivate:boolean Description OwnerId"
        " LastActivityDate:date",
    ),
    _resource(
        "accounts",
        "Account",
        "Accounts",
        "Name Type ParentId AccountNumber Phone Fax Website Industry AnnualRevenue:number"
        " NumberOfEmployees:integer Ownership TickerSymbol Rating Site AccountSource BillingStreet"
        " BillingCity BillingState BillingPostalCode BillingCountry ShippingStreet ShippingCity"
        " ShippingState ShippingPostalCode ShippingCountry Description MasterRecordId OwnerId"
        " LastActivityDate:date",
    ),
    _resource(
        "contacts",
        "Contact",
        "Contacts",
        "FirstName LastName Name Salutation Title AccountId Email Phone MobilePhone HomePhone"
        " OtherPhone Fax Department ReportsToId AssistantName Birthdate:date LeadSource"
        " MailingStreet MailingCity MailingState MailingPostalCode MailingCountry OtherStreet"
        " OtherCity OtherState OtherPostalCode OtherCountry HasOptedOutOfEmail:boolean Description"
        " MasterRecordId OwnerId LastActivityDate:date",
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
        found.append(_resource(name, type_, type_, "Name OwnerId", note=note))
    return tuple(found)
