"""`lumio vault`: the encrypted vault for machines without a keyring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.core.errors import UsageError
from lumio_cli.output import Col, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from lumio_cli.runtime import Runtime
    from lumio_cli.services.maintenance.vault import VaultDone

app = new_app("Manage the encrypted credential vault, for machines without a keyring.")

KeyFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep the key in this file; made where it is not there."),
]
Passphrase = Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase.")]


@app.command()
def init(ctx: typer.Context, key_file: KeyFile = None, passphrase: Passphrase = False) -> None:
    """Make an empty vault. Its key is in a file, in LUMIO_VAULT_KEY, or a passphrase."""
    from lumio_cli.services.maintenance.vault import init_vault

    runtime = runtime_of(ctx)
    vault, ask = runtime.credentials.vault, _ask(runtime, key_file, passphrase)
    _show(runtime, init_vault(vault, runtime.environ, key_file=key_file, ask=ask))


@app.command()
def status(ctx: typer.Context) -> None:
    """Show what can be said of the vault without opening it."""
    from lumio_cli.services.maintenance.vault import status_json, vault_status

    runtime = runtime_of(ctx)
    about = vault_status(runtime.credentials.vault)
    _facts(runtime, status_json(about))
    if about.overdue:
        runtime.output.warn(
            f"the vault's key is {about.age_days} days old and should be replaced",
            "lumio vault rekey --key-file FILE",
        )


@app.command()
def rekey(ctx: typer.Context, key_file: KeyFile = None, passphrase: Passphrase = False) -> None:
    """Give the vault another key, at once or not at all. The old one opens nothing from then on."""
    from lumio_cli.services.maintenance.vault import rekey_vault

    runtime = runtime_of(ctx)
    vault, ask = runtime.credentials.vault, _ask(runtime, key_file, passphrase)
    _show(runtime, rekey_vault(vault, runtime.environ, key_file=key_file, ask=ask))


def _ask(runtime: Runtime, key_file: Path | None, passphrase: bool) -> Callable[[str], str] | None:
    if key_file is not None and passphrase:
        raise UsageError("--key-file and --passphrase exclude each other", hint="give one of them")
    if not passphrase:
        return None
    return lambda q: runtime.prompt.secret(q.rstrip(": "), instead="--key-file FILE")


def _show(runtime: Runtime, done: VaultDone) -> None:
    _facts(runtime, done.as_json())
    if done.next_step:
        runtime.output.warn(f"lumio does not find the key by itself: {done.next_step}")


def _facts(runtime: Runtime, document: dict[str, Any]) -> None:
    rows = [{"what": name.replace("_", " "), "value": value} for name, value in document.items()]
    runtime.output.result(document, Table([Col("what", kind="id"), Col("value")], rows))
