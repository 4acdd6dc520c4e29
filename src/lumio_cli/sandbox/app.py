"""A sandbox in this process: look-alikes, a server, and a thread that runs it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from .control import Control
from .faults import Faults
from .habits import Habits
from .http import Provider
from .options import Options
from .quota import check_quota
from .registry import PROVIDERS, build
from .server import Server
from .stats import Logged

if TYPE_CHECKING:
    from .hubspot import HubSpot


SETTLE = 0.25
"""Seconds that a look at the requests waits for those that are under way."""


class Sandbox:
    """Loopback look-alikes of providers.

        with Sandbox(records=1000, seed=1) as sandbox:
            url = sandbox.base_url("hubspot")
            token = sandbox.token("hubspot")

    `records` is how many live records each type has; `latency` and `search_lag` are in seconds;
    `clock` gives seconds since the epoch and drives quotas, expiry, Date headers and the times of
    writes, never the generated records. The listening socket is open when the constructor
    returns; requests are served between start() and close(), or inside `with`.
    """

    def __init__(
        self,
        records: int = 1000,
        seed: int = 1,
        latency: float = 0.0,
        quota: str = "published",
        faults: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        providers: Sequence[str] = tuple(PROVIDERS),
        port: int = 0,
        search_lag: float = 0.0,
        gzip: bool = False,
    ) -> None:
        if records < 0:
            raise ValueError("records must not be negative")
        options = Options(records, seed, clock, quota, search_lag)
        self.providers: dict[str, Provider] = {name: build(name, options) for name in providers}
        check_quota(quota, {name: made.quotas() for name, made in self.providers.items()})
        self.faults = Faults(list(faults), seed)
        self._control = Control(self.providers, self.faults)
        self._server = Server(
            self.providers,
            self.faults,
            self._control,
            port=port,
            latency=latency,
            gzip_answers=gzip,
            clock=clock,
        )
        self._control.server = self._server
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return self._server.url

    def base_url(self, provider: str = "hubspot") -> str:
        """What goes before the provider's paths."""
        if provider not in self.providers:
            raise KeyError(provider)
        return f"{self.url}/{provider}"

    def token(self, provider: str = "hubspot", name: str = "full") -> str:
        """A credential of the provider: `full`, or one of those the ready line names."""
        ready = self.providers[provider].ready(self.base_url(provider))
        return str(ready["tokens"][name])

    @property
    def hubspot(self) -> HubSpot:
        """The HubSpot account: its records, and the methods that change them."""
        return cast("HubSpot", self.providers["hubspot"])

    @property
    def requests(self) -> deque[Logged]:
        """The last requests: (time, method, path, status). Includes all that were answered."""
        self._server.stats.settle(SETTLE)
        return self._server.stats.requests

    @property
    def habits(self) -> Habits:
        """What the look-alikes make of values that are written."""
        return self._server.habits

    @property
    def violations(self) -> int:
        """How many requests were over a quota and answered 429. A 429 that a fault asked for is
        not the client's doing and not counted."""
        return sum(provider.over_quota() for provider in self.providers.values())

    def stats(self) -> dict[str, Any]:
        """What `GET /_sandbox/stats` shows."""
        self._server.stats.settle(SETTLE)
        return self._control.stats()

    def ready(self) -> dict[str, Any]:
        """What the command prints when it is ready."""
        return {
            "url": self.url,
            "providers": {
                name: provider.ready(self.base_url(name))
                for name, provider in self.providers.items()
            },
        }

    def start(self) -> Sandbox:
        """Serves in a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="sandbox", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stops serving and closes the socket. May be called twice."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
