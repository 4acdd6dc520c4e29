"""What operators suffer from: credentials, quotas, and tools that scripts cannot use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lumio_cli.core.clock import SystemClock, parse_time
from lumio_cli.core.paths import find_paths
from lumio_cli.core.redact import Redactor
from lumio_cli.credentials import CredentialSettings, CredentialStore
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.sandbox.hubspot.auth import CLIENT_ID, CLIENT_SECRET, Grant
from lumio_cli.sandbox.hubspot.tokens import ALL_SCOPES
from support.lab import VAULT_KEY, Lab
from support.trials import (
    LIFTED,
    LIST,
    Hands,
    MakeLab,
    asked,
    contents,
    listed,
    told,
    told_people,
)

KEYRING = """
import os, time
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    "Hangs for ever, like a locked collection that waits for a password nobody can type."
    priority = 10

    def get_password(self, service, username):
        open(os.environ["TOUCHED"], "w").close()
        time.sleep(3600)

    set_password = delete_password = get_password
"""


@pytest.fixture
def hanging(tmp_path: Path) -> dict[str, str | None]:
    """The environment of a machine whose keyring never answers."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "hanging_keyring.py").write_text(KEYRING)
    return {
        "PYTHON_KEYRING_BACKEND": "hanging_keyring.Keyring",
        "PYTHONPATH": str(modules),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        "TOUCHED": str(tmp_path / "touched"),
        "HOME": str(tmp_path),
    }


def test_pain_01_a_keyring_is_not_touched_while_the_environment_has_the_token(
    lab: Lab, hanging: dict[str, str | None]
) -> None:
    for argv in (["status"], ["sync"], ["sync", "hubspot/contacts"]):  # at first without a hub
        run = lab.spawn(*argv, "-o", "json", environ=hanging)
        out, err = run.communicate(timeout=60)
        assert (run.returncode, err) == (0, ""), out
        assert not Path(str(hanging["TOUCHED"])).exists()


def test_pain_01_a_keyring_that_hangs_is_given_up_with_a_way_out(
    lab: Lab, hanging: dict[str, str | None]
) -> None:
    environ = {
        **hanging,
        "LUMIO_HUBSPOT_TOKEN": None,
        "LUMIO_CREDENTIALS__KEYRING_TIMEOUT": "0.3",
    }
    run = lab.spawn("sync", "hubspot/contacts", "-o", "json", environ=environ)
    out, err = run.communicate(timeout=60)  # the stuck thread does not hold the exit up
    assert Path(str(hanging["TOUCHED"])).exists(), "the keyring was really asked"
    assert (run.returncode, err) == (4, "")
    error = json.loads(out)["resources"][0]["error"]
    assert error["code"] == "keyring_timeout"
    assert "LUMIO_HUBSPOT_TOKEN" in error["hint"]


