"""Generated records: each a function of the seed and its number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from .. import words
from ..table import EPOCH, Document, draw
from .catalog import COMPOUND, ORG_ID, TYPES
from .ids import make_id

STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Nurturing")
SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", None)
INDUSTRIES = ("Banking", "Energy", "Healthcare", "Retail", "Utilities", None)
STAGES = (
    ("Prospecting", 10.0), ("Qualification", 10.0), ("Proposal/Price Quote", 75.0),
    ("Closed Won", 100.0), ("Closed Lost", 0.0),
)  # fmt: skip
USERS = 5


def iso(moment: float) -> str:
    """A time as REST answers it."""
    value = datetime.fromtimestamp(moment, UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}+0000"


def day(number: int) -> str:
    """A date some days after the first record's."""
    return (datetime.fromtimestamp(EPOCH, UTC) + timedelta(days=number)).date().isoformat()


def stamp(kind: str, document: Document, created: float, modified: float) -> None:
    """Write a record's times, as far as its type has fields for them."""
    moments = {
        "CreatedDate": created, "LoginTime": created,
        "LastModifiedDate": modified, "SystemModstamp": modified,
    }  # fmt: skip
    document |= {n: iso(moment) for n, moment in moments.items() if n in TYPES[kind].fields}


class Maker:
    """Makes the documents of one type."""

    def __init__(self, seed: int, kind: str, records: int) -> None:
        self.seed = seed
        self.kind = kind
        self.records = max(1, records)

    def __call__(self, number: int) -> Document:
        """The n-th record, without its times and without what follows from other fields."""
        chance = draw(self.seed, self.kind, number)
        values: Document = dict.fromkeys(TYPES[self.kind].fields)
        values |= {"Id": make_id(TYPES[self.kind].prefix, number + 1), "IsDeleted": False}
        user = make_id("005", 1 + chance.randrange(USERS))
        values |= {"OwnerId": user, "CreatedById": user, "LastModifiedById": user}
        values["External_Key__c"] = f"{self.kind}-{number:08d}"
        filler: Any = getattr(self, f"_{self.kind.lower().removesuffix('__c')}")
        filler(values, number, chance)
        return {key: value for key, value in values.items() if key in TYPES[self.kind].fields}

    def _other(self, kind: str, chance: Random) -> str | None:
        """A record of another type, or none."""
        if chance.random() < 0.2:
            return None
        return make_id(TYPES[kind].prefix, 1 + chance.randrange(self.records))

    def _person(self, values: Document, number: int, chance: Random) -> None:
        first, last = chance.choice(words.PEOPLE), chance.choice(words.FAMILIES)
        values |= {
            "FirstName": first[0],
            "LastName": last[0],
            "Salutation": chance.choice(("Mr.", "Ms.", None)),
            "Email": f"{first[1]}.{last[1]}.{number}@{chance.choice(words.MAIL_HOSTS)}",
            "Phone": f"+1 555 {number % 10_000:04d}",
            "Title": chance.choice(words.TITLES),
            "Description": chance.choice(words.NOTES),
            "LeadSource": chance.choice(SOURCES),
        }

    def _lead(self, values: Document, number: int, chance: Random) -> None:
        self._person(values, number, chance)
        values |= {
            "Company": chance.choice(words.FIRMS),
            "Status": chance.choice(STATUSES),
            "Industry": chance.choice(INDUSTRIES),
            "AnnualRevenue": chance.choice((None, 350_000_000.0, 1234.5, 0.0)),
            "NumberOfEmployees": chance.choice((None, 0, 12, 43_000)),
            "City": chance.choice(words.CITIES),
            "State": chance.choice(words.STATES),
            "Country": chance.choice(words.COUNTRIES),
            "IsConverted": False,
            "IsUnreadByOwner": chance.random() < 0.5,
            "Score__c": chance.choice((None, 7.0, 0.25, 123456789.125)),
            "Region__c": chance.choice((None, "EMEA", "APAC")),
            "Tags__c": chance.choice((None, "new", "new;hot;α,β")),
            "Budget__c": chance.choice((None, 99.99)),
            "Share__c": chance.choice((None, 33.3)),
            "Opted_In__c": chance.random() < 0.3,
            "Follow_Up__c": chance.choice((None, day(number % 400))),
            "Seen_At__c": chance.choice((None, iso(EPOCH + number * 61.0))),
            "Notes__c": chance.choice(words.NOTES),
            "Place__Latitude__s": 52.5,
            "Place__Longitude__s": 13.4,
        }

    def _account(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "Name": f"{chance.choice(words.FIRMS)} {number}",
            "Type": chance.choice(("Prospect", "Customer - Direct", None)),
            "BillingCity": chance.choice(words.CITIES),
            "BillingCountry": chance.choice(words.COUNTRIES),
            "ShippingCity": chance.choice(words.CITIES),
            "Phone": f"+49 30 {number % 10_000:04d}",
            "Website": f"https://firm{number}.example",
            "Industry": chance.choice(INDUSTRIES),
            "AnnualRevenue": chance.choice((None, 1.0e9, 25_000.75)),
            "NumberOfEmployees": chance.choice((None, 1, 500)),
            "Description": chance.choice(words.NOTES),
            "Tier__c": chance.choice((None, "Gold", "Silver")),
        }

    def _contact(self, values: Document, number: int, chance: Random) -> None:
        self._person(values, number, chance)
        values |= {
            "AccountId": self._other("Account", chance),
            "MailingCity": chance.choice(words.CITIES),
            "MailingCountry": chance.choice(words.COUNTRIES),
            "Department": chance.choice(("R&D", "Größe", None)),
            "Birthdate": chance.choice((None, "1971-02-28")),
            "HasOptedOutOfEmail": chance.random() < 0.2,
        }

    def _opportunity(self, values: Document, number: int, chance: Random) -> None:
        stage, probability = chance.choice(STAGES)
        values |= {
            "Name": f"{chance.choice(words.SUBJECTS)} {number}",
            "AccountId": self._other("Account", chance),
            "IsPrivate": False,
            "Description": chance.choice(words.NOTES),
            "StageName": stage,
            "Amount": chance.choice((None, 15_000.0, 2_500_000.0, 0.01)),
            "Probability": probability,
            "CloseDate": day(number % 700),
            "NextStep": chance.choice((None, "Call; mail")),
            "LeadSource": chance.choice(SOURCES),
            "HasOpportunityLineItem": False,
        }

    def _invoice(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "Name": f"INV-{number:06d}",
            "Account__c": self._other("Account", chance),
            "Amount__c": chance.choice((None, 100.0, 19.9)),
            "Due__c": day(number % 365),
            "Paid__c": chance.random() < 0.5,
            "Remark__c": chance.choice(words.NOTES),
        }

    def _task(self, values: Document, number: int, chance: Random) -> None:
        self._activity(values, number, chance)
        values |= {"Status": chance.choice(("Open", "Completed")), "Priority": "Normal"}

    def _event(self, values: Document, number: int, chance: Random) -> None:
        self._activity(values, number, chance)
        begun = EPOCH + number * 86_400.0
        values |= {"StartDateTime": iso(begun), "EndDateTime": iso(begun + 1800.0)}

    def _activity(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "WhatId": self._other("Account", chance),
            "Subject": f"{chance.choice(words.SUBJECTS)} {number}",
            "ActivityDate": day(number),
            "Description": chance.choice(words.NOTES),
        }

    def _opportunityfieldhistory(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "OpportunityId": make_id("006", 1 + chance.randrange(self.records)),
            "Field": "StageName",
            "OldValue": chance.choice(STAGES)[0],
            "NewValue": chance.choice(STAGES)[0],
        }

    def _loginhistory(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "UserId": make_id("005", 1 + chance.randrange(USERS)),
            "LoginType": "Remote Access 2.0",
            "SourceIp": f"192.0.2.{number % 250 + 1}",
            "Application": "lumio",
            "Status": "Success",
        }

    def _user(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "Username": f"user{number + 1}@sandbox.example",
            "Email": f"user{number + 1}@sandbox.example",
            "FirstName": words.PEOPLE[number][0],
            "LastName": words.FAMILIES[number][0],
            "IsActive": True,
        }

    def _attachment(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "ParentId": make_id("001", 1),
            "Name": f"file {number}.txt",
            "ContentType": "text/plain",
            "BodyLength": 11,
            "Body": "c2FuZGJveCB0ZXh0",
        }

    def _organization(self, values: Document, number: int, chance: Random) -> None:
        values |= {
            "Id": ORG_ID,
            "Name": "Sandbox Größe & Co",
            "OrganizationType": "Developer Edition",
            "IsSandbox": False,
            "InstanceName": "SBX0",
            "TimeZoneSidKey": "America/Los_Angeles",
        }


