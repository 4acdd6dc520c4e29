"""The generated records of an account, functions of the seed and a record's number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .. import words
from ..table import Document, Table, draw
from .fields import Definition

PIPELINES = ("Sales — Größe", "年間契約")
STAGES = ("Qualified", "Contact made", "Démo", "Proposal", "Won <soon>")
USERS = 4
FIRST_USER = 9_000_001
DAY = 86_400


def rfc3339(seconds: float) -> str:
    """A time as v2 writes it: UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(document: Document, created: float, modified: float) -> None:
    """Writes the times and the id as a number."""
    document["id"] = int(document["id"])
    document["add_time"] = rfc3339(created)
    document["update_time"] = rfc3339(modified)


def defaults(kind: str) -> Document:
    """What a record has that was made with nothing but its name."""
    known: dict[str, Document] = {
        "deals": {
            "title": "", "creator_user_id": FIRST_USER, "owner_id": FIRST_USER, "value": 0,
            "person_id": None, "org_id": None, "stage_id": 1, "pipeline_id": 1, "currency": "EUR",
            "archive_time": None, "stage_change_time": None, "status": "open",
            "is_archived": False, "is_deleted": False, "probability": None, "lost_reason": None,
            "visible_to": 3, "close_time": None, "won_time": None, "lost_time": None,
            "local_won_date": None, "local_lost_date": None, "local_close_date": None,
            "expected_close_date": None, "label_ids": [], "origin": "API", "origin_id": None,
            "channel": None, "channel_id": None, "source_lead_id": None, "acv": None, "arr": None,
            "mrr": None,
        },
        "persons": {
            "name": "", "first_name": "", "last_name": None, "owner_id": FIRST_USER,
            "org_id": None, "emails": [], "phones": [], "is_deleted": False, "visible_to": 3,
            "label_ids": [], "picture_id": None,
        },
        "organizations": {
            "name": "", "owner_id": FIRST_USER, "address": None, "is_deleted": False,
            "visible_to": 3, "label_ids": [], "website": None, "linkedin": None, "industry": None,
            "annual_revenue": None, "employee_count": None,
        },
        "activities": {
            "subject": "Call", "type": "call", "owner_id": FIRST_USER,
            "creator_user_id": FIRST_USER, "is_deleted": False, "deal_id": None, "lead_id": None,
            "person_id": None, "org_id": None, "project_id": None, "due_date": None,
            "due_time": None, "duration": None, "busy": False, "done": False,
            "marked_as_done_time": None, "location": None, "participants": [],
            "conference_meeting_client": None, "conference_meeting_url": None,
            "conference_meeting_id": None, "public_description": None, "priority": None,
            "note": None, "attendees": [],
        },
        "products": {
            "name": "", "code": None, "description": None, "unit": None, "tax": 0,
            "category": None, "is_linkable": True, "is_deleted": False, "visible_to": 3,
            "owner_id": FIRST_USER, "billing_frequency": "one-time",
            "billing_frequency_cycles": None, "prices": [],
        },
        "pipelines": {
            "name": "", "order_nr": 1, "is_deleted": False, "is_deal_probability_enabled": True,
        },
        "stages": {
            "order_nr": 1, "name": "", "is_deleted": False, "deal_probability": 100,
            "pipeline_id": 1, "is_deal_rot_enabled": False, "days_to_rotten": None,
        },
    }  # fmt: skip
    return known[kind]


