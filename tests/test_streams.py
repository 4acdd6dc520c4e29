"""The process's streams, closed, full or without a reader: one line, a code, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lumio_cli.output import streams
from lumio_cli.output.streams import OutputError

pytestmark = pytest.mark.attack("streams")


def shell(home: Path, line: str) -> tuple[int, str, str]:
    """How `sh` ends with `line`, in which `$lumio` is the program."""
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={**os.environ, "LUMIO_HOME": str(home), "lumio": f"{sys.executable} -m lumio_cli"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("form", "where", "why"),
    [("tsv", ">/dev/full", "No space left on device"), ("json", ">&-", "Bad file descriptor")],
)
def test_a_stdout_that_takes_nothing_is_told_in_one_line(
    tmp_path: Path, form: str, where: str, why: str
) -> None:
    code, _, err = shell(tmp_path, f"$lumio providers -o {form} {where}")
    assert code == 1
    assert err.splitlines() == [
        f"error: stdout cannot be written: {why}",
        "hint: not all of the result was printed; what the command did stays",
    ]


@pytest.mark.parametrize("where", ["2>/dev/full", "<&- >&- 2>&-"])
def test_a_broken_stderr_stops_nothing(tmp_path: Path, where: str) -> None:
    code, _, err = shell(tmp_path, f"$lumio config init {where}")
    # The result had no reader either, where all are closed; what was to be done is done.
    assert (code, err) == (0 if where == "2>/dev/full" else 1, "")
    text = (tmp_path / "config.yaml").read_text()
    assert text.startswith("#")
    assert "is written" not in text, "a file that takes a closed stream's number is not printed to"


def test_a_sink_tells_its_failure_once() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        sink = streams._Sink(full.fileno(), needed=True)
        with pytest.raises(OutputError, match="No space left"):
            sink.write(b"a")
        assert sink.write(b"abc") == 3
        assert streams._Sink(full.fileno(), needed=False).write(b"abc") == 3
