"""What `lumio sandbox` does: a look-alike's arguments, and standing by until somebody ends it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import LumioError

if TYPE_CHECKING:
    from lumio_cli.core.stop import Stop

POLL = 0.5
"""Seconds between two looks at the child."""


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """What to serve. None and empty: as the sandbox has it by itself.

    latency  milliseconds before each answer
    faults   as in `lumio_cli.sandbox.faults`
    quota    published, none, or KEY=VALUE,...
    port     0: a free one
    """

    providers: Sequence[str] = ()
    records: int | None = None
    latency: float | None = None
    faults: Sequence[str] = ()
    quota: str | None = None
    seed: int | None = None
    port: int = 0

    def arguments(self) -> list[str]:
        """For `services.sandboxing.child_process.serving`. Joined by `=`: no value is an option."""
        single = {
            "records": self.records,
            "latency": self.latency,
            "quota": self.quota,
            "seed": self.seed,
            "port": self.port,
        }
        words = [f"--provider={name}" for name in self.providers]
        words += [f"--fault={spec}" for spec in self.faults]
        return words + [f"--{name}={value}" for name, value in single.items() if value is not None]


def stand_by(ready: Mapping[str, Any], stop: Stop) -> int:
    """Wait until `stop` is set; the exit code it asks for. Raises `LumioError` where the look-alike
    ends by itself.
    """
    while not stop.wait(POLL):
        if _has_ended(int(ready["pid"])):
            raise LumioError("the sandbox has ended by itself", hint="run it again; was it killed?")
    return stop.exit_code


def _has_ended(pid: int) -> bool:
    """Whether a child of this process has ended. `subprocess` copes with its being reaped here."""
    return os.waitpid(pid, os.WNOHANG)[0] == pid
