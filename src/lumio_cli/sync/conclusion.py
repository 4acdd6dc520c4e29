"""How a run ended: its status and exit code, by the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lumio_cli.core.errors import DeniedError, LumioError
from lumio_cli.sync.model import ResourceResult


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a run ended. `error`: the one and the same thing that kept all of it from its work."""

    status: Literal["succeeded", "partial", "failed", "interrupted"]
    exit_code: int
    error: LumioError | None = None


def conclude(
    resources: Sequence[ResourceResult],
    stopped: int | None = None,
    crash: BaseException | None = None,
) -> Conclusion:
    """Sum a run up: where all resources ended alike, with that exit code, else with 3.

    `stopped` is the exit code of a stop, where the run was stopped; `crash` is a mistake that no
    resource could take upon itself.
    """
    if stopped is not None and any(r.error is not None for r in resources):
        return Conclusion("interrupted", stopped)
    optional = [r for r in resources if r.optional]
    main = [r for r in resources if not r.optional] or optional
    codes = {exit_code_of(r) for r in main}
    if codes == {0} and any(_matters(r) for r in optional):
        codes = {0, 3}
    exit_code = 0 if not codes else codes.pop() if len(codes) == 1 else 3
    error = _common_error(resources)
    if crash is not None:
        return Conclusion("failed", getattr(crash, "exit_code", 1), error)
    if exit_code == 0:
        return Conclusion("succeeded", exit_code, error)
    failed = all(r.status in ("failed", "skipped") and r.error is not None for r in main)
    return Conclusion("failed" if failed else "partial", exit_code, error)


def _common_error(resources: Sequence[ResourceResult]) -> LumioError | None:
    """What every resource has failed with, where that is the same."""
    errors = [r.error for r in resources if r.error is not None]
    alike = len(errors) == len(resources) and len({error.message for error in errors}) == 1
    return errors[-1] if alike else None


def exit_code_of(result: ResourceResult) -> int:
    """The exit code that a resource alone would end with."""
    if result.status == "succeeded" or (result.status == "skipped" and result.error is None):
        return 0
    if result.error is None or (result.status == "partial" and not result.cut_off):
        return 3
    return result.error.exit_code


def _matters(result: ResourceResult) -> bool:
    """Whether an optional resource's failure is more than a scope that nobody granted."""
    return exit_code_of(result) != 0 and not isinstance(result.error, DeniedError)
