"""`lumio conflicts`: edits that a provider's own changes have met, and who is right."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.commands.two_way import conflict_tables, conflicts_table, merged_hint
from lumio_cli.services.shell.completion import complete_target

app = new_app("Show and resolve conflicts between edits of the hub and the providers' changes.")

Some = Annotated[str | None, typer.Argument(metavar="TARGET", autocompletion=complete_target)]
Target = Annotated[str, typer.Argument(metavar="TARGET", autocompletion=complete_target)]
Id = Annotated[str, typer.Argument(metavar="ID", help="The record's id.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Records' ids.")]
Use = Annotated[
    Literal["provider", "local", "newest"],
    typer.Option(help="Whose value counts; newest: that which was set last, if it can be told."),
]
All = Annotated[bool, typer.Option("--all", help="All conflicts of the target.")]
Field = Annotated[str, typer.Option(metavar="NAME", help="Decide about this field alone.")]
Limit = Annotated[int, typer.Option(min=1, max=10**9, help="At most so many.")]


@app.command("list")
def list_conflicts(ctx: typer.Context, target: Some = None, limit: Limit = 100) -> None:
    """Show which edits wait for a decision."""
    from lumio_cli.services.syncing.conflicts import list_conflicts as service

    output = runtime_of(ctx).output
    found = service(runtime_of(ctx), target, limit + 1)
    document = {"conflicts": [c.as_json() for c in found[:limit]], "more": len(found) > limit}
    output.result(document, conflicts_table(found[:limit]))
    if hint := merged_hint(found[:limit]):
        output.note(hint)
    if document["more"]:
        output.note(f"there are more than {limit}: see --limit")
    elif found:
        output.note("lumio conflicts resolve TARGET ID --use provider, local or newest decides one")


@app.command()
def show(ctx: typer.Context, target: Target, record: Id) -> None:
    """Show a conflict: each field as it was, as the provider has it, and as the hub has it."""
    from lumio_cli.services.syncing.conflicts import show_conflict

    conflict = show_conflict(runtime_of(ctx), target, record)
    runtime_of(ctx).output.result(conflict.as_json(), *conflict_tables(conflict))
    if hint := merged_hint([conflict]):
        runtime_of(ctx).output.note(hint)


@app.command()
def resolve(
    ctx: typer.Context,
    target: Target,
    use: Use,
    ids: Ids = None,
    everything: All = False,
    field: Field = "",
) -> int:
    """Decide conflicts. What is ours waits for the next push, what is theirs is in the hub.

    Ends with 3 where some stay undecided.
    """
    from lumio_cli.services.syncing.conflicts import resolve as service

    output = runtime_of(ctx).output
    done = service(runtime_of(ctx), target, ids or (), use, everything=everything, column=field)
    output.result(done.as_json())
    for entry in done.none:
        output.warn(f"{entry['provider']}/{entry['resource']} {entry['id']} has no such conflict")
    if not (done.pending or done.given_up or done.left):
        output.line("nothing to resolve")
        return 2 if done.none else 0
    output.line(
        f"{len(done.pending)} wait for the next push, {len(done.given_up)} keep the provider's"
        f" values, {len(done.left)} still undecided"
    )
    return 3 if done.none or done.left else 0
