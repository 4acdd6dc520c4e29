"""Generated records: two random words each, and functions that make property values of them.

Nothing is stored but a record's id, its two times and 128 random bits; a value is computed when
it is asked for, for a list of records at a time. 100,000 records of a type take about 4 MB.

The same seed and count give the same records, whatever the machine or the day. Values are chosen
to hurt careless readers: accents, emoji, CJK, quotes, tabs, right-to-left text, markup of
terminals, ids above 2**53, empty properties, and a quarter of all records modified in the same
millisecond, as a bulk import leaves them.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections.abc import Callable, Sequence

from ..words import (
    CITIES,
    COUNTRIES,
    FAMILIES,
    FIRMS,
    MAIL_HOSTS,
    NOTES,
    PEOPLE,
    STATES,
    SUBJECTS,
    TITLES,
)
from .catalog import DEAL_STAGES, EPOCH_END_MS, EPOCH_START_MS, LIFECYCLE, OWNER_IDS, TICKET_STAGES
from .properties import COLORS, OPTIONS
from .times import DAY_MS, day_text, iso

# 2026-03-15T08:30:00.000Z: later than any record of the second quarter was made.
BULK_MS = 1_773_563_400_000
# Above this a JSON number would lose digits in a double.
EXACT_MAX = 2**53
ARCHIVED_MAX = 40
_GOLDEN = 0x9E3779B97F4A7C15

Value = str | None
Column = Callable[["Sample", Sequence[int]], list[Value]]


class Sample:
    """The generated records of one type: `live` of them, and a few archived ones among them."""

    def __init__(self, kind: str, live: int, seed: int) -> None:
        self.kind = kind
        archived = min(ARCHIVED_MAX, live // 25)
        count = live + archived
        self.count = count
        source = random.Random(f"{seed}:{kind}")
        self.first = self._words(source, count)
        self.second = self._words(source, count)
        span = EPOCH_END_MS - EPOCH_START_MS
        step = max(1, span // max(1, count))
        self.ids = self._ids(source, count)
        self.created = array(
            "q",
            (EPOCH_START_MS + span * i // count + word % step for i, word in enumerate(self.first)),
        )
        self.modified = array("q", map(self._modified, self.created, self.second))
        for i in range(count // 4, count // 2):
            self.modified[i] = BULK_MS
        stride = count // archived if archived else 0
        self.archived = {
            i: min(EPOCH_END_MS, self.modified[i] + DAY_MS)
            for i in range(stride // 2, count, stride or 1)
            if archived
        }
        while len(self.archived) > archived:
            self.archived.popitem()

    @staticmethod
    def _words(source: random.Random, count: int) -> array[int]:
        words = array("Q")
        words.frombytes(source.randbytes(8 * count))
        if sys.byteorder == "big":
            words.byteswap()
        return words

    @staticmethod
    def _modified(created: int, word: int) -> int:
        """A third was never touched after it was made; the rest at any time since."""
        if word % 3 == 0:
            return created
        return created + (EPOCH_END_MS - created) * (word >> 40) // (1 << 24)

    @staticmethod
    def _ids(source: random.Random, count: int) -> array[int]:
        """Ascending ids with gaps; the last twentieth of them above 2**53."""
        start = source.randrange(100, 1_000_000)
        ids = array("q", (start + 37 * i + i * i % 31 for i in range(count)))
        for i in range(max(0, count - max(1, count // 20)), count):
            ids[i] += EXACT_MAX
        return ids

    def column(self, name: str, indexes: Sequence[int]) -> list[Value]:
        """A property's values for these records; None for one that no record has."""
        column = COLUMNS[self.kind].get(name)
        if column is None:
            return [None] * len(indexes)
        return column(self, indexes)


def _scatter(name: str) -> int:
    """A shift of its own for each property, so that values do not move together."""
    return sum(ord(letter) * (n + 7) for n, letter in enumerate(name)) % 44


def _choice(name: str, table: Sequence[Value], second: bool = False) -> Column:
    size, shift = len(table), _scatter(name)

    def column(sample: Sample, indexes: Sequence[int]) -> list[Value]:
        words = sample.second if second else sample.first
        return [table[(words[i] >> shift) % size] for i in indexes]

    return column


def _number(name: str, low: int, high: int, scale: int = 1, nulls: int = 0) -> Column:
    """Whole numbers, or decimals where `scale` is 100; every `nulls`-th value is empty."""
    size, shift = high - low, _scatter(name)

    def column(sample: Sample, indexes: Sequence[int]) -> list[Value]:
        values: list[Value] = []
        for i in indexes:
            draw = sample.second[i] >> shift
            if nulls and draw % nulls == 0:
                values.append(None)
            elif scale == 1:
                values.append(str(low + draw % size))
            else:
                whole, part = divmod(low * scale + draw % (size * scale), scale)
                values.append(f"{whole}.{part:02d}" if part else str(whole))
        return values

    return column


