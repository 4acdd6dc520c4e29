"""What a login is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumio_cli.core.clock import format_time
from lumio_cli.services.connections.connect import Connected


@dataclass(frozen=True, slots=True)
class Wish:
    """How an operator wants to connect.

    settings  `KEY=VALUE` texts: what a credential has beside its secrets (client_id, ...)
    way       the name of one of the provider's `ways`; empty: a token, or a browser
    port      for the redirect of a browser login; None: as the provider declares it
    verify    prove the credential before it is stored
    """

    provider: str
    token_stdin: bool = False
    token_file: Path | None = None
    oauth: bool = False
    way: str = ""
    port: int | None = None
    browser: bool = True
    verify: bool = True
    settings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A provider that is connected. `stored` False: what the operator hands over with each run
    (environment, file, command) was proved and stays where it is.
    """

    connected: Connected
    stored: bool

    @property
    def in_vault(self) -> bool:
        """Whether the credential went into the encrypted vault, and not into a keyring."""
        return self.stored and self.connected.store.startswith("encrypted vault")

    def as_json(self) -> dict[str, Any]:
        """For `--output json`. Without the credential."""
        return {**self.connected.as_json(), "stored": self.stored}

    def facts(self) -> list[dict[str, Any]]:
        """What an operator wants to see, as rows of `what` and `value`."""
        done = self.connected
        account, scopes = done.account, done.scopes
        expires = done.credential.expires_at
        values = {
            "provider": done.provider,
            "account": account.account_name if account else "not verified",
            "account id": account.account_id if account else None,
            **{k.replace("_", " "): v for k, v in (account.details if account else {}).items()},
            "credential": done.credential.kind,
            "expires": format_time(expires) if expires else None,
            "scopes": " ".join(sorted(scopes)) if scopes is not None else "not told",
            "stored in" if self.stored else "used from": done.store,
        }
        return [{"what": name, "value": value} for name, value in values.items()]

    def warnings(self) -> list[str]:
        """What an operator has to know: missing permissions, and a source that wins."""
        done = self.connected
        found = [
            f"{done.provider}/{resource} cannot be synced without {', '.join(scopes)}"
            for resource, scopes in done.missing_scopes.items()
        ]
        if not self.stored:
            found.append(
                f"nothing was stored: {done.provider} uses the credential from {done.store}"
            )
        if done.used_instead:
            found.append(f"the credential from {done.used_instead} is used instead, while it lasts")
        return found
