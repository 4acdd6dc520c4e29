"""What goes over the wire, where to, and what is said when it breaks."""

from __future__ import annotations

import gzip
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock, IteratorStream

from lumio_cli import __version__
from lumio_cli.core.errors import BadReplyError, ConfigError, LumioError, UnavailableError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.transport.request_log import Tally
from lumio_cli.transport.wire import Exchange, Wire
from lumio_cli.transport.wire_errors import WireError, classify

from .acme import BASE, GET, TOKEN, with_
from .server import http, raw_server

AUTH = {"Authorization": f"Bearer {TOKEN}"}


def wire(base: str = BASE, hosts: tuple[str, ...] = (), **options: Any) -> Wire:
    return Wire("acme", base, hosts, **options)


def go(over: Wire, call: Call = GET) -> Reply:
    exchange = Exchange(call, Tally())
    request = over.request(call, AUTH, exchange)
    return over.reply(over.handle_request(request), exchange, request.url)


# -- where a request goes


@pytest.mark.parametrize(
    ("path", "params", "url"),
    [
        ("/a", {}, "/a"),
        ("a", {}, "/a"),
        ("/a", {"q": "x y&z", "n": "1"}, "/a?q=x%20y%26z&n=1"),
        ("/a?q=List(urn%3Ali%3A1)", {"n": "1"}, "/a?q=List(urn%3Ali%3A1)&n=1"),
        ("/a?b=%2C+c", {}, "/a?b=%2C+c"),
        (f"{BASE}/next?after=%3D1", {}, "/next?after=%3D1"),
        ("@evil.test/x", {}, "/@evil.test/x"),
        (".evil.test/x", {}, "/.evil.test/x"),
        ("//evil.test/x", {}, "//evil.test/x"),
    ],
)
def test_the_query_is_sent_exactly_as_given(path: str, params: dict[str, str], url: str) -> None:
    target = wire().url(Call("GET", path, params=params))
    assert target.host == "api.acme.test"
    assert target.raw_path.decode() in (url, url.replace("//", "/", 1))


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/next",
        "http://api.acme.test/next",
        "https://api.acme.test:8443/next",
        "https://api.acme.test.evil.test/",
        "https://api.acme.test@evil.test/",
        "https://user:pw@api.acme.test/",
        "https://evil.test\\@api.acme.test/",
        "https://files.acme.test.evil.test/",
        "https://xfiles.acme.test/",
        "https://cdn.acme.test.evil.test/",
        "http://127.0.0.1/",
    ],
)
def test_no_credential_for_foreign_hosts(link: str) -> None:
    over = wire(hosts=("files.acme.test", "*.cdn.acme.test"))
    with pytest.raises(LumioError, match=r"refused to send|is no") as caught:
        over.request(with_(GET, path=link), AUTH, Exchange(GET, Tally()))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("host", ["files.acme.test", "FILES.acme.test", "eu.cdn.acme.test"])
def test_the_providers_other_hosts_may_have_it(host: str) -> None:
    over = wire(hosts=("files.acme.test", "*.cdn.acme.test"))
    assert over.url(with_(GET, path=f"https://{host}/x")).path == "/x"


@pytest.mark.parametrize(
    "base",
    ["http://api.acme.test", "ftp://api.acme.test", "api.acme.test", "http://127.0.evil.test"],
)
def test_a_base_url_in_the_clear_or_no_url_is_refused(base: str) -> None:
    with pytest.raises(ConfigError):
        wire(base)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:2"])
def test_plain_http_reaches_this_machine(base: str) -> None:
    assert wire(base).url(GET).path == "/things"


def test_a_sandbox_link_to_another_port_is_foreign() -> None:
    with pytest.raises(LumioError, match=r"127\.0\.0\.1:9999"):
        wire("http://127.0.0.1:8080").url(with_(GET, path="http://127.0.0.1:9999/x"))


# -- what is sent


