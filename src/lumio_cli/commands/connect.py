"""`lumio connect`: give lumio a credential, and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lumio_cli.commands.common import App, ProviderName, runtime_of
from lumio_cli.core.errors import UsageError
from lumio_cli.output import Col, Table

app = App(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


# A surplus word may well be a token: typer's own message would repeat it.
@app.command("connect", context_settings={"allow_extra_args": True})
def connect(
    ctx: typer.Context,
    provider: ProviderName,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from stdin.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the token from a file.")
    ] = None,
    oauth: Annotated[bool, typer.Option("--oauth", help="Sign in with a browser.")] = False,
    way: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            help="Another way, such as client_credentials (see `lumio providers show PROVIDER`).",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="With --oauth: port of the redirect; 0 is any."),
    ] = None,
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="With --oauth: the browser is on another machine."),
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Store it without asking the provider.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="More of the credential (client_id=ID)."),
    ] = None,
) -> None:
    """Give lumio a provider's credential, and prove it. Asks for the token, and shows nothing.

    A token never belongs on the command line, where others can see it. Without a terminal use
    --token-stdin, --token-file or the variable LUMIO_PROVIDER_TOKEN.
    """
    from lumio_cli.output.style import printable
    from lumio_cli.services.connections.login import log_in
    from lumio_cli.services.connections.wish import Wish

    if ctx.args:
        raise UsageError("connect takes one provider and nothing more", hint="a token is asked for")
    runtime = runtime_of(ctx)
    output = runtime.output
    wish = Wish(
        provider,
        token_stdin=token_stdin or token_file == Path("-"),
        token_file=None if token_file == Path("-") else token_file,
        oauth=oauth,
        way=way or "",
        port=port,
        browser=not no_browser,
        verify=not no_verify,
        settings=settings or (),
    )
    # Unredacted and in spite of --quiet: without the address nobody can sign in.
    done = log_in(runtime, wish, lambda line: output.write_err(printable(line)))
    output.result(done.as_json(), Table([Col("what", kind="id"), Col("value")], done.facts()))
    for warning in done.warnings():
        output.warn(warning)
    if done.in_vault:
        output.note("it is in lumio's encrypted vault, not in a keyring: keep the vault's key safe")
