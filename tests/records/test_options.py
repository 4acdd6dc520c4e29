"""Values that are no option of their field are refused where they are given, and by what the hub
knows of the options."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.providers.contract.resource import Choice, Column
from lumio_cli.sync import choices
from lumio_cli.sync.fields import view_column
from support.lab import Lab

from .conftest import TARGET, Hub, counts, reasons

SAYS = "favorite_color: 'pink' is no option of it as of the last sync (its options: 'red', "


def test_set_and_create_name_the_field_the_value_and_the_options(hub: Hub) -> None:
    one = hub.ids()[0]
    for command, words in (("set", (one,)), ("create", ())):
        done = hub.records(command, *words, "city=Natal", "favorite_color=pink", "-o", "tsv")
        assert done.code == 2 and SAYS in done.err and f"lumio sync {TARGET}" in done.err
    assert hub.edits() == []
    assert hub.records("set", one, "favorite_color=", "city=Natal").code == 0


def test_an_import_rejects_the_row_alone(hub: Hub, write: Any) -> None:
    one, two, three = hub.ids()[:3]
    file = write(f"id,city,favorite_color\n{one},Natal,pink\n{two},Natal,\n{three},Natal,red\n")
    done = hub.records("import", file)
    assert counts(done)[3] == 1 and reasons(done)[2].startswith(SAYS)
    assert [record for record, _, _ in hub.edits()] == [two, three]
    dry = hub.records("import", file, "--dry-run")
    assert reasons(dry)[2].startswith(SAYS)


def test_what_sql_has_set_is_told_by_the_preview_and_refused_by_the_provider(lab: Lab) -> None:
    one, two = (str(r[0]) for r in lab.sql("SELECT id FROM hubspot_contacts ORDER BY id LIMIT 2"))
    lab.sql("UPDATE hubspot_contacts SET favorite_color = 'pink' WHERE id = ?", one)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", two)
    preview = lab.lumio("preview", TARGET, "--direction", "push")
    told = {c["id"]: c.get("problem", "") for c in preview.document["changes"]}
    assert preview.code == 0 and told[one].startswith(SAYS) and told[two] == ""
    shown = lab.lumio("preview", TARGET, "--direction", "push", "-o", "table")
    assert f"refused: {SAYS}" in shown.out and "2 to update" in shown.out
    assert "1 edit has a value that the provider will refuse" in shown.err
    done = lab.lumio("sync", TARGET, "--direction", "push")
    (entry,) = (r for r in done.document["resources"] if r["direction"] == "push")
    assert (done.code, entry["updated"], entry["failed"]) == (3, 1, 1)
    ((record, message),) = lab.sql("SELECT record, message FROM lumio_outbox")
    assert record == one and "favorite_color" in message


def test_an_option_that_is_newer_than_the_last_sync_is_taken(lab: Lab) -> None:
    """What the hub knows of options is old by then: the provider decides."""
    one = lab.sql("SELECT id FROM hubspot_contacts ORDER BY id LIMIT 1")[0][0]
    contacts = lab.sandbox.hubspot.objects["contacts"]
    contacts.properties["favorite_color"].options += ("pink",)
    lab.sql("UPDATE hubspot_contacts SET favorite_color = 'pink' WHERE id = ?", one)
    assert lab.lumio("sync", TARGET, "--direction", "push").code == 0
    index = contacts.find(str(one))
    assert index is not None and contacts.everything(index)["favorite_color"] == "pink"


def column(choice: Choice | None, kind: str = "text") -> ViewColumn:
    return view_column(Column("it", "it", kind, choice=choice))  # type: ignore[arg-type]


ONE = Choice(("Hot", "Warm"))
MANY = Choice(("a", "b"), separator=";")
FOLDED = Choice(("Hot", "Warm"), folded=True)
LABELS = Choice(("Red", "Blue"), also=("7", "8"))


@pytest.mark.parametrize(
    ("choice", "kind", "value", "fits"),
    [
        (ONE, "text", "Hot", True),
        (ONE, "text", " Hot ", True),
        (ONE, "text", "hot", False),
        (ONE, "text", "Hot;Warm", False),
        (ONE, "text", None, True),
        (ONE, "text", "", True),
        (FOLDED, "text", "hot", True),
        (FOLDED, "text", "cold", False),
        (MANY, "text", ";a;b", True),
        (MANY, "text", "a; c", False),
        (LABELS, "text", "Red", True),
        (LABELS, "text", "8", True),
        (LABELS, "text", "9", False),
        (LABELS, "json", '["Red", 8]', True),
        (LABELS, "json", '[{"id": 7, "label": "Red"}]', True),
        (LABELS, "json", '["Red", "Green"]', False),
        (LABELS, "json", "Red, Green", False),
        (None, "text", "anything", True),
        (Choice(()), "text", "anything", True),
    ],
)
def test_which_values_are_options(
    choice: Choice | None, kind: str, value: str | None, fits: bool
) -> None:
    assert (choices.misfits({"it": column(choice, kind)}, {"it": value}) == "") is fits


def test_a_message_is_bounded_however_many_options_there_are() -> None:
    many = column(Choice(tuple("x" * 500 + str(n) for n in range(2000))))
    told = choices.misfits({"it": many}, {"it": "y" * 5000})
    assert len(told) < 600 and told.endswith("and 1,992 more)")


@pytest.mark.parametrize("text", ["", "[", "5", '["a"]', json.dumps([[], [], "", False])])
def test_what_somebody_else_has_written_in_the_hub_refuses_nothing(text: str) -> None:
    assert choices.read(text) is None
