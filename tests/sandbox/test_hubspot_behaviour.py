"""What the look-alike does beyond shapes: data, writes, search, merges, drift."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.hubspot.data import BULK_MS

from .asking import KINDS, Make, listed, search, where

# data


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_records(kind: str) -> None:
    def dump(seed: int) -> list[dict[str, Any]]:
        return list(Sandbox(records=50, seed=seed).hubspot.dump(kind))

    first = dump(3)
    assert first == dump(3) != dump(4)
    assert len(first) == 50
    assert all("2025-01-01" <= row["createdAt"] <= row["updatedAt"] < "2026-07" for row in first)


def test_records_hurt_careless_readers(make: Make) -> None:
    sandbox, _ = make(records=1000)
    rows = list(sandbox.hubspot.dump("contacts"))
    assert len(rows) == 1000
    emails = {row["properties"]["email"] for row in rows}
    assert len(emails) == 1000
    assert any(int(row["id"]) > 2**53 for row in rows)
    names = {row["properties"]["firstname"] for row in rows}
    assert {None, "太郎", "[bold]Max[/bold]", "Sofía 🌻"} <= names
    same = [row for row in rows if row["updatedAt"] == "2026-03-15T08:30:00.000Z"]
    assert len(same) > 200
    assert len(sandbox.hubspot.objects["contacts"].archived) == 40


def test_an_empty_account(make: Make) -> None:
    _, client = make(records=0)
    for kind in KINDS:
        assert listed(client, kind) == []
        assert search(client, kind).json() == {"total": 0, "results": []}


def test_only_what_is_asked_for_comes_back(client: httpx.Client) -> None:
    row = listed(client, "contacts", properties="email,nope,vip")[0]
    assert sorted(row["properties"]) == [
        "createdate", "email", "hs_object_id", "lastmodifieddate", "vip",
    ]  # fmt: skip
    row = listed(client, "contacts")[0]
    assert sorted(row["properties"]) == [
        "createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname",
    ]  # fmt: skip
    assert "hs_lastmodifieddate" in listed(client, "deals")[0]["properties"]


def test_a_listing_survives_changes_between_pages(make: Make) -> None:
    sandbox, client = make(records=250)
    page = client.get("/crm/v3/objects/contacts", params={"limit": 100}).json()
    seen = [row["id"] for row in page["results"]]
    sandbox.hubspot.archive("contacts", seen[0])
    sandbox.hubspot.create("contacts", {"email": "late@example.com"})
    after = page["paging"]["next"]["after"]
    seen += [row["id"] for row in listed(client, "contacts")[99:]]
    assert int(after) > int(page["results"][-1]["id"])
    assert len(seen) == len(set(seen)) == 251


def test_every_write_moves_the_modification_time(make: Make) -> None:
    now = [1_800_000_000.0]
    _, client = make(clock=lambda: now[0])
    one = listed(client, "deals")[0]["id"]
    for moment in (1_800_000_100.0, 1_800_000_050.0):
        now[0] = moment
        answer = client.patch(
            f"/crm/v3/objects/deals/{one}", json={"properties": {"dealname": "X"}}
        )
        # The clock never runs backwards.
        assert answer.json()["updatedAt"] == "2027-01-15T08:01:40.000Z"


def test_invalid_values_are_named(client: httpx.Client) -> None:
    one = listed(client, "contacts")[0]["id"]
    wrong = {
        "nope": "1", "loyalty_points": "many", "renewal_date": "2026-01-01T10:00:00Z",
        "favorite_color": "beige", "hs_object_id": "5", "email": "nobody", "vip": " true",
    }  # fmt: skip
    answer = client.patch(f"/crm/v3/objects/contacts/{one}", json={"properties": wrong})
    assert answer.status_code == 400
    codes = {
        error["context"]["propertyName"][0]: error["code"] for error in answer.json()["errors"]
    }
    assert codes == {
        "nope": "PROPERTY_DOESNT_EXIST", "loyalty_points": "INVALID_INTEGER",
        "renewal_date": "INVALID_DATE", "favorite_color": "INVALID_OPTION",
        "hs_object_id": "READ_ONLY_VALUE", "email": "INVALID_EMAIL", "vip": "INVALID_VALUE",
    }  # fmt: skip


def test_values_are_kept_as_strings(sandbox: Sandbox, client: httpx.Client) -> None:
    values = {"loyalty_points": 12, "vip": True, "renewal_date": "1767225600000", "city": ""}
    made = client.post("/crm/v3/objects/contacts", json={"properties": values}).json()
    kept = sandbox.hubspot.read("contacts", made["id"])
    assert (kept["loyalty_points"], kept["vip"]) == ("12", "true")
    assert (kept["renewal_date"], kept["city"]) == ("2026-01-01", None)


def test_an_address_belongs_to_one_contact(client: httpx.Client) -> None:
    known = listed(client, "contacts")[3]
    body = {"properties": {"email": known["properties"]["email"].upper()}}
    answer = client.post("/crm/v3/objects/contacts", json=body)
    assert answer.status_code == 409
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {known['id']}"
    batch = {"inputs": [{"properties": {"email": "new@example.com"}}, body]}
    assert client.post("/crm/v3/objects/contacts/batch/create", json=batch).status_code == 409
    found = client.get("/crm/v3/objects/contacts/new@example.com", params={"idProperty": "email"})
    assert found.status_code == 404


def test_one_invalid_value_fails_the_whole_batch(client: httpx.Client) -> None:
    rows = listed(client, "deals", properties="dealname")[:2]
    inputs = [
        {"id": rows[0]["id"], "properties": {"dealname": "changed"}},
        {"id": rows[1]["id"], "properties": {"amount": "much"}},
    ]
    answer = client.post("/crm/v3/objects/deals/batch/update", json={"inputs": inputs})
    assert answer.status_code == 400
    assert listed(client, "deals", properties="dealname")[:2] == rows


def test_a_stage_is_only_set_forward(sandbox: Sandbox, client: httpx.Client) -> None:
    contacts = "/crm/v3/objects/contacts"
    made = client.post(contacts, json={"properties": {"email": "stage@example.com"}}).json()["id"]

    def staged(value: str) -> Any:
        body = {"inputs": [{"id": made, "properties": {"lifecyclestage": value}}]}
        answer = client.post(f"{contacts}/batch/update", json=body)
        assert answer.status_code == 200
        return answer.json()["results"][0]["properties"]["lifecyclestage"]

    assert sandbox.hubspot.read("contacts", made)["lifecyclestage"] == "lead", "the default"
    assert [staged(value) for value in ("customer", "lead")] == ["customer", "customer"]
    assert [staged(value) for value in ("", "subscriber")] == [None, "subscriber"]


def test_a_merge(sandbox: Sandbox, client: httpx.Client) -> None:
    winner, loser = (row["id"] for row in listed(client, "contacts")[:2])
    linked = client.get(f"/crm/v4/objects/contacts/{loser}/associations/companies").json()
    sandbox.hubspot.merge("contacts", winner, loser)
    ids = [row["id"] for row in listed(client, "contacts")]
    assert winner in ids and loser not in ids
    gone = [row["id"] for row in listed(client, "contacts", archived="true")]
    assert loser not in gone
    body = {"inputs": [{"id": loser}], "properties": [], "propertiesWithHistory": []}
    read = client.post("/crm/v3/objects/contacts/batch/read", json=body).json()
    assert [row["id"] for row in read["results"]] == [winner]
    ends = client.get(f"/crm/v4/objects/contacts/{winner}/associations/companies").json()
    assert {end["toObjectId"] for end in linked["results"]} <= {
        end["toObjectId"] for end in ends["results"]
    }
    # Reading the loser's id finds the winner; writing to it finds nothing.
    assert client.get(f"/crm/v3/objects/contacts/{loser}").json()["id"] == winner
    assert client.delete(f"/crm/v3/objects/contacts/{loser}").status_code == 404


def test_a_merge_with_a_new_id(sandbox: Sandbox, client: httpx.Client) -> None:
    """Both become a third record, which lists both and answers for both."""
    one, two = (row["id"] for row in listed(client, "deals")[:2])
    body = {"winner": one, "loser": two, "new_id": True}
    answer = client.post(f"{sandbox.url}/_sandbox/hubspot/deals/merge", json=body)
    made = answer.json()["id"]
    assert made not in (one, two)
    names = {"properties": "hs_merged_object_ids,dealname"}
    for merged in (one, two):
        told = client.get(f"/crm/v3/objects/deals/{merged}", params=names).json()
        assert told["id"] == made
    assert told["properties"]["hs_merged_object_ids"] == f"{one};{two}"
    assert told["properties"]["dealname"]
    ids = {row["id"] for row in listed(client, "deals")}
    assert made in ids and not {one, two} & ids


def test_associations_are_the_same_from_both_ends(make: Make) -> None:
    sandbox, client = make(records=1000)
    contacts = [row["id"] for row in listed(client, "contacts")]
    url = "/crm/v4/associations/contacts/companies/batch/read"
    body = {"inputs": [{"id": i} for i in contacts]}
    forward = {
        (row["from"]["id"], end["toObjectId"])
        for row in client.post(url, json=body).json()["results"]
        for end in row["to"]
    }
    backward = set()
    pages = 0
    inputs = [{"id": row["id"]} for row in listed(client, "companies")]
    while inputs:
        pages += 1
        url = "/crm/v4/associations/companies/contacts/batch/read"
        answer = client.post(url, json={"inputs": inputs}).json()
        inputs = []
        for row in answer["results"]:
            backward |= {(end["toObjectId"], row["from"]["id"]) for end in row["to"]}
            if "paging" in row:
                inputs.append({"id": row["from"]["id"], "after": row["paging"]["next"]["after"]})
    assert pages == 2  # one company has more than 500 contacts
    assert forward == backward
    assert sandbox.stats()["peak_concurrency"] == 1


# search


def test_a_keyset_walk_passes_equal_timestamps(make: Make) -> None:
    sandbox, client = make(records=2000)
    window = [
        where("lastmodifieddate", "GTE", BULK_MS),
        where("lastmodifieddate", "LT", BULK_MS + 1),
    ]
    found: list[str] = []
    last = "0"
    while True:
        filters = [*window, where("hs_object_id", "GT", last)]
        page = search(client, filters=filters, sorts=["hs_object_id"]).json()
        if not page["results"]:
            break
        assert page["total"] == len(page["results"]) or len(page["results"]) == 200
        found += [row["id"] for row in page["results"]]
        last = found[-1]
    expected = [
        row["id"]
        for row in sandbox.hubspot.dump("contacts")
        if row["updatedAt"] == "2026-03-15T08:30:00.000Z"
    ]
    assert found == expected and len(found) > 400


def test_search_ends_at_ten_thousand(make: Make) -> None:
    _, client = make(records=10_300)
    page = search(client, after="9800").json()
    assert page["total"] == 10_300 and page["paging"]["next"]["after"] == "10000"
    beyond = search(client, after="10000")
    assert beyond.status_code == 400 and beyond.json()["category"] == "VALIDATION_ERROR"


OPERATORS = [
    (where("favorite_color", "EQ", "teal"), lambda p: p["favorite_color"] == "teal"),
    (where("favorite_color", "NEQ", "teal"), lambda p: p["favorite_color"] != "teal"),
    (where("loyalty_points", "LT", 900),
     lambda p: p["loyalty_points"] and int(p["loyalty_points"]) < 900),
    (where("loyalty_points", "GTE", 9000), lambda p: int(p["loyalty_points"] or 0) >= 9000),
    (where("loyalty_points", "BETWEEN", 90, highValue="1000"),
     lambda p: p["loyalty_points"] and 90 <= int(p["loyalty_points"]) <= 1000),
    (where("country", "IN", values=["japan", "poland"]),
     lambda p: p["country"] in ("Japan", "Poland")),
    (where("country", "NOT_IN", values=["japan"]), lambda p: p["country"] != "Japan"),
    (where("city", "HAS_PROPERTY"), lambda p: p["city"] is not None),
    (where("city", "NOT_HAS_PROPERTY"), lambda p: p["city"] is None),
    (where("email", "CONTAINS_TOKEN", "*@example.org"),
     lambda p: p["email"].endswith("@example.org")),
    (where("email", "NOT_CONTAINS_TOKEN", "*@example.org"),
     lambda p: not p["email"].endswith("@example.org")),
    (where("renewal_date", "GT", "2026-01-01"), lambda p: (p["renewal_date"] or "") > "2026-01-01"),
    (where("renewal_date", "LTE", "1767225600000"),
     lambda p: (p["renewal_date"] or "9") <= "2026-01-01"),
    (where("createdate", "LT", "2025-06-01T00:00:00Z"), lambda p: p["createdate"] < "2025-06-01"),
    (where("hs_object_id", "GT", 2**53), lambda p: int(p["hs_object_id"]) > 2**53),
    (where("lastmodifieddate", "BETWEEN", BULK_MS, highValue=str(BULK_MS)),
     lambda p: p["lastmodifieddate"] == "2026-03-15T08:30:00.000Z"),
]  # fmt: skip


@pytest.fixture(scope="module")
def quiet() -> Any:
    """An account nobody writes to."""
    with Sandbox(records=300, seed=2, quota="none") as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.token()}"}
        with httpx.Client(base_url=sandbox.base_url(), headers=headers, trust_env=False) as client:
            yield sandbox, client


@pytest.mark.parametrize(("filter_", "expected"), OPERATORS)
def test_operators(quiet: Any, filter_: dict[str, Any], expected: Callable[[Any], Any]) -> None:
    sandbox, client = quiet
    want = [r["id"] for r in sandbox.hubspot.dump("contacts") if expected(r["properties"])]
    page = search(client, filters=[filter_]).json()
    assert [row["id"] for row in page["results"]] == want[:200]
    assert page["total"] == len(want) and want


def test_groups_are_alternatives_and_sorts_sort(quiet: Any) -> None:
    _, client = quiet
    groups = [{"filters": [where("vip", "EQ", v)]} for v in ("true", "false")]
    both = search(client, filterGroups=groups, properties=["vip"]).json()
    alone = [search(client, filters=g["filters"]).json()["total"] for g in groups]
    assert both["total"] == sum(alone)
    sort = [{"propertyName": "loyalty_points", "direction": "DESCENDING"}]
    rows = search(client, sorts=sort, properties=["loyalty_points"]).json()["results"]
    points = [int(row["properties"]["loyalty_points"] or -1) for row in rows]
    assert points == sorted(points, reverse=True)
    times = [r["updatedAt"] for r in search(client, sorts=["-lastmodifieddate"]).json()["results"]]
    assert times == sorted(times, reverse=True)
    hit = search(client, query="ZOE.", limit=5).json()
    assert hit["total"] and all("zoe." in r["properties"]["email"] for r in hit["results"])


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": -1},
        {"after": "x"},
        {"filterGroups": [{"filters": []}] * 6},
        {"filters": [where("vip", "HAS_PROPERTY")] * 7},
        {"filterGroups": [{"filters": [where("vip", "HAS_PROPERTY")] * 5}] * 4},
        {"sorts": ["email", "createdate"]},
        {"filters": [where("vip", "LIKE", "x")]},
        {"filters": [where("loyalty_points", "GT", "many")]},
        {"filters": [where("vip", "IN")]},
        {"query": "x" * 3001},
        {"filterGroups": "x"},
    ],
)
def test_searches_that_are_refused(quiet: Any, body: dict[str, Any]) -> None:
    answer = search(quiet[1], **body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_search_lags_behind_writes(make: Make) -> None:
    now = [1_800_000_000.0]
    sandbox, client = make(clock=lambda: now[0], search_lag=10.0)
    old = listed(client, "contacts")[0]
    sandbox.hubspot.update("contacts", old["id"], {"city": "Lagos"})
    made = sandbox.hubspot.create("contacts", {"city": "Lagos"})
    fresh = [where("lastmodifieddate", "GTE", 1_800_000_000_000)]
    assert search(client, filters=fresh).json()["total"] == 0
    assert search(client, filters=[where("city", "EQ", "lagos")]).json()["total"] == 0
    stale = search(client, filters=[where("hs_object_id", "EQ", old["id"])]).json()["results"][0]
    assert stale["updatedAt"] == old["updatedAt"]
    now[0] += 11
    assert {r["id"] for r in search(client, filters=fresh).json()["results"]} == {old["id"], made}
    assert search(client, filters=[where("city", "EQ", "lagos")]).json()["total"] == 2


# drift


def test_properties_come_and_go(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.hubspot.add_property("contacts", "shoe_size", "number", "number")
    made = sandbox.hubspot.create("contacts", {"shoe_size": "44"})
    url = f"/crm/v3/objects/contacts/{made}"
    query = {"properties": "shoe_size"}
    assert client.get(url, params=query).json()["properties"]["shoe_size"] == "44"
    sandbox.hubspot.retype_property("contacts", "shoe_size", "string")
    found = client.get("/crm/v3/properties/contacts/shoe_size").json()
    assert found["type"] == "string"
    sandbox.hubspot.remove_property("contacts", "shoe_size")
    assert "shoe_size" not in client.get(url, params=query).json()["properties"]
