"""`lumio cache`: answers that may be served again, and how often they were."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.output import Col, Table
from lumio_cli.services.shell.completion import complete_provider

app = new_app("Show or clear the response cache: schemas, pipelines, owners; never records.")

OneProvider = Annotated[
    str | None,
    typer.Argument(metavar="PROVIDER", help="Only this one.", autocompletion=complete_provider),
]


@app.command()
def show(ctx: typer.Context, provider: OneProvider = None) -> None:
    """Show what each layer keeps, and which layer answered how many calls."""
    from lumio_cli.services.maintenance.cache import describe

    output = runtime_of(ctx).output
    document = describe(runtime_of(ctx), provider)
    columns = [
        Col("provider", kind="id"),
        Col("disk_entries", "on disk", "number"),
        Col("disk_bytes", "disk size", "bytes", drop=2),
        Col("hub_entries", "in the hub", "number"),
        Col("hub_bytes", "hub size", "bytes", drop=2),
        Col("memory", "from memory", "number", drop=1),
        Col("disk", "from disk", "number", drop=1),
        Col("hub", "from the hub", "number", drop=1),
        Col("miss", "asked", "number"),
        Col("hit_rate", "hits", "percent"),
    ]
    rows = [_row(entry) for entry in document["providers"]]
    output.result(document, Table(columns, rows, empty="nothing is cached, and nothing was"))
    if not document["enabled"]:
        output.warn("the cache is switched off (cache.enabled)")


@app.command()
def clear(ctx: typer.Context, provider: OneProvider = None) -> None:
    """Forget all kept answers, or those of one provider. They are only fetched again."""
    from lumio_cli.services.maintenance.cache import clear as clear_cache

    output = runtime_of(ctx).output
    done = clear_cache(runtime_of(ctx), provider)
    output.result(done.as_json())
    output.line(f"removed {done.disk} answers from the disk and {done.hub} from the hub")


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {
        f"{layer}_{name}": entry[layer][name]
        for layer in ("disk", "hub")
        for name in ("entries", "bytes")
    }
    return {**entry["answered"], **kept, **{n: entry[n] for n in ("provider", "hit_rate")}}
