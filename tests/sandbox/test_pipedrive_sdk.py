"""A published client works against the look-alike: pypipedrive-client, by its API class.

Its models need Python 3.12 (their source does not compile before it). Pipedrive's own Python
library speaks v1 only, whose deals and persons are out of support since August 2026.

What lumio's adapter writes, the client writes here, too: both must ask for the same, and each must
see what the other one did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from providers.pipedrive_subjects import SUBJECTS, account

from .both import adapter, hearing

client = pytest.importorskip("pypipedrive.api.api")
exceptions = pytest.importorskip("pypipedrive.api.exceptions")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Sandbox(records=120, seed=7, quota="none", providers=("pipedrive",)) as running:
        yield running


def connect(sandbox: Sandbox, token: str = "full") -> Any:
    """A client that speaks to the look-alike instead of api.pipedrive.com."""
    api = client.Api(sandbox.token("pipedrive", token))
    api.endpoint_url = f"{sandbox.base_url('pipedrive')}/api/v2/"
    return api


@pytest.fixture
def api(sandbox: Sandbox) -> Any:
    return connect(sandbox)


@pytest.mark.parametrize("kind", ["deals", "persons", "organizations", "activities", "products"])
def test_all_walks_every_page(api: Any, sandbox: Sandbox, kind: str) -> None:
    rows = api.all(kind, params={"limit": 50}).data
    assert [row["id"] for row in rows] == list(range(1, 121))
    asked = [path for _, _, path, _ in sandbox.requests]
    assert asked == [f"/pipedrive/api/v2/{kind}"] * 3


def test_pages_are_iterated_by_cursor(api: Any) -> None:
    pages = list(api.iterator("dealFields", params={"limit": 10}))
    assert len(pages) == 3
    assert pages[-1].additional_data == {"next_cursor": None}


def test_records_are_made_changed_and_deleted(api: Any) -> None:
    made = api.post("deals", json={"title": "Größe 🦄", "value": 12.5}).data
    changed = api.patch(f"deals/{made['id']}", json={"status": "won"}).data
    assert (changed["title"], changed["status"]) == ("Größe 🦄", "won")
    assert api.get(f"deals/{made['id']}").data["won_time"] is not None
    assert api.delete(f"deals/{made['id']}").data == {"id": made["id"]}
    assert made["id"] not in [row["id"] for row in api.all("deals").data]


def test_errors_are_the_clients_own(api: Any, sandbox: Sandbox) -> None:
    with pytest.raises(exceptions.NotFoundException, match="Deal not found"):
        api.get("deals/4711")
    with pytest.raises(exceptions.BadRequestException, match="value: must be a number"):
        api.post("deals", json={"title": "x", "value": "12"})
    with pytest.raises(exceptions.ForbiddenException, match="Scope and URL mismatch"):
        connect(sandbox, "no_scopes").get("deals")
    with pytest.raises(exceptions.UnauthorizedException):
        connect(sandbox, "expired").get("deals")


# --- what lumio writes, written by the client

Body = dict[str, Any]
Action = Literal["create", "update", "archive"]
Write = Callable[..., list[Receipt]]
KINDS = ("deals", "persons", "organizations", "activities", "products", "pipelines", "stages")
MADE: dict[str, Body] = {
    "deals": {
        "title": "Größe 🦄", "value": 12.5, "currency": "BRL", "person_id": 3, "stage_id": 7,
        "label_ids": [1, 3], "expected_close_date": "2026-03-01",
    },
    "persons": {
        "name": "Zoë de la Cruz", "org_id": 2,
        "emails": [{"value": "z@example.com", "primary": True, "label": "home"}],
    },
    "organizations": {"name": "Café", "address": {"value": "Berlin"}, "employee_count": 12},
    "activities": {
        "subject": "Call", "type": "call", "done": True, "due_date": "2026-03-01",
        "participants": [{"person_id": 3, "primary": True}],
    },
    "products": {
        "name": "Pen", "code": "P-1", "tax": 19, "prices": [{"price": 5, "currency": "EUR"}],
    },
    "pipelines": {"name": "Second", "is_deal_probability_enabled": False},
    "stages": {"name": "Later", "pipeline_id": 1, "deal_probability": 40},
}  # fmt: skip
CHANGED: dict[str, Body] = {
    "deals": {"status": "lost", "lost_reason": "Preis", "person_id": None},
    "persons": {"phones": [], "org_id": None, "visible_to": 7},
    "organizations": {"address": None, "website": "https://cafe.example"},
    "activities": {"done": False, "note": None, "participants": []},
    "products": {"tax": 7.5, "code": None, "is_linkable": False},
    "pipelines": {"name": "Third"},
    "stages": {"deal_probability": 80, "days_to_rotten": None},
}


@pytest.fixture
def heard(sandbox: Sandbox) -> list[Request]:
    return hearing(sandbox, "pipedrive")


@pytest.fixture
def write(sandbox: Sandbox, tmp_path: Path) -> Iterator[Write]:
    """lumio's adapter, with its whole transport, at the same company."""
    with adapter(sandbox, SUBJECTS[0], tmp_path) as (provider, send):
        yield lambda kind, *changes: list(provider.write(provider.resource(kind), changes, send))


