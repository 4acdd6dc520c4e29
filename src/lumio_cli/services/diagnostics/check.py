"""What a check is, and how it is run: within its time, and without harm to the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lumio_cli.core.errors import LumioError, StoppedError

if TYPE_CHECKING:
    from lumio_cli.core.redact import Redactor
    from lumio_cli.core.stop import Stop

Status = Literal["pass", "warn", "fail", "skip"]

LIMIT = 10.0
"""Seconds that one check may take."""

_POLL = 0.05

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: one line, and for `warn` and `fail` what to do. `facts` are the same for
    programs, as JSON.
    """

    status: Status
    detail: str
    hint: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A question. `work` may raise: that is a finding, too. `network`: left out when offline."""

    name: str
    work: Callable[[], Finding]
    network: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A finding under its name, and how long it took in seconds."""

    name: str
    finding: Finding
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """As the contract has it."""
        found = self.finding
        document: dict[str, Any] = {
            "name": self.name,
            "status": found.status,
            "detail": found.detail,
            "hint": found.hint,
            "duration_ms": round(self.seconds * 1000, 1),
        }
        if found.facts:
            document["facts"] = dict(found.facts)
        return document


@dataclass(frozen=True, slots=True)
class Rules:
    """How checks are run. `limit` is in seconds."""

    redactor: Redactor
    stop: Stop
    offline: bool = False
    limit: float = LIMIT


def run_all(checks: Sequence[Check], rules: Rules) -> list[Result]:
    """The checks' results, one after the other. Raises `StoppedError` and nothing else."""
    return [_run(check, rules) for check in checks]


def _run(check: Check, rules: Rules) -> Result:
    begin = time.monotonic()
    if check.network and rules.offline:
        finding = Finding("skip", "not asked: --offline")
    else:
        finding = _find(check, rules)
    clean = rules.redactor
    return Result(
        check.name,
        Finding(
            finding.status,
            clean.text(finding.detail),
            clean.text(finding.hint) if finding.hint else None,
            clean.json(dict(finding.facts)),
        ),
        time.monotonic() - begin,
    )


def _find(check: Check, rules: Rules) -> Finding:
    try:
        return limited(check.work, rules.limit, rules.stop)
    except StoppedError:
        raise
    except LumioError as error:
        hint = error.hint or "`lumio diagnostic --bundle FILE.zip` collects what explains it"
        return Finding("fail", error.message, hint, {"code": error.code})
    except TimeoutError:
        return Finding(
            "fail",
            f"no answer within {rules.limit:g} s",
            "something in between hangs: the network, a mounted disk, the keyring; try again",
            {"code": "timeout"},
        )
    except Exception as error:  # noqa: BLE001 a check that breaks must not stop the others
        about = " ".join(str(error).split()) or "no more is known"
        return Finding(
            "fail",
            f"the check itself failed: {type(error).__name__}: {about}",
            "please report it, with `lumio diagnostic --bundle FILE.zip`",
            {"code": "internal"},
        )


def limited(work: Callable[[], T], limit: float, stop: Stop) -> T:
    """What `work` returns or raises, if it does so within `limit` seconds.

    It runs in a daemon thread: one that hangs is left behind and cannot keep the process alive.
    Raises TimeoutError, and `StoppedError` as soon as `stop` is set.
    """
    values: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            values.append(work())
        except BaseException as error:  # noqa: BLE001 handed over to the waiting thread
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="lumio-check", daemon=True).start()
    deadline = time.monotonic() + limit
    while not done.wait(_POLL):
        stop.check()
        if time.monotonic() >= deadline:
            raise TimeoutError
    if errors:
        raise errors[0]
    return values[0]
