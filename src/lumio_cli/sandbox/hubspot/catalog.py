"""What a HubSpot account is made of before any record: types, properties, pipelines, owners.

Names, type ids, default properties and association type ids are HubSpot's own, from its guides
to objects, properties and associations (developers.hubspot.com/docs/api-reference).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PORTAL_ID = 48_215_077
APP_ID = 3_141_592
USER_ID = 27_182_818

# The account's time zone: one with an odd offset and without daylight saving time, so that
# "midnight in the portal's time zone" can be told from midnight UTC without a zone database.
TIME_ZONE = "Asia/Kolkata"
UTC_OFFSET_SECONDS = 19_800

EPOCH_START_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z: the first record is made
EPOCH_END_MS = 1_782_863_999_000  # 2026-06-30T23:59:59Z: no generated time is later


@dataclass(slots=True)
class Property:
    """A property's definition. `options` are its values, for `enumeration` and `bool`."""

    name: str
    type: str = "string"
    field_type: str = "text"
    label: str = ""
    group: str = ""
    options: tuple[str, ...] = ()
    unique: bool = False
    read_only: bool = False
    custom: bool = False
    hidden: bool = False
    description: str = ""
    archived_at: int | None = None
    created_at: int = EPOCH_START_MS
    updated_at: int = EPOCH_START_MS
    option_documents: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Scopes:
    """For each thing that can be done with a type, the scopes of which one is needed."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    schema_read: tuple[str, ...]
    schema_write: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectType:
    """An object type: its names, what it returns unasked, what it asks of a writer."""

    name: str
    singular: str
    type_id: str
    modified: str
    defaults: tuple[str, ...]
    scopes: Scopes
    required: tuple[str, ...] = ()
    searchable: tuple[str, ...] = ()
    display: str = "name"
    mergeable: bool = True


def _crm(name: str) -> Scopes:
    read, write = f"crm.objects.{name}.read", f"crm.objects.{name}.write"
    return Scopes(
        (read,), (write,), (f"crm.schemas.{name}.read", read), (f"crm.schemas.{name}.write",)
    )


_TICKETS = Scopes(("tickets",), ("tickets",), ("tickets",), ("tickets",))
_PRODUCTS = Scopes(
    ("crm.objects.products.read", "e-commerce"),
    ("crm.objects.products.write", "e-commerce"),
    ("e-commerce", "crm.objects.products.read"),
    ("e-commerce",),
)

TYPES: dict[str, ObjectType] = {
    kind.name: kind
    for kind in (
        ObjectType(
            "contacts", "contact", "0-1", "lastmodifieddate",
            ("email", "firstname", "lastname"), _crm("contacts"),
            searchable=("firstname", "lastname", "email", "phone", "company"), display="email",
        ),
        ObjectType(
            "companies", "company", "0-2", "hs_lastmodifieddate",
            ("domain", "name"), _crm("companies"),
            searchable=("website", "phone", "name", "domain"),
        ),
        ObjectType(
            "deals", "deal", "0-3", "hs_lastmodifieddate",
            ("amount", "closedate", "dealname", "dealstage", "pipeline"), _crm("deals"),
            searchable=("dealname", "pipeline", "dealstage", "description", "dealtype"),
            display="dealname",
        ),
        ObjectType(
            "products", "product", "0-7", "hs_lastmodifieddate",
            ("description", "name", "price"), _PRODUCTS,
            searchable=("name", "description", "price", "hs_sku"), mergeable=False,
        ),
        ObjectType(
            "tickets", "ticket", "0-5", "hs_lastmodifieddate",
            ("content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category",
             "hs_ticket_priority", "subject"),
            _TICKETS, required=("hs_pipeline_stage",),
            searchable=("subject", "content", "hs_pipeline_stage", "hs_ticket_category"),
            display="subject",
        ),
    )
}  # fmt: skip

ALIASES: dict[str, str] = {
    alias: kind.name
    for kind in TYPES.values()
    for alias in (kind.name, kind.singular, kind.type_id)
}

# (from, to) -> (unlabelled type id, type id of the primary one or None)
ASSOCIATION_TYPES: dict[tuple[str, str], tuple[int, int | None]] = {
    ("contacts", "companies"): (279, 1),
    ("companies", "contacts"): (280, 2),
    ("deals", "contacts"): (3, None),
    ("contacts", "deals"): (4, None),
    ("deals", "companies"): (341, 5),
    ("companies", "deals"): (342, 6),
    ("contacts", "tickets"): (15, None),
    ("tickets", "contacts"): (16, None),
    ("tickets", "companies"): (339, 26),
    ("companies", "tickets"): (340, 25),
    ("deals", "tickets"): (27, None),
    ("tickets", "deals"): (28, None),
}

DEAL_STAGES = (
    "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin",
    "contractsent", "closedwon", "closedlost",
)  # fmt: skip
_STAGE_LABELS = (
    "Appointment Scheduled", "Qualified To Buy", "Presentation Scheduled",
    "Decision Maker Bought-In", "Contract Sent", "Closed Won", "Closed Lost",
)  # fmt: skip
_PROBABILITIES = ("0.2", "0.4", "0.6", "0.8", "0.9", "1.0", "0.0")
TICKET_STAGES = ("1", "2", "3", "4")
_TICKET_LABELS = ("New", "Waiting on contact", "Waiting on us", "Closed")

LIFECYCLE = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity",
    "customer", "evangelist", "other",
)  # fmt: skip
OWNER_IDS = tuple(str(71_000_000 + n) for n in range(1, 13))


@dataclass(slots=True)
class Owner:
    """A user who owns records. An inactive one has left the account and is `archived`."""

    id: str
    email: str
    first_name: str
    last_name: str
    user_id: int
    archived: bool = False
    teams: list[dict[str, Any]] = field(default_factory=list)


def owners() -> list[Owner]:
    """Twelve owners, of whom the last two have left."""
    names = (
        ("Amélie", "Dupont"), ("Björn", "Åkesson"), ("Chidi", "Okonkwo"), ("Dana", "O'Neill"),
        ("Elif", "Yılmaz"), ("Farid", "Haddad"), ("Grace", "Kim"), ("Hana", "山本"),
        ("Ivo", "Novák"), ("Jo", "[red]Smith[/red]"), ("Kim", "Lee"), ("Lou", "Müller"),
    )  # fmt: skip
    sales = {"id": "901", "name": "Sales, EMEA", "primary": True}
    return [
        Owner(
            OWNER_IDS[n], f"owner{n + 1}@sandbox.example", first, last, 5_000_001 + n,
            archived=n >= 10, teams=[dict(sales)] if n % 3 == 0 else [],
        )
        for n, (first, last) in enumerate(names)
    ]  # fmt: skip


def _stage(id_: str, label: str, order: int, metadata: dict[str, str]) -> dict[str, Any]:
    times = {"createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-01T00:00:00Z"}
    return {
        "id": id_, "label": label, "displayOrder": order, "metadata": metadata, **times,
        "archived": False, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
    }  # fmt: skip


def pipelines() -> dict[str, list[dict[str, Any]]]:
    """The pipelines of deals and of tickets, in the shape in which they are answered."""

    def pipeline(id_: str, label: str, order: int, stages: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": id_, "label": label, "displayOrder": order, "stages": stages,
            "createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-01T00:00:00Z",
            "archived": False,
        }  # fmt: skip

    def deal_stages(prefix: str) -> list[dict[str, Any]]:
        return [
            _stage(
                prefix + stage, _STAGE_LABELS[n], n,
                {"isClosed": str(n >= 5).lower(), "probability": _PROBABILITIES[n]},
            )
            for n, stage in enumerate(DEAL_STAGES)
        ]  # fmt: skip

    tickets = [
        _stage(stage, _TICKET_LABELS[n], n, {"ticketState": "CLOSED" if n == 3 else "OPEN"})
        for n, stage in enumerate(TICKET_STAGES)
    ]
    return {
        "deals": [
            pipeline("default", "Sales Pipeline", 0, deal_stages("")),
            pipeline("renewals", "Renewals", 1, deal_stages("renewals_")),
        ],
        "tickets": [pipeline("0", "Support Pipeline", 0, tickets)],
    }
