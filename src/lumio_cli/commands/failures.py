"""`lumio failures`: records that could not be stored and edits that were refused, kept until they
can be.
"""

from __future__ import annotations

from typing import Annotated

import typer

from lumio_cli.commands.common import Yes, new_app, runtime_of
from lumio_cli.commands.two_way import edit_table, failures_table
from lumio_cli.output import Col, Table
from lumio_cli.services.shell.completion import complete_target

app = new_app("Show, retry or drop records that could not be synced, and refused edits.")

Target = Annotated[str | None, typer.Argument(metavar="TARGET", autocompletion=complete_target)]
Id = Annotated[int, typer.Argument(metavar="ID")]
Ids = Annotated[list[int], typer.Argument(metavar="ID")]
Some = Annotated[list[int] | None, typer.Argument(metavar="ID", help="None means all.")]
All = Annotated[bool, typer.Option("--all", help="Closed ones, too.")]
Limit = Annotated[int, typer.Option(min=1, max=10**9, help="So many, newest first.")]


@app.command("list")
def list_failures(
    ctx: typer.Context, target: Target = None, include_closed: All = False, limit: Limit = 100
) -> None:
    """Show what could not be synced, and why."""
    from lumio_cli.services.syncing.failures import list_failures as service

    output = runtime_of(ctx).output
    found = service(runtime_of(ctx), target, include_closed=include_closed, limit=limit + 1)
    document = {"failures": found[:limit], "more": len(found) > limit}
    output.result(document, failures_table(found[:limit], closed=include_closed))
    if document["more"]:
        output.note(f"there are more than {limit}: see --limit")


@app.command()
def show(ctx: typer.Context, failure: Id) -> None:
    """Show a failure with the record, as far as it was kept."""
    from lumio_cli.services.syncing.failures import show_failure

    output = runtime_of(ctx).output
    letter = show_failure(runtime_of(ctx), failure)
    facts = [{"what": name.replace("_", " "), "value": letter[name]} for name in letter]
    # The service puts the payload last: people get it as it is, below the table.
    kept = facts.pop() if output.mode == "table" else facts[-1]
    about = Table([Col("what", kind="id"), Col("value")], facts)
    if letter["direction"] == "push" and isinstance(kept["value"], dict):
        output.result(letter, about, edit_table(kept["value"]))
        return
    found = kept["value"] is not None
    record = output.encode(kept["value"], indent=2) if found else "the record was not kept"
    output.result(letter, about, "", record)


@app.command()
def drop(ctx: typer.Context, failures: Ids, yes: Yes = False) -> None:
    """Close failures by hand: lumio will not try them again, and forgets refused edits."""
    from lumio_cli.services.syncing.failures import drop as drop_failures

    output = runtime_of(ctx).output
    done = drop_failures(runtime_of(ctx), failures, yes=yes)
    output.result(done.as_json())
    output.line(f"{len(done.dropped)} dropped, {len(done.closed_before)} were closed before")
    if done.edits:
        output.note(f"{len(done.edits)} edits are gone: the hub shows the provider's values")


@app.command()
def retry(ctx: typer.Context, failures: Some = None) -> int:
    """Process kept records again, with today's settings, and let refused edits be pushed again.

    Ends with 3 where some stay open.
    """
    from lumio_cli.services.syncing.failures import retry as retry_failures

    output = runtime_of(ctx).output
    done = retry_failures(runtime_of(ctx), failures or ())
    text = f"{len(done.stored)} stored, {len(done.open)} still open"
    if done.pending:
        text += f", {len(done.pending)} pending again: the next push sends them"
    output.result(done.as_json(), text, *([failures_table(done.open)] if done.open else []))
    if done.closed:
        output.note(f"{len(done.closed)} were closed, since their edits are gone")
    for target in done.targets_left:
        how = f"lumio sync {target} --mode full"
        output.warn(f"{target}: what was not kept must be read again", how)
    return 3 if done.open else 0
