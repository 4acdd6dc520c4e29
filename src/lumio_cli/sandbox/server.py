"""The sandbox's HTTP server: sockets, keep-alive, faults, statistics. Knows no provider.

HTTP/1.1 on 127.0.0.1 only. Requests are read by hand rather than by http.server's own handler:
that one parses headers as e-mail, which would cost more than a page of records.
"""

from __future__ import annotations

import gzip
import selectors
import socket
import socketserver
import struct
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import orjson

from .faults import CONTENT, Fault, Faults, retry_after, written_raw
from .habits import Habits
from .http import Provider, Request, Response
from .stats import Stats

_HEADERS_MAX = 100
_LINE_MAX = 65_536
_BODY_MAX = 64 * 1024 * 1024
# Longer request targets are answered 414, as HubSpot and most front ends do.
_TARGET_MAX = 16_384
_HTML = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body>Maintenance</body></html>"
_REASONS = {status.value: status.phrase for status in HTTPStatus}

Control = Callable[[Request, list[str]], Response]


class Disconnect(Exception):  # noqa: N818 - not an error: the answer is that there is none
    """The connection ends without an answer; with `reset`, by an RST."""

    def __init__(self, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class Server(ThreadingHTTPServer):
    """Serves look-alikes: each below its prefix, or a single one at the root as well."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    # A client that went away before it was taken is not waited for.
    timeout = 0

    def __init__(
        self,
        providers: Mapping[str, Provider],
        faults: Faults,
        control: Control,
        *,
        port: int = 0,
        latency: float = 0.0,
        gzip_answers: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.providers = dict(providers)
        self.faults = faults
        self.control = control
        self.latency = latency
        self.gzip_answers = gzip_answers
        self.clock = clock
        self.stats = Stats()
        self.habits = Habits()
        self._wake, self._ended = socket.socketpair()
        super().__init__(("127.0.0.1", port), cast(Any, _Handler))

    def server_bind(self) -> None:
        """Binds, without the look-up of the host's name that http.server would do."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serves until `shutdown`, which wakes it: nothing is polled, whatever the interval."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._ended, selectors.EVENT_READ)
            ready.register(self, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in ready.select()):
                self.handle_request()

    def shutdown(self) -> None:
        """Ends `serve_forever`, after the connection that it is taking; does not wait for it."""
        self._wake.send(b"!")

    def server_close(self) -> None:
        """Closes the sockets. May be called twice."""
        super().server_close()
        self._wake.close()
        self._ended.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; anything else is a fault of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.server_port}"

    def route(self, path: str) -> tuple[Provider | None, str, str]:
        """The provider of a path, its prefix and what is left of the path."""
        name, slash, rest = path[1:].partition("/")
        if name in self.providers:
            return self.providers[name], f"/{name}", slash + rest or "/"
        if len(self.providers) == 1:
            return next(iter(self.providers.values())), "", path
        return None, "", path


