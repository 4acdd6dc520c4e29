"""Run a command line in this process, with its own streams and environment."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumio_cli.app import run


class Stream(io.StringIO):
    """A text stream that says of itself what it is told to."""

    def __init__(self, text: str = "", *, terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(text)
        self._terminal = terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


@dataclass(frozen=True)
class Done:
    """How it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be exactly one JSON document."""
        return json.loads(self.out)


def lumio(
    *argv: str,
    home: Path,
    env: Mapping[str, str] | None = None,
    terminal: bool = False,
    stdin: str = "",
) -> Done:
    """`lumio ARGV...` with `LUMIO_HOME` at `home` and nothing else in the environment but `env`."""
    out, err = Stream(terminal=terminal), Stream(terminal=terminal)
    environ = {"LUMIO_HOME": str(home), "HOME": str(home), **(env or {})}
    code = run(
        argv, environ=environ, stdin=Stream(stdin, terminal=terminal), stdout=out, stderr=err
    )
    return Done(code, out.getvalue(), err.getvalue())