def written(heard: list[Request]) -> list[tuple[str, str, Any]]:
    """Method, path and body of each request that changes something. How the token travels is a
    client's own business: this one puts it into the query."""
    return [(r.method, r.path, r.json()) for r in heard if r.method != "GET"]


def fields(api: Any, kind: str) -> dict[str, Body]:
    """The definitions of custom fields by name."""
    rows = api.all(f"{kind}Fields").data
    return {row["field_name"]: row for row in rows if row["is_custom_field"]}


def option(field: Body, label: str) -> int:
    found: int = next(item["id"] for item in field["options"] if item["label"] == label)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_any_kind_is_made_changed_and_deleted(api: Any, kind: str) -> None:
    made = api.post(kind, json=MADE[kind]).data
    read = api.get(f"{kind}/{made['id']}").data
    assert {name: read[name] for name in MADE[kind]} == MADE[kind]
    assert api.update_method()(f"{kind}/{made['id']}", json=CHANGED[kind]).success
    after = api.get(f"{kind}/{made['id']}").data
    assert {name: after[name] for name in CHANGED[kind]} == CHANGED[kind]
    kept = MADE[kind].keys() - CHANGED[kind].keys()
    assert {name: after[name] for name in kept} == {name: MADE[kind][name] for name in kept}
    assert api.delete(f"{kind}/{made['id']}").data == {"id": made["id"]}
    assert made["id"] not in [row["id"] for row in api.all(kind).data]
    assert api.get(f"{kind}/{made['id']}").data["is_deleted"] is True


def test_what_follows_from_a_write_is_read_back(api: Any) -> None:
    deal = api.post("deals", json={"title": "x", "stage_id": 7, "status": "won"}).data
    assert (deal["pipeline_id"], deal["won_time"] is None) == (2, False)
    reopened = api.patch(f"deals/{deal['id']}", json={"status": "open"}).data
    assert (reopened["won_time"], reopened["close_time"]) == (None, None)
    person = api.post("persons", json={"name": "Zoë de Cruz", "emails": [{"value": "z@x.yz"}]}).data
    assert (person["first_name"], person["last_name"]) == ("Zoë", "de Cruz")
    assert person["emails"] == [{"value": "z@x.yz", "label": "work", "primary": True}]
    participants = [{"person_id": 5, "primary": True}, {"person_id": 6, "primary": False}]
    call = api.post("activities", json={"done": True, "participants": participants}).data
    assert (call["person_id"], call["marked_as_done_time"] is None) == (5, False)


def test_custom_fields_are_written_by_their_hashes(api: Any) -> None:
    known = fields(api, "deal")
    region, tags = known["Região de vendas"], known["Tags"]
    money = {"value": 10.5, "currency": "BRL"}
    values = {
        region["field_code"]: option(region, "São Paulo"),
        tags["field_code"]: [option(tags, "Hot 🔥"), option(tags, "Renewal")],
        known["Commission"]["field_code"]: money,
        known["Score"]["field_code"]: 4,
        known["Contract period"]["field_code"]: {"value": "2026-01-01", "until": "2026-12-31"},
        known["契約番号"]["field_code"]: "№ 7",
    }
    deal = api.post("deals", json={"title": "x", "custom_fields": values}).data
    assert values.items() <= api.get(f"deals/{deal['id']}").data["custom_fields"].items()
    cleared = {tags["field_code"]: None}
    after = api.patch(f"deals/{deal['id']}", json={"custom_fields": cleared}).data["custom_fields"]
    assert {code: after[code] for code in values} == {**values, **cleared}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Região de vendas", 4711),
        ("Região de vendas", "São Paulo"),
        ("Tags", []),
        ("Score", "4"),
        ("Commission", 10),
        ("Contract period", {"until": "2026-12-31"}),
    ],
)
def test_a_value_that_a_custom_field_cannot_hold_is_refused(
    api: Any, field: str, value: Any
) -> None:
    code = fields(api, "deal")[field]["field_code"]
    before = api.get("deals/1").data
    with pytest.raises(exceptions.BadRequestException, match=code):
        api.patch("deals/1", json={"title": "new", "custom_fields": {code: value}})
    assert api.get("deals/1").data == before


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("deals", {"value": 1}, "title: is required"),
        ("deals", {"title": ""}, "title: is required"),
        ("deals", {"title": "x", "nothing": 1}, "nothing: is not allowed"),
        ("deals", {"title": "x", "person_id": 4711}, "person_id: Person not found"),
        ("deals", {"title": "x", "status": "odd"}, "status: must be one of"),
        ("persons", {"name": "x", "emails": "z@x.yz"}, "emails: must be"),
        ("organizations", {"name": "x", "address": "Berlin"}, "address: must be"),
        ("activities", {"due_date": "tomorrow"}, "due_date: must be"),
        ("activities", {"person_id": 3}, "person_id: is not allowed"),
        ("products", {"name": "x", "tax": "19"}, "tax: must be"),
        ("stages", {"name": "x"}, "pipeline_id: is required"),
        ("stages", {"name": "x", "pipeline_id": 4711}, "pipeline_id: Pipeline not found"),
    ],
)
def test_a_record_that_is_not_valid_is_not_made(api: Any, kind: str, body: Body, told: str) -> None:
    before = api.all(kind).data
    with pytest.raises(exceptions.BadRequestException, match=told):
        api.post(kind, json=body)
    assert api.all(kind).data == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_gone_or_never_was_is_not_found(api: Any, kind: str) -> None:
    gone = api.post(kind, json=MADE[kind]).data["id"]
    api.delete(f"{kind}/{gone}")
    for number in (gone, 999_999):
        for request in (
            lambda uri: api.patch(uri, json=CHANGED[kind]),
            api.delete,
        ):
            with pytest.raises(exceptions.NotFoundException, match="not found") as caught:
                request(f"{kind}/{number}")
            assert (caught.value.code, caught.value.success) == (404, False)


