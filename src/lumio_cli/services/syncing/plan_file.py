"""A preview that is kept in a file, and a sync that does exactly what the file says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from lumio_cli import __version__
from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import LumioError, UsageError
from lumio_cli.core.intake import read_text
from lumio_cli.core.paths import expand, written_whole
from lumio_cli.hub.edits import State
from lumio_cli.hub.sqlite import outbox, state
from lumio_cli.providers.registry import provider_class
from lumio_cli.services import NO_LIMIT
from lumio_cli.services.syncing.sync import Request, after_stop, preview, sync
from lumio_cli.services.syncing.targets import connected_names
from lumio_cli.sync.dry_run_sink import first
from lumio_cli.sync.fields import abilities_of
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.model import (
    Action,
    Direction,
    FieldChange,
    Mode,
    RecordChange,
    RunResult,
)

if TYPE_CHECKING:
    from lumio_cli.core.progress import Progress
    from lumio_cli.runtime import Runtime

LIMIT = 128 << 20
"""Bytes of a plan, at most."""
FORMAT = "lumio-plan"
VERSION = 1
STALE = "plan_stale"
NAMED = 3
"""Differences that an error names."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a preview found. `accounts` are the ids of the providers' accounts by provider, as far
    as they were known; `conflicts` is None where the settings decide."""

    targets: Sequence[str]
    direction: Direction
    mode: Mode
    conflicts: Policy | None
    accounts: Mapping[str, str]
    changes: Sequence[RecordChange]
    created_at: str

    def as_json(self) -> dict[str, Any]:
        """The content of the file."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "lumio": __version__,
            "created_at": self.created_at,
            "targets": list(self.targets),
            "direction": self.direction,
            "mode": self.mode,
            "conflicts": self.conflicts,
            "accounts": dict(self.accounts),
            "changes": [{**c.as_json(), "trace": c.trace} for c in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Applied:
    """A run that did what a plan says. `conflicts` of the plan were left alone, as were those
    changes that `moved` between the last look and the push."""

    result: RunResult
    conflicts: int
    moved: int

    def as_json(self) -> dict[str, Any]:
        """What the document of `sync` says of the plan."""
        return {"plan": {"conflicts_left": self.conflicts, "moved": self.moved}}


def preview_to_file(
    runtime: Runtime, request: Request, limit: int, out: Path, progress: Progress | None = None
) -> tuple[RunResult, Path | None]:
    """Preview, and keep all that was found in `out`, which is private and whole or not there.

    Returns the result, with `limit` changes, and where the plan is: nowhere if the preview is
    incomplete. Raises as `preview` does, and `UsageError` for a file that cannot be.
    """
    if request.direction == "pull":
        raise UsageError("--out keeps what is to be pushed", hint="add --direction push or both")
    path = expand(out, UsageError).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{out} cannot be written", hint="name a file in a directory that exists")
    request = replace(request, targets=tuple(request.targets) or _all(runtime, request))
    result = preview(runtime, request, NO_LIMIT, progress)
    found = result.changes or []
    result.changes = first(found, limit)
    if result.exit_code:
        return result, None
    plan = Plan(
        request.targets,
        request.direction,
        request.mode,
        request.conflicts,
        _accounts(runtime, request.targets),
        found,
        format_timestamp(runtime.clock.time()),
    )
    _write(path, json.dumps(plan.as_json(), ensure_ascii=False, indent=1) + "\n")
    return result, path


def apply(
    runtime: Runtime, path: Path, request: Request, progress: Progress | None = None
) -> Applied:
    """Sync as the plan in the file says; targets, direction, mode and policy are its own.

    Raises as `sync` does; `UsageError` for a file that is no plan of this hub's, and `LumioError`
    `plan_stale`, before anything is written, where a preview comes to something else by now.
    """
    plan = read(path)
    _check_accounts(runtime, plan, path)
    asked = replace(
        request,
        targets=plan.targets,
        mode=plan.mode,
        direction=plan.direction,
        conflicts=plan.conflicts,
    )
    only = _only(runtime, plan)

    def gate() -> Mapping[str, Mapping[str, str]]:
        now = preview(runtime, replace(asked, max_duration=None), NO_LIMIT)
        if now.exit_code:
            raise _incomplete(now)
        if found := differences(plan.changes, now.changes or ()):
            more = f", and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
            raise LumioError(
                f"the plan does not hold any longer: {'; '.join(found[:NAMED])}{more}",
                code=STALE,
                exit_code=3,
                hint="nothing was done; make a new plan with `lumio preview --out`",
            )
        return only

    result = sync(runtime, asked, progress, gate)
    after_stop(result, "what was done stays; `lumio preview --out` makes a plan for the rest")
    conflicts = sum(change.action == "conflict" for change in plan.changes)
    moved = _moved(runtime, only)
    if moved and result.exit_code == 0:
        result.status, result.exit_code = "partial", 3
    return Applied(result, conflicts, moved)


def differences(planned: Sequence[RecordChange], now: Sequence[RecordChange]) -> list[str]:
    """Where two previews differ, in words without values."""
    then, after = _by_record(planned), _by_record(now)
    found = []
    for name, old in then.items():
        target = f"{old['provider']}/{old['resource']} {old['id']}"
        new = after.get(name)
        if new is None:
            found.append(f"{target}: nothing to {old['action']} any longer")
        elif new["action"] != old["action"]:
            found.append(f"{target}: {new['action']} instead of {old['action']}")
        elif new != old:
            names = _fields_that_differ(old, new)
            found.append(f"{target}: {names or 'the edit'} has changed since")
    found += [
        f"{new['provider']}/{new['resource']} {new['id']}: {new['action']} is not in the plan"
        for name, new in after.items()
        if name not in then
    ]
    return found


def _by_record(changes: Iterable[RecordChange]) -> dict[tuple[str, ...], dict[str, Any]]:
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for change in changes:
        # As it is after a way through a file: what JSON does not tell apart is no difference.
        document = json.loads(json.dumps({**change.as_json(), "trace": change.trace}))
        # Whether it may have been done already, and whether its values are options of their
        # fields by then, the push finds out: it is the same change.
        document.pop("in_doubt", None)
        document.pop("problem", None)
        document["fields"] = {f["name"]: [f["before"], f["after"]] for f in document["fields"]}
        found[change.direction, change.provider, change.resource, change.id] = document
    return found


def _fields_that_differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    one, other = old["fields"], new["fields"]
    names = sorted(n for n in {*one, *other} if n not in one or one[n] != other.get(n))
    return ", ".join(names[:NAMED])


def _incomplete(result: RunResult) -> LumioError:
    """Why nobody can say whether a plan still holds."""
    errors = [r.error for r in result.resources if r.error is not None]
    return errors[0] if errors else LumioError("the plan could not be compared with what is now")


def _only(runtime: Runtime, plan: Plan) -> dict[str, dict[str, str]]:
    """What to push, as in `Request.only`.

    A record that is to be created anew has another id in the plan than in the outbox: both are
    named. So are, without a trace to send, edits that the plan knows nothing of: the merge before
    the push is to come to nothing for them, too.
    """
    pushes = [change for change in plan.changes if change.direction == "push"]
    found: dict[str, dict[str, str]] = {}
    reader = runtime.hub_reader
    if reader is None:
        return found
    for provider, resource in outbox.resources(reader.connection):
        mine = [c for c in pushes if (c.provider, c.resource) == (provider, resource)]
        traces = {_key(c.trace): c.trace for c in mine}
        known = {c.id for c in mine}
        records = {c.id: c.trace for c in mine if c.action != "conflict"}
        for edit in outbox.walk(reader.connection, provider, resource):
            if edit.record not in known:
                records[edit.record] = traces.get(edit.key, "")
        found[f"{provider}/{resource}"] = records
    return found


def _moved(runtime: Runtime, only: Mapping[str, Mapping[str, str]]) -> int:
    """How many of these changes are others by now, and wait."""
    reader, count = runtime.hub_reader, 0
    if reader is None:
        return 0
    for target, records in only.items():
        provider, _, resource = target.partition("/")
        traces = {_key(trace): trace for trace in records.values()}
        waiting = outbox.walk(
            reader.connection, provider, resource, status=(State.PENDING, State.CONFLICT)
        )
        count += sum(e.key in traces and e.trace != traces[e.key] for e in waiting)
    return count


def _key(trace: str) -> str:
    return trace.rpartition("-")[0]


def _all(runtime: Runtime, request: Request) -> tuple[str, ...]:
    """The providers that are meant where none is named."""
    names = connected_names(runtime)
    if request.direction == "push":
        classes = {name: provider_class(name) for name in names}
        names = [n for n, c in classes.items() if any(any(abilities_of(c, r)) for r in c.resources)]
    return tuple(names)


def _accounts(runtime: Runtime, targets: Iterable[str]) -> dict[str, str]:
    """Whose data the hub holds, of the targets' providers."""
    reader = runtime.hub_reader
    names = {target.partition("/")[0] for target in targets}
    known = (
        (name, None if reader is None else state.read_account(reader.connection, name))
        for name in sorted(names)
    )
    return {name: account.account_id for name, account in known if account is not None}


def _check_accounts(runtime: Runtime, plan: Plan, path: Path) -> None:
    now = _accounts(runtime, plan.targets)
    for name, account in plan.accounts.items():
        if now.get(name) != account:
            held = f"that of {now[name]}" if name in now else "none of it"
            raise UsageError(
                f"{path} is a plan for {name} account {account}, this hub holds {held}",
                hint="use it with the profile that it was made with: --profile NAME",
            )


def read(path: Path) -> Plan:
    """The plan in a file. Raises `UsageError` where it is none that can be used."""
    try:
        text = read_text(expand(path, UsageError), LIMIT, "utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="`lumio preview --out` writes plans"
        ) from None
    except ValueError:
        raise _no_plan(path) from None
    try:
        document = json.loads(text)
        known = document["format"] == FORMAT
        version = int(document["version"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise _no_plan(path) from None
    if known and version > VERSION:
        raise UsageError(f"{path} was written by a newer lumio", hint="upgrade lumio")
    try:
        plan = _parsed(document)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _no_plan(path) from None
    if not known:
        raise _no_plan(path)
    return plan


def _no_plan(path: Path) -> UsageError:
    return UsageError(f"{path} is not a plan of lumio", hint="`lumio preview --out` writes plans")


def _parsed(document: Mapping[str, Any]) -> Plan:
    """Raises ValueError, TypeError, KeyError or AttributeError where something is amiss."""
    return Plan(
        [_text(target) for target in _some(document["targets"])],
        _one_of(document["direction"], ("push", "both")),
        _one_of(document["mode"], get_args(Mode)),
        None if document["conflicts"] is None else _one_of(document["conflicts"], get_args(Policy)),
        {_text(name): _text(account) for name, account in document["accounts"].items()},
        [_change(entry) for entry in document["changes"]],
        _text(document["created_at"]),
    )


def _change(entry: Mapping[str, Any]) -> RecordChange:
    return RecordChange(
        _text(entry["provider"]),
        _text(entry["resource"]),
        _text(entry["id"]),
        _one_of(entry["action"], get_args(Action)),
        tuple(FieldChange(_text(f["name"]), f["before"], f["after"]) for f in entry["fields"]),
        _one_of(entry["direction"], ("pull", "push")),
        _text(entry["trace"]),
        _text(entry.get("conflict", "")),
        bool(entry.get("in_doubt", False)),
        _text(entry.get("merged_into", "")),
        _text(entry.get("problem", "")),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _some(value: Sequence[Any]) -> Sequence[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(value)
    return value


def _one_of(value: Any, words: Sequence[str]) -> Any:
    if value not in words:
        raise ValueError(value)
    return value


def _write(path: Path, text: str) -> None:
    try:
        # A lone half of a character, which UTF-8 has no bytes for, becomes JSON's own escape.
        with written_whole(path, errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        raise LumioError(
            f"the plan cannot be written: {path}: {error.strerror}",
            hint="check the directory, or name another file",
        ) from None
