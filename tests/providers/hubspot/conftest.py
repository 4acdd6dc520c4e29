"""HubSpot's look-alike, and its adapter writing to it through the whole transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox import Sandbox
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.transport.request_log import Tally
from support.lab import Lab

Write = Callable[..., dict[str, Receipt]]


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes a lab with a look-alike of its own, without quotas."""
    with ExitStack() as stack:

        def make(records: int = 120, **options: Any) -> Lab:
            options.setdefault("quota", "none")
            sandbox = stack.enter_context(
                Sandbox(records=records, providers=("hubspot",), **options)
            )
            limits = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst": 1000000}'}
            return Lab(tmp_path / "home", sandbox, extra=limits)

        yield make


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab()


@pytest.fixture
def sent() -> Tally:
    """What the writes of a test have cost, the description of the properties included."""
    return Tally()


@pytest.fixture
def writer(sent: Tally) -> Iterator[Callable[..., Write]]:
    """Makes a way to write to one of a lab's resources; receipts by trace."""
    with ExitStack() as stack:

        def make(lab: Lab, name: str = "contacts") -> Write:
            runtime = Runtime(Globals(), environ=lab.environ)
            stack.callback(runtime.close)
            provider = runtime.provider("hubspot")
            session = open_for(runtime, provider)

            def write(*changes: Change) -> dict[str, Receipt]:
                send = partial(session.send, tally=sent)
                found = list(provider.write(provider.resource(name), changes, send))  # type: ignore[attr-defined]
                assert len(found) == len(changes), "one receipt a change"
                return {receipt.trace: receipt for receipt in found}

            return write

        yield make


@pytest.fixture
def write(lab: Lab, writer: Callable[..., Write]) -> Write:
    """Writes to the lab's contacts."""
    return writer(lab)


def ids(lab: Lab, kind: str = "contacts") -> list[str]:
    """The ids of all live records."""
    return [str(record["id"]) for record in lab.sandbox.hubspot.dump(kind)]