def test_a_deleted_deal_is_listed_as_deleted(api: Any) -> None:
    api.delete("deals/7")
    (row,) = api.all("deals", params={"status": "deleted"}).data
    assert (row["id"], row["status"], row["is_deleted"]) == (7, "deleted", True)


def test_an_archived_deal_is_listed_apart_and_stays_as_it_is(api: Any) -> None:
    api.patch("deals/7", json={"is_archived": True})
    assert 7 not in [row["id"] for row in api.all("deals").data]
    (row,) = api.all("deals/archived").data
    assert (row["id"], row["is_archived"]) == (7, True)
    with pytest.raises(exceptions.BadRequestException, match="Archived deals cannot be changed"):
        api.patch("deals/7", json={"title": "new"})
    assert api.all("deals/archived").data == [row]


def test_a_plan_a_scope_or_a_setting_may_forbid_a_write(api: Any, sandbox: Sandbox) -> None:
    reader = connect(sandbox, "read_only")
    requests: tuple[Callable[[], Any], ...] = (
        lambda: reader.post("deals", json={"title": "x"}),
        lambda: reader.patch("deals/1", json={"title": "x"}),
        lambda: reader.delete("deals/1"),
        lambda: connect(sandbox, "deals_only").post("persons", json={"name": "x"}),
    )
    for request in requests:
        with pytest.raises(exceptions.ForbiddenException, match="Scope and URL mismatch"):
            request()
    with pytest.raises(exceptions.ForbiddenException, match="contact sync is not enabled"):
        api.post("persons", json={"name": "x", "job_title": "y"})
    account(sandbox).open_deals = 0
    with pytest.raises(exceptions.ForbiddenException, match="Open deals limit reached"):
        api.post("deals", json={"title": "x"})
    assert len(api.all("deals").data) == len(api.all("persons").data) == 120


# --- lumio and the client ask for the same

TEXTS: dict[str, dict[str, str | None]] = {
    "deals": {
        "title": "Größe 🦄", "value": "12.5", "currency": "BRL", "person_id": "3", "stage_id": "7",
        "label_ids": "[1, 3]", "expected_close_date": "2026-03-01",
    },
    "persons": {
        "name": "Zoë de la Cruz", "org_id": "2",
        "emails": '[{"value": "z@example.com", "primary": true, "label": "home"}]',
    },
    "organizations": {"name": "Café", "address": "Berlin", "employee_count": "12"},
    "activities": {
        "subject": "Call", "type": "call", "done": "true", "due_date": "2026-03-01",
        "person_id": "3",
    },
    "products": {
        "name": "Pen", "code": "P-1", "tax": "19", "prices": '[{"price": 5, "currency": "EUR"}]',
    },
    "pipelines": {"name": "Second", "is_deal_probability_enabled": "false"},
    "stages": {"name": "Later", "pipeline_id": "1", "deal_probability": "40"},
}  # fmt: skip
"""What `MADE` says, as the hub has it."""
NEW_TEXTS: dict[str, dict[str, str | None]] = {
    "deals": {"status": "lost", "lost_reason": "Preis", "person_id": None},
    "persons": {"phones": None, "org_id": None, "visible_to": "7"},
    "organizations": {"address": None, "website": "https://cafe.example"},
    "activities": {"done": "false", "note": None, "person_id": None},
    "products": {"tax": "7.5", "code": None, "is_linkable": "false"},
    "pipelines": {"name": "Third"},
    "stages": {"deal_probability": "80", "days_to_rotten": None},
}
"""What `CHANGED` says, as the hub has it."""


