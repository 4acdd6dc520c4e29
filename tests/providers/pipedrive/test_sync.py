"""Pipedrive through lumio's command line: what only this provider has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lumio_cli.providers.contract.auth import Credential, exchange_call
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.pipedrive import Pipedrive
from lumio_cli.services.connections.sessions import open_for
from providers.pipedrive_subjects import SUBJECTS, account
from support.conformance import Rig, rig

SUBJECT = {s.resource: s for s in SUBJECTS}
Open = Callable[..., Rig]


@pytest.fixture
def open_lab(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def build(resource: str = "deals", records: int = 6, **options: Any) -> Rig:
            return stack.enter_context(rig(SUBJECT[resource], tmp_path, records, **options))

        yield build


@pytest.fixture
def lab(open_lab: Open) -> Rig:
    return open_lab()


def company(lab: Rig) -> Pipedrive:
    return account(lab.sandbox)


def hash_of(lab: Rig, kind: str, name: str) -> str:
    return next(f.code for f in company(lab).fields[kind] if f.custom and f.name == name)


# -- archived and deleted deals


def test_an_archived_deal_stays_and_says_so(lab: Rig) -> None:
    company(lab).archive("2")
    assert lab.sync()["created"] == 6
    lab.clock.forward(3600)
    company(lab).archive("4")
    entry = lab.sync()
    assert (entry["mode"], entry["updated"], entry["deleted"]) == ("incremental", 1, 0)
    rows = lab.sql("SELECT id FROM pipedrive_deals WHERE is_archived = 1 ORDER BY id")
    assert rows == [("2",), ("4",)]
    entry = lab.sync("--mode", "full")
    assert (entry["deleted"], entry["unchanged"]) == (0, 6)
    lab.must_be_equal()


def test_a_full_page_of_each_listing_is_walked_to_its_end(open_lab: Open) -> None:
    lab = open_lab(records=205)
    for number in range(1, 103):
        company(lab).archive(str(number))
    assert lab.sync()["created"] == 205
    lab.must_be_equal()


def test_a_deal_that_comes_back_is_there_again(lab: Rig) -> None:
    lab.sync()
    lab.clock.forward(3600)
    company(lab).tables["deals"].delete("3")
    assert lab.sync()["deleted"] == 1
    lab.clock.forward(3600)
    company(lab).tables["deals"].restore("3")
    lab.sync()
    lab.must_be_equal()


def test_no_second_deal_comes_of_undoing_a_deletion_that_pipedrive_took_back(lab: Rig) -> None:
    lab.sync()
    lab.sql("DELETE FROM pipedrive_deals WHERE id = '3'")
    pushed = lab.lumio("sync", "pipedrive/deals", "--direction", "push").document["run_id"]
    lab.clock.forward(3600)
    company(lab).tables["deals"].restore("3")
    undone = lab.lumio("runs", "undo", pushed, "--yes")
    assert (undone.code, undone.document["waiting"]) == (0, 0)
    lab.sync()
    assert len(lab.ids) == 6
    lab.must_be_equal()


def test_other_deletions_wait_for_a_full_sync(open_lab: Open) -> None:
    lab = open_lab("persons")
    lab.sync()
    lab.clock.forward(3600)
    company(lab).tables["persons"].delete("3")
    assert lab.sync()["deleted"] == 0
    assert lab.sync("--mode", "full", "--max-delete", "50")["deleted"] == 1
    lab.must_be_equal()


# -- custom fields


def test_custom_fields_are_columns_with_names(lab: Rig) -> None:
    code = hash_of(lab, "deals", "Commission")
    custom = company(lab).find("deals", "1")["custom_fields"]
    lab.sync()
    region, tags, commission, currency, until = lab.sql(
        "SELECT regiao_de_vendas, tags, commission, commission_currency, contract_period_until"
        " FROM pipedrive_deals WHERE id = '1'"
    )[0]
    assert region in ("Sul", "São Paulo", "海外", "N/A")
    assert '"label"' in tags
    assert (commission, currency) == (custom[code]["value"], "EUR")
    assert until.startswith("202")
    names = {row[1] for row in lab.sql("PRAGMA table_info(pipedrive_deals)")}
    twins = [f.code[:6] for f in company(lab).fields["deals"] if f.name == "Source"]
    assert {f"source_{twin}" for twin in twins} <= names
    assert {"status", f"status_{hash_of(lab, 'deals', 'Status')[:6]}"} <= names
    assert f"field_{hash_of(lab, 'deals', '契約番号')[:6]}" in names


def test_archived_deals_and_products_have_labels_too(lab: Rig, open_lab: Open) -> None:
    company(lab).archive("1")
    lab.sync()
    (label, labels) = lab.sql(
        "SELECT regiao_de_vendas, labels FROM pipedrive_deals WHERE id = '1'"
    )[0]
    assert label in ("Sul", "São Paulo", "海外", "N/A")
    assert labels is not None
    products = open_lab("products")
    products.sync()
    ((colour,),) = products.sql("SELECT colour FROM pipedrive_products WHERE id = '1'")
    assert colour in ("Red", "Größe „XL“")


def test_a_new_field_is_seen_with_the_first_record_that_has_it(lab: Rig) -> None:
    lab.sync()
    lab.clock.forward(3600)
    code = company(lab).add_field("deals", "Prioridade", "enum", ("Alta", "Baixa"))
    custom = company(lab).find("deals", "2")["custom_fields"]
    company(lab).tables["deals"].update("2", {"custom_fields": {**custom, code: 9_000}})
    entry = lab.sync()
    assert entry["mode"] == "incremental"
    assert lab.sql("SELECT prioridade FROM pipedrive_deals WHERE id = '2'") == [("Alta",)]


def test_all_resources_are_synced_together(lab: Rig) -> None:
    outcome = lab.lumio("sync", "pipedrive")
    assert outcome.code == 0, outcome.out
    counts = {r["resource"]: r["created"] for r in outcome.document["resources"]}
    assert counts == {
        "deals": 6,
        "persons": 6,
        "organizations": 6,
        "activities": 6,
        "products": 6,
        "pipelines": 2,
        "stages": 10,
        "users": 4,
    }
    joined = lab.sql(
        "SELECT count(*) FROM pipedrive_deals d JOIN pipedrive_stages s ON s.id = d.stage_id"
        " JOIN pipedrive_users u ON u.id = d.owner_id"
    )
    assert joined == [(6,)]


def test_a_token_that_may_read_deals_only_skips_the_others(lab: Rig) -> None:
    lab.token = lab.sandbox.token("pipedrive", "deals_only")
    outcome = lab.lumio("sync", "pipedrive")
    assert outcome.code == 3
    found = {r["resource"]: r["status"] for r in outcome.document["resources"]}
    assert found["deals"] == found["pipelines"] == "succeeded"
    assert found["persons"] == found["products"] == "skipped"


# -- limits


def test_a_day_that_is_used_up_ends_the_run_and_says_when_to_come_back(open_lab: Open) -> None:
    lab = open_lab(quota="daily=25", clock=time.time)
    outcome = lab.lumio("sync", "pipedrive/deals", "pipedrive/persons")
    assert outcome.code in (3, 5)
    errors = [r["error"] for r in outcome.document["resources"] if r["error"]]
    assert errors
    assert {e["code"] for e in errors} == {"quota_exhausted"}
    refused = lab.sandbox.violations
    again = lab.lumio("sync", "pipedrive/persons")
    assert again.code == 5
    assert lab.sandbox.violations == refused, "it was asked again on the same day"


def test_a_page_of_cloudflare_is_no_missing_permission(lab: Rig) -> None:
    lab.sync()
    patience = company(lab).patience
    for _ in range(patience.limit):
        patience.refused(lab.clock())
    outcome = lab.lumio("sync", "pipedrive/deals")
    entry = outcome.resource("deals")
    assert entry["error"]["code"] == "quota_exhausted"
    assert "Cloudflare" in entry["error"]["message"]
    assert lab.listings() == 2


# -- the login


def test_a_code_becomes_a_login_that_knows_its_host_and_can_be_renewed(lab: Rig) -> None:
    redirect = "http://localhost:18928/callback"
    query = {"client_id": CLIENT_ID, "redirect_uri": redirect, "state": "s"}
    page = f"{lab.sandbox.base_url('pipedrive')}/oauth/authorize"
    answer = httpx.get(page, params=query, trust_env=False)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    with lab.runtime() as runtime:
        provider = runtime.provider("pipedrive")
        send = open_for(runtime, provider).send
        assert provider.oauth is not None
        call = exchange_call(
            provider.oauth, code=code, redirect_uri=redirect, verifier="", client=client
        )
        now = datetime.fromtimestamp(lab.clock(), UTC)
        old = Credential("oauth", "", fields=client)
        login = provider.tokens(send(call), now=now, old=old)
        assert provider.locate(login) == "https://lumio-sandbox.pipedrive.com"
        assert {"deals:full", "base"} <= set(login.scopes or ())
        renewal = provider.renewal(login, now)
        assert renewal is not None
        renewed = provider.tokens(send(renewal), now=now, old=login)
    assert renewed.token != login.token
    assert (renewed.refresh, renewed.fields) == (login.refresh, login.fields)
