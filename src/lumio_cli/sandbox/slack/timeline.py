"""The messages of one conversation: what stands in its history, and the replies below it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

from ..table import Document, Table

EDITOR = "U0LUMIOBOT"


class Timeline(Table):
    """Top-level messages by `ts`, oldest first, and the replies of each thread.

    A `ts` is the time of a message in seconds with six decimals, and its name within the
    conversation: no two messages have the same one. `thread(n)` makes the generated replies of the
    n-th message, as seconds after it with the document. Not thread-safe.
    """

    def __init__(
        self,
        count: int,
        make: Callable[[int], Document],
        thread: Callable[[int], list[tuple[int, Document]]],
        clock: Callable[[], float],
    ) -> None:
        self._thread = thread
        self._threads: dict[str, dict[str, Document]] = {}
        self._posted = 0
        super().__init__(count, make, _leave, clock, identify=self._generated_ts, key="ts")

    # -- reading

    def between(self, oldest: int, latest: int, inclusive: bool) -> list[str]:
        """The `ts` of top-level messages between two times in microseconds, newest first."""
        ids = self.ids()
        if inclusive:
            found = ids[bisect_left(ids, text_of(oldest)) : bisect_right(ids, text_of(latest))]
        else:
            found = ids[bisect_right(ids, text_of(oldest)) : bisect_left(ids, text_of(latest))]
        shared = [ts for ts in self._broadcasts() if _inside(ts, oldest, latest, inclusive)]
        return sorted(found + shared, reverse=True) if shared else found[::-1]

    def find(self, ts: str) -> Document | None:
        """A message or a reply; None where there is none."""
        if ts in self:
            return self.get(ts)
        parent = self.parent_of(ts)
        return None if parent is None else dict(self._replies(parent)[ts])

    def parent_of(self, ts: str) -> str | None:
        """The thread that a reply belongs to; a message begins its own."""
        if ts in self:
            return ts
        for parent in self._with_replies():
            if ts in self._replies(parent):
                return parent
        return None

    def replies(self, parent: str) -> list[Document]:
        """The replies of a thread, oldest first."""
        return [dict(found) for _, found in sorted(self._replies(parent).items())]

    # -- writing

    def insert(self, document: Document, record_id: str | None = None) -> str:
        """A new message; its `ts` is the time it came."""
        ts = record_id or self._next_ts()
        return super().insert({"type": "message", "user": EDITOR, **document}, ts)

    def update(self, record_id: str, values: Document) -> None:
        """An edit: the message says when, and by whom."""
        edited = {"user": EDITOR, "ts": self._next_ts()}
        parent = self.parent_of(record_id)
        if parent not in (None, record_id):
            self._replies(str(parent))[record_id].update({**values, "edited": edited})
            return
        super().update(record_id, {"edited": edited, **values})

    def delete(self, record_id: str) -> None:
        """Somebody deletes a message. One with replies stays as a tombstone, to hold them."""
        if record_id not in self or not self._replies(record_id):
            self.purge(record_id)
            return
        grave = {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "hidden": True}
        self._own[record_id] = {**grave, "text": "This message was deleted."}

    def purge(self, record_id: str) -> None:
        """A message vanishes without a trace; its thread with it."""
        parent = self.parent_of(record_id)
        if parent not in (None, record_id):
            del self._replies(str(parent))[record_id]
            return
        super().purge(record_id)

    def reply(self, parent: str, document: Document) -> str:
        """A new reply to a message; its `ts`. Raises KeyError for a thread that is not there."""
        if parent not in self:
            raise KeyError(parent)
        ts = self._next_ts()
        full = {"type": "message", "user": EDITOR, **document, **self._belonging(parent), "ts": ts}
        self._replies(parent)[ts] = full
        return ts

    # -- inside

    def _generated_ts(self, number: int) -> str:
        return f"{int(self._made(number))}.{100 + number:06d}"

    def _next_ts(self) -> str:
        self._posted = max(self._posted + 1, int(self._now() * 1_000_000))
        return text_of(self._posted)

    def _number_of(self, ts: str) -> int | None:
        number = self._number.get(ts)
        return number if number is not None and number < self._base else None

    def _replies(self, parent: str) -> dict[str, Document]:
        found = self._threads.get(parent)
        if found is None:
            found = self._threads[parent] = {}
            number = self._number_of(parent)
            made = [] if number is None else self._thread(number)
            for index, (after, document) in enumerate(made):
                seconds = int(parent.partition(".")[0]) + after
                micros = 600_000 + (int(parent[-6:]) * 8 + index) % 399_999
                ts = f"{seconds}.{micros:06d}"
                found[ts] = {**document, **self._belonging(parent), "ts": ts}
        return found

    def _belonging(self, parent: str) -> Document:
        """What a reply says of its thread."""
        author = self._bare(parent).get("user", EDITOR)
        return {"thread_ts": parent, "parent_user_id": author}

    def _with_replies(self) -> list[str]:
        return [ts for ts in self.ids() if self._replies(ts)]

    def _broadcasts(self) -> list[str]:
        """Replies that were sent to the channel as well; generated ones never are."""
        return [
            ts
            for parent, found in self._threads.items()
            if parent in self
            for ts, document in found.items()
            if document.get("subtype") == "thread_broadcast"
        ]

    def _document(self, record_id: str) -> Document:
        document = super()._document(record_id)
        replies = self._replies(record_id)
        if replies:
            users = list(dict.fromkeys(str(reply.get("user")) for reply in replies.values()))
            document |= {
                "thread_ts": record_id,
                "reply_count": len(replies),
                "reply_users_count": len(users),
                "latest_reply": max(replies),
                "reply_users": users[:5],
                "is_locked": False,
                "subscribed": False,
            }
        return document


def _leave(document: Document, created: float, modified: float) -> None:
    """A message's own `ts` is all the time that it carries."""


def micros_of(text: str) -> int:
    """A `ts` as microseconds, without the detour over a float. Raises ValueError."""
    seconds, _, rest = text.partition(".")
    if not seconds.isdigit() or (rest and not rest.isdigit()) or len(rest) > 6:
        raise ValueError(text)
    return int(seconds) * 1_000_000 + int(rest.ljust(6, "0") or 0)


def text_of(micros: int) -> str:
    """Microseconds as a `ts`. Those of our days have ten digits and sort as text."""
    seconds, rest = divmod(max(0, micros), 1_000_000)
    return f"{seconds:010d}.{rest:06d}"


def _inside(ts: str, oldest: int, latest: int, inclusive: bool) -> bool:
    at = micros_of(ts)
    return oldest <= at <= latest if inclusive else oldest < at < latest


def public(document: Document, with_metadata: bool) -> dict[str, Any]:
    """A message as an answer shows it: metadata only where it was asked for."""
    if with_metadata or "metadata" not in document:
        return document
    return {name: value for name, value in document.items() if name != "metadata"}
