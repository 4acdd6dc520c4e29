"""A Mailchimp account and a lumio that is connected to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.providers.contract.call import Call, Reply, Send
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.mailchimp import Mailchimp
from lumio_cli.sandbox.mailchimp import Mailchimp as Account
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.transport.attempt import Sender
from providers.mailchimp_subjects import MEMBERS, account
from support.conformance import Rig, rig


@dataclass
class Desk:
    """A lab, the account behind it, and the adapter with the whole transport below it."""

    lab: Rig
    account: Account
    provider: Mailchimp
    send: Send
    calls: list[Call] = field(default_factory=list)

    @property
    def list_id(self) -> str:
        """The first audience."""
        return next(iter(self.account.rooms))

    @property
    def contacts(self) -> list[str]:
        """The live contacts of the first audience."""
        return list(self.account.rooms[self.list_id].members.ids())

    def member(self, contact: str) -> dict[str, Any]:
        """A member of the first audience, live or archived."""
        row = self.account.rooms[self.list_id].read(contact)
        assert row is not None
        return row

    def subscribed(self) -> list[str]:
        """The ids of members whom nothing keeps from being changed."""
        return [
            f"{self.list_id}:{c}" for c in self.contacts if self.member(c)["status"] == "subscribed"
        ]

    def write(self, *changes: Change, send: Send | None = None) -> dict[str, Receipt]:
        """Receipts by trace; there must be one for each change."""
        members = self.provider.resource("members")
        found = list(self.provider.write(members, changes, send or self.send))
        assert sorted(r.trace for r in found) == sorted(c.trace for c in changes)
        return {receipt.trace: receipt for receipt in found}

    def deliver(self, message: Message, send: Send | None = None) -> Receipt:
        """What became of a message."""
        return self.provider.deliver(message, send or self.send)


@pytest.fixture
def make_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    """Desks with homes of their own. `one` audience, or the sandbox's three."""
    with ExitStack() as closing:

        def make(records: int = 40, *, one: bool = True, **environ: str) -> Desk:
            subject = MEMBERS if one else replace(MEMBERS, fill=None)
            lab = closing.enter_context(rig(subject, tmp_path, records))
            lab.extra |= environ
            runtime = closing.enter_context(lab.runtime())
            provider = runtime.provider("mailchimp")
            assert isinstance(provider, Mailchimp)
            desk = Desk(lab, account(lab.sandbox), provider, open_for(runtime, provider).send)
            attempt = Sender.attempt

            def record(self: Sender, call: Call, *args: Any, **options: Any) -> Any:
                desk.calls.append(call)
                return attempt(self, call, *args, **options)

            monkeypatch.setattr(Sender, "attempt", record)
            return desk

        yield make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """Forty members in one audience."""
    return make_desk()


def losing(desk: Desk, path: str, error: Exception, *, done: bool = True) -> Send:
    """A way to the provider on which the answer to the first POST to `path` is lost; with `done`
    the request has been carried out."""
    lost: list[Call] = []

    def send(call: Call) -> Reply:
        if call.method == "POST" and path in call.path and not lost:
            lost.append(call)
            if done:
                desk.send(call)
            raise error
        return desk.send(call)

    return send
