from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.errors import CredentialError, LumioError, UsageError
from lumio_cli.core.paths import find_paths
from lumio_cli.core.redact import Redactor
from lumio_cli.credentials import CredentialSettings, CredentialStore
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply, Send
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.services.connections.connect import (
    connect,
    disconnect,
    missing_scopes,
    read_credential,
)

TOKEN = "pat-na1-11111111-2222-3333-4444-555555555555"


def resource(name: str, *scopes: str) -> Resource:
    return Resource(name, f"/{name}", name.title(), (), {}, scopes=scopes)


class Crm(Provider):
    """A provider that takes `TOKEN` alone."""

    name = "hubspot"
    title = "Crm"
    credential = (
        Field(
            "token", "A private app token: pat-REGION-UUID", True, r"pat-[a-z0-9]+-[0-9a-f-]{36}"
        ),
        Field("app_secret", "The app's secret", True, default="none-set"),
    )
    resources = (resource("contacts", "c.read"), resource("deals", "d.read", "x.read"))
    identity = Identity("123", "Example Ltd", ("d.read", "c.read"))

    def probe(self, send: Send, credential: Credential) -> Identity:
        send(Call("GET", "/me"))
        return self.identity


class Wire:
    """Stands for the transport; knows which credentials were proved with it."""

    def __init__(self) -> None:
        self.proved: list[Credential] = []

    def __call__(self, credential: Credential) -> Send:
        def send(_call: Call) -> Reply:
            self.proved.append(credential)
            if credential.token != TOKEN:
                raise CredentialError("hubspot refused the credential")
            return Reply(200, {}, b"{}")

        return send


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[CredentialStore, Mapping[str, str]]]:
    def make(**env: str) -> tuple[CredentialStore, Mapping[str, str]]:
        environ = {"LUMIO_HOME": str(tmp_path), "LUMIO_VAULT_KEY": "00" * 32, **env}
        paths = find_paths("default", environ)
        return CredentialStore(paths, environ, CredentialSettings(), Redactor()), environ

    return make


def crm(cls: type[Crm] = Crm) -> Crm:
    return cls({})


Make = Callable[..., tuple[CredentialStore, Mapping[str, str]]]


def test_a_credential_is_proved_and_stored(make: Make) -> None:
    (store, environ), wire = make(), Wire()
    credential = read_credential(
        crm(), store=store, environ=environ, values={"token": f"{TOKEN}\n"}
    )
    done = connect(crm(), credential, store=store, send_factory=wire)
    assert [c.token for c in wire.proved] == [TOKEN]
    assert json.loads(json.dumps(done.as_json())) == {
        "provider": "hubspot",
        "status": "connected",
        "verified": True,
        "account": {"id": "123", "name": "Example Ltd"},
        "scopes": ["c.read", "d.read"],
        "missing_scopes": {"deals": ["x.read"]},
        "credential": {
            "kind": "token",
            "store": f"encrypted vault {store.vault.path}",
            "expires_at": None,
        },
        "used_instead": None,
    }
    assert TOKEN not in repr(done)
    kept = store.load("hubspot").credential
    assert (kept.token, kept.scopes) == (TOKEN, ("d.read", "c.read"))
    assert kept.fields == {"app_secret": "none-set"}


def test_nothing_is_stored_where_the_proof_fails(make: Make) -> None:
    store, _ = make()
    with pytest.raises(CredentialError, match="refused"):
        connect(crm(), Credential("token", "other"), store=store, send_factory=Wire())
    assert store.locate("hubspot") is None


def test_without_proof_nothing_is_sent(make: Make) -> None:
    (store, _), wire = make(), Wire()
    credential = Credential("token", "other")
    done = connect(crm(), credential, store=store, send_factory=wire, verify=False)
    assert not wire.proved
    told = done.as_json()
    assert (told["verified"], told["account"]) == (False, {"id": None, "name": None})
    assert (told["scopes"], told["missing_scopes"]) == ([], {})
    assert store.load("hubspot").credential.token == "other"


