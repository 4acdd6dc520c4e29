"""`lumio send`: messages to one, or to many, none of them twice."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lumio_cli.commands import send_options as o
from lumio_cli.commands.common import (
    MaxDuration,
    MaxWait,
    ProviderName,
    Sandbox,
    Yes,
    in_sandbox,
    runtime_of,
    seconds,
)

Input = Annotated[
    str, typer.Option(metavar="FILE|-", help="Many messages: a CSV or JSON lines file.")
]
Name = Annotated[str, typer.Option(help="What the send is called: the same name goes on with it.")]
Preview = Annotated[bool, typer.Option("--preview", help="Show what would be sent. Sends nothing.")]
IfUnknown = Annotated[
    Literal["list", "resend", "accept"],
    typer.Option(help="What to do where nobody can say whether a message was sent."),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Try those again that were not taken.")
]
Again = Annotated[
    bool, typer.Option("--again", help="Send once more what was sent before, on purpose.")
]
Limit = Annotated[int, typer.Option(min=0, help="Show at most that many messages.")]


def send(
    ctx: typer.Context,
    provider: ProviderName,
    to: o.To = None,
    kind: o.Kind = "",
    text: o.Text = None,
    text_file: o.TextFile = None,
    blocks: o.Blocks = None,
    media: o.Media = None,
    caption: o.Caption = None,
    template: o.Template = None,
    language: o.Language = None,
    param: o.Param = None,
    button: o.Button = None,
    list_file: o.ListFile = None,
    thread: o.Thread = None,
    at: o.At = None,
    sets: o.Set = None,
    input: Input = "",
    name: Name = "",
    preview: Preview = False,
    yes: Yes = False,
    limit: Limit = 100,
    if_unknown: IfUnknown = "list",
    retry_failed: RetryFailed = False,
    again: Again = False,
    max_wait: MaxWait = None,
    max_duration: MaxDuration = None,
    sandbox: Sandbox = False,
) -> int:
    """Send a message, or the messages of a file.

    A send of a file that was stopped, or killed, goes on with the same command: nobody gets a
    message twice. `lumio providers show PROVIDER` lists the kinds of messages and their fields.
    """
    from lumio_cli.commands.send_render import send_preview, send_result
    from lumio_cli.output.progress import choose_progress
    from lumio_cli.services.messaging import send as service

    runtime = runtime_of(ctx)
    runtime.set_flags(sync__max_wait=max_wait)
    plain = {"text": text, "file": media, "caption": caption, "thread": thread}
    plain |= {"template": template, "language": language}
    values = service.values_of(
        runtime.stdin, text_file=text_file, blocks=blocks, chosen=list_file, at=at, sets=sets or (),
        params=param, buttons=button, **plain,
    )  # fmt: skip
    request = service.Request(
        provider, service.Given(kind, values), tuple(to or ()), input, name, yes, if_unknown,
        retry_failed, limit, seconds("--max-duration", max_duration), again,
    )  # fmt: skip
    with in_sandbox(runtime, sandbox, None) as chosen:
        if preview:
            outlook = service.preview(chosen, request)
            send_preview(runtime.output, outlook)
            return outlook.exit_code
        result = service.send(chosen, request, choose_progress(runtime.output))
    send_result(runtime.output, result)
    return result.exit_code
