"""What files, pipes and commands hand over has limits, and a signal ends the wait for it."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lumio_cli.config.yaml_file import read_config_file
from lumio_cli.core.errors import CredentialError, StoppedError, UsageError
from lumio_cli.core.intake import TooLongError, read_text
from lumio_cli.core.stop import Stop
from lumio_cli.credentials.operator_sources import find_given
from lumio_cli.credentials.secret_files import read_secret_file
from lumio_cli.services.records.import_file import Input
from lumio_cli.services.syncing import plan_file
from lumio_cli.services.tabular import row_reader
from lumio_cli.services.tabular.row_reader import MOST_COLUMNS, Source

pytestmark = pytest.mark.attack("input files")


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo.csv"
    os.mkfifo(path, 0o600)
    return path


def as_config(path: Path) -> None:
    read_config_file(path)


def as_plan(path: Path) -> None:
    plan_file.read(path)


def as_rows(path: Path) -> None:
    Source(str(path), io.StringIO())


def as_records(path: Path) -> None:
    Input(str(path), io.StringIO())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("read", [as_config, as_plan, as_rows, as_records])
def test_a_fifo_without_a_writer_is_waited_for_until_a_signal(
    fifo: Path, read: Callable[[Path], None], number: int
) -> None:
    # As the program has it: by itself a signal ends nothing.
    before = signal.signal(number, lambda *_: None)
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.05, signal.pthread_kill, (main, number)).start()
    try:
        with pytest.raises(StoppedError) as caught:
            read(fifo)
    finally:
        signal.signal(number, before)
    assert caught.value.exit_code == 128 + number


def test_a_fifo_is_read_like_a_file(fifo: Path) -> None:
    threading.Thread(target=fifo.write_text, args=("to,text\r\na,b\r\n",)).start()
    with Source(str(fifo), io.StringIO()) as rows:
        assert [row.cells for row in rows.rows()] == [{"to": "a", "text": "b"}]


def test_a_secret_is_no_fifo_and_nobody_waits_to_find_out(fifo: Path) -> None:
    with pytest.raises(CredentialError, match="no regular file"):
        read_secret_file(fifo, "LUMIO_ACME_TOKEN_FILE", {})


@pytest.mark.parametrize("from_file", [True, False])
def test_a_text_is_read_to_its_limit(tmp_path: Path, from_file: bool) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"a" * 1000)
    where = path if from_file else io.StringIO("a" * 1000)
    with pytest.raises(TooLongError):
        read_text(where, 999)
    assert read_text(path, 1000) == "a" * 1000


def test_a_command_that_prints_without_end_is_ended() -> None:
    loop = "import sys\nwhile True: sys.stdout.write('a' * 65536)"
    given = find_given("acme", {}, [sys.executable, "-Sc", loop], Stop())
    assert given is not None
    with pytest.raises(CredentialError, match="prints more than 65536 bytes") as caught:
        given.read()
    assert caught.value.exit_code == 4


def test_what_a_command_says_in_pieces_is_one_token() -> None:
    code = "import os\nfor part in (b'to', b'ken', b'\\n'): os.write(1, part)"
    given = find_given("acme", {}, [sys.executable, "-Sc", code], Stop())
    assert given is not None
    assert given.read() == "token"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("before", ["", "to,text\na,b\n"])
def test_a_line_without_end_is_no_row(
    tmp_path: Path, kind: str, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reader, "LONGEST_CELL", 1000)
    path = tmp_path / f"rows.{kind}"
    path.write_text(before + "a" * 1001)
    with (
        pytest.raises(UsageError, match=r"line [13] of .* has more than 1,000 characters"),
        Source(str(path), io.StringIO()) as rows,
    ):
        list(rows.rows())


def test_columns_have_a_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(",".join(f"c{n}" for n in range(MOST_COLUMNS + 1)))
    with pytest.raises(UsageError, match="10001 columns"):
        Source(str(path), io.StringIO())
    path.write_text("to,text\nx" + "," * 2 * MOST_COLUMNS + "\n")
    with Source(str(path), io.StringIO()) as rows:
        row = next(rows.rows())
    assert row.problem == f"it has {2 * MOST_COLUMNS + 1} cells, and the header 2"
    assert len(row.raw) == MOST_COLUMNS
