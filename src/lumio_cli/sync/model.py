"""What a run is asked to do, and what it says it did: the words of the contract."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import LumioError
from lumio_cli.hub.sqlite.runs import COUNTS
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.sync.merging.merge import Policy

Mode = Literal["incremental", "full"]
Direction = Literal["pull", "push", "both"]
Action = Literal["create", "update", "delete", "conflict"]
Status = Literal["succeeded", "partial", "failed", "skipped"]


class Counter(Protocol):
    """What a session counts for its caller."""

    requests: int
    retries: int
    waited: float


class Sender(Protocol):
    """The transport, as the engine sees it: `transport.session.Session` is one."""

    def send(self, call: Call, *, tally: Any = None, fresh: bool = False) -> Reply:
        """One request, all the way there and back. Raises `LumioError`."""
        ...

    def forget(self, call: Call) -> None:
        """Do not serve this call's answer again from a cache."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """A connected provider: what it declares, and the way to it.

    `new_tally(on_wait)` makes a counter that reports its waits to `on_wait(seconds, reason)`.
    `prove(call)` makes sure that the hub is about the account that the session opens, with `call`
    running pieces of work on the hub in the thread that owns it; it returns the link to use, and
    raises `LumioError`. None: that was done before.
    """

    provider: Provider
    session: Sender
    new_tally: Callable[[Callable[[float, str], None]], Counter]
    prove: Callable[[Callable[[Callable[[sqlite3.Connection], Any]], Any]], Link] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One resource to pull, to push, or both. One that is only pushed is pulled before, too, if
    there is anything to push: what changed there meanwhile is not overwritten.
    """

    link: Link
    resource: Resource
    pull: bool = True
    push: bool = False

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.link.provider.name

    @property
    def name(self) -> tuple[str, str]:
        """The provider's name and the resource's, as the hub knows it."""
        return self.link.provider.name, self.resource.name

    @property
    def target(self) -> str:
        """PROVIDER/RESOURCE."""
        return "/".join(self.name)


def is_driven(resource: Resource) -> bool:
    """Whether parents drive the listing, and nothing but they say that it has changed: its cursor
    is a number of the hub's change counter and no time."""
    return bool(resource.parents) and resource.cursor is None


