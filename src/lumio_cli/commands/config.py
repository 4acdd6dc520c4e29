"""`lumio config`: show, check and begin the configuration."""

from __future__ import annotations

from typing import Annotated

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.core.errors import ConfigError
from lumio_cli.output import Col, Table

app = new_app("Show, check or begin the configuration. lumio only ever reads it.")


@app.command()
def show(ctx: typer.Context) -> None:
    """Show the effective value of every setting, and where it came from."""
    from lumio_cli.providers.registry import provider_names
    from lumio_cli.services.maintenance.config import effective

    runtime = runtime_of(ctx)
    rows = [
        {"key": s.key, "value": s.value, "origin": str(s.origin), "source": s.origin.source}
        for s in effective(runtime.settings, provider_names())
    ]
    for finding in runtime.settings.findings:
        runtime.output.warn(finding)
    columns = [Col("key", "setting", "id"), Col("value"), Col("origin", "from")]
    document = {"path": runtime.paths.config, "profile": runtime.paths.profile, "settings": rows}
    runtime.output.result(document, Table(columns, rows))


@app.command()
def path(ctx: typer.Context) -> None:
    """Show where the configuration file is, or would be."""
    runtime = runtime_of(ctx)
    file = runtime.paths.config
    runtime.output.result({"path": file, "exists": file.exists()})
    runtime.output.line(str(file))


@app.command()
def validate(ctx: typer.Context) -> None:
    """Check file and environment, and name every problem."""
    from lumio_cli.services.maintenance.config import problems_of

    runtime = runtime_of(ctx)
    problems, findings = problems_of(runtime.paths, runtime.environ)
    for finding in findings:
        runtime.output.warn(finding)
    rows = [{"where": p.where, "key": p.key, "problem": p.text, "hint": p.hint} for p in problems]
    columns = [Col("where", kind="id"), Col("problem"), Col("hint")]
    document = {"valid": not problems, "problems": rows, "findings": findings}
    runtime.output.result(document, Table(columns, rows, empty="the configuration is valid"))
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"the configuration has {count}")


@app.command()
def init(
    ctx: typer.Context,
    show_only: Annotated[bool, typer.Option("--print", help="Print it, write nothing.")] = False,
) -> None:
    """Begin a configuration file: every setting with its help, all commented out."""
    from lumio_cli.services.maintenance.config import begin, example

    runtime = runtime_of(ctx)
    if show_only:
        runtime.output.result({"text": example()})
        runtime.output.line(example().rstrip("\n"))
        return
    file = begin(runtime.paths)
    runtime.output.result({"path": file})
    runtime.output.line(f"{file} is written; everything in it is commented out")
