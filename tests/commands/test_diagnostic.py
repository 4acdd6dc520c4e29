"""`lumio diagnostic` as operators and scripts use it, against the look-alike."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.app import run
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.runs import DeadLetter, add_dead_letters
from lumio_cli.sandbox import Sandbox
from support.cli import Stream, lumio
from support.lab import Lab

PROVIDER = (
    "credential", "dns", "connection", "tls", "clock_skew", "authentication", "scopes", "quota",
    "circuit", "last_runs", "dead_letters", "drift", "deletions",
)  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    extra = {"LUMIO_CREDENTIALS__STORE": "vault", "LANG": "C.UTF-8"}
    with Sandbox(records=20) as sandbox:
        yield Lab(tmp_path / "home", sandbox, extra=extra)


def checks(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    entry = next(p for p in document["providers"] if p["provider"] == "hubspot")
    return {check["name"]: check for check in entry["checks"]}


def test_the_document_is_the_contract_s(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot").code == 0
    done = lab.lumio("diagnostic")
    document = done.document
    assert (done.code, done.err) == (0, "")
    assert {"generated_at", "version", "environment", "checks", "providers"} <= document.keys()
    assert datetime.fromisoformat(document["generated_at"]).tzinfo is not None
    every = [*document["checks"], *document["providers"][0]["checks"]]
    for check in every:
        assert {"name", "status", "detail", "hint", "duration_ms"} <= check.keys()
        assert check["status"] in ("pass", "warn", "fail", "skip")
        assert check["duration_ms"] >= 0
        assert (check["hint"] is not None) == (check["status"] in ("warn", "fail")), check
    assert tuple(checks(document)) == PROVIDER
    assert document["summary"]["fail"] == document["summary"]["warn"] == 0
    assert sum(document["summary"].values()) == len(every)
    assert lab.lumio("diagnostic", "--exit-code").code == 0


def test_what_it_finds_where_all_is_well(lab: Lab) -> None:
    lab.lumio("sync", "hubspot")
    found = checks(lab.lumio("diagnostic", "hubspot").document)
    portal = str(lab.sandbox.ready()["providers"]["hubspot"]["portal_id"])
    assert "LUMIO_HUBSPOT_TOKEN" in found["credential"]["detail"]
    assert portal in found["authentication"]["detail"]
    assert "the account that the hub holds" in found["authentication"]["detail"]
    assert found["tls"]["status"] == "skip"
    assert "plain http" in found["tls"]["detail"]
    levels = {level["quota"]: level for level in found["quota"]["facts"]["levels"]}
    assert levels["burst"]["provider_remaining"] is not None
    assert found["circuit"]["detail"] == "closed"
    resources = found["last_runs"]["facts"]["resources"]
    assert {r["status"] for r in resources} == {"succeeded"}
    assert len(resources) == 8


def test_it_writes_nothing_to_the_hub(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    before = "\n".join(map(str, lab.sql("SELECT * FROM lumio_accounts, lumio_counter")))
    lab.lumio("diagnostic")
    assert "\n".join(map(str, lab.sql("SELECT * FROM lumio_accounts, lumio_counter"))) == before
    assert len(lab.sql("SELECT * FROM lumio_runs")) == 1


def test_without_a_hub_it_makes_none(lab: Lab) -> None:
    found = checks(lab.lumio("diagnostic").document)
    assert "holds no account yet" in found["authentication"]["detail"]
    assert not lab.hub_path.exists()


def test_offline_makes_no_request(lab: Lab) -> None:
    found = checks(lab.lumio("diagnostic", "--offline").document)
    assert not lab.sandbox.requests
    skipped = {name for name, check in found.items() if check["status"] == "skip"}
    assert skipped == {"dns", "connection", "tls", "clock_skew", "authentication", "scopes"}
    assert "--offline" in found["authentication"]["detail"]


@pytest.mark.parametrize(
    ("fault", "words", "code"),
    [
        ("401:path=*details", "refused the credential from LUMIO_HUBSPOT_TOKEN", "refused"),
        ("403:path=*details", "does not permit", "scope_missing"),
        ("503:path=*details", "status 503", "unavailable"),
        ("429:path=*details", "quota", "quota"),
        ("html:path=*details", "not JSON", "bad_reply"),
        ("reset:path=*details", "broke the connection off", "unavailable"),
        ("foreign:path=*details", "redirect", "rejected"),
    ],
)
def test_a_provider_that_refuses_is_a_failure_with_a_way_out(
    lab: Lab, fault: str, words: str, code: str
) -> None:
    lab.sandbox.faults.set([fault])
    done = lab.lumio("diagnostic", "hubspot", "--exit-code")
    check = checks(done.document)["authentication"]
    assert done.code == 10
    assert check["status"] == "fail"
    assert words in check["detail"]
    assert code in check["facts"]["code"]
    assert check["hint"]
    # The others have run all the same.
    assert checks(done.document)["connection"]["status"] == "pass"
    assert checks(done.document)["deletions"]["status"] == "pass"


def test_a_refusal_is_asked_for_once_and_not_again(lab: Lab) -> None:
    lab.sandbox.faults.set(["503:path=*details"])
    lab.lumio("diagnostic", "hubspot")
    assert sum("details" in str(entry) for entry in lab.sandbox.requests) == 1


def test_a_wrong_token_is_not_shown(lab: Lab) -> None:
    lab.token = "pat-na1-99999999-8888-4777-8666-canary555555"
    done = lab.lumio("diagnostic", "hubspot")
    assert checks(done.document)["authentication"]["status"] == "fail"
    assert "canary" not in done.out + done.err


def test_a_clock_that_is_off_is_a_warning(lab: Lab) -> None:
    lab.sandbox.faults.set(["skew:120"])
    check = checks(lab.lumio("diagnostic").document)["clock_skew"]
    assert check["status"] == "warn"
    assert "behind the provider's" in check["detail"]
    assert abs(check["facts"]["seconds"] + 120) < 5
    lab.sandbox.faults.set(["skew:-10"])
    check = checks(lab.lumio("diagnostic").document)["clock_skew"]
    assert (check["status"], "ahead of" in check["detail"]) == ("pass", True)


def test_missing_scopes_are_told_by_resource(lab: Lab) -> None:
    lab.token = lab.sandbox.token("hubspot", "no_tickets")
    check = checks(lab.lumio("diagnostic").document)["scopes"]
    assert check["status"] == "warn"
    assert "tickets" in check["facts"]["missing"]
    assert "lumio connect hubspot" in check["hint"]
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__RESOURCES"] = "contacts,deals"
    assert checks(lab.lumio("diagnostic").document)["scopes"]["status"] == "pass"


def test_another_account_than_the_hub_s_is_found(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    lab.sql("UPDATE lumio_accounts SET account_id = '1', account_name = 'Other'")
    check = checks(lab.lumio("diagnostic").document)["authentication"]
    assert check["status"] == "fail"
    assert "this hub holds Other (1)" in check["detail"]
    assert "--profile" in check["hint"]


def test_what_the_hub_knows_of_trouble(lab: Lab) -> None:
    lab.lumio("sync", "hubspot")
    letter = DeadLetter("hubspot", "contacts", "7", "no_id", "the record has no id")
    with Hub.open(lab.hub_path) as hub, hub.transaction() as db:
        add_dead_letters(db, [letter], "run", "2026-01-01T00:00:00Z")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lab.sql(
        "INSERT INTO lumio_drift (run_id, at, provider, resource, field, change)"
        " VALUES ('r', ?, 'hubspot', 'deals', 'amount', 'vanished')",
        now,
    )
    lab.sql(
        "UPDATE lumio_resources SET warning = 'more than --max-delete 10 %'"
        " WHERE resource = 'deals'"
    )
    lab.sql(
        "UPDATE lumio_run_resources SET status = 'failed', error = ? WHERE resource = 'tickets'",
        json.dumps({"message": "no tickets today", "hint": "wait"}),
    )
    found = checks(lab.lumio("diagnostic").document)
    assert {n: found[n]["status"] for n in ("dead_letters", "drift", "deletions")} == dict.fromkeys(
        ("dead_letters", "drift", "deletions"), "warn"
    )
    assert "1 contacts" in found["dead_letters"]["detail"]
    assert "deals.amount vanished" in found["drift"]["detail"]
    assert "--max-delete 100" in found["deletions"]["hint"]
    assert found["last_runs"]["status"] == "fail"
    assert "tickets failed: no tickets today" in found["last_runs"]["detail"]
    assert found["last_runs"]["hint"] == "wait"


def test_a_sync_that_stopped_happening_is_found(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    old = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lab.sql("UPDATE lumio_resources SET synced_at = ?", old)
    check = checks(lab.lumio("diagnostic").document)["last_runs"]
    assert (check["status"], "30 d ago" in check["detail"]) == ("warn", True)


def test_an_unknown_provider_is_wrong_usage(tmp_path: Path) -> None:
    done = lumio("diagnostic", "hubspto", home=tmp_path)
    assert done.code == 2
    assert "did you mean 'hubspot'?" in done.err
    assert not (tmp_path / "runtime.db").exists()


def test_findings_end_with_10_only_when_asked(tmp_path: Path) -> None:
    env = {"LUMIO_CREDENTIALS__STORE": "vault"}
    assert lumio("diagnostic", home=tmp_path, env=env).code == 0
    assert lumio("diagnostic", "--exit-code", home=tmp_path, env=env).code == 10


def test_a_broken_configuration_is_reported_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("nonsense: [1\n")
    done = lumio("diagnostic", "-o", "json", home=tmp_path)
    assert done.code == 0
    by_name = {check["name"]: check for check in done.json["checks"]}
    assert by_name["configuration"]["status"] == "fail"
    assert "config.yaml" in by_name["configuration"]["detail"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_people_read_one_line_a_check_that_fits(lab: Lab, width: int) -> None:
    lab.sandbox.faults.set(["401:path=*details"])
    out = Stream(terminal=True)
    environ = {**lab.environ, "COLUMNS": str(width), "NO_COLOR": "1"}
    code = run(
        ["diagnostic", "hubspot"],
        environ=environ,
        stdin=Stream(),
        stdout=out,
        stderr=io.StringIO(),
    )
    text = out.getvalue()
    lines = text.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= width or width == 40
    assert lines[0] == "general"
    assert "hubspot" in lines
    heads = [line for line in lines if line[:3].strip() in ("✓", "!", "✗", "-")]
    assert len(heads) == 14 + len(PROVIDER)
    assert text.count("hint:") == 3
    assert lines[-1].startswith("1 problem, ")


def test_programs_get_one_table(lab: Lab) -> None:
    done = lab.lumio("diagnostic", "-o", "tsv")
    header, *rows = [line.split("\t") for line in done.out.splitlines()]
    assert header == ["provider", "name", "status", "detail", "hint", "duration_ms"]
    assert [row[1] for row in rows if row[0] == "hubspot"] == list(PROVIDER)


def test_in_the_sandbox_all_is_well(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = lumio("diagnostic", "--sandbox", "-o", "json", home=home)
    assert done.code == 0
    assert checks(done.json)["authentication"]["status"] == "pass"
    assert done.json["environment"]["profile"] == "sandbox"


def test_a_bundle_of_a_real_profile_has_no_token(lab: Lab, tmp_path: Path) -> None:
    lab.lumio("debug", "hubspot", "on", "--level", "verbose")
    lab.lumio("sync", "hubspot")
    target = tmp_path / "support.zip"
    done = lab.lumio("diagnostic", "--bundle", str(target), "--include-payloads")
    assert done.code == 0
    about = done.document["bundle"]
    data = target.read_bytes()
    assert (about["path"], about["bytes"]) == (str(target), len(data))
    assert about["sha256"] == hashlib.sha256(data).hexdigest()
    token = lab.sandbox.token("hubspot")
    with zipfile.ZipFile(target) as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    assert len(members) > 10
    for name, text in members.items():
        assert token not in text, name
        assert token.split("-", 2)[2] not in text, name
    assert "response_body" in members["payloads/http_log.jsonl"]
    assert "CREATE VIEW" in members["schema.sql"]
    assert json.loads(members["resources.json"])[0]["records"] == 20
    assert token not in done.out + done.err


def test_people_are_told_to_read_a_bundle(lab: Lab, tmp_path: Path) -> None:
    for form, number in (("table", 1), ("tsv", 2)):
        target = tmp_path / f"b{number}.zip"
        done = lab.lumio("diagnostic", "--offline", "--bundle", str(target), "-o", form)
        text = done.out if form == "table" else done.err
        assert str(target) in text
        assert "sha256" in text
        assert "read it before you send it" in text


def test_a_bundle_overwrites_nothing_and_asks_nothing_before(lab: Lab, tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    target.write_text("mine")
    done = lab.lumio("diagnostic", "--bundle", str(target))
    assert done.code == 2
    assert "not overwritten" in done.document["error"]["message"]
    assert target.read_text() == "mine"
    assert not lab.sandbox.requests
    assert lab.lumio("diagnostic", "--include-payloads").code == 2