def settled(write: Write, kind: str, action: Action, record: Any, **values: Any) -> Receipt:
    (receipt,) = write(kind, Change(action, "t", id=str(record), values=values))
    return receipt


@pytest.mark.parametrize("kind", KINDS)
def test_lumio_asks_for_what_the_client_asks_for(
    api: Any, write: Write, heard: list[Request], kind: str
) -> None:
    made = api.post(kind, json=MADE[kind]).data["id"]
    receipts = [settled(write, kind, "create", "", **TEXTS[kind])]
    api.patch(f"{kind}/{made}", json=CHANGED[kind])
    receipts.append(settled(write, kind, "update", made, **NEW_TEXTS[kind]))
    api.delete(f"{kind}/{made}")
    receipts.append(settled(write, kind, "archive", made))
    assert [receipt.status for receipt in receipts] == ["done"] * 3
    told = written(heard)
    assert [method for method, _, _ in told] == [
        "POST", "POST", "PATCH", "PATCH", "DELETE", "DELETE",
    ]  # fmt: skip
    assert told[1::2] == told[::2]


def test_lumio_writes_custom_fields_as_the_client_does(
    api: Any, write: Write, heard: list[Request]
) -> None:
    known = fields(api, "deal")
    region, tags = known["Região de vendas"], known["Tags"]
    custom = {
        region["field_code"]: option(region, "São Paulo"),
        tags["field_code"]: [option(tags, "Hot 🔥"), option(tags, "Renewal")],
        known["Commission"]["field_code"]: {"value": 10.5, "currency": "BRL"},
        known["Score"]["field_code"]: 4,
        known["Contract period"]["field_code"]: {"value": "2026-01-01", "until": "2026-12-31"},
        known["契約番号"]["field_code"]: None,
    }
    api.patch("deals/1", json={"custom_fields": custom})
    receipt = settled(
        write, "deals", "update", 1,
        regiao_de_vendas="São Paulo", tags='["Hot 🔥", "Renewal"]', commission="10.5",
        commission_currency="BRL", score="4", contract_period="2026-01-01",
        contract_period_until="2026-12-31",
        **{f"field_{known['契約番号']['field_code'][:6]}": ""},
    )  # fmt: skip
    assert receipt.status == "done"
    theirs, ours = written(heard)
    assert ours == theirs
    # A value that has parts is replaced as a whole: the part that stays is sent again.
    heard.clear()
    settled(write, "deals", "update", 1, commission="11")
    money = {known["Commission"]["field_code"]: {"value": 11, "currency": "BRL"}}
    api.patch("deals/1", json={"custom_fields": money})
    ours, theirs = written(heard)
    assert ours == theirs


def test_lumio_keeps_the_other_participants_as_the_client_has_to(
    api: Any, write: Write, heard: list[Request]
) -> None:
    participants = [{"person_id": 5, "primary": True}, {"person_id": 6, "primary": False}]
    call = api.post("activities", json={"subject": "x", "participants": participants}).data["id"]
    heard.clear()
    assert settled(write, "activities", "update", call, person_id="7").status == "done"
    wanted = [{"person_id": 7, "primary": True}, {"person_id": 6, "primary": False}]
    api.patch(f"activities/{call}", json={"participants": wanted})
    ours, theirs = written(heard)
    assert ours == theirs
    assert api.get(f"activities/{call}").data["person_id"] == 7


@pytest.mark.parametrize(
    ("action", "record", "body", "kind"),
    [
        ("create", "", {"title": "x", "person_id": 4711}, "validation"),
        ("create", "", {"title": "over the limit"}, "validation"),
        ("update", "/8", {"title": "archived"}, "validation"),
        ("update", "/7", {"title": "deleted"}, "gone"),
    ],
)
def test_lumio_is_told_what_the_client_is_told(
    api: Any, write: Write, sandbox: Sandbox, action: Action, record: str, body: Body, kind: str
) -> None:
    account(sandbox).open_deals = 0
    api.delete("deals/7")
    api.patch("deals/8", json={"is_archived": True})
    request = api.post if action == "create" else api.patch
    with pytest.raises(exceptions.ApiException) as caught:
        request(f"deals{record}", json=body)
    texts = {name: str(value) for name, value in body.items()}
    receipt = settled(write, "deals", action, record.strip("/"), **texts)
    assert (receipt.status, receipt.kind) == ("failed", kind)
    assert caught.value.error
    assert caught.value.error in receipt.message
