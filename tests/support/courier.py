"""A provider that only delivers messages, and its service on this machine.

The provider can be imported by other processes: `install` makes a package of it that is found by
its entry point. The service counts what it was given, by recipient, and misbehaves on request.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lumio_cli.core.errors import RejectedError, UsageError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Send
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.messages import Message, MessageKind, Past
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.receipt import Receipt
from support.cli import Done, lumio

TOKEN = "courier-sandbox-0123456789abcdef"
KINDS = (
    MessageKind("note", "Note", (Field("text", "Its text"),), to="A name", bulk=True),
    MessageKind(
        "form",
        "Filled form",
        (
            Field("template", "The form"),
            Field("params", "What is filled in", kind="list", default=()),
            Field("copies", "How many", kind="integer", default=1),
            Field("urgent", "First of all", kind="boolean", default=False),
        ),
        to="A name",
        bulk=True,
    ),
    MessageKind(
        "parcel",
        "Parcel",
        (
            Field("media", "What is in it", kind="file"),
            Field("caption", "What is on it", default=""),
        ),
        to="A name",
        bulk=True,
    ),
    MessageKind(
        "link",
        "Link",
        (Field("link", "Where it is", pattern=r"https://.+"),),
        to="A name",
        bulk=True,
    ),
    MessageKind("poster", "Poster", (Field("headline", "In large letters"),), confirm=True),
)


class Courier(Provider):
    """Delivers, and cannot tell afterwards what it delivered."""

    name = "courier"
    title = "Courier"
    category = "Messages"
    base_url = "https://api.courier.example"
    hosts = ("api.courier.example",)
    credential = (Field("token", "API token", secret=True),)
    quotas = (
        Quota("second", 80, 1.0, routes=("/messages",)),
        Quota("pair", 1, 6.0, routes=("/messages",), keyed="to"),
    )
    resources = ()
    messages = KINDS

    def probe(self, send: Send, credential: Credential) -> Identity:
        me = send(Call("GET", "/me")).json()
        return Identity(str(me["id"]), me["name"])

    def names(self, to: str, past: Past) -> tuple[str, ...]:
        return (to.removeprefix("@").lower(),)

    def check(self, message: Message, past: Past) -> None:
        if len(message.to) > 40:
            raise UsageError("a name has at most 40 characters")
        if past.latest("talks", {"from.name": message.to}, "at") == "closed":
            raise RejectedError(f"{message.to} wants no messages", category="window_closed")

    def deliver(self, message: Message, send: Send) -> Receipt:
        if message.kind == "parcel":
            content = message.values["media"]["data"]
            headers = {"content-type": message.values["media"]["type"]}
            send(Call("POST", "/uploads", content=content, headers=headers, safe=True))
        values = {k: v for k, v in message.values.items() if k != "media"}
        body = {"to": message.to, "kind": message.kind, "key": message.key, **values}
        reply = send(Call("POST", "/messages", json=body, keys={"to": message.to})).json()
        if reply.get("again"):
            return Receipt(message.key, "retry", message="not now")
        if reply.get("problem"):
            return Receipt(message.key, "failed", kind="no_such_name", message=reply["problem"])
        return Receipt(message.key, "done", id=reply["id"])


class Tracing(Courier):
    """Can be asked what became of a message."""

    name = "tracing"

    def find(self, message: Message, past: Past, send: Send) -> Receipt | None:
        found = send(Call("GET", "/messages", params={"key": message.key})).json()
        if not found["ids"]:
            return Receipt(message.key, "retry")
        return Receipt(message.key, "done", id=found["ids"][0])


COURIERS = {"courier": "support.courier:Courier", "tracing": "support.courier:Tracing"}
"""For the table of providers of a test's own process."""