class Maker:
    """Makes the records of one account."""

    def __init__(self, seed: int, records: int, fields: dict[str, list[Definition]]) -> None:
        self._seed = seed
        self._records = max(1, records)
        self._fields = fields

    def table(self, kind: str, count: int, clock: Callable[[], float]) -> Table:
        """A table with `count` generated records, with ids from 1 on."""
        make = getattr(self, f"_{kind}")

        def document(number: int) -> Document:
            made: Document = {**defaults(kind), **make(number)}
            if kind in ("deals", "persons", "organizations", "products"):
                made["custom_fields"] = self._custom(kind, number)
            return made

        return Table(count, document, stamp, clock, identify=lambda number: str(number + 1))

    def _random(self, kind: str, number: int) -> Any:
        return draw(self._seed, f"pipedrive/{kind}", number)

    def _deals(self, number: int) -> Document:
        random = self._random("deals", number)
        status = random.choice(("open", "open", "open", "won", "lost"))
        stage = random.randrange(len(STAGES))
        pipeline = number % len(PIPELINES)
        day = rfc3339(1_735_689_600 + random.randrange(600) * DAY)
        return {
            "title": f"{random.choice(words.FIRMS)}: {random.choice(words.SUBJECTS)}",
            "owner_id": FIRST_USER + random.randrange(USERS),
            "value": round(random.uniform(0, 90_000), 2),
            "person_id": random.randrange(self._records) + 1,
            "org_id": random.randrange(self._records) + 1,
            "pipeline_id": pipeline + 1,
            "stage_id": pipeline * len(STAGES) + stage + 1,
            "currency": random.choice(("EUR", "USD", "BRL", "JPY")),
            "status": status,
            "lost_reason": random.choice(words.NOTES) if status == "lost" else None,
            "won_time": day if status == "won" else None,
            "lost_time": day if status == "lost" else None,
            "close_time": day if status != "open" else None,
            "local_won_date": day[:10] if status == "won" else None,
            "local_lost_date": day[:10] if status == "lost" else None,
            "local_close_date": day[:10] if status != "open" else None,
            "expected_close_date": day[:10],
            "label_ids": random.sample((1, 2, 3), random.randrange(3)),
            "probability": random.choice((None, 10, 50, 90)),
        }

    def _persons(self, number: int) -> Document:
        random = self._random("persons", number)
        first, given = random.choice(words.PEOPLE)
        last, family = random.choice(words.FAMILIES)
        host = random.choice(words.MAIL_HOSTS)
        mail = f"{given}.{family}.{number}@{host}"
        emails = [{"value": mail, "primary": True, "label": "work"}]
        if number % 5 == 0:
            other = {"value": f"{given}{number}@{host}", "primary": False, "label": "home"}
            emails.append(other)
        return {
            "name": f"{first} {last}",
            "first_name": first,
            "last_name": last,
            "owner_id": FIRST_USER + random.randrange(USERS),
            "org_id": random.randrange(self._records) + 1 if number % 7 else None,
            "emails": emails,
            "phones": [{"value": f"+49 30 {number:07}", "primary": True, "label": "mobile"}],
            "label_ids": random.sample((1, 2, 3), random.randrange(3)),
        }

    def _organizations(self, number: int) -> Document:
        random = self._random("organizations", number)
        city, country = random.choice(words.CITIES), random.choice(words.COUNTRIES)
        address = {"value": f"{city}, {country}", "country": country, "locality": city}
        return {
            "name": f"{random.choice(words.FIRMS)} {number}",
            "owner_id": FIRST_USER + random.randrange(USERS),
            "address": address if city else None,
            "website": f"https://org{number}.example" if number % 3 else None,
            "employee_count": random.choice((None, 0, 12, 40_000)),
        }

    def _activities(self, number: int) -> Document:
        random = self._random("activities", number)
        done = random.random() < 0.5
        day = rfc3339(1_735_689_600 + random.randrange(600) * DAY)
        person = random.randrange(self._records) + 1
        return {
            "subject": random.choice(words.SUBJECTS),
            "type": random.choice(("call", "meeting", "task", "deadline", "café")),
            "owner_id": FIRST_USER + random.randrange(USERS),
            "deal_id": random.randrange(self._records) + 1,
            "person_id": person,
            "participants": [{"person_id": person, "primary": True}],
            "due_date": day[:10],
            "due_time": random.choice((None, "09:30:00")),
            "duration": random.choice((None, "00:15:00")),
            "done": done,
            "marked_as_done_time": day if done else None,
            "note": random.choice(words.NOTES),
        }

    def _products(self, number: int) -> Document:
        random = self._random("products", number)
        price = round(random.uniform(1, 5_000), 2)
        return {
            "name": f"{random.choice(words.SUBJECTS)} {number}",
            "code": f"SKU-{number:05}" if number % 4 else None,
            "description": random.choice(words.NOTES),
            "unit": random.choice(("pc", "kg", "h", None)),
            "tax": random.choice((0, 7, 19)),
            "prices": [
                {"product_id": number + 1, "price": price, "currency": currency, "cost": 0,
                 "direct_cost": None, "notes": ""}
                for currency in ("EUR", "USD")[: 1 + number % 2]
            ],
        }  # fmt: skip

    def _pipelines(self, number: int) -> Document:
        name = PIPELINES[number] if number < len(PIPELINES) else f"Pipeline {number + 1}"
        return {"name": name, "order_nr": number + 1}

    def _stages(self, number: int) -> Document:
        return {
            "name": STAGES[number % len(STAGES)],
            "order_nr": number % len(STAGES) + 1,
            "pipeline_id": number // len(STAGES) + 1,
            "deal_probability": (number % len(STAGES) + 1) * 20,
        }

    def _custom(self, kind: str, number: int) -> Document:
        """A third of the records has values; the others have the keys, and null."""
        random = self._random(f"{kind}/custom", number)
        made: Document = {}
        for field in self._fields[kind]:
            if field.custom:
                made[field.code] = None if number % 3 else self._value(field, random)
        return made

    def _value(self, field: Definition, random: Any) -> Any:
        day = rfc3339(1_735_689_600 + random.randrange(600) * DAY)[:10]
        ids = [number for number, _ in field.options]
        values: dict[str, Callable[[], Any]] = {
            "enum": lambda: random.choice(ids),
            "set": lambda: sorted(random.sample(ids, random.randrange(1, len(ids) + 1))),
            "monetary": lambda: {"value": random.randrange(1, 10_000) / 4, "currency": "EUR"},
            "double": lambda: random.randrange(1_000) / 8,
            "date": lambda: day,
            "daterange": lambda: {"value": day, "until": day},
            "time": lambda: {"value": "09:00:00", "timezone_name": "America/Sao_Paulo"},
            "people": lambda: random.randrange(self._records) + 1,
            "address": lambda: {"value": f"{random.choice(words.COUNTRIES)}", "country": None},
        }
        plain = lambda: random.choice(words.NOTES)  # noqa: E731
        return values.get(field.type, plain)()


SCOPES = (
    "base", "deals:read", "deals:full", "activities:read", "activities:full", "contacts:read",
    "contacts:full", "products:read", "products:full", "users:read", "search:read", "admin",
    "deal-fields:full", "contact-fields:full", "product-fields:full",
)  # fmt: skip
