"""A sandbox of WhatsApp with lumio's transport to it, and everything that goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.providers.contract.call import Call, Send
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.whatsapp import WhatsApp
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.whatsapp import WhatsApp as Account
from lumio_cli.sandbox.whatsapp.account import PHONE_ID, WABA_ID
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.transport.attempt import Sender
from support.lab import Lab

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TO = "+55 (11) 98765-4321"
USER = "5511987654321"


class Memory:
    """What a hub would know: rows by resource."""

    def __init__(self, **rows: list[dict[str, str]]) -> None:
        self.rows = rows

    def latest(self, resource: str, match: Any, path: str) -> str | None:
        found = [
            row[path]
            for row in self.rows.get(resource, ())
            if all(row.get(name) == value for name, value in match.items())
        ]
        return max(found, default=None)


def message(kind: str, to: str = TO, key: str = "key-1", **values: Any) -> Message:
    """A message as the outbox hands it over."""
    return Message(kind, to, values, key, NOW)


@dataclass
class WhatsAppLab(Lab):
    """A lab for WhatsApp; `send` is the whole transport."""

    calls: list[Call] = field(default_factory=list)
    runtime: Runtime | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "LUMIO_HOME": str(self.home),
            "LUMIO_WHATSAPP_TOKEN": self.token or self.sandbox.token("whatsapp"),
            "LUMIO_WHATSAPP_WABA_ID": WABA_ID,
            "LUMIO_WHATSAPP_PHONE_NUMBER_ID": PHONE_ID,
            "LUMIO_PROVIDERS__WHATSAPP__BASE_URL": self.sandbox.base_url("whatsapp"),
            "LUMIO_CACHE__ENABLED": "false",
            **self.extra,
        }

    @property
    def account(self) -> Account:
        """The look-alike's account."""
        return cast(Account, self.sandbox.providers["whatsapp"])

    @property
    def provider(self) -> WhatsApp:
        """The adapter."""
        return cast(WhatsApp, self._runtime.provider("whatsapp"))

    @property
    def send(self) -> Send:
        """One request through the whole transport."""
        return open_for(self._runtime, self.provider).send

    @property
    def _runtime(self) -> Runtime:
        if self.runtime is None:
            self.runtime = Runtime(Globals(), environ=self.environ)
        return self.runtime


@pytest.fixture
def make_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., WhatsAppLab]]:
    opened: list[WhatsAppLab] = []
    attempt = Sender.attempt

    def build(records: int = 12, **options: Any) -> WhatsAppLab:
        options = {"quota": "none", **options}
        sandbox = Sandbox(records=records, providers=["whatsapp"], **options).start()
        lab = WhatsAppLab(tmp_path, sandbox)
        opened.append(lab)

        def record(self: Sender, call: Call, *args: Any, **more: Any) -> Any:
            lab.calls.append(call)
            return attempt(self, call, *args, **more)

        monkeypatch.setattr(Sender, "attempt", record)
        return lab

    yield build
    for lab in opened:
        if lab.runtime is not None:
            lab.runtime.close()
        lab.sandbox.close()


@pytest.fixture
def lab(make_lab: Callable[..., WhatsAppLab]) -> WhatsAppLab:
    return make_lab()