@pytest.mark.parametrize(
    ("value", "sent"), [(10**22, b'{"a":10000000000000000000000}'), ("\ud83d", b'{"a":"\\ud83d"}')]
)
def test_values_that_only_the_provider_can_judge(
    httpx_mock: HTTPXMock, value: Any, sent: bytes
) -> None:
    httpx_mock.add_response(json={})
    go(wire(), with_(GET, method="POST", json={"a": value}))
    assert httpx_mock.get_requests()[0].content == sent


def test_headers_and_bodies(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={}, is_reusable=True)
    go(wire(), with_(GET, method="POST", json={"a": "ü"}, headers={"X-Own": "1"}))
    go(wire(), with_(GET, method="POST", form={"a": "b c"}))
    go(wire())
    with_json, with_form, plain = httpx_mock.get_requests()
    assert with_json.content == '{"a":"ü"}'.encode()
    assert with_json.headers["content-type"] == "application/json"
    assert with_json.headers["user-agent"] == f"lumio/{__version__}"
    assert with_json.headers["accept"] == "application/json"
    assert with_json.headers["authorization"] == f"Bearer {TOKEN}"
    assert with_json.headers["x-own"] == "1"
    assert with_form.content == b"a=b+c"
    assert with_form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert plain.content == b""
    assert "content-type" not in plain.headers


def test_large_bodies_are_compressed_where_the_provider_takes_it(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={}, is_reusable=True)
    large = with_(GET, method="POST", json={"a": "x" * 2000})
    go(wire(), large)
    go(wire(gzip_requests=True), large)
    go(wire(gzip_requests=True), with_(large, json={"a": 1}))
    off, on, small = httpx_mock.get_requests()
    assert "content-encoding" not in off.headers
    assert on.headers["content-encoding"] == "gzip"
    assert gzip.decompress(on.content) == off.content
    assert "content-encoding" not in small.headers


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}\n", f"Bearer {TOKEN}“", f"{TOKEN}\x00"])
def test_a_header_that_http_does_not_allow_is_named_not_shown(value: str) -> None:
    with pytest.raises(LumioError, match="Authorization") as caught:
        wire().request(GET, {"Authorization": value}, Exchange(GET, Tally()))
    assert TOKEN not in f"{caught.value!r} {caught.value.hint}"


# -- what comes back


