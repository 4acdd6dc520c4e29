"""Whose account it is, and where the credential goes: conformance of logins and hosts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from lumio_cli.core.paths import find_paths
from lumio_cli.core.redact import Redactor
from lumio_cli.credentials import CredentialSettings, CredentialStore
from lumio_cli.sandbox.http import Request, Response
from support.conformance import Rig, Subject, case, rig
from support.lab import VAULT_KEY, Outcome

WRONG = "wrong-credential-00000000000000000000"


@case(wide=True)
def check_connect(subject: Subject, home: Path) -> None:
    """`connect` proves the credential and says whose account it is, the same every time."""
    with rig(subject, home) as lab:
        found = []
        for _ in range(2):
            outcome = lab.lumio("connect", subject.provider)
            assert outcome.code == 0, outcome.out
            assert lab.sandbox.token(subject.provider) not in outcome.out + outcome.err, "leaked"
            found.append(outcome.document["account"])
            assert not outcome.document["missing_scopes"], "the full credential lacks a scope"
        assert found[0] == found[1], "whose account it is changes"
        assert found[0]["id"] and found[0]["name"], f"an account without a name: {found[0]}"
        assert lab.sync()["created"] == len(lab.ids)


@case(wide=True)
def check_wrong_credential(subject: Subject, home: Path) -> None:
    """A credential that is refused ends the run with 4, at once, and is not shown."""
    with rig(subject, home) as lab:
        lab.token = WRONG
        outcome = lab.lumio("sync", subject.target)
        _refused(outcome, subject)
        assert outcome.code == 4, f"exit code {outcome.code} instead of 4"
        assert len(lab.sandbox.requests) <= 2, "a wrong credential is tried again and again"


def _refused(outcome: Outcome, subject: Subject) -> None:
    """The subject's error is about the credential, which is not shown."""
    error = outcome.resource(subject.resource)["error"]
    assert error, "no error is told"
    assert error["exit_code"] == 4, f"the error is not about the credential: {error}"
    assert WRONG not in outcome.out + outcome.err, "the credential is shown"


@case("pages", wide=True)
def check_expired(subject: Subject, home: Path) -> None:
    """A credential that expires in the middle stops the run; with a new one it goes on."""
    size = subject.page()
    with rig(subject, home, size * 2 + 1) as lab:
        lab.sandbox.faults.set([f"expired:1:path={subject.listing}"])
        outcome = lab.lumio("sync", subject.target)
        _refused(outcome, subject)
        assert outcome.code == 4, f"exit code {outcome.code} instead of 4"
        assert len(lab.payloads) == size, "what came before is not kept"
        lab.token = subject.fresh(lab.sandbox)
        assert lab.sync()["created"] == size + 1, "it does not go on where it was"
        lab.must_be_equal()


def logged_in(lab: Rig) -> dict[str, str | None]:
    """A login in the vault instead of a token; the environment that has it."""
    subject = lab.subject
    assert subject.grant is not None
    environ = {"LUMIO_VAULT_KEY": VAULT_KEY, "LUMIO_HOME": str(lab.home)}
    store = CredentialStore(
        find_paths("default", environ), environ, CredentialSettings(store="vault"), Redactor()
    )
    store.save(subject.provider, subject.grant(lab.sandbox))
    return {f"LUMIO_{subject.provider.upper()}_TOKEN": None, "LUMIO_VAULT_KEY": VAULT_KEY}


@case("oauth", wide=True)
def check_refresh(subject: Subject, home: Path) -> None:
    """An access token that has expired is renewed by its refresh token, and the run succeeds."""
    with rig(subject, home, clock=time.time) as lab:
        outcome = lab.lumio("sync", subject.target, environ=logged_in(lab))
        assert outcome.code == 0, f"the token is not renewed: {outcome.out}"
        lab.must_be_equal()


@case()
def check_denied(subject: Subject, home: Path) -> None:
    """A permission that is missing skips the resource, without trying again, and is not green."""
    with rig(subject, home) as lab:
        lab.sandbox.faults.set([f"403:path={subject.listing}"])
        outcome = lab.lumio("sync", subject.target)
        entry = outcome.resource(subject.resource)
        assert entry["status"] == "skipped", f"not skipped but {entry['status']}: {entry['error']}"
        assert entry["error"]["code"] == "scope_missing", entry["error"]
        assert lab.listings() == 1, "what is not permitted is asked again"


# --- where the credential goes --------------------------------------------------------------


@contextmanager
def stranger() -> Iterator[tuple[str, list[str]]]:
    """A host that is not the provider's: its URL, and everything that it hears."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.requestline}\n{self.headers}")
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@case("pages")
def check_foreign_links(subject: Subject, home: Path) -> None:
    """`next` links that point to another host do not take the credential there."""
    with stranger() as (url, heard), rig(subject, home, subject.page() + 1) as lab:
        base = lab.sandbox.url.encode()

        def mislead(request: Request, answer: Response, number: int) -> Response:
            return replace(answer, body=answer.body.replace(base, url.encode()))

        lab.on_page(mislead)
        entry = lab.lumio("sync", subject.target).resource(subject.resource)
        assert not heard, f"a link took the credential to another host: {heard[0]}"
        if entry["error"] is None:
            lab.must_be_equal()
        else:
            assert entry["error"]["code"] == "foreign_host", entry["error"]


@case(wide=True)
def check_foreign_redirects(subject: Subject, home: Path) -> None:
    """A redirect to another host is not followed, and nothing is deleted for it."""
    with stranger() as (url, heard), rig(subject, home) as lab:
        lab.sync()

        def mislead(request: Request, answer: Response, number: int) -> Response:
            return Response(302, headers={"Location": f"{url}/"})

        lab.on_page(mislead)
        entry = lab.lumio("sync", subject.target, "--mode", "full").resource(subject.resource)
        assert not heard, f"a redirect took the credential to another host: {heard[0]}"
        assert entry["error"], "a redirect is taken for an answer"
        lab.must_be_equal()
