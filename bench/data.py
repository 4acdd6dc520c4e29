"""The contacts of the bench: deterministic, of HubSpot's shape, rendered before anyone asks."""

from __future__ import annotations

import json
from collections.abc import Iterator

PAGE = 100
FIRST_ID = 100_001

_NAMES = (
    "email firstname lastname phone mobilephone company jobtitle website address city state zip"
    " country lifecyclestage hs_lead_status hubspot_owner_id associatedcompanyid hs_email_optout"
    " hs_merged_object_ids createdate lastmodifieddate"
)
MAPPED = tuple(_NAMES.split())
CUSTOM = {"bench_score": "number", "bench_segment": "string", "bench_since": "date"}
TYPES = {
    "associatedcompanyid": "number",
    "hs_email_optout": "bool",
    "createdate": "datetime",
    "lastmodifieddate": "datetime",
}

FIRST = ("Anna", "Budi", "Chloé", "Dmitri", "Emeka", "Fatima", "Grace", "Hiroshi")
LAST = ("Okafor", "García", "Müller", "Nguyen", "Smith-Jones", "Dvořák", "Tanaka", "Al-Farsi")
CITIES = ("Lisbon", "Nairobi", "Osaka", "Kraków", "Austin", "Lima", "Pune")
STAGES = ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer")

_TEMPLATE = (
    '{"id":"%(id)d","properties":{'
    '"address":"%(street)d Harbour Street, 3rd floor","associatedcompanyid":"%(company)d",'
    '"bench_score":"%(score)d.25","bench_segment":"segment-%(segment)d",'
    '"bench_since":"2023-%(month)02d-%(day)02d","city":"%(city)s",'
    '"company":"%(last)s & %(city)s Trading Ltd","country":"Country %(segment)d",'
    '"createdate":"2024-%(month)02d-%(day)02dT08:%(minute)02d:00.%(milli)03dZ",'
    '"email":"contact.%(number)d@company-%(company)d.example","firstname":"%(first)s",'
    '"hs_email_optout":"%(optout)s","hs_lead_status":"OPEN_DEAL","hs_merged_object_ids":null,'
    '"hs_object_id":"%(id)d","hubspot_owner_id":"%(owner)d",'
    '"jobtitle":"Head of Department %(segment)d",'
    '"lastmodifieddate":"2024-12-%(day)02dT09:%(minute)02d:30.%(milli)03dZ",'
    '"lastname":"%(last)s","lifecyclestage":"%(stage)s","mobilephone":"+1 555 01%(segment)02d",'
    '"phone":"+44 20 7946 %(milli)04d","state":null,'
    '"website":"https://www.company-%(company)d.example/en","zip":"%(zip)05d"},'
    '"createdAt":"2024-%(month)02d-%(day)02dT08:%(minute)02d:00.%(milli)03dZ",'
    '"updatedAt":"2024-12-%(day)02dT09:%(minute)02d:30.%(milli)03dZ","archived":false,'
    '"url":"https://app.hubspot.com/contacts/1/record/0-1/%(id)d"}'
)


def contact(number: int) -> str:
    """The JSON of contact `number`, with 25 properties and its id."""
    return _TEMPLATE % {
        "number": number,
        "id": FIRST_ID + number,
        "street": number % 997,
        "company": 5_000 + number // 7,
        "score": number * 37 % 1_000,
        "segment": number % 90 + 10,
        "month": number % 12 + 1,
        "day": number % 28 + 1,
        "minute": number % 60,
        "milli": number * 7 % 1_000,
        "city": CITIES[number % len(CITIES)],
        "first": FIRST[number * 5 % len(FIRST)],
        "last": LAST[number * 3 % len(LAST)],
        "stage": STAGES[number % len(STAGES)],
        "optout": "true" if number % 11 == 0 else "false",
        "owner": 900 + number % 12,
        "zip": number * 13 % 100_000,
    }


def pages(records: int) -> Iterator[bytes]:
    """The records of every page, as they stand between the brackets of `results`."""
    for start in range(0, records, PAGE):
        numbers = range(start, min(start + PAGE, records))
        yield ",".join(map(contact, numbers)).encode()


def properties() -> bytes:
    """The answer that describes the contacts' properties."""
    results = [
        {
            "name": name,
            "label": name.replace("_", " ").title(),
            "type": CUSTOM.get(name) or TYPES.get(name, "string"),
            "fieldType": "text",
            "groupName": "contactinformation",
            "options": [],
            "hubspotDefined": name not in CUSTOM,
            "archived": False,
        }
        for name in (*MAPPED, *CUSTOM)
    ]
    return json.dumps({"results": results}).encode()
