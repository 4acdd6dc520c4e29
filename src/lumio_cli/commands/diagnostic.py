"""`lumio diagnostic`: check everything, and say how to mend it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumio_cli.commands.common import Providers, Sandbox, in_sandbox, runtime_of

if TYPE_CHECKING:
    from lumio_cli.output import Output, Table

FINDINGS = 10


def diagnostic(
    ctx: typer.Context,
    providers: Providers = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a ZIP, without secrets, for support.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Make no request.")] = False,
    include_payloads: Annotated[
        bool, typer.Option("--include-payloads", help="With --bundle: records and bodies, too.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 10 where something is to be mended.")
    ] = False,
    sandbox: Sandbox = False,
) -> int:
    """Check everything, and say how to mend it. Ends with 0 unless --exit-code says otherwise."""
    from lumio_cli.services.diagnostics.bundle import check_request, write_bundle
    from lumio_cli.services.diagnostics.run import diagnose

    output, extra = runtime_of(ctx).output, []
    check_request(bundle, include_payloads)
    with in_sandbox(runtime_of(ctx), sandbox, None) as runtime:
        report = diagnose(runtime, providers or (), offline=offline)
        document = report.as_json()
        if bundle is not None:
            done = write_bundle(runtime, report, bundle, include_payloads=include_payloads)
            document["bundle"], extra = done.as_json(), done.lines()
    output.result(document, *_parts(output, document), *extra)
    for line in extra if output.mode == "tsv" else ():
        output.note(line)
    return FINDINGS if exit_code and report.has_findings else 0


def _parts(output: Output, document: dict[str, Any]) -> list[Table | str]:
    """For programs a table; for people a line a check, in groups, and the summary."""
    from lumio_cli.output import Col, Table
    from lumio_cli.services.diagnostics.run import flat, summary

    rows = flat(document)
    if output.mode == "tsv":
        return [Table([Col(name) for name in rows[0] if name != "facts"], rows)]
    lines: list[Table | str] = []
    for number, row in enumerate(rows):
        if not number or row["provider"] != rows[number - 1]["provider"]:
            lines.append(output.out_look.paint(row["provider"] or "general", "strong"))
        lines += _lines(output, row)
    return [*lines, "", summary(document)]


def _lines(output: Output, row: dict[str, Any]) -> list[str]:
    """One check: its mark, its name, what was found, and what to do."""
    from lumio_cli.output.style import STATUS_STYLE, printable

    look, status = output.out_look, row["status"]
    head = look.paint(f"{look.mark(status):>2} {row['name']:<17}", STATUS_STYLE[status])
    width = max((look.width or 10_000) - 22, 20)
    hint = f"hint: {row['hint']}" if row["hint"] else ""
    todo = [look.paint(line, "accent") for line in textwrap.wrap(printable(hint), width)]
    first, *rest = [*textwrap.wrap(printable(row["detail"]), width), *todo] or [""]
    return [f"{head} {first}", *(f"{'':<20} {line}" for line in rest)]