def _date(name: str, nulls: int) -> Column:
    """Calendar dates over five years; HubSpot answers them as `YYYY-MM-DD`."""
    shift = _scatter(name)

    def column(sample: Sample, indexes: Sequence[int]) -> list[Value]:
        draws = [sample.first[i] >> shift for i in indexes]
        return [None if d % nulls == 0 else day_text(19_700 + d % 1826) for d in draws]

    return column


def _moment(name: str, nulls: int) -> Column:
    """Times within four months after the record was made."""
    shift = _scatter(name)

    def column(sample: Sample, indexes: Sequence[int]) -> list[Value]:
        draws = [(i, sample.second[i] >> shift) for i in indexes]
        return [
            None if d % nulls == 0 else iso(sample.created[i] + d % (120 * DAY_MS))
            for i, d in draws
        ]

    return column


def _text(make: Callable[[int, int], Value]) -> Column:
    """Values made of a record's index and its first random word."""

    def column(sample: Sample, indexes: Sequence[int]) -> list[Value]:
        return [make(i, sample.first[i]) for i in indexes]

    return column


FIRST_NAMES: tuple[Value, ...] = (*(name for name, _ in PEOPLE), None)
LAST_NAMES: tuple[Value, ...] = (*(name for name, _ in FAMILIES), None)
_SLUGS = tuple(slug for _, slug in PEOPLE)
_FAMILY_SLUGS = tuple(slug for _, slug in FAMILIES)
_OWNERS: tuple[Value, ...] = (*OWNER_IDS[:10], None, None)


def contact_email(i: int, word: int) -> str:
    """A contact's address. The number in it is the record's index, which makes it unique."""
    person = _SLUGS[(word >> 7) % len(_SLUGS)]
    family = _FAMILY_SLUGS[(word >> 13) % len(_FAMILY_SLUGS)]
    return f"{person}.{family}.{i}@{MAIL_HOSTS[(word >> 19) % len(MAIL_HOSTS)]}"


def _firm(i: int, word: int) -> str:
    return f"{FIRMS[(word >> 7) % len(FIRMS)]} {i}"


def _phone(i: int, word: int) -> Value:
    return None if word % 6 == 0 else f"+1 555 01{word % 100:02d} {i % 10_000:04d}"


def _deal_stage(i: int, word: int) -> str:
    stage = DEAL_STAGES[(word >> 11) % len(DEAL_STAGES)]
    return f"renewals_{stage}" if i % 5 == 4 else stage


_PLACE: dict[str, Column] = {
    "address": _text(lambda i, w: f"{1 + w % 200} Märchenstraße" if i % 3 else None),
    "city": _choice("city", CITIES),
    "state": _choice("state", STATES),
    "zip": _text(lambda _i, w: f"{w % 100_000:05d}"),
    "country": _choice("country", COUNTRIES),
    "phone": _text(_phone),
    "website": _text(lambda _i, w: f"https://www.firm-{w % 5000}.example/?a=1&b=2"),
}
_BOOLS: tuple[Value, ...] = ("true", "false", "false", None)
_LIFE: tuple[Value, ...] = (*LIFECYCLE, None)


def _external(kind: str) -> Column:
    return _text(lambda i, _w: f"EXT-{kind}-{i:07d}")


