"""`lumio status`: how fresh everything is, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumio_cli.commands.common import Targets, runtime_of

if TYPE_CHECKING:
    from lumio_cli.output import Table
    from lumio_cli.runtime import Runtime

CLEAR = "\x1b[H\x1b[2J"


def status(
    ctx: typer.Context,
    targets: Targets = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.1, max=86_400, metavar="SECONDS", help="With --watch: how often.")
    ] = 2.0,
    check: Annotated[
        bool, typer.Option("--check", help="Ask each provider whether the credential is good.")
    ] = False,
) -> int:
    """Show what is connected, how fresh it is, and what waits. Makes no request but with --check.

    Ends with 1 if --check finds a provider that does not answer.
    """
    from lumio_cli.services.syncing.status import status as read

    runtime = runtime_of(ctx)
    if watch:
        _watch(runtime, targets or [], check, interval)
    document = read(runtime, targets or (), check=check)
    runtime.output.result(document, *_parts(document))
    checks = [p["check"]["status"] for p in document["providers"] if "check" in p]
    return 0 if all(word == "pass" for word in checks) else 1


def _watch(runtime: Runtime, targets: list[str], check: bool, interval: float) -> None:
    """A screen that refreshes on a terminal, a stream of documents elsewhere; until Ctrl-C."""
    from lumio_cli.services.syncing.status import status as read

    output = runtime.output
    while True:
        document = read(runtime, targets, check=check)
        if output.mode == "table" and output.out_look.terminal:
            output.stdout.write(CLEAR)
            output.show(*_parts(document))
        else:
            output.stream(document)
        runtime.clock.sleep(interval, runtime.stop)


def _parts(document: dict[str, Any]) -> list[Table | str]:
    """One table for the providers and one for their resources."""
    from lumio_cli.commands.render import status_tables

    return status_tables(document)
