"""`lumio debug`: record a provider's requests, and show them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lumio_cli.commands.common import runtime_of
from lumio_cli.services.shell.completion import complete_provider


def _known(name: str) -> str:
    """Refuse a provider that does not exist before the action is looked at."""
    from lumio_cli.services.diagnostics.request_log import check_provider

    check_provider(name)
    return name


def debug(
    ctx: typer.Context,
    provider: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER",
            help="A provider.",
            autocompletion=complete_provider,
            callback=_known,
        ),
    ],
    action: Annotated[
        Literal["on", "off", "status", "show", "clear"],
        typer.Argument(help="What to do: off keeps the log, clear deletes it."),
    ],
    duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="With on: how long (90s, 1h, 2d); 1h.")
    ] = None,
    level: Annotated[
        Literal["basic", "verbose"] | None,
        typer.Option(help="With on: verbose records the bodies, too; basic."),
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=0, max=10**6, help="With show: the newest so many; 50.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="With show: go on until Ctrl-C.")
    ] = False,
) -> None:
    """Record a provider's requests, redacted, and show them.

    While it is on, every lumio process of this profile records; it ends by itself. show prints
    a line a request on a terminal, a JSON object a request elsewhere.
    """
    from lumio_cli.output import Col, Table
    from lumio_cli.output.style import printable
    from lumio_cli.services.diagnostics import request_log as service

    runtime, output = runtime_of(ctx), runtime_of(ctx).output
    service.check_options(action, duration=duration, level=level, last=last, follow=follow or None)
    if action == "show":
        count = 50 if last is None else last
        for request in service.requests(runtime, provider, count, follow=follow):
            line = printable(service.line(request)) if output.mode == "table" else None
            output.stream(request, line)
        return
    if action == "on":
        state = service.switch_on(runtime, provider, duration or "1h", level or "basic")
    else:
        work = {"off": service.switch_off, "status": service.state, "clear": service.clear}
        state = work[action](runtime, provider)
    row = state.as_json()
    columns = [Col("provider", kind="id"), Col("debug", kind="status"), Col("level")]
    columns += [Col("until", kind="time"), Col("rows", kind="number"), Col("bytes", kind="bytes")]
    output.result(row, Table(columns, [row]))
    if state.level:
        output.note(f"lumio debug {provider} show --follow shows the requests as they go")