def _is_ours(host: str) -> bool:
    """Whether a Host or an Origin names this machine itself. A page in a browser can send requests
    here by a name of its own that leads to 127.0.0.1."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.lower() in ("", "127.0.0.1", "localhost", "[::1]")


def _origin(headers: Mapping[str, str]) -> str:
    """The host of the page that asks; empty: it is no page. A page without one is foreign."""
    origin = headers.get("origin", "")
    return urlsplit(origin).netloc or origin


class _Handler(socketserver.StreamRequestHandler):
    """One connection and the requests on it, one after the other."""

    server: Server
    disable_nagle_algorithm = True
    rbufsize = 65_536
    wbufsize = 0

    def handle(self) -> None:
        """Serves until either side has had enough."""
        while self._one():
            pass

    def _one(self) -> bool:
        line = self.rfile.readline(_LINE_MAX + 1)
        if line in (b"\r\n", b"\n"):
            line = self.rfile.readline(_LINE_MAX + 1)
        words = line.split()
        if len(words) != 3:
            return False
        method, target, version = (word.decode("latin-1") for word in words)
        headers = self._headers()
        if headers is None:
            return False
        stats = self.server.stats
        # Not when it ends: its client may have gone on before that is noted.
        arrived = self.server.clock()
        stats.enter()
        status = 0
        self._label = target.partition("?")[0]
        try:
            body = self._body(headers)
            if body is None:
                return False
            keep = headers.get("connection", "").lower() != "close" and version != "HTTP/1.0"
            status = self._serve(method, target, headers, body, keep)
        except Disconnect as end:
            if end.reset:
                self._reset()
            return False
        finally:
            stats.leave(arrived, method, self._label, status)
        return keep

    def _headers(self) -> dict[str, str] | None:
        headers: dict[str, str] = {}
        for _ in range(_HEADERS_MAX):
            line = self.rfile.readline(_LINE_MAX + 1)
            if line in (b"\r\n", b"\n", b""):
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return None

    def _body(self, headers: dict[str, str]) -> bytes | None:
        """The body, decompressed; None where it ends early or is too long."""
        if headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > _BODY_MAX:
                return None
            body = self.rfile.read(int(length)) if int(length) else b""
            if len(body) < int(length):
                return None
        if body and headers.get("content-encoding", "").lower() == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                return None
        return body

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(64).partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline(8)
        while self.rfile.readline(_LINE_MAX) not in (b"\r\n", b"\n", b""):
            pass
        return b"".join(parts)

    def _serve(
        self, method: str, target: str, headers: dict[str, str], body: bytes, keep: bool
    ) -> int:
        server = self.server
        parts = urlsplit(target) if "://" in target else None
        path, _, query = (parts.path, "", parts.query) if parts else target.partition("?")
        host = headers.get("host", "127.0.0.1")
        if not _is_ours(host) or not _is_ours(_origin(headers)):
            foreign = {"message": "the sandbox answers programs of this machine, and no other page"}
            return self._send(Response.of_json(foreign, 403), {}, keep)
        if path.startswith("/_sandbox"):
            request = Request(method, path, parse_qs(query), headers, body, f"http://{host}")
            return self._send(server.control(request, path.split("/")[2:]), {}, keep)
        provider, prefix, rest = server.route(path)
        if provider is None:
            nothing = Response.of_json({"message": f"no provider at {path}"}, 404)
            return self._send(nothing, {}, keep)
        values = parse_qs(query, keep_blank_values=True) if query else {}
        body = server.habits.taken(method, body)
        request = Request(method, rest, values, headers, body, f"http://{host}{prefix}")
        request.raw_query = query
        request.label = provider.label(request)
        self._label = f"{prefix}{request.label}"
        struck = {fault.kind: fault for fault in server.faults.strike(request)}
        if server.latency:
            time.sleep(server.latency)
        instead = _before(struck, provider, request)
        if instead is None and len(target) > _TARGET_MAX:
            instead = provider.failure(414, None)
        response = instead or _after(struck, provider, request, provider.handle(request))
        skew = (struck["skew"].argument or "3600") if "skew" in struck else "0"
        # An empty one is as good as none.
        response.headers["Date"] = (
            "" if skew == "none" else formatdate(provider.now() + float(skew), usegmt=True)
        )
        return self._send(response, struck, keep, head=method == "HEAD")

    def _send(
        self, response: Response, struck: dict[str, Fault], keep: bool, head: bool = False
    ) -> int:
        if response.stream is not None:
            return self._send_stream(response)
        body = response.body
        response.headers.setdefault("Date", formatdate(usegmt=True))
        if self.server.gzip_answers and len(body) > 1024 and not head:
            response.headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        if response.status != 204:
            response.headers["Content-Length"] = str(len(body))
        if not keep:
            response.headers["Connection"] = "close"
        top = _head(response)
        if "cut" in struck:
            argument = struck["cut"].argument
            stop = int(argument) if argument else len(body) // 2
            self.connection.sendall(top + body[:stop])
            raise Disconnect(reset=False)
        if "slow" in struck:
            self._drip(top, body, float(struck["slow"].argument or 2))
        else:
            self.connection.sendall(top if head else top + body)
        return response.status

    def _drip(self, top: bytes, body: bytes, seconds: float) -> None:
        self.connection.sendall(top)
        steps = 20
        size = max(1, -(-len(body) // steps))
        for start in range(0, len(body), size):
            time.sleep(seconds / steps)
            self.connection.sendall(body[start : start + size])

    def _send_stream(self, response: Response) -> int:
        response.headers["Transfer-Encoding"] = "chunked"
        self.connection.sendall(_head(response))
        pending: list[bytes] = []
        size = 0
        for part in response.stream or ():
            pending.append(part)
            size += len(part)
            if size >= 65_536:
                self._chunk(b"".join(pending))
                pending, size = [], 0
        if pending:
            self._chunk(b"".join(pending))
        self.connection.sendall(b"0\r\n\r\n")
        return response.status

    def _chunk(self, data: bytes) -> None:
        self.connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def _reset(self) -> None:
        """Closes with an RST: lingering for no time at all."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _head(response: Response) -> bytes:
    reason = _REASONS.get(response.status, "Unknown")
    lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return f"HTTP/1.1 {response.status} {reason}\r\n{lines}\r\n".encode("latin-1")


def _before(struck: dict[str, Fault], provider: Provider, request: Request) -> Response | None:
    """The faults that answer in the provider's place, or never let the request arrive."""
    if not struck:
        return None
    if "latency" in struck:
        time.sleep(float(struck["latency"].argument or 100) / 1000)
    if "expired" in struck:
        provider.expire(request)
    if "reset" in struck:
        raise Disconnect(reset=True)
    for kind, fault in struck.items():
        if kind.isdigit():
            return provider.failure(int(kind), retry_after(fault.argument, provider.now()))
    if "html" in struck:
        return Response(200, _HTML, {"Content-Type": "text/html; charset=utf-8"})
    if "foreign" in struck:
        where = struck["foreign"].argument or "https://attacker.invalid/"
        return Response(302, headers={"Location": where})
    return None


def _after(
    struck: dict[str, Fault], provider: Provider, request: Request, response: Response
) -> Response:
    """The faults that spoil an answer after the work is done."""
    if not struck:
        return response
    if "lost" in struck:
        raise Disconnect(reset=False)
    if response.body and response.status < 300:
        for kind in sorted(CONTENT & struck.keys()):
            try:
                document = orjson.loads(response.body)
            except orjson.JSONDecodeError:
                break  # a file, or a sheet: it has no rows that a fault could find
            document = provider.distort(kind, struck[kind].argument, request, document)
            response.body = orjson.dumps(document)
        if "raw" in struck:
            response.body = written_raw(response.body, struck["raw"].argument)
    if "badjson" in struck:
        response.body = response.body[: max(1, len(response.body) - 2)]
    if "badutf8" in struck:
        response.body = response.body.replace(b":", b': "\xff\xfe", "x":', 1)
    return response
