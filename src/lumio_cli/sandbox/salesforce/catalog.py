"""The types there are and their fields, as `describe` tells them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

ORG_ID = "00Dsb000000000162A"
SOAP = {
    "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double", "currency": "xsd:double",
    "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime", "id": "tns:ID",
    "reference": "tns:ID", "address": "urn:address", "location": "urn:location",
    "base64": "xsd:base64Binary",
}  # fmt: skip
NUMBERS = frozenset({"double", "currency", "percent"})
COMPOUND = frozenset({"address", "location"})


DEFAULTS = {"Lead": {"Status": "Open - Not Contacted"}, "Task": {"Status": "Not Started"}}
"""What a new record has where it names none: required, and "defaulted on create" (object
reference)."""
DEFAULTED = {name for values in DEFAULTS.values() for name in values}


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field. `parts` are the fields of a compound one; `writable` by users of the API, and
    `lasting` if it can be set in a new record alone.
    """

    name: str
    type: str
    length: int = 0
    writable: bool = True
    lasting: bool = False
    required: bool = False
    external: bool = False
    calculated: bool = False
    refers: str = ""
    inside: str = ""
    values: tuple[str, ...] = ()

    @property
    def custom(self) -> bool:
        """Whether an administrator made it."""
        return self.name.endswith(("__c", "__s"))

    @property
    def label(self) -> str:
        """What people see."""
        plain = re.sub(r"__[cs]$", "", self.name)
        return re.sub(r"(?<=[a-z])(?=[A-Z])|_+", " ", plain).strip()

    def described(self) -> dict[str, Any]:
        """The field's entry in a describe result."""
        kind = self.type
        precision = {"currency": 18, "double": 18, "percent": 5}.get(kind, 0)
        return {
            "aggregatable": kind not in COMPOUND, "aiPredictionField": False,
            "autoNumber": False, "byteLength": self.length * 3, "calculated": self.calculated,
            "calculatedFormula": "Company & Status" if self.calculated else None,
            "cascadeDelete": False, "caseSensitive": False,
            "compoundFieldName": self.inside or None, "controllerName": None,
            "createable": self.writable, "custom": self.custom, "defaultValue": None,
            "defaultValueFormula": None,
            "defaultedOnCreate": kind == "boolean" or self.name in DEFAULTED,
            "dependentPicklist": False, "deprecatedAndHidden": False,
            "digits": 9 if kind == "int" else 0, "displayLocationInDecimal": False,
            "encrypted": False, "externalId": self.external, "extraTypeInfo": None,
            "filterable": kind not in ("textarea", "base64", *COMPOUND), "filteredLookupInfo": None,
            "formulaTreatNullNumberAsZero": False, "groupable": kind in ("string", "picklist"),
            "highScaleNumber": False, "htmlFormatted": False,
            "idLookup": self.external or self.name in ("Id", "Email"), "inlineHelpText": None,
            "label": self.label, "length": self.length, "mask": None, "maskType": None,
            "name": self.name, "nameField": self.name == "Name", "namePointing": False,
            "nillable": not self.required, "permissionable": self.writable,
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": v, "validFor": None, "value": v}
                for v in self.values
            ],
            "polymorphicForeignKey": False, "precision": precision,
            "queryByDistance": kind == "location", "referenceTargetField": None,
            "referenceTo": [self.refers] if self.refers else [],
            "relationshipName": self._relation(), "relationshipOrder": None,
            "restrictedDelete": False, "restrictedPicklist": bool(self.values and self.custom),
            "scale": 2 if precision else 0, "searchPrefilterable": False,
            "soapType": SOAP.get(kind, "xsd:string"),
            "sortable": kind not in ("textarea", *COMPOUND), "type": kind,
            "unique": self.external, "updateable": self.writable and not self.lasting,
            "writeRequiresMasterRead": False,
        }  # fmt: skip

    def _relation(self) -> str | None:
        if not self.refers:
            return None
        return re.sub(r"__c$", "__r", self.name) if self.custom else self.name.removesuffix("Id")


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """A type of record. `fields` by name; `folded` finds them whatever their case."""

    name: str
    prefix: str
    fields: dict[str, FieldInfo]
    readonly: bool = False
    folded: dict[str, FieldInfo] = field(default_factory=dict)

    def find(self, name: str) -> FieldInfo | None:
        """A field, in any case."""
        return self.folded.get(name.lower())


