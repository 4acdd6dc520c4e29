"""What a run that was killed has left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lumio_cli.hub.sqlite import sends
from lumio_cli.hub.sqlite.sends import Update
from lumio_cli.services.messaging.batch_plan import CHUNK, chunks
from lumio_cli.services.messaging.delivery_marks import FREE, LEFT, TAKEN, Marks

if TYPE_CHECKING:
    from lumio_cli.hub.sqlite.database import Hub
    from lumio_cli.hub.sqlite.sends import SendRow

LEFT_IT = "its request had left when lumio was ended, and no answer was seen"
CUT_OFF = "lumio was ended, and whether its request had left is not known"


def by_mark(mark: int | None, run: int, now: str) -> Update:
    """What has become of a message nobody has an answer for; None: its mark is not to be had."""
    if mark == FREE:
        return Update("pending", None, None, None, run, now)
    if mark == TAKEN:
        return Update("sent", None, None, None, run, now)
    if mark == LEFT:
        return Update("unknown", None, "no_answer", LEFT_IT, run, now)
    return Update("unknown", None, "cut_off", CUT_OFF, run, now)


def recover(hub: Hub, send: SendRow, marks: Marks, boot: str, now: str) -> None:
    """Sort what a run that was killed has left as `sending`, by the marks it left."""
    db = hub.connection
    left = sends.positions_of(db, send.id, "sending")
    believed = marks.kept and bool(boot) and send.boot == boot
    updates: dict[int, Update] = {}
    for chunk in chunks(left, CHUNK):
        entries = sends.read_entries(db, send.id, chunk[0], chunk[-1])
        for position in chunk:
            mark = marks[position] if believed else None
            updates[position] = by_mark(mark, entries[position].run, now)
    with hub.transaction() as tx:
        sends.update_entries(tx, send.id, updates)
