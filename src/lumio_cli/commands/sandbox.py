"""`lumio sandbox`: look-alikes of the providers on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from lumio_cli.commands.common import runtime_of
from lumio_cli.services.shell.completion import complete_provider


def sandbox(
    ctx: typer.Context,
    provider: Annotated[
        list[str] | None,
        typer.Option(help="Only this one; may be repeated.", autocompletion=complete_provider),
    ] = None,
    records: Annotated[int | None, typer.Option(min=0, help="Records of each resource.")] = None,
    latency: Annotated[
        float | None, typer.Option(min=0, metavar="MS", help="Milliseconds before each answer.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="What goes wrong: 429:every=10, reset:rate=0.01, ..."),
    ] = None,
    quota: Annotated[
        str | None, typer.Option(metavar="SPEC", help="published, none, or NAME=COUNT,...")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same records.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any free one.")] = 0,
) -> int:
    """Serve look-alikes of the providers on this machine until Ctrl-C. Nothing in them is real.

    Prints what points lumio at them, as lines for a shell; with -o json as one document.
    """
    from lumio_cli.services.sandboxing.child_process import describe, serving
    from lumio_cli.services.sandboxing.foreground import Lookalikes, stand_by

    runtime = runtime_of(ctx)
    wish = Lookalikes(provider or (), records, latency, fault or (), quota, seed, port)
    with serving(wish.arguments()) as ready:
        # Printed as they are: the tokens are fake, and what the operator needs.
        runtime.output.stream(ready, "\n".join(describe(ready)))
        return stand_by(ready, runtime.stop)