def test_a_reply_has_lower_case_headers_and_the_providers_date(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(
        json={"a": 1}, headers={"X-Left": "7", "Date": "Tue, 14 Nov 2023 22:13:20 GMT"}
    )
    httpx_mock.add_response(json={}, headers={"Date": "yesterday"})
    httpx_mock.add_response(json={})
    over = wire()
    first, second, third = go(over), go(over), go(over)
    assert first.headers["x-left"] == "7"
    assert first.date == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert first.url == f"{BASE}/things"
    assert second.date is None
    assert third.date is None


def test_a_compressed_answer_is_decompressed(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(
        stream=IteratorStream([gzip.compress(b'{"a": 1}')]), headers={"content-encoding": "gzip"}
    )
    assert go(wire()).json() == {"a": 1}


def test_a_body_over_the_limit_is_not_read_to_its_end(httpx_mock: HTTPXMock) -> None:
    read = []

    def chunks() -> Any:
        for n in range(100):
            read.append(n)
            yield b"x" * 1024 * 1024

    httpx_mock.add_response(stream=IteratorStream(chunks()))
    with pytest.raises(
        WireError, match=r"a body of 51\.0 MiB or more; the limit is 50\.0 MiB"
    ) as e:
        go(wire(max_body=50 * 1024 * 1024))
    assert len(read) == 51
    assert isinstance(e.value.error(), BadReplyError)
    assert not e.value.passing
    assert not e.value.unhealthy


def test_a_body_that_says_it_is_too_large_is_not_read(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(
        stream=IteratorStream([b"x"]), headers={"content-length": str(80 * 1024 * 1024)}
    )
    with pytest.raises(WireError, match="80"):
        go(wire())


def test_a_small_body_that_inflates_is_stopped(httpx_mock: HTTPXMock) -> None:
    bomb = gzip.compress(bytes(20 * 1024 * 1024))
    pieces = [bomb[i : i + 512] for i in range(0, len(bomb), 512)]
    httpx_mock.add_response(stream=IteratorStream(pieces), headers={"content-encoding": "gzip"})
    with pytest.raises(WireError, match=r"limit is 1\.0 MiB"):
        go(wire(max_body=1024 * 1024))


# -- what goes wrong


def chained(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def certificate(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def handshake(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind", "sent", "words"),
    [
        (httpx.ConnectTimeout("x"), "connect_timeout", False, "did not accept"),
        (httpx.PoolTimeout("x"), "pool", False, "no free connection"),
        (httpx.ReadTimeout("x"), "read_timeout", True, "did not answer"),
        (httpx.WriteTimeout("x"), "write_timeout", True, "did not take"),
        (httpx.ReadError("x"), "reset", True, "broke the connection off"),
        (httpx.WriteError("x"), "reset", True, "broke the connection off"),
        (httpx.ProxyError("x"), "proxy", False, "proxy refused"),
        (
            httpx.RemoteProtocolError("Server disconnected"),
            "reset",
            True,
            "without a proper answer",
        ),
        (
            httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body"
            ),
            "cut",
            True,
            "in the middle",
        ),
        (httpx.DecodingError("x"), "decode", True, "decompressed"),
        (httpx.LocalProtocolError(f"Illegal header {TOKEN}"), "protocol", False, "cannot be sent"),
        (httpx.ConnectError("x"), "connect", False, "no connection"),
        (chained(httpx.ConnectError("x"), socket.gaierror(-2, "y")), "dns", False, "resolved"),
        (chained(httpx.ConnectError("x"), ConnectionRefusedError()), "refused", False, "refuses"),
        (chained(httpx.ConnectError("x"), OSError(113, "y")), "unreachable", False, "no route"),
        (chained(httpx.ConnectError("x"), certificate(10)), "tls", False, "has expired"),
        (chained(httpx.ConnectError("x"), certificate(62)), "tls", False, "another name"),
        (
            chained(httpx.ConnectError("x"), certificate(20, "unable to get local issuer")),
            "tls",
            False,
            "not trusted (unable to get local issuer)",
        ),
        (
            chained(httpx.ConnectError("x"), handshake("TLSV1_ALERT_PROTOCOL_VERSION")),
            "tls",
            False,
            "protocol version",
        ),
        (chained(httpx.ConnectError("x"), ssl.SSLEOFError(8, "eof")), "reset", False, "handshake"),
    ],
)
def test_each_failure_has_a_name_and_a_clear_line(
    httpx_mock: HTTPXMock, error: Exception, kind: str, sent: bool, words: str
) -> None:
    fault = classify(error, "api.acme.test")
    assert (fault.kind, fault.sent) == (kind, sent)
    assert words in fault.message
    assert "api.acme.test" in fault.message
    assert TOKEN not in repr(fault)
    assert isinstance(fault.error(), UnavailableError)
    assert fault.error().hint
    httpx_mock.add_exception(error)
    with pytest.raises(WireError) as caught:
        go(wire())
    assert caught.value.kind == kind
    assert caught.value.__cause__ is None


def test_certificate_hints_name_the_way_out() -> None:
    untrusted = classify(chained(httpx.ConnectError("x"), certificate(19)), "h")
    old = classify(chained(httpx.ConnectError("x"), handshake("UNSUPPORTED_PROTOCOL")), "h")
    late = classify(chained(httpx.ConnectError("x"), certificate(9)), "h")
    assert "SSL_CERT_FILE" in (untrusted.hint or "")
    assert "tls12" in (old.hint or "")
    assert "clock" in (late.hint or "")


def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WireError) as caught:
        go(wire())
    assert caught.value.kind == "dns"


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(WireError) as caught:
        go(wire(f"http://127.0.0.1:{port}"))
    assert caught.value.kind == "refused"


def test_a_body_that_is_cut() -> None:
    with raw_server(lambda *_: http(b'{"a": [1, 2', length=500)) as base:
        with pytest.raises(WireError) as caught:
            go(wire(base))
    assert (caught.value.kind, caught.value.sent) == ("cut", True)


def test_a_connection_that_closes_without_a_word() -> None:
    with raw_server(lambda *_: b"") as base:
        with pytest.raises(WireError) as caught:
            go(wire(base))
    assert (caught.value.kind, caught.value.sent) == ("reset", True)


# -- TLS and proxies


def make_certificate(path: Path, name: str, days: int) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = path / f"{name}-{days}.pem"
    file.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


class TlsServer:
    """Answers one JSON object a connection, over TLS."""

    def __init__(self, certificate: Path, newest: ssl.TLSVersion | None = None) -> None:
        import threading

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if newest is not None:
            context.maximum_version = newest
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self.base = f"https://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(http(b"{}"))
            except OSError:
                plain.close()

    def __enter__(self) -> TlsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def test_an_unknown_authority_is_refused_and_ca_file_adds_it(tmp_path: Path) -> None:
    file = make_certificate(tmp_path, "localhost", 10)
    with TlsServer(file) as server:
        with pytest.raises(WireError, match="not trusted") as caught:
            go(wire(server.base))
        assert caught.value.kind == "tls"
        assert go(wire(server.base, ca_file=str(file))).json() == {}


def test_an_expired_certificate_and_one_for_another_name(tmp_path: Path) -> None:
    old = make_certificate(tmp_path, "localhost", -1)
    other = make_certificate(tmp_path, "other.test", 10)
    with TlsServer(old) as server, pytest.raises(WireError, match="has expired"):
        go(wire(server.base, ca_file=str(old)))
    with TlsServer(other) as server, pytest.raises(WireError, match="another name"):
        go(wire(server.base, ca_file=str(other)))


def test_tls_1_2_only_by_setting(tmp_path: Path) -> None:
    file = make_certificate(tmp_path, "localhost", 10)
    with TlsServer(file, ssl.TLSVersion.TLSv1_2) as server:
        with pytest.raises(WireError) as caught:
            go(wire(server.base, ca_file=str(file)))
        assert caught.value.kind in ("tls", "reset")
        assert go(wire(server.base, ca_file=str(file), tls12=True)).status == 200


def test_settings_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ca_file"):
        go(wire(ca_file=str(tmp_path / "none.pem")))
    with pytest.raises(ConfigError, match="proxy") as caught:
        go(wire(proxy="gopher://user:hunter22@proxy.test"))
    assert "hunter22" not in str(caught.value)


def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str | None] = []

    class Opened(Wire):
        def _open(self, proxy: str | None) -> httpx.HTTPTransport:
            opened.append(proxy)
            return super()._open(proxy)

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("HTTP_PROXY", "proxy.test:3128")
    monkeypatch.setenv("http_proxy", "proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "files.acme.test,localhost")
    monkeypatch.setenv("no_proxy", "files.acme.test,localhost")
    over = Opened("acme", BASE, ("files.acme.test",))
    for url in (f"{BASE}/a", f"{BASE}/b", "https://files.acme.test/c"):
        over._transport(httpx.URL(url))
    assert opened == ["http://proxy.test:3128", None]
    Opened("acme", "http://127.0.0.1:1")._transport(httpx.URL("http://127.0.0.1:1/"))
    Opened("acme", BASE, proxy="http://own.test:1")._transport(httpx.URL(BASE))
    assert opened[2:] == [None, "http://own.test:1"]
    over.close()