COLUMNS: dict[str, dict[str, Column]] = {
    "contacts": {
        **_PLACE,
        "email": _text(contact_email),
        "firstname": _choice("firstname", FIRST_NAMES),
        "lastname": _choice("lastname", LAST_NAMES, second=True),
        "mobilephone": _text(lambda i, w: _phone(i + 5000, w >> 3)),
        "company": _choice("company", FIRMS),
        "jobtitle": _choice("jobtitle", TITLES),
        "lifecyclestage": _choice("lifecyclestage", _LIFE),
        "hs_lead_status": _choice("hs_lead_status", (*OPTIONS["hs_lead_status"], None)),
        "hubspot_owner_id": _choice("hubspot_owner_id", _OWNERS),
        "hs_email_optout": _choice("hs_email_optout", _BOOLS),
        "hs_language": _choice("hs_language", OPTIONS["hs_language"]),
        "annualrevenue": _number("annualrevenue", 10_000, 9_000_000, nulls=5),
        "message": _choice("message", NOTES),
        "notes_last_contacted": _moment("notes_last_contacted", 4),
        "num_associated_deals": _number("num_associated_deals", 0, 5),
        "favorite_color": _choice("favorite_color", (*COLORS, None, None)),
        "loyalty_points": _number("loyalty_points", 0, 10_000, nulls=7),
        "vip": _choice("vip", _BOOLS),
        "renewal_date": _date("renewal_date", 4),
        "external_id": _external("contacts"),
    },
    "companies": {
        **_PLACE,
        "name": _text(_firm),
        "domain": _text(lambda i, _w: f"firm-{i}.example" if i % 20 else f"firm-{i // 40}.example"),
        "industry": _choice("industry", (*OPTIONS["industry"], None)),
        "type": _choice("type", (*OPTIONS["type"], None)),
        "description": _choice("description", NOTES),
        "numberofemployees": _number("numberofemployees", 1, 50_000, nulls=6),
        "annualrevenue": _number("annualrevenue", 100_000, 900_000_000, nulls=5),
        "lifecyclestage": _choice("lifecyclestage", _LIFE),
        "hubspot_owner_id": _choice("hubspot_owner_id", _OWNERS),
        "account_tier": _choice("account_tier", (*OPTIONS["account_tier"], None)),
        "contract_end": _date("contract_end", 3),
        "is_partner": _choice("is_partner", _BOOLS),
        "credit_score": _number("credit_score", 300, 850, nulls=9),
        "external_id": _external("companies"),
    },
    "deals": {
        "dealname": _text(lambda i, w: f"{SUBJECTS[(w >> 9) % len(SUBJECTS)]} #{i}"),
        "amount": _number("amount", 100, 250_000, scale=100, nulls=11),
        "dealstage": _text(_deal_stage),
        "pipeline": _text(lambda i, _w: "renewals" if i % 5 == 4 else "default"),
        "closedate": _moment("closedate", 8),
        "dealtype": _choice("dealtype", (*OPTIONS["dealtype"], None)),
        "description": _choice("description", NOTES),
        "hubspot_owner_id": _choice("hubspot_owner_id", _OWNERS),
        "hs_priority": _choice("hs_priority", (*OPTIONS["hs_priority"], None)),
        "deal_currency_code": _choice("deal_currency_code", OPTIONS["deal_currency_code"]),
        "hs_next_step": _choice("hs_next_step", NOTES, second=True),
        "discount_percent": _number("discount_percent", 0, 60, scale=100, nulls=3),
        "competitor": _choice("competitor", (*FIRMS[:4], None)),
        "forecast_locked": _choice("forecast_locked", _BOOLS),
        "external_id": _external("deals"),
    },
    "products": {
        "name": _text(lambda i, w: f"{SUBJECTS[(w >> 9) % len(SUBJECTS)]} no. {i}"),
        "description": _choice("description", NOTES),
        "price": _number("price", 1, 5_000, scale=100),
        "hs_sku": _text(lambda i, w: f"SKU-{w % 900 + 100}-{i:06d}"),
        "hs_cost_of_goods_sold": _number("hs_cost_of_goods_sold", 1, 900, scale=100, nulls=4),
        "recurringbillingfrequency": _choice(
            "recurringbillingfrequency", (*OPTIONS["recurringbillingfrequency"], None)
        ),
        "hs_product_type": _choice("hs_product_type", (*OPTIONS["hs_product_type"], None)),
        "hs_url": _text(lambda i, _w: f"https://shop.example/p/{i}?q=a%20b" if i % 2 else None),
        "warehouse": _choice("warehouse", ("Łódź 1", "Łódź 2", "Reno", None)),
        "weight_kg": _number("weight_kg", 0, 40, scale=100, nulls=5),
        "discontinued": _choice("discontinued", _BOOLS),
        "launch_date": _date("launch_date", 3),
        "external_id": _external("products"),
    },
    "tickets": {
        "subject": _text(lambda i, w: f"{SUBJECTS[(w >> 9) % len(SUBJECTS)]} ({i})"),
        "content": _choice("content", NOTES),
        "hs_pipeline": _choice("hs_pipeline", ("0",)),
        "hs_pipeline_stage": _choice("hs_pipeline_stage", TICKET_STAGES),
        "hs_ticket_priority": _choice("hs_ticket_priority", (*OPTIONS["hs_ticket_priority"], None)),
        "hs_ticket_category": _choice(
            "hs_ticket_category",
            (*OPTIONS["hs_ticket_category"], "BILLING_ISSUE;PRODUCT_ISSUE", None),
        ),
        "source_type": _choice("source_type", OPTIONS["source_type"]),
        "hubspot_owner_id": _choice("hubspot_owner_id", _OWNERS),
        "closed_date": _moment("closed_date", 2),
        "severity_score": _number("severity_score", 0, 10, scale=100, nulls=5),
        "root_cause": _choice("root_cause", NOTES, second=True),
        "escalated": _choice("escalated", _BOOLS),
        "promised_at": _moment("promised_at", 3),
        "external_id": _external("tickets"),
    },
}


def target_of(kind_from: str, kind_to: str, i: int, size: int) -> int | None:
    """The generated association: which record of the other type this one belongs to.

    Every fifth record belongs to none. Four neighbours share one, scattered over the other type
    so that an association is not found by looking at the same index.
    """
    if not size or i % 5 == 4:
        return None
    shift = len(kind_from) * 31 + len(kind_to)
    return ((i // 4) * _GOLDEN + shift) % 2**64 % size