def test_pain_02_processes_that_find_an_old_token_refresh_it_once(lab: Lab) -> None:
    vault = lab.sandbox.hubspot.vault
    grant = Grant(ALL_SCOPES, "http://localhost:18921/callback", None, "plain")
    vault.refreshes["na1-refresh-canary"] = grant
    old = vault.issue(grant.scopes, "na1-refresh-canary", 7200)
    environ = {
        "LUMIO_HUBSPOT_TOKEN": None,
        "LUMIO_VAULT_KEY": VAULT_KEY,
        "LUMIO_HOME": str(lab.home),
    }
    store = CredentialStore(
        find_paths("default", {"LUMIO_HOME": str(lab.home)}),
        {"LUMIO_VAULT_KEY": VAULT_KEY},
        CredentialSettings(store="vault"),
        Redactor(),
    )
    store.save(
        "hubspot",
        Credential(
            "oauth",
            old.value,
            "na1-refresh-canary",
            datetime.now(UTC) - timedelta(hours=1),
            grant.scopes,
            {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        ),
    )
    lab.sandbox.faults.set(["latency:300:path=/oauth/v3/token"])
    kinds = ("contacts", "deals", "tickets")
    runs = [lab.spawn("sync", f"hubspot/{kind}", "-o", "json", environ=environ) for kind in kinds]
    for run in runs:
        out, _ = run.communicate(timeout=60)
        assert run.returncode == 0, out
    assert asked(lab, "/oauth/v3/token", "POST") == 1, "one refreshed, the others took its token"
    for kind in kinds:
        assert lab.differences(kind) == []


# -- 11 to 14: secrets and files

SECRET = "pat-na1-0badcafe-0000-4000-8000-00000000beef"


@pytest.mark.parametrize("output", ["json", "table", "tsv"])
@pytest.mark.parametrize("verbose", ["-q", "-vv"])
def test_pain_11_a_verbose_error_does_not_show_the_token(
    lab: Lab, output: str, verbose: str
) -> None:
    # The provider repeats the token in its error, and a proxy would log it.
    lab.token = SECRET
    lab.sandbox.hubspot.vault.add("canary", SECRET, frozenset(ALL_SCOPES))
    lab.sandbox.hubspot.handle = _echo(lab)  # type: ignore[method-assign]
    run = lab.spawn("sync", "hubspot/contacts", "-o", output, verbose)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "you sent" in out + err
    assert SECRET not in out + err
    for path in lab.home.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def _echo(lab: Lab):  # type: ignore[no-untyped-def]
    from lumio_cli.sandbox.http import Request, Response

    handle = lab.sandbox.hubspot.handle

    def answer(request: Request) -> Response:
        if request.path != LIST:
            return handle(request)
        token = request.headers["authorization"]
        return Response.of_json({"message": f"you sent {token}", "category": "ECHO"}, 400)

    return answer


def test_pain_12_what_support_gets_is_redacted_like_everything_else(lab: Lab) -> None:
    """The debug log holds whole answers: the same redactor that guards the screen guards it."""
    from lumio_cli.transport.runtime_db.store import RuntimeStore

    lab.token = SECRET
    lab.sandbox.hubspot.vault.add("canary", SECRET, frozenset(ALL_SCOPES))
    lab.sandbox.hubspot.handle = _echo(lab)  # type: ignore[method-assign]
    store = RuntimeStore(lab.home / "runtime.db", clock=SystemClock())
    store.set_flag("debug:hubspot", "verbose")
    assert lab.lumio("sync", "hubspot/contacts").code == 1
    store.close()
    seen = b"".join(path.read_bytes() for path in lab.home.glob("runtime.db*"))
    assert b"you sent" in seen, "the answer is in the log"
    assert SECRET.encode() not in seen


def test_pain_13_a_secret_on_the_command_line_is_refused_and_not_repeated(lab: Lab) -> None:
    for argv in (("connect", "hubspot", SECRET), ("connect", "hubspot", f"--token={SECRET}")):
        for output in ("json", "table"):
            outcome = lab.lumio(*argv, "-o", output)
            assert outcome.code == 2
            assert SECRET not in outcome.out + outcome.err
            assert "--token-stdin" in outcome.out + outcome.err


def test_pain_13_the_source_of_the_credential_is_always_named(lab: Lab) -> None:
    file = lab.home / "token"
    file.write_text(SECRET)
    file.chmod(0o600)
    for environ, source in (
        ({}, "LUMIO_HUBSPOT_TOKEN"),
        ({"LUMIO_HUBSPOT_TOKEN": None, "LUMIO_HUBSPOT_TOKEN_FILE": str(file)}, str(file)),
    ):
        document = lab.lumio("status", "hubspot", environ=environ).document
        assert source in document["providers"][0]["credential"]["source"]
    outcome = lab.lumio("sync", "hubspot", environ={"LUMIO_HUBSPOT_TOKEN": SECRET})
    assert "from LUMIO_HUBSPOT_TOKEN" in told(outcome)["message"]


def test_pain_14_the_configuration_is_never_written(lab: Lab) -> None:
    config = lab.home / "config.yaml"
    config.write_text("# mine\nsync:\n  max_wait:   5   # with my spaces\n")
    config.chmod(0o400)
    before = config.read_bytes(), config.stat().st_mtime_ns, config.stat().st_ino
    for argv in (["sync"], ["sync", "--mode", "full"], ["preview"], ["status"], ["config", "show"]):
        assert lab.lumio(*argv).code == 0
    assert (config.read_bytes(), config.stat().st_mtime_ns, config.stat().st_ino) == before
    assert [p.name for p in lab.home.glob("config*")] == ["config.yaml"], "nor copied"


# -- 15 and 16: quotas


def test_pain_15_retry_after_is_obeyed_in_full(lab: Lab) -> None:
    lab.sandbox.faults.set([f"429:1:path={LIST}:times=1"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.code == 0
    assert outcome.resource("contacts")["retries"] == 1
    moments = [(t, status) for t, m, p, status in lab.sandbox.requests if p.endswith(LIST)]
    refused = next(t for t, status in moments if status == 429)
    following = min(t for t, status in moments if status == 200)
    assert following - refused >= 1.0


@pytest.mark.parametrize("first_time", [False, True])
def test_pain_15_a_429_holds_every_other_run_of_the_machine(lab: Lab, first_time: bool) -> None:
    if not first_time:
        assert lab.lumio("sync", "hubspot/contacts").code == 0
    lab.sandbox.faults.set([f"429:600:path={LIST}:times=1"])
    full = ("--mode", "full", "--max-wait", "1")
    first = lab.lumio("sync", "hubspot/contacts", *full)
    assert (first.code, told(first)["code"]) == (5, "quota_exhausted")
    assert "run it again after 20" in told(first)["hint"]
    before = asked(lab, "/crm/objects/2026-03/deals")
    run = lab.spawn("sync", "hubspot/deals", *full, "-o", "json")
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 5
    assert json.loads(out)["resources"][0]["error"]["code"] == "quota_exhausted"
    assert asked(lab, "/crm/objects/2026-03/deals") == before, "no process asks before its time"
    again = len(lab.sandbox.requests)
    assert lab.lumio("sync", "hubspot/contacts", *full).code == 5
    assert len(lab.sandbox.requests) == again


def test_pain_15_a_storm_of_429s_is_met_with_patience_and_not_with_a_storm(
    make_lab: MakeLab,
) -> None:
    """The look-alike's real windows, and ours told twice of what there is: it refuses, we hold."""
    lab = make_lab(records=350, quota="burst=100000,search=100000")
    lab.sandbox.faults.set([f"429:0.2:path={LIST}:every=2"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.code == 0
    refused = sum(1 for *_, status in lab.sandbox.requests if status == 429)
    assert refused >= 3
    assert outcome.resource("contacts")["retries"] == refused
    assert lab.differences("contacts") == []


def test_pain_16_a_used_up_day_stops_at_the_checkpoint_and_goes_on_tomorrow(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = time.time()
    day = Hands(begin)
    lab = make_lab(records=2500, quota="burst=100000,search=100000,daily=20", clock=day)
    assert lab.extra == LIFTED
    assert lab.lumio("sync", "hubspot/owners").code == 0
    pages = listed(lab)
    monkeypatch.setattr(SystemClock, "time", lambda _: time.time() - begin + day.now)
    first = lab.lumio("sync", "hubspot/contacts")
    error = told(first)
    assert first.code in (3, 5)
    assert (error["code"], error["exit_code"]) == ("quota_exhausted", 5)
    assert "daily" in error["message"]
    midnight = re.search(r"20\d\d-\d\d-\d\dT[\d:]+Z", f"{error['message']} {error['hint']}")
    assert midnight, "it says when to come back"
    assert 0 < parse_time(midnight[0]).timestamp() - begin <= 86_400
    kept = len(contents(lab))
    assert 0 < kept < 2500
    assert lab.sql("SELECT rows FROM lumio_checkpoints WHERE kind = 'full'") == [(kept,)]
    before = len(lab.sandbox.requests)
    same_day = lab.lumio("sync", "hubspot/contacts")
    assert (same_day.code, told(same_day)["code"]) == (5, "quota_exhausted")
    assert len(lab.sandbox.requests) == before, "what is used up is not asked again"
    day.forward(86_400)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    stored = [page for page in pages if pages.count(page) == 1]
    assert len(stored) >= 24, "but for the one that was refused, no page was listed twice"
    assert lab.differences("contacts") == []


# -- 25: scripts


def _script(lab: Lab, *argv: str, **environ: str) -> tuple[int, str]:
    """A command line with stderr in stdout and no terminal anywhere, as cron runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "lumio_cli", *argv],
        env={**lab.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("argv", "environ", "code"),
    [
        (("sync", "hubspot/contacts"), {}, 0),
        (("sync", "hubspot/contacts"), {"LUMIO_HUBSPOT_TOKEN": SECRET}, 4),
        (("sync", "hubspott"), {}, 2),
        (("sync",), {"LUMIO_SYNC__MAX_WAIT": "soon"}, 7),
        (("status",), {}, 0),
    ],
)
def test_pain_25_json_is_one_clean_document_even_with_stderr_in_it(
    lab: Lab, argv: tuple[str, ...], environ: dict[str, str], code: int
) -> None:
    returned, text = _script(lab, *argv, "-o", "json", **environ)
    assert returned == code
    document = json.loads(text)
    assert "\x1b" not in text
    if "error" in document:
        assert document["error"]["exit_code"] == code


def test_pain_25_nothing_is_asked_without_a_terminal(lab: Lab) -> None:
    """A locked vault would need a passphrase: a script gets an error, not a question."""
    environ = {"LUMIO_CREDENTIALS__STORE": "vault"}
    store = CredentialStore(
        find_paths("default", {"LUMIO_HOME": str(lab.home)}),
        {"LUMIO_VAULT_KEY": VAULT_KEY},
        CredentialSettings(store="vault"),
        Redactor(),
    )
    store.save("hubspot", Credential("token", lab.sandbox.token()))
    bare = {k: v for k, v in lab.environ.items() if k != "LUMIO_HUBSPOT_TOKEN"}
    done = subprocess.run(
        [sys.executable, "-m", "lumio_cli", "sync", "hubspot/contacts"],
        env={**bare, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,  # no /dev/tty either
    )
    assert done.returncode == 4
    assert "error: " in done.stderr
    assert "LUMIO_VAULT_KEY" in done.stderr
    assert "assphrase:" not in done.stdout + done.stderr


def test_pain_25_tables_without_a_terminal_are_tsv_with_whole_values(lab: Lab) -> None:
    code, text = _script(lab, "sync", "hubspot/contacts", "-q")
    assert code == 0
    head, row = (line.split("\t") for line in text.splitlines())
    assert head[0] == "target"
    assert dict(zip(head, row, strict=True))["target"] == "hubspot/contacts"
    assert dict(zip(head, row, strict=True))["created"] == "60"


def test_pain_25_errors_for_people_are_two_lines(lab: Lab) -> None:
    lab.token = SECRET
    message, hint = told_people(lab.lumio("sync", "hubspot", "-q", "-o", "table"))
    assert message.startswith("HubSpot refused the credential")
    assert hint


def test_pain_25_a_reader_that_goes_away_is_no_traceback(lab: Lab) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "lumio_cli", "sync", "hubspot/contacts", "-q"],
        env=lab.environ,
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == ""
    assert lab.sql("SELECT status FROM lumio_runs") == [("succeeded",)]
    assert parse_time(lab.sql("SELECT finished_at FROM lumio_runs")[0][0])
