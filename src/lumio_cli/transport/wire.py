"""The wire: one pooled HTTP client a provider, and the rules of what may go over it.

- a credential goes to the provider's own hosts and to no other, whatever a link says;
- certificates are always verified, TLS 1.3 is asked for, plain HTTP only reaches this machine;
- every wait has a limit, and so has the size of an answer.

Retries, quotas and credentials are the business of the layers above.
"""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx
import orjson

from lumio_cli import __version__
from lumio_cli.core.errors import ConfigError, LumioError
from lumio_cli.core.stop import Stop
from lumio_cli.core.units import format_size
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.transport.addresses import environment_proxy, is_loopback, parse_url
from lumio_cli.transport.quota.retry_after import parse_http_date
from lumio_cli.transport.sockets import Backend, Watch
from lumio_cli.transport.unpacking import unpacked
from lumio_cli.transport.wire_errors import WireError, classify, config_error

if TYPE_CHECKING:
    import ssl
    from datetime import datetime

    from lumio_cli.transport.request_log import Tally

MAX_BODY = 64 * 1024 * 1024
GZIP_FROM = 1024
LONGEST_ANSWER = 10
"""Read timeouts that an answer may take in all, however it drips."""
EXCHANGE = "lumio.exchange"
"""Where an `Exchange` travels in a request's extensions."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds: to connect, between two reads, for a write, for a free connection."""

    connect: float = 10.0
    read: float = 60.0
    write: float = 30.0
    pool: float = 30.0


@dataclass(slots=True)
class Exchange:
    """What one attempt learns on its way: the body, and the seconds it spent on the wire and
    waiting for quotas.
    """

    call: Call
    tally: Tally
    body: bytes = b""
    seconds: float = 0.0
    waited: float = 0.0


