"""How a credential stays good: one refresh for everyone, and nothing lost on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import BadReplyError, CredentialError, UnavailableError
from lumio_cli.core.locks import FileLock
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.transport.auth import Authenticator
from lumio_cli.transport.wire_errors import WireError
from support.clock import START, FakeClock

from .acme import REFRESH, SECRET, TOKEN, Acme, Vault, together
from .server import http, raw_server

LOST = WireError("read_timeout", "no answer", sent=True)


def oauth(left: float | None = 3600.0, **changes: Any) -> Credential:
    values: dict[str, Any] = {
        "kind": "oauth",
        "token": TOKEN,
        "refresh": REFRESH,
        "expires_at": None if left is None else utc(START + left),
        "fields": {"client_id": "client-1", "client_secret": SECRET},
        **changes,
    }
    return Credential(**values)


def tokens(number: int = 1, **more: Any) -> Reply:
    body = {
        "access_token": f"new-access-token-{number}",
        "refresh_token": f"new-refresh-token-{number}",
        "expires_in": 1800,
        **more,
    }
    return Reply(200, {}, json.dumps(body).encode())


class Rig:
    def __init__(self, path: Path, credential: Credential, *answers: Reply | Exception, **of: Any):
        self.clock = FakeClock()
        self.vault = Vault(credential, **of)
        self.redactor = Redactor()
        self.answers = list(answers)
        self.posted: list[Call] = []
        self.path = path
        self.auth = self.another()

    def another(self) -> Authenticator:
        return Authenticator(
            Acme({}),
            self.vault,
            locks=self.path,
            clock=self.clock,
            stop=Stop(),
            redactor=self.redactor,
            post=self.post,
        )

    def post(self, call: Call) -> Reply:
        self.posted.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_good_credential_is_loaded_once_and_learned_by_the_redactor(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth())
    assert rig.auth.source == ""
    assert [rig.auth.current().token for _ in range(5)] == [TOKEN] * 5
    assert (rig.vault.loads, rig.posted) == (1, [])
    assert rig.auth.source == "the vault"
    assert rig.redactor.text(f"{TOKEN} {REFRESH} {SECRET}") == "*** *** ***"


def test_it_is_renewed_before_it_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=1800), tokens())
    rig.auth.current()
    rig.clock.advance(1800 - 180 - 1)
    assert rig.auth.current().token == TOKEN
    rig.clock.advance(1)
    assert rig.auth.current().token == "new-access-token-1"
    assert rig.posted[0].form is not None
    assert rig.posted[0].form["refresh_token"] == REFRESH
    assert not rig.posted[0].auth
    (saved,) = rig.vault.saved
    assert (saved.token, saved.refresh) == ("new-access-token-1", "new-refresh-token-1")
    assert saved.expires_at == utc(rig.clock.time()) + timedelta(seconds=1800)
    assert rig.redactor.text("new-refresh-token-1") == "***"


def test_a_short_life_is_renewed_a_minute_before_its_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=59), tokens())
    assert rig.auth.current().token == "new-access-token-1"


def test_the_successor_is_stored_before_it_is_used(tmp_path: Path) -> None:
    class Full(Vault):
        def save(self, provider: str, credential: Credential) -> None:
            raise OSError("disk full")

    rig = Rig(tmp_path, oauth(left=0), tokens())
    rig.vault = Full(rig.vault.credential)
    auth = rig.another()
    with pytest.raises(OSError, match="disk full"):
        auth.current()
    # The old refresh token is used up: asking again would end the login.
    assert auth.current().token == "new-access-token-1"
    assert len(rig.posted) == 1


def test_without_a_new_refresh_token_the_old_one_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=0), tokens(refresh_token=None))
    rig.auth.current()
    assert rig.vault.saved[0].refresh == REFRESH


def test_threads_renew_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=None), tokens())
    used = rig.auth.current()
    got: list[str] = []

    def work(_: int) -> None:
        newer = rig.auth.renew(used)
        assert newer is not None
        got.append(newer.token)

    together(8, work)
    assert got == ["new-access-token-1"] * 8
    assert len(rig.posted) == 1


def test_what_another_process_has_renewed_is_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=None))
    used = rig.auth.current()
    rig.vault.credential = oauth(token="from-elsewhere", refresh="next-refresh")
    newer = rig.auth.renew(used)
    assert newer is not None
    assert newer.token == "from-elsewhere"
    assert rig.posted == []


def test_a_token_that_an_operator_replaced_is_taken(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Credential("token", TOKEN))
    used = rig.auth.current()
    assert rig.auth.renew(used) is None
    rig.vault.credential = Credential("token", "replaced-token")
    newer = rig.auth.renew(used)
    assert newer is not None
    assert newer.token == "replaced-token"


def test_what_cannot_be_stored_is_not_renewed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=None), writable=False)
    assert rig.auth.renew(rig.auth.current()) is None
    assert rig.posted == []


def test_invalid_grant_ends_the_login_and_deletes_nothing(tmp_path: Path) -> None:
    refused = Reply(400, {}, b'{"error": "invalid_grant", "error_description": "used \\u001b[2J"}')
    rig = Rig(tmp_path, oauth(left=0), refused)
    with pytest.raises(CredentialError) as caught:
        rig.auth.current()
    assert caught.value.code == "login_expired"
    assert "lumio connect acme" in (caught.value.hint or "")
    assert "the vault" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert rig.vault.credential == oauth(left=0)
    assert len(rig.posted) == 1, "it is permanent: no second try"


def test_a_credential_that_is_only_tried_is_not_said_to_come_from_nowhere(tmp_path: Path) -> None:
    refused = Reply(400, {}, b'{"error": "invalid_client"}')
    rig = Rig(tmp_path, oauth(left=0), refused, source="")
    with pytest.raises(CredentialError) as caught:
        rig.auth.current()
    assert caught.value.message.endswith("(the credential given)")
    assert caught.value.hint == "check what was given: client_id, client_secret"


def test_a_provider_may_know_what_to_do_about_a_refused_login(tmp_path: Path) -> None:
    class Knows(Acme):
        def tokens(self, reply: Reply, **more: Any) -> Credential:
            raise CredentialError("no such app", hint="make the app")

    rig = Rig(tmp_path, oauth(left=0), Reply(400, {}, b"{}"))
    rig.auth._provider = Knows({})
    with pytest.raises(CredentialError, match="from the vault") as caught:
        rig.auth.current()
    assert caught.value.hint == "make the app"


@pytest.mark.parametrize("seconds", ["soon", -5, 0, [], True, None, "1e400", 10**400, 1e300])
def test_a_life_that_cannot_be_read_ends_no_login(tmp_path: Path, seconds: Any) -> None:
    rig = Rig(tmp_path, oauth(left=0), tokens(expires_in=seconds, scope=7))
    assert rig.auth.current().token == "new-access-token-1"
    (saved,) = rig.vault.saved
    assert saved.expires_at is None or saved.expires_at > utc(rig.clock.time() + 86_400 * 3000)
    assert saved.scopes is None


@pytest.mark.parametrize("token", [None, "", 7, {"value": "x"}])
def test_a_token_that_is_none_is_no_answer(tmp_path: Path, token: Any) -> None:
    rig = Rig(tmp_path, oauth(left=0), tokens(access_token=token))
    with pytest.raises(UnavailableError, match="without a token"):
        rig.auth.current()
    assert rig.vault.saved == []


@pytest.mark.parametrize(
    "first", [LOST, Reply(503, {}, b""), Reply(429, {"retry-after": "7"}, b"")]
)
def test_a_lost_answer_is_asked_for_once_more(tmp_path: Path, first: Reply | Exception) -> None:
    rig = Rig(tmp_path, oauth(left=0), first, tokens())
    assert rig.auth.current().token == "new-access-token-1"
    assert rig.clock.sleeps == [7.0 if isinstance(first, Reply) and first.headers else 1.0]


@pytest.mark.parametrize(
    "answer", [LOST, Reply(500, {}, b""), Reply(503, {"retry-after": "600"}, b"")]
)
def test_and_not_twice(tmp_path: Path, answer: Reply | Exception) -> None:
    rig = Rig(tmp_path, oauth(left=0), answer, answer, tokens())
    with pytest.raises(UnavailableError):
        rig.auth.current()
    assert len(rig.posted) == (1 if isinstance(answer, Reply) and answer.headers else 2)
    assert rig.vault.saved == []


def test_a_certificate_that_is_not_trusted_is_not_tried_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=0), WireError("tls", "not trusted", sent=False, hint="the CA"))
    with pytest.raises(UnavailableError, match="not trusted") as caught:
        rig.auth.current()
    assert caught.value.hint == "the CA"


def test_an_answer_that_holds_no_token(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=0), Reply(200, {}, b"<html>"))
    with pytest.raises(UnavailableError, match="not JSON") as caught:
        rig.auth.current()
    assert not isinstance(caught.value, BadReplyError)


def test_a_token_that_is_still_good_is_used_while_it_cannot_be_renewed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=50), LOST, LOST, LOST, LOST, tokens())
    assert rig.auth.current().token == TOKEN
    assert rig.auth.current().token == TOKEN
    assert len(rig.posted) == 2, "not with every request"
    rig.clock.advance(60)
    with pytest.raises(UnavailableError):
        rig.auth.current()
    assert rig.auth.current().token == "new-access-token-1"


def test_a_lock_that_is_held_too_long(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth(left=None))
    used = rig.auth.current()
    with FileLock(tmp_path / "credential-acme.lock"), pytest.raises(UnavailableError, match="60 s"):
        rig.auth.renew(used)


def test_without_a_credential(tmp_path: Path) -> None:
    rig = Rig(tmp_path, oauth())
    rig.vault.credential = None
    with pytest.raises(CredentialError) as caught:
        rig.auth.current()
    assert caught.value.code == "credential_missing"


def test_two_processes_send_one_token_request(tmp_path: Path) -> None:
    """Real processes, real sockets, and a refresh token that works once."""
    forms: list[dict[str, list[str]]] = []
    seen: list[bytes] = []

    def answer(data: bytes, number: int) -> bytes:
        head, _, body = data.partition(b"\r\n\r\n")
        if b"POST /oauth/token" in head:
            form = parse_qs(body.decode())
            forms.append(form)
            time.sleep(0.3)
            if form["refresh_token"] != [REFRESH]:
                return http(b'{"error": "invalid_grant"}', "400 Bad Request")
            return http(tokens(number).body)
        seen.append(head)
        token = head.lower().partition(b"bearer ")[2].split(b"\r\n")[0].decode()
        if token == TOKEN:
            return http(b"{}", "401 Unauthorized")
        return http(json.dumps({"token": token}).encode())

    (tmp_path / "credential.json").write_text(
        json.dumps(
            {
                "kind": "oauth",
                "token": TOKEN,
                "refresh": REFRESH,
                "ends": None,
                "scopes": None,
                "fields": {"client_id": "c", "client_secret": SECRET},
            }
        )
    )
    tests = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(tests)}
    with raw_server(answer) as base:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "transport.refresher", base, str(tmp_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**environment, "LUMIO_TEST_PROCESS": str(n)},
                cwd=tests,
            )
            for n in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        results = [process.communicate(timeout=30) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    assert len(forms) == 1
    used = {out.strip() for out, _ in results}
    assert len(used) == 1
    assert used.pop().startswith("new-access-token-")
    assert json.loads((tmp_path / "credential.json").read_text())["refresh"].startswith("new-")
