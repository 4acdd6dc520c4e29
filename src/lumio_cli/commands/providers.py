"""`lumio providers`: what there is to sync, and what one has to know about it."""

from __future__ import annotations

from typing import Any

import typer

from lumio_cli.commands.common import ProviderName, new_app, runtime_of
from lumio_cli.output import Col, Table

app = new_app("Show the providers, or all about one of them.", invoke_without_command=True)


@app.callback()
def providers(ctx: typer.Context) -> None:
    """Show the providers, their resources, quotas and settings."""
    if ctx.invoked_subcommand is not None:
        return
    from lumio_cli.services.catalog import connected, describe_all

    runtime = runtime_of(ctx)
    known = connected(runtime)
    rows = [{**entry, "connected": known[entry["provider"]]} for entry in describe_all()]
    columns = [
        Col("provider", kind="id"),
        Col("category", drop=3),
        Col("connected", kind="bool"),
        Col("auth", kind="list", drop=2),
        Col("directions", "syncs", "list"),
        Col("realtime", "real time", drop=1),
        Col("resources", kind="list"),
        Col("limits", kind="list", drop=4),
    ]
    runtime.output.result({"providers": rows}, Table(columns, rows))


@app.command()
def show(ctx: typer.Context, provider: ProviderName) -> None:
    """Show all about a provider: how to connect it, what it syncs, its quotas and settings."""
    from lumio_cli.services.catalog import describe

    output = runtime_of(ctx).output
    about = describe(provider)
    resources = [
        Col("resource", kind="id"),
        Col("finds", "finds", drop=1),
        Col("directions", "syncs", "list", drop=2),
        Col("deletes", "deletions by", "list", drop=3),
        Col("scopes", kind="list"),
        Col("note", drop=4),
    ]
    settings = [Col("name", kind="id"), Col("default"), Col("help")]
    messages = [
        Col("kind", kind="id"),
        Col("title"),
        Col("to", drop=2),
        Col("bulk", kind="bool", drop=1),
        Col("fields", kind="list"),
    ]
    kinds = [{**k, "fields": [f["name"] for f in k["fields"]]} for k in about["messages"]]
    quotas = [Col("limit", "quota"), Col("shared_by", "counted by")]
    output.result(
        about,
        *_guide(about),
        Table(resources, about["resources"], title="Resources"),
        *([Table(messages, kinds, title="Messages (lumio send)")] if kinds else []),
        Table(quotas, about["quotas"], title="Quotas"),
        Table(settings, about["settings"], title="Settings", empty="only those that all share"),
    )


def _guide(about: dict[str, Any]) -> list[str]:
    """What a person reads first."""
    steps = [f"  {number}. {step}" for number, step in enumerate(about["guide"], 1)]
    lines = [f"{about['title']} ({about['category']}), {about['base_url']}"]
    lines += ["", "How to connect it:", *steps] if steps else []
    scopes = about["scopes"]
    lines += ["", f"Scopes to read: {' '.join(scopes['read'])}"] if scopes["read"] else []
    lines += [f"Scopes to write: {' '.join(scopes['write'])}"] if scopes["write"] else []
    lines += [f"Optional scopes: {' '.join(scopes['optional'])}"] if scopes["optional"] else []
    lines += ["", "Other ways to connect it:"] if about["ways"] else []
    for way in about["ways"]:
        fields = ", ".join(field["name"] for field in way["fields"])
        lines.append(f"  --way {way['way']}: {way['title']} ({fields})")
    lines += ["", "Good to know:"] if about["notes"] else []
    lines += [f"  - {note}" for note in about["notes"]]
    return [*lines, ""]
