"""What the diagnosis says of TLS, against a server on this machine with certificates of its own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.test_diagnose import provider_checks


def certificate(path: Path, *, begins: float, ends: float, host: str = "127.0.0.1") -> Path:
    """A self-signed certificate with its key, good from and to so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    about = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=begins))
        .not_valid_after(now + dt.timedelta(days=ends))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(about, False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(about), False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def tls_server(pem: Path, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Iterator[str]:
    """Answers every request with 404 and a Date, then closes; yields the base URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.maximum_version = newest
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(raw: socket.socket) -> None:
        try:
            with raw, context.wrap_socket(raw, server_side=True) as connection:
                connection.recv(65536)
                date = format_datetime(dt.datetime.now(dt.UTC), usegmt=True)
                connection.sendall(
                    f"HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\n"
                    "Connection: close\r\n\r\n".encode()
                )
        except OSError:
            pass  # the client did not like the certificate

    def accept() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def checks_with(tmp_path: Path, pem: Path, *, trusted: bool, **server: Any) -> dict[str, Any]:
    environ = {"LUMIO_HTTP__CA_FILE": str(pem)} if trusted else {}
    with tls_server(pem, **server) as url:
        return provider_checks(tmp_path / "home", url, **environ)


def test_a_good_certificate_is_told_with_its_end(tmp_path: Path) -> None:
    pem = certificate(tmp_path / "good.pem", begins=-1, ends=90.5)
    checks = checks_with(tmp_path, pem, trusted=True)
    tls = checks["tls"]
    assert (checks["connection"]["status"], tls["status"]) == ("pass", "pass")
    assert "TLSv1.3, verified: Test Authority from Test Authority, expires in 90" in tls["detail"]
    assert tls["facts"]["protocol"] == "TLSv1.3"
    assert tls["facts"]["issuer"] == "CN=Test Authority"
    assert checks["clock_skew"]["status"] == "pass"
    # 404 without an account: the credential opens nothing there.
    assert checks["authentication"]["status"] == "fail"
    assert checks["authentication"]["hint"]


def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    pem = certificate(tmp_path / "soon.pem", begins=-80, ends=5.5)
    tls = checks_with(tmp_path, pem, trusted=True)["tls"]
    assert (tls["status"], "expires in" in tls["detail"]) == ("warn", True)


@pytest.mark.parametrize(
    ("begins", "ends", "trusted", "words", "hint"),
    [
        (-1, 90.5, False, ("not trusted", "Test Authority", "expires in 90"), "ca_file"),
        (-90, -3.5, True, ("has expired", "expired 4 days ago"), "clock"),
        (2, 90, True, ("not valid yet",), "clock"),
    ],
)
def test_a_certificate_that_is_no_good_is_shown(
    tmp_path: Path,
    begins: float,
    ends: float,
    trusted: bool,
    words: tuple[str, ...],
    hint: str,
) -> None:
    pem = certificate(tmp_path / "bad.pem", begins=begins, ends=ends)
    checks = checks_with(tmp_path, pem, trusted=trusted)
    assert checks["connection"]["status"] == "pass"
    assert checks["tls"]["status"] == "fail"
    assert all(word in checks["tls"]["detail"] for word in words), checks["tls"]
    assert hint in checks["tls"]["hint"]
    assert checks["authentication"]["status"] == "skip"


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path / "other.pem", begins=-1, ends=90, host="192.0.2.7")
    with tls_server(pem) as url:
        here = url.replace("127.0.0.1", "localhost")
        checks = provider_checks(tmp_path / "home", here, LUMIO_HTTP__CA_FILE=str(pem))
    assert checks["tls"]["status"] == "fail"
    assert "for another name" in checks["tls"]["detail"]


def test_a_server_that_knows_no_tls_13(tmp_path: Path) -> None:
    pem = certificate(tmp_path / "old.pem", begins=-1, ends=90)
    tls = checks_with(tmp_path, pem, trusted=True, newest=ssl.TLSVersion.TLSv1_2)["tls"]
    assert tls["status"] == "fail"
    assert "tls12" in tls["hint"]
