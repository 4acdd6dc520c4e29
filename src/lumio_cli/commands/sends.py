"""`lumio sends`: what was sent, and what became of each message."""

from __future__ import annotations

from typing import Annotated

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.output import Col, Table
from lumio_cli.services.shell.completion import complete_provider

app = new_app("Show what was sent, and what became of each message.")

DROP = {
    "sent": 0, "skipped": 2, "held": 1, "paused": 2, "failed": 1, "refused": 2, "unknown": 0,
    "pending": 1,
}  # fmt: skip
"""What a send counts, and which of it is left out first where the terminal is narrow."""

Provider = Annotated[
    str | None, typer.Argument(metavar="[PROVIDER]", autocompletion=complete_provider)
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="So many, newest first.")]
Send = Annotated[str, typer.Argument(metavar="SEND", help="Its name or id.")]
Status = Annotated[
    list[str] | None,
    typer.Option(
        help="Only messages that stand so: sent, skipped, held, paused, failed, refused, unknown,"
        " pending."
    ),
]
Messages = Annotated[int, typer.Option("--limit", min=0, help="So many messages; 0 is all.")]


@app.command("list")
def list_sends(ctx: typer.Context, provider: Provider = None, limit: Limit = 20) -> None:
    """Show the newest sends."""
    from lumio_cli.services.messaging.send_history import list_sends as service

    found = service(runtime_of(ctx), provider, limit)
    columns = [
        Col("name", "send", "id"),
        Col("provider", drop=3),
        Col("status", kind="status"),
        Col("created_at", "begun", "time", drop=2),
        Col("total", kind="number"),
        *(Col(name, kind="number", drop=drop) for name, drop in DROP.items()),
        Col("send_id", "id", "id", drop=4),
    ]
    runtime_of(ctx).output.result({"sends": found}, Table(columns, found, empty="no send yet"))


@app.command()
def show(ctx: typer.Context, send: Send, status: Status = None, limit: Messages = 100) -> None:
    """Show a send and its messages, those first that need a look."""
    from lumio_cli.commands.send_render import message_table
    from lumio_cli.services.messaging.send_history import show_send

    output = runtime_of(ctx).output
    found = show_send(runtime_of(ctx), send, status or (), limit)
    facts = [
        {"what": name.replace("_", " "), "value": value}
        for name, value in found.items()
        if name != "messages" and value is not None
    ]
    # Programs want the messages: a table a line, and nothing else.
    about = [Table([Col("what", kind="id"), Col("value")], facts)] if output.mode == "table" else []
    messages = message_table(found["messages"], empty="no message stands so")
    output.result(found, *about, messages)
