"""What the look-alike of Shopify speaks is a part of what Shopify publishes."""

from __future__ import annotations

from typing import Any

from lumio_cli.sandbox.shopify.engine import schema
from lumio_cli.sandbox.shopify.roots import FIELDS
from support.shopify_spec import published


def _differences(ours: Any, theirs: Any) -> list[str]:
    """What our type has that the published one has not, or has otherwise."""
    name = ours.name
    if theirs is None or type(theirs) is not type(ours):
        return [f"{name}: no such type"]
    found = [
        f"{name}.{v}: no such value" for v in getattr(ours, "values", ()) if v not in theirs.values
    ]
    for interface in getattr(ours, "interfaces", ()):
        if interface.name not in {i.name for i in theirs.interfaces}:
            found.append(f"{name}: does not implement {interface.name}")
    for key, field in getattr(ours, "fields", {}).items():
        other = theirs.fields.get(key)
        if other is None:
            found.append(f"{name}.{key}: no such field")
            continue
        if str(field.type) != str(other.type):
            found.append(f"{name}.{key}: {field.type} is {other.type}")
        for argument, ours_arg in getattr(field, "args", {}).items():
            known = other.args.get(argument)
            if known is None or str(known.type) != str(ours_arg.type):
                found.append(f"{name}.{key}({argument}): not as published")
            elif known.default_value != ours_arg.default_value:
                found.append(f"{name}.{key}({argument}): another default")
    return found


def test_the_schema_is_a_subset_of_the_published_one() -> None:
    theirs = published()
    found = []
    for name, kind in schema().type_map.items():
        if not name.startswith("__"):
            found += _differences(kind, theirs.type_map.get(name))
    assert found == []


def test_required_arguments_and_input_fields_of_the_published_schema_are_there() -> None:
    ours, theirs = schema(), published()
    missing = []
    for root in ("QueryRoot", "Mutation"):
        for key, field in ours.type_map[root].fields.items():  # type: ignore[attr-defined]
            wanted = theirs.type_map[root].fields[key].args  # type: ignore[attr-defined]
            missing += [
                f"{root}.{key}({name})"
                for name, argument in wanted.items()
                if str(argument.type).endswith("!") and name not in field.args
            ]
    assert missing == []


def test_searches_are_by_fields_that_shopify_names() -> None:
    theirs = published()
    roots = {"inventory_items": "inventoryItems"}
    for table, fields in FIELDS.items():
        if table == "inventory_levels":
            described = theirs.type_map["Location"].fields["inventoryLevels"].args  # type: ignore[attr-defined]
        else:
            described = theirs.query_type.fields[roots.get(table, table)].args  # type: ignore[union-attr]
        text = str(described["query"].description)
        assert [name for name in fields if f"| {name} |" not in text] == []
