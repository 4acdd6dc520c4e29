"""A loopback server for what mocks cannot show: real sockets, cut bodies, other processes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def raw_server(answer: Callable[[bytes, int], bytes]) -> Iterator[str]:
    """Serve `answer(head, number)` for each request, then close; empty closes without a word.

    Yields the base URL. Bodies of requests are read before the answer is asked for.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    guard = threading.Lock()
    count = [0]

    def serve(connection: socket.socket) -> None:
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                data += chunk
            head, _, body = data.partition(b"\r\n\r\n")
            lines = dict(
                line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
            )
            while len(body) < int(lines.get(b"content-length", b"0")):
                body += connection.recv(65536)
            with guard:
                count[0] += 1
                number = count[0]
            connection.sendall(answer(head + b"\r\n\r\n" + body, number))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def http(body: bytes, status: str = "200 OK", extra: str = "", length: int | None = None) -> bytes:
    """An answer; `length` is what it claims to be."""
    claimed = len(body) if length is None else length
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {claimed}\r\n"
        f"Connection: close\r\n{extra}\r\n"
    )
    return head.encode() + body