def _fields(declared: str) -> dict[str, FieldInfo]:
    """Fields from `Name:type/flag/flag`: ro, new, req, ext, calc, a length, >Type, ^Compound,
    =a|b.
    """
    found = {}
    for item in declared.split():
        name, _, rest = item.partition(":")
        kind, *flags = rest.split("/")
        values: dict[str, Any] = {"name": name, "type": kind}
        values["length"] = {
            "string": 255, "textarea": 32000, "picklist": 255, "email": 80, "phone": 40,
            "url": 255, "id": 18, "reference": 18, "multipicklist": 4099,
        }.get(kind, 0)  # fmt: skip
        values["writable"] = kind not in COMPOUND
        for flag in flags:
            if flag.isdigit():
                values["length"] = int(flag)
            elif flag[0] == ">":
                values["refers"] = flag[1:]
            elif flag[0] == "^":
                values["inside"] = flag[1:]
            elif flag[0] == "=":
                values["values"] = tuple(flag[1:].split("|"))
            else:
                key = {
                    "ro": "writable", "new": "lasting", "req": "required", "ext": "external",
                    "calc": "calculated",
                }  # fmt: skip
                values[key[flag]] = flag != "ro"
        if values.get("calculated"):
            values["writable"] = False
        found[name] = FieldInfo(**values)
    return found


_HEAD = "Id:id/ro/req IsDeleted:boolean/ro/req"
_TAIL = (
    "OwnerId:reference/>User CreatedDate:datetime/ro CreatedById:reference/>User/ro"
    " LastModifiedDate:datetime/ro LastModifiedById:reference/>User/ro SystemModstamp:datetime/ro"
)


def _address(prefix: str) -> str:
    """The parts of an address, and the address."""
    whole = f"{prefix}Address"
    return (
        f"{prefix}Street:textarea/255/^{whole} {prefix}City:string/40/^{whole}"
        f" {prefix}State:string/80/^{whole} {prefix}PostalCode:string/20/^{whole}"
        f" {prefix}Country:string/80/^{whole} {prefix}Latitude:double/^{whole}"
        f" {prefix}Longitude:double/^{whole} {whole}:address"
    )


