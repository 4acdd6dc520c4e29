"""How a send stands after a run, and how the run ends, by the contract."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lumio_cli.core.clock import format_timestamp, utc
from lumio_cli.hub.sqlite import sends
from lumio_cli.services.messaging.model import COUNTS, Request, SendResult

if TYPE_CHECKING:
    from lumio_cli.hub.sqlite.sends import SendRow
    from lumio_cli.runtime import Runtime
    from lumio_cli.services.messaging.run import Sending


def conclude(
    runtime: Runtime, request: Request, row: SendRow, sending: Sending, started_at: datetime
) -> SendResult:
    """The result of a run, which is written into the hub as well."""
    db, now = runtime.hub.connection, runtime.clock.time()
    whole = sends.count_entries(db, row.id)
    result = SendResult(row.send_id, row.name, row.provider, row.total, started_at)
    result.finished_at = utc(now)
    result.sent = sends.count_entries(db, row.id, row.runs)["sent"]
    result.skipped = whole["sent"] - result.sent + whole["skipped"]
    for name in ("held", "paused", "failed", "refused", "unknown"):
        setattr(result, name, whole[name])
    # What was never reached is not in the ledger.
    result.pending = row.total - sum(whole.values()) + whole["pending"] + whole["sending"]
    result.errors = dict(sending.errors)
    _judge(runtime, result, sending)
    with runtime.hub.transaction() as tx:
        sends.finish_send(tx, row.id, result.status, format_timestamp(now))
    result.messages = [
        sends.as_json(entry) | _skipped(entry, row)
        for entry in sends.list_entries(db, row.id, limit=request.limit)
    ]
    return result


def _skipped(entry: sends.Entry, row: SendRow) -> dict[str, str]:
    """What was sent before this run, the run has passed by."""
    before = entry.status == "sent" and entry.run != row.runs
    return {"status": "skipped"} if before else {}


def _judge(runtime: Runtime, result: SendResult, sending: Sending) -> None:
    """Status and exit code: a stop or what halted the run first; else alike, then that code."""
    some = result.sent + result.skipped + result.held + result.paused > 0
    if sending.halted is not None:
        result.error = sending.halted
        result.status = "partial" if some else "failed"
        result.exit_code = sending.halted.exit_code
    elif result.pending and runtime.stop.is_set():
        result.status, result.exit_code = "interrupted", runtime.stop.exit_code
    elif any(getattr(result, name) for name in COUNTS[2:]):
        errors = list(result.errors.values())
        codes = {error.exit_code for error in errors}
        doubt = result.unknown or result.pending
        result.exit_code = codes.pop() if len(codes) == 1 and not some and not doubt else 3
        if len(errors) == 1 and not some:
            result.error = errors[0]
        result.status = "partial" if some or doubt else "failed"
