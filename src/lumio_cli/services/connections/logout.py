"""What `lumio disconnect` does: the credential goes, and with it whose account it opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.hub.sqlite import state
from lumio_cli.services.connections.connect import disconnect

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """A provider that is not connected any more. `kept` is how many of its records the hub holds.

    `remaining` names what still connects it, and that lumio cannot remove; None: nothing.
    """

    provider: str
    removed: bool
    remaining: str | None
    kept: int

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "provider": self.provider,
            "status": "connected" if self.remaining else "disconnected",
            "removed": self.removed,
            "remaining": self.remaining,
            "records_kept": self.kept,
        }

    def summary(self) -> str:
        """What happened, in a sentence."""
        done = "is disconnected" if self.removed else "was not connected"
        kept = f"; its {self.kept:,} records stay in the hub".replace(",", " ") if self.kept else ""
        return f"{self.provider} {done}{kept}"


def log_out(runtime: Runtime, name: str, *, yes: bool) -> LoggedOut:
    """Forget the stored credential and whose account it opened; the records stay.

    Asks for the provider's name unless `yes`. Raises `UsageError` for an unknown provider and
    where it is not confirmed, and what `services.connections.connect.disconnect` raises.
    """
    from lumio_cli.providers.registry import provider_class

    resources = provider_class(name).resources
    runtime.prompt.confirm(f"lumio will forget the credential of {name}.", name=name, yes=yes)
    done = disconnect(name, runtime.credentials)
    kept = 0
    if runtime.hub_path.exists():
        with runtime.hub.transaction() as db:
            kept = sum(state.read_state(db, name, r.name).records for r in resources)
            if done.remaining is None:
                state.forget_account(db, name)
    return LoggedOut(name, done.removed, done.remaining, kept)
