"""A client of the provider's and lumio's own adapter, at the same look-alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lumio_cli.providers.contract.call import Send
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.services.connections.sessions import open_for
from support.conformance import Rig, Subject
from support.trials import Hands


def hearing(sandbox: Sandbox, name: str) -> list[Request]:
    """What the look-alike is asked from now on: its own books have no bodies."""
    provider, seen = sandbox.providers[name], []
    handle = provider.handle

    def listen(request: Request) -> Response:
        seen.append(request)
        return handle(request)

    provider.handle = listen  # type: ignore[method-assign]
    return seen


@contextmanager
def adapter(sandbox: Sandbox, subject: Subject, home: Path) -> Iterator[tuple[Any, Send]]:
    """lumio's adapter, and its whole transport."""
    lab = Rig(home, sandbox, subject=subject, clock=Hands())
    lab.lift_quotas()
    with lab.runtime() as runtime:
        provider = runtime.provider(subject.provider)
        yield provider, open_for(runtime, provider).send
