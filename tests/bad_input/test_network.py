"""A provider that cannot be reached, and answers that are none. Exit 5, few retries, one line."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from support.lab import Lab
from support.trials import LIST, MakeLab, asked, both, contents, cursor_of, forget_circuit, told

pytestmark = [pytest.mark.attack("answers"), pytest.mark.usefixtures("brisk")]
BASE_URL = "LUMIO_PROVIDERS__HUBSPOT__BASE_URL"


@pytest.fixture
def nobody() -> Iterator[str]:
    """A port of this machine that refuses connections: bound, and never listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/hubspot"


def test_a_provider_that_is_down_is_5_and_nothing_is_lost(lab: Lab, nobody: str) -> None:
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    before, cursor = contents(lab), cursor_of(lab)
    code, error = both(lab, "sync", "hubspot/contacts", environ={BASE_URL: nobody})
    assert (code, error["exit_code"], error["code"]) == (5, 5, "provider_unavailable")
    assert "127.0.0.1 refuses connections" in error["message"]
    assert "nothing was lost" in error["hint"]
    assert (contents(lab), cursor_of(lab)) == (before, cursor)
    assert lab.lumio("status", environ={BASE_URL: nobody}).code == 0, "status asks nobody"


def test_a_provider_that_was_never_reached_is_5_too(lab: Lab, nobody: str) -> None:
    outcome = lab.lumio("sync", environ={BASE_URL: nobody})
    assert outcome.code == 5
    assert told(outcome)["code"] == "provider_unavailable"
    assert outcome.document["status"] == "failed"


def test_an_open_circuit_is_5_without_a_request(lab: Lab) -> None:
    lab.sandbox.faults.set(["503"])
    assert lab.lumio("sync", "hubspot/contacts").code == 5
    lab.sandbox.faults.clear()
    asked = len(lab.sandbox.requests)
    # Five failures in a row have opened it; the provider, back again, is left alone for a while.
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.code == 5
    assert told(outcome)["code"] == "circuit_open"
    assert "`lumio limits show hubspot`" in told(outcome)["hint"]
    assert len(lab.sandbox.requests) == asked


def test_an_open_circuit_is_that_of_one_address(lab: Lab, nobody: str) -> None:
    for code in ("provider_unavailable", "circuit_open"):
        outcome = lab.lumio("sync", "hubspot/contacts", environ={BASE_URL: nobody})
        assert told(outcome)["code"] == code
    assert lab.lumio("sync", "hubspot/contacts").code == 0


def test_a_name_that_does_not_resolve_is_5_and_names_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []

    def no_such_name(host: str, *args: object, **kwargs: object) -> None:
        looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # Some resolvers take seconds to say no: what they say is the same.
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    environ = {BASE_URL: "https://api.hubapi.invalid"}
    code, error = both(lab, "sync", "hubspot/contacts", environ=environ)
    assert (code, error["code"]) == (5, "provider_unavailable")
    assert "api.hubapi.invalid cannot be resolved" in error["message"]
    assert "base_url" in error["hint"]
    assert looked_up == ["api.hubapi.invalid"] * 2 * 5, "five attempts a run, and no more"


# -- TLS


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """An HTTPS server of this machine whose certificate nobody has signed."""
    certificate, key = _certificate(tmp_path)
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("authorization", ""))
            self.send_response(204)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert seen == [], "the credential must not have been sent"


def _certificate(directory: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    files = directory / "server.crt", directory / "server.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_a_certificate_that_nobody_signed_is_5_and_says_certificate(
    lab: Lab, self_signed: str
) -> None:
    code, error = both(lab, "sync", "hubspot/contacts", environ={BASE_URL: self_signed})
    assert (code, error["code"]) == (5, "provider_unavailable")
    assert "certificate of 127.0.0.1 is not trusted" in error["message"]
    assert "ca_file" in error["hint"]


# -- answers that are none


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("html", "text/html"),
        ("cut", "broke off in the middle"),
        ("badjson", "not JSON"),
        ("badutf8", "not valid UTF-8"),
    ],
)
def test_an_answer_that_is_none_is_5_after_few_retries_and_costs_no_record(
    make_lab: MakeLab, fault: str, says: str
) -> None:
    lab = make_lab(records=250)
    lab.sandbox.faults.set([f"{fault}:path={LIST}:after=2"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    error = told(outcome)
    assert outcome.code == 5, "two pages of three were stored, and the third is what failed"
    assert (error["code"], error["exit_code"]) == ("bad_reply", 5)
    assert says in error["message"]
    assert asked(lab) == 2 + 5, "five attempts at the bad page, and no more"
    assert len(contents(lab)) == 200
    assert cursor_of(lab) is None, "nothing proves that the rest was seen"
    lab.sandbox.faults.clear()
    forget_circuit(lab)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


@pytest.mark.parametrize("fault", ["html", "cut", "badjson", "badutf8"])
def test_nothing_but_bad_answers_is_5(lab: Lab, fault: str) -> None:
    lab.sandbox.faults.set([f"{fault}:path={LIST}"])
    code, error = both(lab, "sync", "hubspot/contacts")
    assert (code, error["code"]) == (5, "bad_reply")


def test_a_redirect_to_another_host_is_not_followed(lab: Lab) -> None:
    lab.sandbox.faults.set([f"foreign:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    error = told(outcome)
    assert outcome.code == error["exit_code"] == 1
    assert "redirect" in error["message"]
    assert asked(lab) == 1, "asking again would not help"
