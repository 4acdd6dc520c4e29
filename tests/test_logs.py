"""The log file is private, rotated, one JSON object a line, and without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.logs import RotatingFile, configure_logging
from lumio_cli.core.paths import Paths, find_paths
from lumio_cli.core.redact import Redactor

CANARY = "canary-0123456789"


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield find_paths("default", {"LUMIO_HOME": str(tmp_path / "home")})
    for handler in [h for h in root.handlers if h not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def read(paths: Paths) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (paths.logs / "lumio.log").read_text().splitlines()]


def test_a_line_says_when_what_and_where(paths: Paths) -> None:
    configure_logging(paths, Redactor(), context={"run_id": "r1"})
    assert not paths.logs.exists(), "nothing is opened before the first record"
    logging.getLogger("lumio_cli.sync").warning(
        "page %d", 3, extra={"provider": "acme", "resource": "contacts"}
    )
    (line,) = read(paths)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "lumio_cli.sync",
        "msg": "page 3",
        "run_id": "r1",
        "provider": "acme",
        "resource": "contacts",
    }
    assert (
        paths.logs.stat().st_mode & 0o777,
        (paths.logs / "lumio.log").stat().st_mode & 0o777,
    ) == (
        0o700,
        0o600,
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_reaches_any_handler(
    paths: Paths, capsys: pytest.CaptureFixture[str], form: Any
) -> None:
    configure_logging(paths, Redactor([CANARY]), stderr_format=form)
    log = logging.getLogger("lumio_cli.x")
    try:
        raise ValueError(f"with {CANARY}")
    except ValueError:
        log.exception(
            "Authorization: Bearer %s", CANARY, extra={"url": f"/a?token={CANARY}", "o": {CANARY}}
        )
    log.error("two", stack_info=True)
    wrong = logging.LogRecord("x", logging.ERROR, "", 0, f"{CANARY} %s %s", (CANARY,), None)
    for handler in (
        h for h in logging.getLogger().handlers if type(h).__module__ == "lumio_cli.core.logs"
    ):
        handler.handle(wrong)
    shown = (paths.logs / "lumio.log").read_text() + capsys.readouterr().err
    assert CANARY not in shown
    assert "ValueError: with ***" in shown
    assert "Traceback" in shown


def test_stderr_text_is_one_clean_line(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(paths, Redactor(), stderr_format="text")
    logging.getLogger("x").warning("remote says \x1b[2J\n!")
    assert capsys.readouterr().err == "warning: remote says \\x1b[2J\\x0a!\n"


def test_configuring_again_does_not_double_lines(paths: Paths) -> None:
    configure_logging(paths, Redactor())
    configure_logging(paths, Redactor(), "WARNING")
    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")
    assert [line["msg"] for line in read(paths)] == ["yes"]


def test_libraries_do_not_show_their_requests(paths: Paths) -> None:
    configure_logging(paths, Redactor(), "DEBUG")
    logging.getLogger("httpcore.http11").debug("send_request_headers")
    logging.getLogger("httpx").info("HTTP Request: GET /")
    assert not (paths.logs / "lumio.log").exists()


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "", 0, text, (), None)


def test_it_rotates_and_keeps_a_few(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "lumio.log", max_bytes=100, kept=2)
    for n in range(20):
        file.emit(record(f"{n:02d}" + "x" * 58))
    file.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lumio.log", "lumio.log.1", "lumio.log.2"]
    assert [p.read_text()[:2] for p in sorted(tmp_path.iterdir())] == ["19", "18", "17"]
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_a_file_that_another_process_rotated_is_left(tmp_path: Path) -> None:
    path = tmp_path / "lumio.log"
    file = RotatingFile(path)
    file.emit(record("one"))
    path.rename(tmp_path / "lumio.log.1")
    file.emit(record("two"))
    file.close()
    assert path.read_text() == "two\n"


def test_a_log_that_cannot_be_written_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    file = RotatingFile(tmp_path / "file" / "lumio.log")
    file.emit(record("lost"))
    assert capsys.readouterr().err == ""
