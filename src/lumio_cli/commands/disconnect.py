"""`lumio disconnect`: forget a credential."""

from __future__ import annotations

import typer

from lumio_cli.commands.common import ProviderName, Yes, runtime_of


def disconnect(ctx: typer.Context, provider: ProviderName, yes: Yes = False) -> None:
    """Forget a provider's credential. The records in the hub stay."""
    from lumio_cli.services.connections.logout import log_out

    runtime = runtime_of(ctx)
    done = log_out(runtime, provider, yes=yes)
    runtime.output.result(done.as_json())
    runtime.output.line(done.summary())
    if done.remaining:
        runtime.output.warn(
            f"{provider} is still connected by {done.remaining}", "remove it where it is set"
        )
