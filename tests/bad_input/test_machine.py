"""A machine that is short of something: one line that names it, and a code of the contract."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lumio_cli.core.locks import FileLock
from lumio_cli.sync.mishaps import unexpected
from support.lab import Lab
from support.trials import both, told

pytestmark = [pytest.mark.attack("machine"), pytest.mark.usefixtures("brisk")]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    outcome = lab.lumio("sync", "hubspot/contacts")
    error = told(outcome)
    assert (outcome.code, error["code"]) == (1, "file_unusable")
    assert f"it cannot be locked: {os.strerror(number)}" in error["message"]
    assert "LUMIO_HOME" in error["hint"]
    assert lab.lumio("status").code == 0, "what only reads needs no lock"


def test_a_lock_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left") as caught:
        FileLock(tmp_path / "a.lock").try_acquire()
    assert caught.value.filename == str(tmp_path / "a.lock")


def no_thread() -> None:
    raise RuntimeError("can't start new thread")


def no_memory() -> None:
    raise MemoryError


@pytest.mark.parametrize("refuse", [no_thread, no_memory])
def test_too_little_memory_is_no_mistake_of_lumios(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, refuse: Callable[[], None]
) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: refuse())
    code, error = both(lab, "sync", "hubspot/contacts")
    assert (code, error["code"]) == (1, "out_of_memory")
    assert unexpected("hubspot/contacts", MemoryError()).code == "out_of_memory"
    assert unexpected("hubspot/contacts", KeyError("x")).code == "internal"
