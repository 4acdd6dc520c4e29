"""How sends are shown: the tables and the last lines of `send` and `sends`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lumio_cli.output import Output, Table
    from lumio_cli.services.messaging.send import Outlook, SendResult

FEW = 20
"""Messages up to which people are shown those that went well, too."""


def message_table(messages: list[dict[str, Any]], empty: str = "") -> Table:
    """Messages, one a row."""
    from lumio_cli.output import Col, Table

    columns = [
        Col("position", "no.", "number", drop=1),
        Col("to", kind="id"),
        Col("kind", drop=2),
        Col("status", kind="status"),
        Col("state", drop=1, rare=True),
        Col("id", kind="id", drop=3, rare=True),
        Col("summary", rare=True),
        Col("code", drop=1, rare=True),
        Col("error", rare=True),
        Col("note", rare=True),
    ]
    rows = []
    for message in messages:
        error = message["error"] or {}
        rows.append({**message, "error": error.get("message"), "code": error.get("code")})
    if not any("summary" in message for message in messages):
        columns = [column for column in columns if column.name != "summary"]
    return Table(columns, rows, empty=empty)


def send_result(output: Output, result: SendResult) -> None:
    """What `lumio send` prints."""
    from lumio_cli.services.messaging.model import COUNTS

    shown = result.messages
    if output.mode == "table" and result.total > FEW:
        shown = [m for m in shown if m["status"] not in ("sent", "skipped")]
    counts = ", ".join(f"{getattr(result, n)} {n}" for n in COUNTS if getattr(result, n))
    words = f"\n{result.status}: {counts} of {result.total} (send {result.name})"
    parts = [message_table(shown)] if shown or output.mode == "tsv" else []
    output.result(result.as_json(), *parts, words)
    if output.mode == "json":
        return
    for error in list(result.errors.values())[:FEW]:
        output.error(error)
    if result.error is not None and result.error.message not in result.errors:
        output.error(result.error)
    name = result.name
    if result.unknown:
        output.warn(
            f"messages that may have been sent, and nobody can say: {result.unknown}",
            f"`lumio sends show {name} --status unknown` lists them; then --if-unknown resend, "
            "or --if-unknown accept",
        )
    if result.held or result.paused:
        output.warn(
            "messages that the provider has taken and does not send on as yet: "
            f"{result.held + result.paused}",
            f"`lumio sends show {name} --status held --status paused` lists them",
        )
    if result.pending:
        output.warn(
            f"messages that are not sent yet: {result.pending}", "run the same command again"
        )
    if result.total > 1 and not result.sent and result.skipped == result.total:
        output.note("nothing was left to send; --again or another --name sends the same once more")


def send_preview(output: Output, outlook: Outlook) -> None:
    """What `lumio send --preview` prints."""
    from lumio_cli.services.messaging.model import COUNTS

    document = outlook.as_json()
    names = ("ready", *COUNTS[1:-1])
    counts = ", ".join(f"{document[n]} {n}" for n in names if document[n])
    words = f"\nPreview of {outlook.name}: {counts} of {outlook.total}. Nothing was sent."
    output.result(document, message_table(outlook.messages), words)
    if outlook.repeats:
        output.warn(f"messages that repeat another one of the same input: {outlook.repeats}")
