"""The properties each type has in a new account, a few custom ones among them."""

from __future__ import annotations

from collections.abc import Iterator

from .catalog import (
    DEAL_STAGES,
    LIFECYCLE,
    OWNER_IDS,
    TICKET_STAGES,
    TYPES,
    Property,
)

COLORS = ("red", "green", "blue", "teal", "ochre", "magenta")
_TIERS = ("bronze", "silver", "gold")
_BOOL = ("true", "false")

# name, type, fieldType; a `!` before the name marks a custom property. Enumerations name their
# options after a colon, in _OPTIONS where there are many.
_CONTACTS = """
email string text|firstname string text|lastname string text|phone string phonenumber
mobilephone string phonenumber|company string text|jobtitle string text|website string text
address string text|city string text|state string text|zip string text|country string text
lifecyclestage enumeration radio|hs_lead_status enumeration radio
hubspot_owner_id enumeration select|hs_email_optout bool booleancheckbox
hs_language enumeration select|annualrevenue string text|message string textarea
hs_additional_emails enumeration checkbox|notes_last_contacted datetime date
num_associated_deals number number|!favorite_color enumeration select
!loyalty_points number number|!vip bool booleancheckbox|!renewal_date date date
!external_id string text
"""
_COMPANIES = """
name string text|domain string text|website string text|phone string phonenumber
industry enumeration select|type enumeration select|description string textarea
address string text|city string text|state string text|zip string text|country string text
numberofemployees number number|annualrevenue number number|lifecyclestage enumeration radio
hubspot_owner_id enumeration select|!account_tier enumeration select|!contract_end date date
!is_partner bool booleancheckbox|!credit_score number number|!external_id string text
"""
_DEALS = """
dealname string text|amount number number|dealstage enumeration radio|pipeline enumeration select
closedate datetime date|dealtype enumeration radio|description string textarea
hubspot_owner_id enumeration select|hs_priority enumeration select
deal_currency_code enumeration select|hs_next_step string text
!discount_percent number number|!competitor string text|!forecast_locked bool booleancheckbox
!external_id string text
"""
_PRODUCTS = """
name string text|description string textarea|price number number|hs_sku string text
hs_cost_of_goods_sold number number|recurringbillingfrequency enumeration select
hs_product_type enumeration select|hs_url string text|!warehouse string text
!weight_kg number number|!discontinued bool booleancheckbox|!launch_date date date
!external_id string text
"""
_TICKETS = """
subject string text|content string textarea|hs_pipeline enumeration select
hs_pipeline_stage enumeration select|hs_ticket_priority enumeration select
hs_ticket_category enumeration checkbox|source_type enumeration select
hubspot_owner_id enumeration select|closed_date datetime date|!severity_score number number
!root_cause string textarea|!escalated bool booleancheckbox|!promised_at datetime date
!external_id string text
"""
_TEXTS = {
    "contacts": _CONTACTS,
    "companies": _COMPANIES,
    "deals": _DEALS,
    "products": _PRODUCTS,
    "tickets": _TICKETS,
}

OPTIONS: dict[str, tuple[str, ...]] = {
    "lifecyclestage": LIFECYCLE,
    "hs_lead_status": ("NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "CONNECTED"),
    "hubspot_owner_id": OWNER_IDS,
    "hs_language": ("en", "de", "fr", "ja", "pt-br", "zh-cn"),
    "favorite_color": COLORS,
    "industry": (
        "COMPUTER_SOFTWARE", "RETAIL", "CONSTRUCTION", "HOSPITAL_HEALTH_CARE", "BANKING",
        "LOGISTICS_AND_SUPPLY_CHAIN", "RENEWABLES_ENVIRONMENT",
    ),
    "type": ("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"),
    "account_tier": _TIERS,
    "dealstage": DEAL_STAGES + tuple(f"renewals_{stage}" for stage in DEAL_STAGES),
    "pipeline": ("default", "renewals"),
    "dealtype": ("newbusiness", "existingbusiness"),
    "hs_priority": ("low", "medium", "high"),
    "deal_currency_code": ("USD", "EUR", "JPY"),
    "recurringbillingfrequency": ("monthly", "quarterly", "annually"),
    "hs_product_type": ("inventory", "non_inventory", "service"),
    "hs_pipeline": ("0",),
    "hs_pipeline_stage": TICKET_STAGES,
    "hs_ticket_priority": ("LOW", "MEDIUM", "HIGH", "URGENT"),
    "hs_ticket_category": ("PRODUCT_ISSUE", "BILLING_ISSUE", "FEATURE_REQUEST", "GENERAL_INQUIRY"),
    "source_type": ("CHAT", "EMAIL", "FORM", "PHONE"),
}  # fmt: skip

# Set by HubSpot itself; writing one is refused.
_SYSTEM = (
    Property("createdate", "datetime", "date", read_only=True),
    Property("hs_object_id", "number", "number", read_only=True, unique=True),
    Property("hs_merged_object_ids", "enumeration", "checkbox", read_only=True),
)


def _parse(kind: str) -> Iterator[Property]:
    group = f"{TYPES[kind].singular}information"
    for word in _TEXTS[kind].replace("|", "\n").split("\n"):
        if not word.strip():
            continue
        name, type_, field_type = word.split()
        custom = name.startswith("!")
        name = name.removeprefix("!")
        yield Property(
            name,
            type_,
            field_type,
            group=group,
            custom=custom,
            options=_BOOL if type_ == "bool" else OPTIONS.get(name, ()),
            unique=name == "external_id" or (kind, name) == ("contacts", "email"),
        )


def properties_of(kind: str) -> dict[str, Property]:
    """A fresh table of the properties of a type, by name."""
    group = f"{TYPES[kind].singular}information"
    modified = Property(TYPES[kind].modified, "datetime", "date", read_only=True)
    system = [
        Property(item.name, item.type, item.field_type, read_only=True, unique=item.unique)
        for item in _SYSTEM
    ]
    table = {}
    for item in (*_parse(kind), *system, modified):
        item.group = item.group or group
        item.label = item.label or item.name.removeprefix("hs_").replace("_", " ").capitalize()
        item.description = f"{item.label} of a {TYPES[kind].singular}"
        table[item.name] = item
    return table
