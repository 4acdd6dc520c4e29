"""The end of a browser login: a listener on the loopback interface that takes one redirect.

Whatever else reaches the port while it is open (other pages, prefetchers, scanners, DNS rebinding)
is turned away and does not end the login.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import queue
import socket
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lumio_cli.core.errors import UsageError

_HOSTS = {
    "localhost": ("127.0.0.1", "::1"),
    "127.0.0.1": ("127.0.0.1",),
    "::1": ("::1",),
}
_PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>lumio</title>"
    b"<p>lumio has the answer. Close this page and go back to the terminal."
)
_ERROR_PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>lumio</title>"
    b"<p>This is not the answer that lumio is waiting for."
)
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What an authorization server says through the browser: a code, or an error."""

    code: str = field(default="", repr=False)
    error: str = ""
    description: str = ""

    @classmethod
    def read(cls, query: str, state: str) -> Answer | None:
        """The answer in a redirect's query; None where its state is not `state`, or where it
        holds neither a code nor an error. The state comes first: without it nothing counts.
        """
        try:
            params = parse_qs(query, max_num_fields=50)
        except ValueError:
            return None
        # Anything twice is not what an authorization server sends (RFC 6749 section 3.1).
        single = {name: values[0] for name, values in params.items() if len(values) == 1}
        if not hmac.compare_digest(single.get("state", "").encode(), state.encode()):
            return None
        if single.get("error"):
            return cls(error=single["error"], description=single.get("error_description", ""))
        return cls(code=single["code"]) if single.get("code") else None


class Listener:
    """Listens while it is entered; `answer` gives the redirect that carries `state`.

    Binds 127.0.0.1 and ::1 for `localhost`, else the one address; `port` 0 is any free port.
    Raises `UsageError` where the host is not this machine's loopback or the port is taken.
    """

    def __init__(self, host: str, port: int, path: str, state: str) -> None:
        self._host = host.strip("[]")
        if self._host not in _HOSTS:
            raise UsageError(
                f"lumio only listens on this machine, not on {host!r}",
                hint="use localhost, 127.0.0.1 or ::1; or --no-browser",
            )
        self._wanted = port
        self._path = path
        self._state = state
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._servers: list[_Server] = []

    @property
    def redirect_uri(self) -> str:
        """Where the browser is to be sent, with the port that was taken."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._servers[0].server_port}{self._path}"

    def answer(self, seconds: float) -> Answer | None:
        """The answer, or None if none came within `seconds`."""
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            return None

    def __enter__(self) -> Listener:
        self._servers = self._bind()
        for server in self._servers:
            threading.Thread(
                target=server.serve_forever, args=(0.02,), name="lumio-login", daemon=True
            ).start()
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _bind(self) -> list[_Server]:
        """One server an address, all on one port."""
        for left in reversed(range(_TRIES)):
            try:
                return self._bind_all()
            except OSError as error:
                # The port that was free for IPv4 may be taken for IPv6: another one will do.
                if self._wanted or error.errno != errno.EADDRINUSE or not left:
                    raise self._unusable(error) from None
        raise AssertionError("the last try returns or raises")

    def _bind_all(self) -> list[_Server]:
        servers: list[_Server] = []
        with contextlib.ExitStack() as undo:
            for address in _HOSTS[self._host]:
                port = servers[0].server_port if servers else self._wanted
                try:
                    servers.append(_Server(address, port, self))
                except OSError as error:
                    # A machine without IPv6 does with 127.0.0.1.
                    if not servers or error.errno == errno.EADDRINUSE:
                        raise
                else:
                    undo.callback(servers[-1].server_close)
            undo.pop_all()
        return servers

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(
            f"port {self._wanted} on {self._host} cannot be used: {error.strerror}",
            hint="choose another with --port, and register the new redirect URI with the app; "
            "or use --no-browser",
        )

    def take(self, target: str, host: str) -> tuple[int, bytes]:
        """Judge a GET: the status and the page to answer with."""
        url = urlsplit(target)
        if url.path != self._path:
            return 404, _ERROR_PAGE
        port = self._servers[0].server_port
        if host.lower() not in {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}:
            return 400, _ERROR_PAGE
        answer = Answer.read(url.query, self._state)
        if answer is None:
            return 400, _ERROR_PAGE
        self._answers.put(answer)
        return 200, _PAGE


class _Server(ThreadingHTTPServer):
    # An answered port may be bound again at once; on POSIX this lets nobody share a live one.
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, port: int, listener: Listener) -> None:
        self.listener = listener
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # The nearer parent's would look the address up in DNS, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is none of the operator's business."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0

    def do_GET(self) -> None:
        status, page = self.server.listener.take(self.path, self.headers.get("Host", ""))
        self._reply(status, page)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The parent's page would repeat the request; a method other than GET is not found."""
        self._reply(404 if code == 501 else code, _ERROR_PAGE)

    def _reply(self, status: int, page: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Security-Policy", "default-src 'none'")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(page)

    def version_string(self) -> str:
        return "lumio"

    def log_message(self, format: str, *args: Any) -> None:
        """The request line holds the code."""
