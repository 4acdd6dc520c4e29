"""A home and a workspace for each test, without quotas unless they are asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.slack import Slack
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.slack import Slack as Workspace
from lumio_cli.sandbox.slack.timeline import Timeline
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.transport import retry
from support.lab import Lab
from support.trials import Hands

GENERAL = "C1000000000"


@dataclass
class SlackLab(Lab):
    """A lab of one workspace. `settings` are the provider's, by name."""

    clock: Hands | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a bare machine, plus what points at the workspace."""
        return {
            "PATH": os.environ["PATH"],
            "LUMIO_HOME": str(self.home),
            "LUMIO_SLACK_TOKEN": self.token or self.sandbox.token("slack"),
            "LUMIO_PROVIDERS__SLACK__BASE_URL": self.sandbox.base_url("slack"),
            "LUMIO_CACHE__ENABLED": "false",
            **self.extra,
        }

    def set(self, name: str, value: str) -> None:
        """A setting of the provider."""
        self.extra[f"LUMIO_PROVIDERS__SLACK__{name.upper()}"] = value

    @property
    def workspace(self) -> Workspace:
        """What is behind the API."""
        return cast(Workspace, self.sandbox.providers["slack"])

    @property
    def general(self) -> Timeline:
        """The messages of #general."""
        return self.workspace.timeline(GENERAL)

    def forward(self, seconds: float) -> None:
        """Let time pass at Slack."""
        assert self.clock is not None
        self.clock.forward(seconds)

    def sync(self, resource: str, *words: str, code: int = 0) -> dict[str, Any]:
        """Sync one resource; its entry."""
        outcome = self.lumio("sync", f"slack/{resource}", *words)
        assert outcome.code == code, outcome.out
        return outcome.resource(resource)

    def asked(self) -> list[str]:
        """The methods that were asked, in their order."""
        return [path.rpartition("/")[2] for _, _, path, _ in self.sandbox.requests]

    def deliver(self, message: Message) -> Receipt:
        """Send one message through the whole transport."""
        with self.runtime() as runtime:
            provider = cast(Slack, runtime.provider("slack"))
            return provider.deliver(message, open_for(runtime, provider).send)

    def find(self, message: Message) -> Receipt | None:
        """Ask what became of a message."""
        with self.runtime() as runtime:
            provider = cast(Slack, runtime.provider("slack"))
            return provider.find(message, cast(Any, None), open_for(runtime, provider).send)

    def runtime(self) -> Any:
        """The transport as a command has it."""
        from contextlib import closing

        return closing(Runtime(Globals(), environ=self.environ))


MakeSlack = Callable[..., SlackLab]


@pytest.fixture
def make_slack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeSlack]:
    """Labs with options for the sandbox; retries follow at once."""
    monkeypatch.setattr(retry.Retry, "_draw", lambda *_: 0.001)
    with ExitStack() as closing:

        def make(**options: Any) -> SlackLab:
            home = tmp_path / f"home{len(list(tmp_path.glob('home*')))}"
            home.mkdir(mode=0o700)
            hands = Hands()
            wanted = {"records": 60, "quota": "none", "clock": hands, **options}
            sandbox = closing.enter_context(Sandbox(providers=["slack"], **wanted))
            lab = SlackLab(home, sandbox, clock=hands)
            if wanted["quota"] == "none":
                lifted = {quota.name: 1_000_000 for quota in Slack.quotas}
                lab.set("limits", json.dumps(lifted))
            return lab

        yield make


@pytest.fixture
def lab(make_slack: MakeSlack) -> SlackLab:
    """A workspace with 60 of everything, and #general chosen."""
    made = make_slack()
    made.set("channels", GENERAL)
    return made


def reply(body: Any, status: int = 200, url: str = "", **headers: str) -> Reply:
    """An answer of Slack's."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": "application/json", **named}, content, url=url)


class Answers:
    """A `Send` that answers from a script, and keeps what it was asked."""

    def __init__(self, *bodies: Any) -> None:
        self._bodies = list(bodies)
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        return reply(self._bodies.pop(0), url=f"https://slack.com/api{call.path}")