class Service:
    """The courier's API. A context manager.

    `got` are the messages in the order of their arrival. `latency` in seconds is spent before
    and after a message is taken. `script` maps a recipient to what happens to it:

    lost    taken, and the connection cut         refused       400
    cut     not taken, and the connection cut     late          429, for an hour
    hang    taken, and never answered             unauthorized  401
    nobody  not taken: 200, with a problem in it
    again   not taken: 200, and to be repeated
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        self.got: list[dict[str, Any]] = []
        self.uploads = 0
        self.asked = 0
        self.script: dict[str, str] = {}
        self.peak = 0
        self._now = 0
        self._guard = threading.Lock()
        self._ended = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                service.asked += 1
                parts = urlsplit(self.path)
                if parts.path == "/me":
                    self.reply(200, {"id": 7, "name": "The courier"})
                else:
                    key = parse_qs(parts.query)["key"][0]
                    ids = [f"m-{key}" for m in list(service.got) if m["key"] == key]
                    self.reply(200, {"ids": ids})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/uploads":
                    service.uploads += 1
                    self.reply(200, {"id": "u-1"})
                    return
                service.take(self, json.loads(body))

            def reply(self, status: int, document: Any, **headers: str) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """Clients are killed here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, handler: Any, body: dict[str, Any]) -> None:
        """Answer a message, in the way that its recipient is treated."""
        with self._guard:
            self._now += 1
            self.peak = max(self.peak, self._now)
        time.sleep(self.latency / 2)
        fate = self.script.get(body["to"], "")
        refusals = {
            "refused": (400, {"message": "no house of that name"}, {}),
            "late": (429, {"message": "enough"}, {"retry_after": "3600"}),
            "unauthorized": (401, {"message": "who are you?"}, {}),
        }
        with self._guard:
            self._now -= 1
            if fate not in (*refusals, "cut", "again", "nobody"):
                self.got.append(body)
        if fate in refusals:
            status, document, headers = refusals[fate]
            handler.reply(status, document, **headers)
        elif fate in ("lost", "cut"):
            handler.close_connection = True
        elif fate == "hang":
            self._ended.wait()
        elif fate == "again":
            handler.reply(200, {"again": True})
        elif fate == "nobody":
            handler.reply(200, {"problem": "nobody of that name"})
        else:
            time.sleep(self.latency / 2)
            handler.reply(200, {"id": f"m-{body['key']}"})

    @property
    def counts(self) -> Counter[str]:
        """How many messages each recipient got."""
        return Counter(message["to"] for message in list(self.got))

    def __enter__(self) -> Service:
        serve = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


class CourierLab:
    """A home, a service, and lumio in this process or in one of its own."""

    def __init__(self, root: Path, service: Service, provider: str = "courier") -> None:
        self.root = root
        self.service = service
        self.provider = provider
        self.home = root / "home"
        self.home.mkdir(mode=0o700, exist_ok=True)
        upper = provider.upper()
        self.environ = {
            f"LUMIO_{upper}_TOKEN": TOKEN,
            f"LUMIO_PROVIDERS__{upper}__BASE_URL": service.url,
            f"LUMIO_PROVIDERS__{upper}__LIMITS": '{"second": 100000, "pair": 100000}',
        }

    def lumio(self, *argv: str, stdin: str = "", terminal: bool = False, **environ: Any) -> Done:
        """A command line in this process."""
        return lumio(
            *argv,
            home=self.home,
            env={**self.environ, **environ},
            stdin=stdin,
            terminal=terminal,
        )

    def send(self, *argv: str, stdin: str = "", **environ: Any) -> Done:
        """`lumio send PROVIDER ARGV... --yes -o json`."""
        words = ("send", self.provider, *argv, "--yes", "-o", "json")
        return self.lumio(*words, stdin=stdin, **environ)

    def csv(self, *rows: str, header: str = "to,text", name: str = "list.csv") -> str:
        """A file of rows; returns its path."""
        path = self.root / name
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return str(path)

    def spawn(self, *argv: str, environ: Mapping[str, str] | None = None) -> Any:
        """A command line as a process of its own."""
        package = self.root / "elsewhere"
        if not package.exists():
            info = package / "lumio_courier-1.0.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(
                "Metadata-Version: 2.1\nName: lumio-courier\nVersion: 1\n"
            )
            (info / "entry_points.txt").write_text(
                "[lumio.providers]\ncourier = support.courier:Courier\n"
                "tracing = support.courier:Tracing\n"
            )
        tests = Path(__file__).resolve().parent.parent
        return subprocess.Popen(
            [sys.executable, "-m", "lumio_cli", *argv],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{package}:{tests}",
                "LUMIO_HOME": str(self.home),
                **self.environ,
                **(environ or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def hub_path(self) -> Path:
        """Where the hub is."""
        return self.home / "lumio.db"

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the hub with a plain SQLite connection."""
        with closing(sqlite3.connect(self.hub_path, isolation_level=None)) as db:
            return db.execute(statement, values).fetchall()
