"""Exports: a job that is begun, asked about until it is done, and read part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lumio_cli.providers.contract.call import Call, Place, Record, Reply


@dataclass(frozen=True, slots=True)
class JobState:
    """How an export stands: `job` names it, `info` is plain JSON that its pages are read with,
    `wait` is how many seconds it may be left alone before it is asked about again."""

    done: bool
    job: str
    info: Any = None
    wait: float = 1.0


@dataclass(frozen=True, slots=True)
class Jobs:
    """An export that the provider prepares: submitted, asked about until it is done, then read.

    `state(reply)` reads how it stands from the answers of `submit` and `poll`, and raises
    `BadReplyError` where it has failed. A place is kept after each step, so that a run that was
    killed goes on with the export it began. `read` and `following` page through the result by
    `place["job"]` and `place["info"]`, and by whatever `following` adds.
    """

    submit: Callable[[Call], Call]
    poll: Callable[[Call, str], Call]
    state: Callable[[Reply], JobState]
    read: Callable[[Call, Place], Call]
    following: Callable[[Place, Reply, Sequence[Record]], Place | None]

    def first(self, size: int) -> Place:
        return {"step": "submit", "size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if place["step"] == "submit":
            return self.submit(call)
        if place["step"] == "poll":
            return replace(self.poll(call, place["job"]), delay=float(place["wait"]))
        return self.read(call, place)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        if place["step"] == "page":
            return self.following(place, reply, rows)
        state = self.state(reply)
        if state.done:
            return {"step": "page", "size": place["size"], "job": state.job, "info": state.info}
        return {
            "step": "poll",
            "size": place["size"],
            "job": state.job,
            "wait": state.wait,
            "polls": place.get("polls", 0) + 1,
        }
