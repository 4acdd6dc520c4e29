"""Questions to a person, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, TextIO, cast

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import UsageError
from lumio_cli.core.stop import interruptible


class Prompt:
    """Asks on stderr and reads from stdin, only where both are terminals.

    Elsewhere, with `--no-input`, or where `CI` is set, every question is a UsageError that names
    what to use instead. `read_hidden` reads a line
    without showing it.
    """

    def __init__(
        self,
        options: Globals,
        *,
        stdin: IO[str],
        stderr: IO[str],
        environ: Mapping[str, str],
        read_hidden: Callable[[str], str] | None = None,
    ) -> None:
        self._stdin = stdin
        self._stderr = stderr
        self._read_hidden = read_hidden or self._getpass
        self.possible = (
            not options.no_input and not environ.get("CI") and stdin.isatty() and stderr.isatty()
        )

    def secret(self, question: str, *, instead: str) -> str:
        """A value that is not shown while it is typed. `instead` names flags and variables."""
        self._require(question, instead)
        with interruptible():
            return self._read_hidden(f"{question}: ").strip()

    def text(self, question: str, *, default: str = "", instead: str) -> str:
        """A line, or `default` for an empty one."""
        self._require(question, instead)
        shown = f" [{default}]" if default else ""
        return self._line(f"{question}{shown}: ") or default

    def confirm(self, question: str, *, name: str, yes: bool = False) -> None:
        """Go on only if the operator types `name`, or has given `--yes`.

        Raises UsageError where nobody can be asked, and where the answer is another.
        """
        if yes:
            return
        self._require(question, "--yes")
        if self._line(f"{question} Type {name!r} to go on: ") != name:
            raise UsageError("not confirmed, nothing was changed")

    def _require(self, question: str, instead: str) -> None:
        if not self.possible:
            raise UsageError(f"cannot ask here: {question}", hint=f"use {instead}")

    def _line(self, question: str) -> str:
        self._stderr.write(question)
        self._stderr.flush()
        with interruptible():
            answer = self._stdin.readline()
        if not answer:
            raise UsageError("the input ended before there was an answer")
        return answer.strip()

    def _getpass(self, question: str) -> str:
        import getpass

        try:
            return getpass.getpass(question, stream=cast(TextIO, self._stderr))
        except EOFError:
            raise UsageError("the input ended before there was an answer") from None