def derive(kind: str, values: Document) -> Document:
    """A document with what follows from its other fields: names, addresses, formulas."""
    if kind in ("Lead", "Contact", "User"):
        values["Name"] = " ".join(x for x in (values.get("FirstName"), values["LastName"]) if x)
    if kind == "Lead":
        values["Full_Label__c"] = f"{values['Company']} {values['Status']}"
    if kind == "Task":
        values["IsClosed"] = values["Status"] == "Completed"
    if kind == "Opportunity":
        _derive_opportunity(values)
    for item in TYPES[kind].fields.values():
        if item.type in COMPOUND:
            values[item.name] = _compound(kind, item.name, values)
    return values


def _derive_opportunity(values: dict[str, Any]) -> None:
    stage, closing = str(values["StageName"]), str(values["CloseDate"])
    values["IsClosed"], values["IsWon"] = stage.startswith("Closed"), stage == "Closed Won"
    amount, chance = values.get("Amount"), values.get("Probability")
    values["ExpectedRevenue"] = None
    if amount is not None and chance is not None:
        values["ExpectedRevenue"] = round(float(amount) * float(chance) / 100, 2)
    values["FiscalYear"] = int(closing[:4])
    values["FiscalQuarter"] = (int(closing[5:7]) + 2) // 3
    values["Fiscal"] = f"{values['FiscalYear']} {values['FiscalQuarter']}"


def _compound(kind: str, name: str, values: Document) -> Document | None:
    """The parts of a compound field as one object; None where all of them are empty."""
    prefix = name.removesuffix("Address")
    found: Document = {}
    for item in TYPES[kind].fields.values():
        if item.inside == name:
            key = item.name.removeprefix(prefix) if prefix and not item.custom else item.name
            if item.custom:
                key = "latitude" if "Latitude" in item.name else "longitude"
            found[key[0].lower() + key[1:]] = values.get(item.name)
    return found if any(value is not None for value in found.values()) else None


OLDEST, NEWEST = 31, 68


USERNAME = "user1@sandbox.example"


MY_DOMAIN = "sandbox.my.salesforce.com"


LEGACY = ("https://login.salesforce.com", "https://test.salesforce.com")
"""Hosts that every org had in common. External client apps are in none of them: since Spring '26 an
assertion for `test` is answered with `app_not_found`."""