def test_expiry_and_scopes_are_kept_where_only_one_side_knows_them(make: Make) -> None:
    store, _ = make()
    end = datetime(2031, 1, 1, tzinfo=UTC)

    class Quiet(Crm):
        identity = Identity("1", "x", None, end)

    credential = Credential("oauth", TOKEN, "refresh-me", scopes=("c.read",))
    done = connect(crm(Quiet), credential, store=store, send_factory=Wire())
    assert done.as_json()["credential"]["expires_at"] == "2031-01-01T00:00:00Z"
    assert done.missing_scopes == {"deals": ("d.read", "x.read")}
    assert missing_scopes(crm(), None) == {}


def read(make: Make, tmp: Path | None = None, env: Any = None, **values: str) -> Credential:
    store, environ = make(**(env or {}))
    return read_credential(crm(), store=store, environ=environ, values=values, token_file=tmp)


@pytest.mark.parametrize(
    ("token", "code", "message"),
    [
        ("pat-secret-value", "credential_malformed", "does not look like one: it must match pat-"),
        (f"Bearer {TOKEN}", "credential_malformed", "white space"),
        ("", "credential_malformed", "the token of hubspot is empty"),
    ],
)
def test_a_token_that_cannot_be_right(make: Make, token: str, code: str, message: str) -> None:
    with pytest.raises(CredentialError) as caught:
        read(make, token=token)
    assert caught.value.code == code
    assert message in caught.value.message
    if token:
        assert token not in f"{caught.value.message} {caught.value.hint}"
    if "match" in message:
        assert caught.value.hint == "A private app token: pat-REGION-UUID"


def test_no_token_and_no_such_field(make: Make) -> None:
    with pytest.raises(CredentialError, match="the token of hubspot is missing") as caught:
        read(make)
    assert caught.value.code == "credential_missing"
    with pytest.raises(UsageError, match="has no 'tokn'") as usage:
        read(make, tokn=TOKEN)
    assert usage.value.hint == "did you mean 'token'?"


def test_a_token_from_a_file(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o644)
    with pytest.raises(CredentialError, match="can be read by other users"):
        read(make, path)
    path.chmod(0o600)
    credential = read(make, path, app_secret="s3cret")
    assert (credential.token, credential.fields) == (TOKEN, {"app_secret": "s3cret"})


def test_a_token_from_the_environment_can_be_stored(make: Make) -> None:
    env = {"LUMIO_HUBSPOT_TOKEN": TOKEN}
    credential = read(make, env=env)
    assert credential.token == TOKEN
    store, _ = make(**env)
    done = connect(crm(), credential, store=store, send_factory=Wire())
    assert done.used_instead == "LUMIO_HUBSPOT_TOKEN"
    assert store.load("hubspot").source == "LUMIO_HUBSPOT_TOKEN"
    assert make()[0].load("hubspot").source == "vault"


def test_disconnect(make: Make) -> None:
    store, _ = make()
    assert not disconnect("hubspot", store)
    store.save("hubspot", Credential("token", TOKEN))
    gone = disconnect("hubspot", store)
    assert gone
    assert gone.as_json() == {
        "provider": "hubspot",
        "status": "disconnected",
        "removed": True,
        "remaining": None,
    }
    assert store.locate("hubspot") is None


def test_disconnect_names_what_it_cannot_remove(make: Make, tmp_path: Path) -> None:
    env = {"LUMIO_HUBSPOT_TOKEN_FILE": str(tmp_path / "t")}
    make()[0].save("hubspot", Credential("token", TOKEN))
    store, _ = make(**env)
    gone = disconnect("hubspot", store)
    assert gone.removed
    assert gone.remaining == f"file {tmp_path / 't'}"
    assert gone.as_json()["status"] == "connected"
    with pytest.raises(LumioError) as caught:
        disconnect("hubspot", store)
    assert caught.value.code == "credential_given"
    assert str(tmp_path / "t") in caught.value.message
