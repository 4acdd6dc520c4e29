"""Serves the bench's contacts on the loopback interface, as fast as Python can.

Everything is rendered before the first request. `/N/crm/...` is an account of N contacts, so
that one server has every size. There are no quotas and no credentials, and no headers that speak
of quotas. Prints one line of JSON when it is ready, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from collections import Counter
from email.utils import formatdate
from typing import Any

from bench.data import PAGE, pages, properties

SEND_BUFFER = 1 << 20
ACCOUNT = {
    "portalId": 1,
    "accountType": "STANDARD",
    "timeZone": "UTC",
    "uiDomain": "app.hubspot.com",
    "utcOffset": "+00:00",
    "utcOffsetMilliseconds": 0,
}
TOKEN = {"userId": 1, "hubId": 1, "appId": 1, "scopes": ["oauth", "crm.objects.contacts.read"]}
LIST = "crm/objects/2026-03/contacts"


class Data:
    """What is served, and how often it was."""

    def __init__(self, records: int) -> None:
        self.pages = list(pages(records))
        self.counts: Counter[str] = Counter()
        self.date = b""
        self._fixed = {
            "account-info/v3/details": json.dumps(ACCOUNT).encode(),
            "oauth/v2/private-apps/get/access-token-info": json.dumps(TOKEN).encode(),
            "crm/v3/properties/contacts": properties(),
        }

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        path, _, query = target.partition("?")
        size, _, rest = path[1:].partition("/")
        self.counts[f"{method} {rest or size}"] += 1
        if size == "counts":
            found = json.dumps(self.counts).encode()
            self.counts.clear()
            return 200, found
        if rest == LIST and method == "GET":
            return 200, self._list(int(size), query)
        if rest == f"{LIST}/search":
            return 200, self._search(int(size), body)
        fixed = self._fixed.get(rest)
        return (404, b'{"message":"not found"}') if fixed is None else (200, fixed)

    def _list(self, records: int, query: str) -> bytes:
        values = dict(pair.partition("=")[::2] for pair in query.split("&"))
        if values.get("archived") == "true" or not records:
            return b'{"results":[]}'
        number = int(values.get("after") or 0)
        following = number + 1
        if following * PAGE >= records:
            return b'{"results":[%b]}' % self.pages[number]
        return b'{"results":[%b],"paging":{"next":{"after":"%d","link":"http://127.0.0.1/"}}}' % (
            self.pages[number],
            following,
        )

    @staticmethod
    def _search(records: int, body: bytes) -> bytes:
        """Everything, counted; or what has changed since then: nothing."""
        filters = [f for group in json.loads(body)["filterGroups"] for f in group["filters"]]
        return b'{"total":%d,"results":[]}' % (0 if filters else records)


class Connection(asyncio.Protocol):
    """One connection and the requests on it, one after the other."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._pending = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send at once, and a page in one go."""
        self._transport = transport
        made = transport.get_extra_info("socket")
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end]
            stop = end + 4 + _length(head)
            if len(self._pending) < stop:
                return
            body, self._pending = self._pending[end + 4 : stop], self._pending[stop:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            status, content = self._data.answer(method, target, body)
            self._transport.write(
                b"HTTP/1.1 %d OK\r\nContent-Type: application/json;charset=utf-8\r\nDate: %b\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (status, self._data.date, len(content), content)
            )


def _length(head: bytes) -> int:
    if not head.startswith(b"POST"):
        return 0
    found = head.lower().partition(b"content-length:")[2]
    return int(found.split(b"\r\n", 1)[0]) if found else 0


async def serve(data: Data) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def wait_for_eof() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(over.set)

    def tick() -> None:
        data.date = formatdate(usegmt=True).encode()
        loop.call_later(0.5, tick)

    tick()
    server = await loop.create_server(lambda: Connection(data), "127.0.0.1", 0)
    threading.Thread(target=wait_for_eof, daemon=True).start()
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await over.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Data(int(sys.argv[1]))))
