"""What adapters make of the options that a provider describes."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.providers.contract.resource import Choice, Column
from lumio_cli.providers.hubspot import properties
from lumio_cli.providers.mailchimp import fields as merge_fields
from lumio_cli.providers.mailchimp.resources import MEMBERS
from lumio_cli.providers.pipedrive import Pipedrive
from lumio_cli.providers.pipedrive import fields as custom_fields
from lumio_cli.providers.pipedrive.fields import Definition
from lumio_cli.providers.salesforce import fields as sobject_fields
from lumio_cli.providers.shopify.resources import PRODUCTS

OPTIONS = [{"value": "b", "displayOrder": 2}, {"value": "a", "displayOrder": 1}]


@pytest.mark.parametrize(
    ("item", "choice"),
    [
        ({"fieldType": "select"}, Choice(("a", "b"))),
        ({"fieldType": "checkbox"}, Choice(("a", "b"), separator=";")),
        ({"externalOptions": True}, None),
        ({"type": "string"}, None),
    ],
)
def test_hubspot(item: dict[str, Any], choice: Choice | None) -> None:
    whole = {"name": "tier", "type": "enumeration", "options": OPTIONS, **item}
    (found,) = properties.described([whole], [], {"all"})
    assert found.column.choice == choice


@pytest.mark.parametrize(
    ("item", "choice"),
    [
        ({"type": "picklist", "restrictedPicklist": True}, Choice(("Hot",), folded=True)),
        (
            {"type": "multipicklist", "restrictedPicklist": True},
            Choice(("Hot",), separator=";", folded=True),
        ),
        ({"type": "picklist", "restrictedPicklist": False}, None),
        ({"type": "string"}, None),
    ],
)
def test_salesforce_restricts_to_what_is_active(
    item: dict[str, Any], choice: Choice | None
) -> None:
    values = [{"value": "Hot", "active": True}, {"value": "Old", "active": False}]
    whole = {"name": "Heat__c", "custom": True, "picklistValues": values, **item}
    (found,) = sobject_fields.described([whole], [], {"all"})
    assert found.column.choice == choice


@pytest.mark.parametrize(("kind", "chosen"), [("enum", True), ("set", True), ("varchar", False)])
def test_pipedrive_takes_labels_and_ids(kind: str, chosen: bool) -> None:
    deals = next(resource for resource in Pipedrive.resources if resource.name == "deals")
    field = Definition("abc", "Colour", kind, True, {7: "Red", 8: "Blue"})
    (found,) = custom_fields.properties(deals, [field], ["all"])
    choice = Choice(("Red", "Blue"), also=("7", "8")) if chosen else None
    assert found.column.choice == choice


def dropdown(*choices: str, kind: str = "dropdown") -> dict[str, Any]:
    return {"tag": "LEVEL", "name": "Level", "type": kind, "options": {"choices": [*choices]}}


def test_mailchimp_takes_the_choices_of_all_audiences() -> None:
    (found,) = merge_fields.described([dropdown("gold", "silver"), dropdown("silver", "tin")])
    assert found.column.choice == Choice(("gold", "silver", "tin"))


def test_mailchimps_field_that_is_text_in_one_audience_takes_anything() -> None:
    (found,) = merge_fields.described([dropdown("gold"), dropdown(kind="text")])
    assert found.column.choice is None


def test_what_is_fixed_by_the_api_needs_no_description() -> None:
    def choice(columns: tuple[Column, ...], name: str) -> Choice:
        found = next(c.choice for c in columns if c.name == name)
        assert found is not None
        return found

    assert "UNLISTED" in choice(PRODUCTS.columns, "status").names
    assert "archived" not in choice(MEMBERS.columns, "status").names