class Wire(httpx.BaseTransport):
    """The innermost transport: sends a request, reads the whole answer, names what went wrong.

    `hosts` are further hosts that the credential may be sent to (`*.example.com` is any below
    it), beside the base URL's own; `open_hosts` are those that are asked without it. A base URL
    on this machine is a look-alike and stands for all of them. `ca_file` is trusted in addition to
    the usual authorities. `proxy` None leaves it to the environment (HTTPS_PROXY, NO_PROXY).
    `gzip_requests` is for providers that take compressed bodies. `stop` ends what is under way,
    after a moment. Raises `ConfigError` for settings that cannot be used.
    """

    def __init__(
        self,
        provider_name: str,
        base_url: str,
        hosts: tuple[str, ...] = (),
        *,
        open_hosts: tuple[str, ...] = (),
        timeouts: Timeouts | None = None,
        tls12: bool = False,
        ca_file: str | None = None,
        proxy: str | None = None,
        max_body: int = MAX_BODY,
        gzip_requests: bool = False,
        connections: int = 16,
        stop: Stop | None = None,
    ) -> None:
        self.name = provider_name
        self._base = base_url.rstrip("/")
        self._origin = parse_url(self._base, f"{provider_name}: base_url")
        self._hosts = tuple(host.lower() for host in hosts)
        self._open_hosts = tuple(host.lower() for host in open_hosts)
        # Plain http is for this machine only, as is checked below.
        self.look_alike = self._origin.scheme != "https"
        limits = timeouts or Timeouts()
        self._timeout = {
            "connect": limits.connect,
            "read": limits.read,
            "write": limits.write,
            "pool": limits.pool,
        }
        self._longest = limits.read * LONGEST_ANSWER
        self._watch = Watch(stop or Stop(), self._origin.host)
        self._tls12 = tls12
        self._ca_file = ca_file
        self._proxy = proxy
        self._max_body = max_body
        self._gzip = gzip_requests
        self._limits = httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
        )
        self._guard = threading.Lock()
        self._by_proxy: dict[str | None, httpx.HTTPTransport] = {}
        self._by_host: dict[str, httpx.HTTPTransport] = {}
        self._ssl: ssl.SSLContext | None = None
        self._date: tuple[str, datetime | None] = ("", None)
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
            "user-agent": f"lumio/{__version__}",
        }
        if self._origin.scheme != "https" and not is_loopback(self._origin.host):
            raise ConfigError(
                f"{provider_name}: base_url {self._origin.scheme}://{self._origin.host} "
                "would send the credential in the clear",
                hint="use https:// (plain http is for this machine only)",
            )

    # -- out

    def request(
        self, call: Call, headers: Mapping[str, str], exchange: Exchange, url: str | None = None
    ) -> httpx.Request:
        """The request for `call` with the credential's `headers`; `url` instead of its own.

        Raises `LumioError` for a host that may not have the credential, or a header that HTTP
        does not allow.
        """
        target = self.url(call) if url is None else self.check(url)
        content, kind = self._content(call)
        fields = {**self._headers}
        if call.answer != "json":
            fields["accept"] = "*/*"
        if content:
            fields["content-type"] = kind
            if self._gzip and len(content) > GZIP_FROM:
                content = gzip.compress(content, 6, mtime=0)
                fields["content-encoding"] = "gzip"
        for name, value in (*call.headers.items(), *headers.items()):
            if not (value.isascii() and value.isprintable()):
                # The value stays out of the message: it may be the credential.
                raise LumioError(
                    f"the header {name} would hold a character that HTTP does not allow",
                    hint="a credential was probably copied with a line end or a quote",
                )
            fields[name.lower()] = value
        extensions: dict[str, Any] = {"timeout": self._timeout, EXCHANGE: exchange}
        told = exchange.tally.on_wire
        if told is not None and not call.repeatable:
            extensions["trace"] = _tracer(told, "body" if content else "headers")
        return httpx.Request(
            call.method,
            target,
            headers=fields,
            content=content or None,
            extensions=extensions,
        )

    def url(self, call: Call) -> httpx.URL:
        """Where `call` goes, with exactly its query. Raises `LumioError` for a foreign host."""
        path = call.path
        absolute = path.startswith(("https://", "http://"))
        if absolute and self.look_alike:
            # A look-alike has no business with the provider's real hosts: it stands for them.
            url = parse_url(path, f"{self.name}: a link")
            if url.scheme == "https" and self._is_listed(url.host, self._hosts + self._open_hosts):
                path, absolute = url.raw_path.decode("ascii"), False
        # Without the slash `.evil.test/` or `@evil.test/` would become part of the host.
        text = path if absolute else f"{self._base}/{path.removeprefix('/')}"
        if call.params:
            query = urlencode(call.params, doseq=True, quote_via=quote, safe="")
            text = f"{text}{'&' if '?' in text else '?'}{query}"
        return self.check(text, auth=call.auth) if absolute else httpx.URL(text)

    def check(self, text: str, *, auth: bool = True) -> httpx.URL:
        """An absolute URL that may have the credential; without `auth` one that may be asked
        without it. Raises `LumioError` for any other."""
        url = parse_url(text, f"{self.name}: a link")
        own = (url.scheme, url.host, url.port) == (
            self._origin.scheme,
            self._origin.host,
            self._origin.port,
        )
        known = self._hosts if auth else self._hosts + self._open_hosts
        listed = (
            url.scheme == "https"
            and url.port is None
            and not self.look_alike
            and self._is_listed(url.host, known)
        )
        if url.userinfo or not (own or listed):
            port = f":{url.port}" if url.port else ""
            raise LumioError(
                f"{self.name}: refused to send the credential to {url.scheme}://{url.host}{port}",
                code="foreign_host",
                hint=f"a link points away from {self._origin.host}; check `base_url`",
            )
        return url

    @staticmethod
    def _is_listed(host: str, hosts: tuple[str, ...]) -> bool:
        return any(
            # A wildcard stands for a label below a name of the provider's, not below `com`.
            host.endswith(known[1:])
            if known.startswith("*.") and "." in known[2:]
            else host == known
            for known in hosts
        )

    def _content(self, call: Call) -> tuple[bytes, str]:
        if call.content:
            return call.content, "application/octet-stream"
        if call.json is not None:
            return _encoded(call.json), "application/json"
        if call.form is not None:
            return urlencode(call.form).encode(), "application/x-www-form-urlencoded"
        return b"", ""

    # -- and back

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it and read the answer into the request's `Exchange`. Raises `WireError`."""
        exchange: Exchange = request.extensions[EXCHANGE]
        begin = time.perf_counter()
        self._watch.begin(self._longest)
        try:
            response = self._transport(request.url).handle_request(request)
            try:
                exchange.body = self._read(response)
            finally:
                response.close()
        except httpx.HTTPError as error:
            # Without the cause: its texts and the request in it may show the credential.
            raise classify(error, request.url.host) from None
        finally:
            exchange.seconds = time.perf_counter() - begin
        return response

    def _read(self, response: httpx.Response) -> bytes:
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body:
            raise self._too_large(int(length))
        body = io.BytesIO()
        for piece in self._pieces(response):
            if body.tell() + len(piece) > self._max_body:
                raise self._too_large(body.tell() + len(piece))
            body.write(piece)
        return body.getvalue()

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        """The body, unpacked piece by piece."""
        raw = response.stream
        assert isinstance(raw, httpx.SyncByteStream)  # noqa: S101 as `HTTPTransport` has it
        layers = response.headers.get("content-encoding", "").lower().replace(" ", "").split(",")
        packed = [layer for layer in layers if layer not in ("", "identity")]
        if not packed:
            yield from raw
            return
        if len(packed) > 1 or packed[0] not in ("gzip", "x-gzip", "deflate"):
            raise self._packed_wrongly("packed in a way that lumio did not ask for")
        try:
            yield from unpacked(raw, gzipped=packed[0] != "deflate")
        except (zlib.error, EOFError):
            raise self._packed_wrongly("that cannot be decompressed") from None

    def _packed_wrongly(self, how: str) -> WireError:
        return WireError("decode", f"{self._origin.host} sent a body {how}", sent=True)

    def _too_large(self, size: int) -> WireError:
        return WireError(
            "too_large",
            f"{self._origin.host} sent a body of {format_size(size)} or more; "
            f"the limit is {format_size(self._max_body)}",
            sent=True,
            hint="ask for smaller pages, or raise the provider's `max_body`",
        )

    def reply(self, response: httpx.Response, exchange: Exchange, url: httpx.URL) -> Reply:
        """The answer in the provider's words."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers.raw:
            name, value = raw_name.decode("ascii", "replace").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return Reply(
            response.status_code,
            headers,
            exchange.body,
            url=str(url),
            date=self._parse_date(headers.get("date", "")),
        )

    def _parse_date(self, text: str) -> datetime | None:
        """The Date header; many answers arrive within the same second."""
        known, value = self._date
        if text != known:
            value = parse_http_date(text)
            self._date = (text, value)
        return value

    # -- connections

    def _transport(self, url: httpx.URL) -> httpx.HTTPTransport:
        transport = self._by_host.get(url.netloc.decode())
        if transport is not None:
            return transport
        with self._guard:
            proxy = None if is_loopback(url.host) else self._proxy or environment_proxy(url)
            if proxy not in self._by_proxy:
                self._by_proxy[proxy] = self._open(proxy)
            return self._by_host.setdefault(url.netloc.decode(), self._by_proxy[proxy])

    def _open(self, proxy: str | None) -> httpx.HTTPTransport:
        try:
            transport = httpx.HTTPTransport(
                verify=self._context(), limits=self._limits, proxy=proxy
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise config_error(error, f"{self.name}: the proxy setting") from None
        # httpx has no parameter for what is one of httpcore's.
        transport._pool._network_backend = Backend(self._watch)
        return transport

    def _context(self) -> ssl.SSLContext:
        import ssl

        if self._ssl is None:
            if self._origin.scheme == "http":
                # Loopback only: there is nothing to verify, and loading authorities takes 20 ms.
                self._ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                return self._ssl
            try:
                context = httpx.create_ssl_context()
                if self._ca_file:
                    context.load_verify_locations(cafile=self._ca_file)
            except (OSError, ssl.SSLError) as error:
                raise config_error(error, f"{self.name}: ca_file or SSL_CERT_FILE") from None
            version = ssl.TLSVersion.TLSv1_2 if self._tls12 else ssl.TLSVersion.TLSv1_3
            context.minimum_version = version
            self._ssl = context
        return self._ssl

    def close(self) -> None:
        """Close every connection."""
        with self._guard:
            for transport in self._by_proxy.values():
                transport.close()
            self._by_proxy.clear()
            self._by_host.clear()


def _tracer(told: Callable[[bool], None], part: str) -> Callable[[str, Any], None]:
    """Tells when the last part of a request is written: a server does nothing about a request
    whose body has not come."""
    events = {
        f"http11.send_request_{part}.started": False,
        f"http11.send_request_{part}.complete": True,
    }

    def trace(event: str, _: Any) -> None:
        if (gone := events.get(event)) is not None:
            told(gone)

    return trace


def _encoded(document: Any) -> bytes:
    """JSON. What orjson does not take is for the provider to judge: integers of more than 64 bits,
    and halves of characters, which become JSON's own escapes."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
