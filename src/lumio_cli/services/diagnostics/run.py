"""What `lumio diagnostic` does: every check there is, each on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli import __version__
from lumio_cli.core.clock import format_time, utc
from lumio_cli.core.errors import LumioError, UsageError
from lumio_cli.services.diagnostics.check import LIMIT, Check, Finding, Result, Rules, run_all

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime
    from lumio_cli.services.diagnostics.context import Scene

SIDE_BY_SIDE = 8
"""Providers that are examined at the same time."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `general` is what belongs to no provider."""

    generated_at: str
    environment: dict[str, Any]
    general: tuple[Result, ...]
    providers: dict[str, tuple[Result, ...]]
    offline: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many checks ended how."""
        results = [*self.general, *(r for found in self.providers.values() for r in found)]
        counted = Counter(result.finding.status for result in results)
        return {status: counted[status] for status in ("pass", "warn", "fail", "skip")}

    @property
    def has_findings(self) -> bool:
        """Whether there is anything to mend."""
        counts = self.counts
        return bool(counts["warn"] or counts["fail"])

    def as_json(self) -> dict[str, Any]:
        """As the contract has it."""
        return {
            "generated_at": self.generated_at,
            "version": __version__,
            "offline": self.offline,
            "environment": self.environment,
            "checks": [result.as_json() for result in self.general],
            "providers": [
                {"provider": name, "checks": [result.as_json() for result in found]}
                for name, found in self.providers.items()
            ],
            "summary": self.counts,
        }


def diagnose(
    runtime: Runtime, names: Sequence[str] = (), *, offline: bool = False, limit: float = LIMIT
) -> Report:
    """Examine the profile and the providers `names`, or all that are connected.

    `offline` asks nobody. `limit` is in seconds, for each check. Writes nothing to the hub. Raises
    `UsageError` for a provider that does not exist, and `StoppedError`; what is wrong is in the
    report.
    """
    from lumio_cli.services.diagnostics import machine_checks, profile_checks
    from lumio_cli.services.diagnostics.context import Scene

    _check_names(names)
    scene = Scene(runtime)
    scene.unlock()
    rules = Rules(runtime.redactor, runtime.stop, offline, limit)
    connected = profile_checks.connected_names(scene)
    general = run_all(
        [*machine_checks.checks(scene), *profile_checks.checks(scene, connected)], rules
    )
    return Report(
        generated_at=format_time(utc(round(scene.clock.time()))),
        environment=runtime.redactor.json(machine_checks.environment(scene)),
        general=tuple(general),
        providers=_examine(scene, list(dict.fromkeys(names)) or connected, rules),
        offline=offline,
    )


def _check_names(names: Sequence[str]) -> None:
    from lumio_cli.providers.contract.fields import suggest
    from lumio_cli.providers.registry import provider_names

    known = provider_names()
    for name in names:
        if name not in known:
            hint = suggest(name, known, "providers")
            raise UsageError(f"there is no provider {name!r}", hint=hint)


def _examine(scene: Scene, names: Sequence[str], rules: Rules) -> dict[str, tuple[Result, ...]]:
    """The providers' results. Side by side: where the network is down, each takes its time."""
    from concurrent.futures import ThreadPoolExecutor

    plans = {name: _plan(scene, name) for name in names}
    if not plans:
        return {}
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="lumio-diagnose") as pool:
        found = pool.map(lambda checks: tuple(run_all(checks, rules)), plans.values())
        return dict(zip(plans, found, strict=True))


def _plan(scene: Scene, name: str) -> list[Check]:
    """The provider's checks, in an order in which later ones can use what earlier ones found."""
    from lumio_cli.services.diagnostics import account_checks, network_checks, sync_checks
    from lumio_cli.services.diagnostics.provider_context import find_subject

    try:
        if scene.settings is None:
            _ = scene.runtime.settings
        subject = find_subject(scene, name)
    except LumioError as error:
        found = Finding("fail", error.message, error.hint or "lumio config validate")
        return [Check("settings", lambda: found)]
    return [
        *account_checks.first_checks(subject),
        *network_checks.checks(subject),
        *account_checks.last_checks(subject),
        *sync_checks.checks(subject),
    ]


def summary(document: dict[str, Any]) -> str:
    """The report's last line, from its document: `2 problems, 1 warning`."""
    counts = document["summary"]
    words = [
        f"{counts[status]} {word}{'' if counts[status] == 1 else 's'}"
        for status, word in (("fail", "problem"), ("warn", "warning"))
        if counts[status]
    ]
    left_out = f", {counts['skip']} not asked" if counts["skip"] else ""
    return (", ".join(words) or f"no problems: {counts['pass']} checks passed") + left_out


def flat(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The report's checks as rows, each with its provider; empty for those that have none."""
    groups = [("", document["checks"])]
    groups += [(entry["provider"], entry["checks"]) for entry in document["providers"]]
    return [{"provider": name, **check} for name, checks in groups for check in checks]
