"""The way of a page through lumio's files, as a reader meets it."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import lumio_cli
from lumio_cli.sync.pull.slice_pull import SlicePull
from support.lab import Lab

ROOT = Path(lumio_cli.__file__).parent
NOT_ON_THE_WAY = ("sandbox", "output", "commands")
COMPREHENSIONS = {"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"}
MOST_FILES = 45


class _Tracer:
    """Notes which of lumio's functions are entered, in all threads that begin from now on: from
    the second page of a slice until the slice is stored."""

    def __init__(self) -> None:
        self.entered: set[CodeType] = set()
        self.pages = 0
        self._is_on = False
        self._page, self._run = SlicePull._page.__code__, SlicePull.run.__code__

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if event == "call":
            if code is self._page:
                self.pages += 1
                self._is_on = self.pages > 1
            if self._is_on:
                self.entered.add(code)
        elif event == "return" and code is self._run:
            self._is_on = False

    @property
    def functions(self) -> dict[str, set[str]]:
        """The names of the functions that were entered, by file below lumio's root."""
        found: dict[str, set[str]] = {}
        for code in self.entered:
            path = Path(code.co_filename)
            if path.is_relative_to(ROOT):
                file = path.relative_to(ROOT)
                if file.parts[0] not in NOT_ON_THE_WAY:
                    found.setdefault(str(file), set()).add(code.co_qualname)
        return found


def _is_nested(name: str) -> bool:
    """Whether a function is a lambda, or defined inside of another; a comprehension is none."""
    return ".<locals>." in name and name.rsplit(".", 1)[-1] not in COMPREHENSIONS


def test_a_page_passes_few_files_and_no_lambda(make_lab: Callable[..., Lab]) -> None:
    lab, tracer = make_lab(201), _Tracer()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        done = lab.lumio("sync", "hubspot/contacts")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert done.resource("contacts")["created"] == 201 and tracer.pages == 3
    functions = tracer.functions
    # What a reader is told to follow lies on the way.
    for file in (
        "sync/pull/slice_pull.py",
        "transport/session.py",
        "sync/resource_sink.py",
        "sync/hub_pages.py",
        "hub/sqlite/records.py",
    ):
        assert file in functions
    assert len(functions) <= MOST_FILES, sorted(functions)
    nested = {f"{file}: {n}" for file, names in functions.items() for n in names if _is_nested(n)}
    assert not nested


def test_the_whole_loop_of_a_slice_stands_in_one_generator() -> None:
    assert inspect.isgeneratorfunction(SlicePull.pages)
