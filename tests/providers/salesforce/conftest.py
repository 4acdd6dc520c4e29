"""A lumio with Salesforce's look-alike, and the adapter alone with a plain way to send."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from lumio_cli.core.errors import DeniedError, GoneError, RejectedError, UnavailableError
from lumio_cli.providers.contract.call import Call, Reply, Send
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.salesforce import Salesforce, bulk, ingest
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.salesforce import Salesforce as Org
from support.lab import Lab


class SalesforceLab(Lab):
    """A lab whose only provider is Salesforce."""

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LUMIO_HOME": str(self.home),
            "LUMIO_SALESFORCE_TOKEN": self.token or self.sandbox.token("salesforce"),
            "LUMIO_SALESFORCE_INSTANCE_URL": "https://sandbox.my.salesforce.com",
            "LUMIO_PROVIDERS__SALESFORCE__BASE_URL": self.sandbox.base_url("salesforce"),
            **self.extra,
        }

    def set(self, name: str, value: str) -> None:
        """A setting of the provider."""
        self.extra[f"LUMIO_PROVIDERS__SALESFORCE__{name.upper()}"] = value

    @property
    def org(self) -> Org:
        """The look-alike."""
        return cast(Org, self.sandbox.providers["salesforce"])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of the look-alike are done at once: nobody waits for them."""
    for module in (bulk, ingest):
        monkeypatch.setattr(module, "LEAST_WAIT", 0.0)


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., SalesforceLab]]:
    opened: list[Sandbox] = []

    def build(records: int = 20, **options: Any) -> SalesforceLab:
        sandbox = Sandbox(records=records, providers=("salesforce",), **options).start()
        opened.append(sandbox)
        home = tmp_path / f"home{len(opened)}"
        home.mkdir()
        return SalesforceLab(home, sandbox)

    yield build
    for sandbox in opened:
        sandbox.close()


@pytest.fixture
def lab(make_lab: Callable[..., SalesforceLab]) -> SalesforceLab:
    return make_lab()


def sender(lab: SalesforceLab, calls: list[Call] | None = None, token: str = "full") -> Send:
    """Sends calls as they are, and raises what the transport would."""
    provider = Salesforce({})
    errors = {
        Outcome.DENIED: DeniedError,
        Outcome.GONE: GoneError,
        Outcome.RETRY: UnavailableError,
        Outcome.EXHAUSTED: UnavailableError,
    }

    def send(call: Call) -> Reply:
        if calls is not None:
            calls.append(call)
        url = lab.sandbox.base_url("salesforce") + call.path
        headers = {"authorization": f"Bearer {lab.sandbox.token('salesforce', token)}"}
        body: dict[str, Any] = {"json": call.json} if call.json is not None else {}
        if call.content:
            body = {"content": call.content}
        params = dict(call.params) or None
        answer = httpx.request(
            call.method, url, params=params, headers={**headers, **call.headers}, trust_env=False,
            **body,
        )  # fmt: skip
        reply = Reply(answer.status_code, dict(answer.headers), answer.content, url)
        verdict = provider.judge(reply)
        if verdict is not None and verdict.outcome is not Outcome.OK:
            if verdict.outcome in errors:
                raise errors[verdict.outcome](verdict.message)
            raise RejectedError(verdict.message, status=reply.status, category=verdict.category)
        return reply

    return send