_PERSON = (
    "MasterRecordId:reference/>{kind}/ro LastName:string/80/req/^Name FirstName:string/40/^Name"
    " Salutation:picklist/^Name/=Mr.|Ms.|Dr. Name:string/121/ro Title:string/128"
    " Phone:phone MobilePhone:phone Email:email Description:textarea LeadSource:picklist"
)
_LEAD = (
    f"{_HEAD} {_PERSON.format(kind='Lead')} Company:string/req Website:url Status:picklist/req"
    " Industry:picklist Rating:picklist AnnualRevenue:currency NumberOfEmployees:int"
    f" {_address('')} IsConverted:boolean/ro ConvertedDate:date/ro"
    " ConvertedAccountId:reference/>Account/ro ConvertedContactId:reference/>Contact/ro"
    " ConvertedOpportunityId:reference/>Opportunity/ro IsUnreadByOwner:boolean"
    f" LastActivityDate:date/ro {_TAIL}"
    " External_Key__c:string/60/ext Score__c:double Region__c:picklist/=EMEA|APAC|AMER"
    " Tags__c:multipicklist Budget__c:currency Share__c:percent Opted_In__c:boolean"
    " Follow_Up__c:date Seen_At__c:datetime Notes__c:textarea/131072"
    " Place__Latitude__s:double/^Place__c Place__Longitude__s:double/^Place__c Place__c:location"
    " Full_Label__c:string/1300/calc"
)
_ACCOUNT = (
    f"{_HEAD} MasterRecordId:reference/>Account/ro Name:string/req Type:picklist"
    f" ParentId:reference/>Account {_address('Billing')} {_address('Shipping')} Phone:phone"
    " Fax:phone AccountNumber:string/40 Website:url Industry:picklist AnnualRevenue:currency"
    " NumberOfEmployees:int Ownership:picklist TickerSymbol:string/20 Description:textarea"
    f" Rating:picklist Site:string/80 AccountSource:picklist LastActivityDate:date/ro {_TAIL}"
    " External_Key__c:string/60/ext Tier__c:picklist/=Gold|Silver|Bronze"
)
_CONTACT = (
    f"{_HEAD} {_PERSON.format(kind='Contact')} AccountId:reference/>Account"
    f" {_address('Mailing')} {_address('Other')} Fax:phone HomePhone:phone OtherPhone:phone"
    " ReportsToId:reference/>Contact Department:string/80 AssistantName:string/40 Birthdate:date"
    f" HasOptedOutOfEmail:boolean LastActivityDate:date/ro {_TAIL} External_Key__c:string/60/ext"
)
_OPPORTUNITY = (
    f"{_HEAD} AccountId:reference/>Account IsPrivate:boolean Name:string/120/req"
    " Description:textarea StageName:picklist/req Amount:currency Probability:percent"
    " ExpectedRevenue:currency/ro TotalOpportunityQuantity:double CloseDate:date/req Type:picklist"
    " NextStep:string LeadSource:picklist IsClosed:boolean/ro IsWon:boolean/ro"
    " ForecastCategory:picklist/ro ForecastCategoryName:picklist CampaignId:reference"
    " HasOpportunityLineItem:boolean/ro Pricebook2Id:reference ContactId:reference/>Contact/new"
    f" FiscalQuarter:int/ro FiscalYear:int/ro Fiscal:string/6/ro LastActivityDate:date/ro {_TAIL}"
    " External_Key__c:string/60/ext"
)
_INVOICE = (
    f"{_HEAD} Name:string/80 {_TAIL} Account__c:reference/>Account Amount__c:currency"
    " Due__c:date Paid__c:boolean Remark__c:textarea External_Key__c:string/60/ext"
)
_USER = (
    "Id:id/ro/req Username:string/80/req LastName:string/80/req FirstName:string/40"
    " Name:string/121/ro Email:email/req IsActive:boolean CreatedDate:datetime/ro"
    " LastModifiedDate:datetime/ro SystemModstamp:datetime/ro"
)
_ACTIVITY = (
    f"{_HEAD} WhoId:reference WhatId:reference Subject:string ActivityDate:date"
    f" Description:textarea IsArchived:boolean/ro {_TAIL}"
)
_TASK = f"{_ACTIVITY} Status:picklist/req Priority:picklist/req IsClosed:boolean/ro"
_EVENT = f"{_ACTIVITY} StartDateTime:datetime EndDateTime:datetime Location:string"
# Neither has the fields that nearly all others have: see their pages in the Object Reference.
_FIELD_HISTORY = (
    f"{_HEAD} OpportunityId:reference/>Opportunity/ro CreatedById:reference/>User/ro"
    " CreatedDate:datetime/ro Field:picklist/ro OldValue:string/ro NewValue:string/ro"
)
_LOGIN_HISTORY = (
    "Id:id/ro/req UserId:reference/>User/ro LoginTime:datetime/ro LoginType:picklist/ro"
    " SourceIp:string/39/ro Application:string/64/ro Status:string/128/ro Browser:string/64/ro"
)
_ORGANIZATION = (
    "Id:id/ro/req Name:string/80 OrganizationType:picklist/ro IsSandbox:boolean/ro"
    " InstanceName:string/5/ro TimeZoneSidKey:picklist NamespacePrefix:string/15/ro"
    " SystemModstamp:datetime/ro CreatedDate:datetime/ro LastModifiedDate:datetime/ro"
)
_ATTACHMENT = (
    f"{_HEAD} ParentId:reference/>Account/req Name:string/req ContentType:string/120"
    f" BodyLength:int/ro Body:base64/req {_TAIL}"
)


def _type(name: str, prefix: str, declared: str, readonly: bool = False) -> TypeInfo:
    fields = _fields(declared)
    folded = {key.lower(): item for key, item in fields.items()}
    return TypeInfo(name, prefix, fields, readonly, folded)


TYPES = {
    item.name: item
    for item in (
        _type("Lead", "00Q", _LEAD),
        _type("Account", "001", _ACCOUNT),
        _type("Contact", "003", _CONTACT),
        _type("Opportunity", "006", _OPPORTUNITY),
        _type("Invoice__c", "a00", _INVOICE),
        _type("Attachment", "00P", _ATTACHMENT),
        _type("Task", "00T", _TASK),
        _type("Event", "00U", _EVENT),
        _type("OpportunityFieldHistory", "017", _FIELD_HISTORY, readonly=True),
        _type("LoginHistory", "0Ya", _LOGIN_HISTORY, readonly=True),
        _type("User", "005", _USER, readonly=True),
        _type("Organization", "00D", _ORGANIZATION, readonly=True),
    )
}
MAIN = ("Lead", "Account", "Contact", "Opportunity", "Invoice__c")
"""The types that are there from the beginning; the others are made when they are asked for."""