def hangs_on(resource: Resource) -> tuple[str, ...]:
    """The resources that are read before it: those that drive its listing, and the one whose
    records it is a part of."""
    horizon = resource.horizon
    return (*resource.parents, *((horizon.parent,) if horizon and horizon.parent else ()))


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    max_delete    percent of a resource's records that one sweep may delete
    max_record    bytes of a record's JSON beyond which it becomes a dead letter
    prefetch      pages fetched ahead of the one that is being written, for each slice
    slices        slices of one walk that are pulled side by side
    stale_after   seconds after which an interrupted full walk is begun anew
    policy        who is right where both sides have changed a field; `policies` by target, where
                  that is another one
    ignore_counts  targets whose counts say nothing of how many records are listed
    only          by target, the records to push and the traces of their changes; None: all
    writers       batches of one resource that are pushed side by side
    history       days that changes of records are remembered
    """

    mode: Mode = "incremental"
    direction: Direction = "pull"
    max_delete: float = 10.0
    max_record: int = 16 * 1024 * 1024
    prefetch: int = 1
    slices: int = 4
    stale_after: float = 7 * 86400.0
    policy: Policy = "ask"
    policies: Mapping[str, Policy] = field(default_factory=dict)
    ignore_counts: frozenset[str] = frozenset()
    only: Mapping[str, Mapping[str, str]] | None = None
    writers: int = 4
    history: float = 90.0

    def policy_of(self, target: str) -> Policy:
        """Who is right in conflicts of PROVIDER/RESOURCE."""
        return self.policies.get(target, self.policy)


COUNTED = {
    "pull": ("read", "created", "updated", "unchanged", "deleted", "failed"),
    "push": ("sent", "created", "updated", "deleted", "conflicts", "failed"),
}
"""What is counted, by direction."""


@dataclass(slots=True)
class ResourceResult:
    """What a run did to one resource, one way.

    hidden    only a look before a push, of which nobody asked to be told
    cut_off   `error` ended the work before its end, rather than being about a part of it
    cached    it was read from the cache, at least in part: the provider was not asked
    """

    provider: str
    resource: str
    mode: Mode
    direction: Literal["pull", "push"] = "pull"
    status: Status = "succeeded"
    read: int = 0
    sent: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    conflicts: int = 0
    failed: int = 0
    requests: int = 0
    retries: int = 0
    waited_s: float = 0.0
    cursor: str | None = None
    error: LumioError | None = None
    warnings: list[str] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    optional: bool = False
    hidden: bool = False
    cut_off: bool = False
    cached: bool = False

    @property
    def is_fresh(self) -> bool:
        """Whether the hub is now as the provider is, by its own word of this run."""
        return self.status == "succeeded" and not self.cached

    def as_json(self) -> dict[str, Any]:
        """The resource's entry in the document of `sync`."""
        return {
            "provider": self.provider,
            "resource": self.resource,
            "direction": self.direction,
            "mode": self.mode,
            "status": self.status,
            **{name: getattr(self, name) for name in COUNTED[self.direction]},
            "requests": self.requests,
            "retries": self.retries,
            "waited_s": round(self.waited_s, 3),
            "cursor": self.cursor,
            "cached": self.cached,
            "error": error_json(self.error),
            "warnings": list(self.warnings),
            "drift": list(self.drift),
        }


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field before and after, as the provider wrote it; `name` is that of the view's column."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What a run would do to one record. Of a conflict, `before` is what the provider has and
    `after` what the hub has. `trace` names the change, of a push; `conflict` is the kind of one:
    edit (both sides changed a field), changed (deleted here, edited there), deleted (the reverse),
    merged (edited or deleted here, and there part of another record, `into`). `doubt`: it may have
    been done by an earlier run, and is looked for first. `problem`: why the provider will refuse
    it, as far as the hub knows.
    """

    provider: str
    resource: str
    id: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    direction: Literal["pull", "push"] = "pull"
    trace: str = ""
    conflict: str = ""
    doubt: bool = False
    into: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """The change's entry in the document of `preview`."""
        document: dict[str, Any] = {
            "provider": self.provider,
            "resource": self.resource,
            "direction": self.direction,
            "id": self.id,
            "action": self.action,
            "fields": [{"name": f.name, "before": f.before, "after": f.after} for f in self.fields],
        }
        if self.conflict:
            document["conflict"] = self.conflict
        if self.into:
            document["merged_into"] = self.into
        if self.doubt:
            document["in_doubt"] = True
        if self.problem:
            document["problem"] = self.problem
        return document


@dataclass(slots=True)
class RunResult:
    """A whole run. `error` is set where one and the same thing kept all of it from its work."""

    run_id: str
    started_at: datetime
    status: Literal["succeeded", "partial", "failed", "interrupted"] = "succeeded"
    finished_at: datetime | None = None
    resources: list[ResourceResult] = field(default_factory=list)
    changes: list[RecordChange] | None = None
    exit_code: int = 0
    error: LumioError | None = None

    def as_json(self) -> dict[str, Any]:
        """The document of `sync`, and with `changes` that of `preview`."""
        finished = self.finished_at or self.started_at
        document: dict[str, Any] = {
            "run_id": self.run_id,
            "status": self.status,
            "started_at": format_time(self.started_at),
            "finished_at": format_time(finished),
            "duration_s": round((finished - self.started_at).total_seconds(), 3),
            "resources": [r.as_json() for r in self.resources],
        }
        if self.changes is not None:
            document["changes"] = [c.as_json() for c in self.changes]
        if self.error is not None:
            document["error"] = error_json(self.error)
        return document


def error_json(error: LumioError | None) -> Mapping[str, Any] | None:
    """An error as the contract's JSON has it."""
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


def totals(result: RunResult, direction: Literal["pull", "push"] | None = None) -> dict[str, int]:
    """The run's counts, summed over its resources; of one direction, where that is given."""
    chosen = [r for r in result.resources if direction in (None, r.direction)]
    return {name: sum(getattr(r, name) for r in chosen) for name in COUNTS}


def has_changes(result: RunResult) -> bool:
    """Whether a preview found anything to do."""
    return any(r.created or r.updated or r.deleted or r.conflicts for r in result.resources)
