"""How a session is got: browser, client credentials, signed assertion; and where the org is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from lumio_cli.core.errors import BadReplyError, CredentialError
from lumio_cli.providers.contract.auth import Credential, exchange_call
from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.salesforce import Salesforce
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.salesforce.data import USERNAME
from support.lab import VAULT_KEY

from .conftest import SalesforceLab, sender

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORG = "https://sandbox.my.salesforce.com"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def renewed(lab: SalesforceLab, credential: Credential) -> Credential:
    """What the look-alike's token endpoint makes of the request for a renewal."""
    import httpx

    provider = Salesforce({})
    now = datetime.fromtimestamp(lab.org.now(), UTC)
    call = provider.renewal(credential, now)
    assert call is not None and not call.auth
    assert call.path.startswith("https://")
    path = "/services" + call.path.partition("/services")[2]
    answer = httpx.post(
        lab.sandbox.base_url("salesforce") + path, data=dict(call.form or {}), trust_env=False
    )
    reply = Reply(answer.status_code, dict(answer.headers), answer.content, call.path)
    return provider.tokens(reply, now=now, old=credential)


def test_client_credentials_bring_a_session_and_its_org(lab: SalesforceLab) -> None:
    fields = {
        "my_domain": "sandbox.my.salesforce.com",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    new = renewed(lab, Credential("client_credentials", "", fields=fields))
    assert new.kind == "client_credentials"
    assert lab.org.vault.find(new.token) is not None
    assert new.fields["instance_url"] == lab.sandbox.base_url("salesforce")
    assert new.fields["client_secret"] == CLIENT_SECRET
    assert new.expires_at is None


def test_a_signed_assertion_brings_a_session(lab: SalesforceLab, key: RSAPrivateKey) -> None:
    lab.org.certificate = public(key)
    fields = {
        "client_id": CLIENT_ID,
        "username": USERNAME,
        "private_key": pem(key),
        "login_host": "login.salesforce.com",
    }
    new = renewed(lab, Credential("jwt", "", fields=fields))
    assert (new.kind, new.scopes) == ("jwt", ("api", "id", "refresh_token"))


def test_an_assertion_of_another_key_is_refused(lab: SalesforceLab, key: RSAPrivateKey) -> None:
    lab.org.certificate = public(generate_private_key(65537, 2048))
    fields = {
        "client_id": CLIENT_ID,
        "username": USERNAME,
        "private_key": pem(key).replace("\n", "\\n"),
        "login_host": "login.salesforce.com",
    }
    with pytest.raises(CredentialError, match="invalid assertion"):
        renewed(lab, Credential("jwt", "", fields=fields))


@pytest.mark.parametrize(
    ("host", "chosen", "audience"),
    [
        ("login.salesforce.com", "", "https://login.salesforce.com"),
        ("test.salesforce.com", "", "https://test.salesforce.com"),
        ("acme.my.salesforce.com", "", "https://acme.my.salesforce.com"),
        (
            "acme--uat.sandbox.my.salesforce.com",
            "",
            "https://acme--uat.sandbox.my.salesforce.com",
        ),
        (
            "gov.my.salesforce.com",
            "https://login.salesforce.com",
            "https://login.salesforce.com",
        ),
    ],
)
def test_an_assertion_is_meant_for_the_host_that_it_goes_to(
    key: RSAPrivateKey, host: str, chosen: str, audience: str
) -> None:
    import base64

    fields = {"client_id": "c", "username": "u", "private_key": pem(key), "login_host": host}
    if chosen:
        fields["audience"] = chosen
    call = Salesforce({}).renewal(Credential("jwt", "", fields=fields), NOW)
    assert call is not None and call.form is not None
    claims = call.form["assertion"].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert told == {"iss": "c", "sub": "u", "aud": audience, "exp": int(NOW.timestamp()) + 180}
    assert call.path == f"https://{host}/services/oauth2/token"


def test_a_key_that_is_none_is_told_without_showing_it() -> None:
    fields = {"private_key": "not a key", "login_host": "login.salesforce.com"}
    with pytest.raises(CredentialError) as caught:
        Salesforce({}).renewal(Credential("jwt", "", fields=fields), NOW)
    assert "not a key" not in str(caught.value)


def test_a_browser_login_goes_to_the_host_that_was_chosen() -> None:
    oauth = Salesforce.oauth
    assert oauth is not None and oauth.pkce
    client = {"client_id": "c", "login_host": "acme.my.salesforce.com"}
    call = exchange_call(oauth, code="x", redirect_uri="r", verifier="v", client=client)
    assert call.path == "https://acme.my.salesforce.com/services/oauth2/token"
    assert call.form is not None and call.form["code_verifier"] == "v"
    credential = Credential("oauth", "old", "refresh", fields=client)
    again = Salesforce({}).renewal(credential, NOW)
    assert again is not None and again.form is not None
    assert (again.path, again.form["grant_type"]) == (call.path, "refresh_token")


def test_a_plain_token_is_not_renewed() -> None:
    assert Salesforce({}).renewal(Credential("token", "x"), NOW) is None


@pytest.mark.parametrize("url", [ORG, ORG + "/"])
def test_the_org_is_where_the_credential_says(url: str) -> None:
    credential = Credential("token", "x", fields={"instance_url": url})
    assert Salesforce({}).locate(credential) == ORG


@pytest.mark.parametrize(
    "url",
    ["", "http://acme.my.salesforce.com", "https://acme.example", f"{ORG}.attacker.example",
     "https://attacker.example/.my.salesforce.com"],
)  # fmt: skip
def test_no_other_host_is_an_org(url: str) -> None:
    with pytest.raises(CredentialError, match="where its org is"):
        Salesforce({}).locate(Credential("token", "x", fields={"instance_url": url}))


def test_full_access_includes_the_api() -> None:
    body: dict[str, Any] = {"access_token": "t", "scope": "full refresh_token"}
    answer = Reply(200, {}, json.dumps(body).encode())
    new = Salesforce({}).tokens(answer, now=NOW, old=Credential("oauth", ""))
    assert new.scopes == ("full", "refresh_token", "api")


def test_the_probe_names_the_organization_and_what_is_left(
    make_lab: Callable[..., SalesforceLab],
) -> None:
    lab = make_lab(3)
    found = Salesforce({}).probe(sender(lab), Credential("token", "x"))
    assert found.account_id == "00Dsb000000000162A"
    assert found.account_name == "Sandbox Größe & Co"
    assert found.details["requests_left"].endswith("of 100000 in 24 hours")


def test_connect_shows_the_org(lab: SalesforceLab) -> None:
    outcome = lab.lumio("connect", "salesforce")
    assert outcome.code == 0, outcome.out
    assert outcome.document["account"]["name"] == "Sandbox Größe & Co"


def test_the_ways_work_from_the_command_line(lab: SalesforceLab, key: RSAPrivateKey) -> None:
    lab.org.certificate = public(key)
    file = lab.home / "salesforce.key"
    file.write_text(pem(key))
    file.chmod(0o600)
    environ = {
        "LUMIO_SALESFORCE_TOKEN": None,
        "LUMIO_SALESFORCE_INSTANCE_URL": None,
        "LUMIO_SALESFORCE_CLIENT_SECRET": CLIENT_SECRET,
        "LUMIO_SALESFORCE_PRIVATE_KEY_FILE": str(file),
        "LUMIO_VAULT_KEY": VAULT_KEY,
    }
    own = ("--set", f"client_id={CLIENT_ID}")
    for words in (
        ("client_credentials", "--set", "my_domain=sandbox.my.salesforce.com", *own),
        ("jwt", "--set", f"username={USERNAME}", *own),
    ):
        outcome = lab.lumio("connect", "salesforce", "--way", *words, environ=environ)
        assert outcome.code == 0, outcome.out
        assert outcome.document["credential"]["kind"] == words[0]
        entry = lab.lumio("sync", "salesforce/leads", "--mode", "full", environ=environ)
        assert entry.code == 0, entry.out
        for token in list(lab.org.vault.tokens):
            lab.org.vault.expire(token)
        again = lab.lumio("sync", "salesforce/leads", environ=environ)
        assert again.code == 0, "a session that has ended is renewed"


# -- what is told where it fails


def by_jwt(lab: SalesforceLab, key: RSAPrivateKey, *more: str) -> Any:
    """`lumio connect --way jwt` with the look-alike's own user."""
    lab.org.certificate = public(key)
    file = lab.home / "salesforce.key"
    file.write_text(pem(key))
    file.chmod(0o600)
    environ = {
        "LUMIO_SALESFORCE_TOKEN": None,
        "LUMIO_SALESFORCE_INSTANCE_URL": None,
        "LUMIO_SALESFORCE_PRIVATE_KEY_FILE": str(file),
        "LUMIO_VAULT_KEY": VAULT_KEY,
    }
    values = ("--set", f"client_id={CLIENT_ID}", "--set", f"username={USERNAME}")
    words = [word for value in more for word in ("--set", value)]
    return lab.lumio("connect", "salesforce", "--way", "jwt", *values, *words, environ=environ)


def test_an_app_is_found_at_the_orgs_own_address(lab: SalesforceLab, key: RSAPrivateKey) -> None:
    refused = by_jwt(lab, key, "login_host=test.salesforce.com")
    assert refused.code == 4
    error = refused.document["error"]
    assert "External client app is not installed in this org (app_not_found)" in error["message"]
    assert error["message"].endswith("(the credential given)")
    assert "login_host=NAME.my.salesforce.com" in error["hint"]
    assert by_jwt(lab, key, f"login_host={ORG.removeprefix('https://')}").code == 0


def test_an_audience_can_be_chosen(lab: SalesforceLab, key: RSAPrivateKey) -> None:
    lab.org.audiences = {"https://login.salesforce.com"}
    host = f"login_host={ORG.removeprefix('https://')}"
    refused = by_jwt(lab, key, host)
    assert (refused.code, "--set audience=" in refused.document["error"]["hint"]) == (4, True)
    assert by_jwt(lab, key, host, "audience=https://login.salesforce.com").code == 0
    wrong = by_jwt(lab, key, host, "audience=https://attacker.example")
    assert (wrong.code, wrong.document["error"]["code"]) == (4, "credential_malformed")


# -- sessions that end


def logins(lab: SalesforceLab) -> int:
    """How often a session was asked for."""
    return sum(path.endswith("/oauth2/token") for _, _, path, _ in lab.sandbox.requests)


@pytest.mark.parametrize("refusal", ["INVALID_SESSION_ID", "INVALID_AUTH_HEADER", ""])
def test_a_session_is_renewed_however_it_was_refused(
    lab: SalesforceLab, key: RSAPrivateKey, refusal: str
) -> None:
    assert by_jwt(lab, key).code == 0
    environ = {
        "LUMIO_SALESFORCE_TOKEN": None,
        "LUMIO_SALESFORCE_INSTANCE_URL": None,
        "LUMIO_VAULT_KEY": VAULT_KEY,
    }
    assert lab.lumio("sync", "salesforce/leads", environ=environ).code == 0
    before = logins(lab)
    lab.org.refusal = refusal
    for token in list(lab.org.vault.tokens):
        lab.org.vault.expire(token)
    outcome = lab.lumio("sync", "salesforce/leads", environ=environ)
    assert (outcome.code, outcome.resource("leads")["status"]) == (0, "succeeded"), outcome.out
    assert logins(lab) == before + 1


def test_a_fresh_session_that_is_refused_as_well_is_final(
    lab: SalesforceLab, key: RSAPrivateKey
) -> None:
    assert by_jwt(lab, key).code == 0
    lab.org.refusal = "INVALID_AUTH_HEADER"
    lab.sandbox.faults.set(["401:path=/services/data/*"])
    environ = {"LUMIO_SALESFORCE_TOKEN": None, "LUMIO_VAULT_KEY": VAULT_KEY}
    outcome = lab.lumio("sync", "salesforce/leads", environ=environ)
    assert outcome.code == 4
    assert "INVALID_JWT_FORMAT" in outcome.resource("leads")["error"]["message"]
    assert logins(lab) == 3, "to connect, for the first request, and to renew"


# -- answers that are none


@pytest.mark.parametrize("org", [None, "x", {"Id": None}, {"Id": 7}, {"Id": {"value": "x"}}, {}])
def test_an_organization_without_an_id_is_none(org: Any) -> None:
    body = json.dumps({"done": True, "records": [org]}).encode()
    with pytest.raises(BadReplyError, match="names no organization"):
        Salesforce({}).probe(lambda call: Reply(200, {}, body), Credential("token", "x"))


def test_limits_that_cannot_be_read_are_no_obstacle() -> None:
    organization = {"records": [{"Id": "00Dsb000000000162A", "Name": "N"}]}
    for limits in ({}, [], {"DailyApiRequests": [1]}, {"DailyApiRequests": {"Max": "x"}}):
        bodies = iter((organization, limits))
        found = Salesforce({}).probe(
            lambda call: Reply(200, {}, json.dumps(next(bodies)).encode()),  # noqa: B023
            Credential("token", "x"),
        )
        assert found.account_name == "N"


def test_a_user_without_view_setup_can_connect(lab: SalesforceLab) -> None:
    lab.token = lab.sandbox.token("salesforce", "no_setup")
    outcome = lab.lumio("connect", "salesforce")
    assert outcome.code == 0, outcome.out
