"""Answers without an end, without a bottom, or larger than they look: each one ends in one line."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.json_reading import MAX_DEPTH, MAX_VALUES, read_json
from lumio_cli.providers.contract.paging import LONGEST_TOKEN, bounded
from lumio_cli.transport import sockets
from lumio_cli.transport.request_log import Tally
from lumio_cli.transport.wire import Exchange, Timeouts, Wire
from lumio_cli.transport.wire_errors import WireError

from .server import http, raw_server

pytestmark = pytest.mark.attack("answers")

LIMIT = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def ask(base: str, **options: Any) -> bytes:
    over = Wire("acme", base, max_body=LIMIT, **options)
    call = Call("GET", "/things")
    exchange = Exchange(call, Tally())
    try:
        over.handle_request(over.request(call, {}, exchange))
    finally:
        over.close()
    return exchange.body


def fault(answer: bytes, **options: Any) -> WireError:
    with raw_server(lambda *_: answer) as base, pytest.raises(WireError) as caught:
        ask(base, **options)
    return caught.value


def packed(body: bytes, encoding: str) -> bytes:
    return http(body, extra=f"Content-Encoding: {encoding}\r\n")


@contextmanager
def endless(head: bytes, piece: bytes) -> Iterator[str]:
    """Answers `head`, and then `piece` again and again, until the client goes away."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            try:
                connection.sendall(head)
                while True:
                    connection.sendall(piece)
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(5)
        listener.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_is_limited_by_what_it_unpacks_to(encoding: str) -> None:
    zeros = bytes(4 * LIMIT)
    body = gzip.compress(zeros) if encoding == "gzip" else zlib.compress(zeros)
    assert len(body) < LIMIT / 50
    assert fault(packed(body, encoding)).kind == "too_large"


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate, gzip", "br", "gzip, identity, gzip"])
def test_one_layer_of_packing_is_taken_off(encoding: str) -> None:
    error = fault(packed(gzip.compress(gzip.compress(b"{}")), encoding))
    assert (error.kind, error.sent) == ("decode", True)
    assert "did not ask for" in error.message


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"{}"), "gzip"),
        (gzip.compress(b"{}"), "X-GZIP, identity"),
        (zlib.compress(b"{}"), "deflate"),
        (zlib.compress(b"{}", wbits=-15), "deflate"),
        (b"", "gzip"),
        (gzip.compress(b"{}") + b"what follows the end", "gzip"),
    ],
    ids=["gzip", "x-gzip", "deflate", "bare", "nothing", "more"],
)
def test_what_is_packed_as_it_may_be_is_read(body: bytes, encoding: str) -> None:
    with raw_server(lambda *_: packed(body, encoding)) as base:
        assert ask(base) == (b"{}" if body else b"")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}" * 99)[:-9]], ids=["no", "cut"])
def test_a_body_that_does_not_unpack_or_breaks_off_is_none(body: bytes) -> None:
    assert fault(packed(body, "gzip")).kind == "decode"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["100", "103", "drip"],
)
def test_an_answer_without_end_ends_with_its_time(
    head: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each piece comes in time; together they never come to an end.
    with endless(head, piece) as base, pytest.raises(WireError) as caught:
        ask(base, timeouts=Timeouts(read=0.01))
    assert caught.value.kind == "too_slow"
    assert not caught.value.passing, "to ask again takes as long again"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (HEAD, b"X-Pad: " + b"a" * 1000 + b"\r\n"),
        (HEAD + b"X-Pad: ", b"a" * 10_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;", b"a" * 10_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X-Pad: a\r\n" * 1000),
        (HEAD + b"\r\n", b" " * 10_000),
        (b"", b"\0" * 10_000),
    ],
    ids=["headers", "header", "extension", "trailers", "body", "no-http"],
)
def test_an_answer_without_end_ends_with_its_size(head: bytes, piece: bytes) -> None:
    with endless(head, piece) as base, pytest.raises(WireError) as caught:
        ask(base)
    assert caught.value.kind in ("reset", "cut", "too_large")


@pytest.mark.parametrize("length", ["-2", "9" * 5000, "\xb2", "2\r\nContent-Length: 3"])
def test_a_length_that_is_none_is_no_answer(length: str) -> None:
    answer = HEAD + f"Content-Length: {length}\r\n\r\n{{}}".encode("latin-1")
    assert fault(answer).kind in ("reset", "too_large")


def test_a_stop_ends_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "GRACE", 0.0)
    stop = Stop()

    def answer(*_: object) -> bytes:
        stop.set("Ctrl-C", 130)
        return HEAD + b"Content-Length: 1000\r\n\r\n"

    with raw_server(answer) as base, pytest.raises(WireError) as caught:
        ask(base, stop=stop)
    assert (caught.value.kind, caught.value.sent) == ("stopped", True)
    assert not caught.value.unhealthy, "the provider has done nothing"


def test_a_stop_ends_the_wait_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "GRACE", 0.0)
    stop, over = Stop(), threading.Event()

    def look_up(*_: object, **__: object) -> Any:
        stop.set("Ctrl-C", 130)
        over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(WireError) as caught:
        ask("https://api.acme.test", stop=stop)
    over.set()
    assert (caught.value.kind, caught.value.sent) == ("stopped", False)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * MAX_DEPTH + b"[]" + b"}" * MAX_DEPTH,
        b"[" + b"[]," * MAX_VALUES + b"[]]",
        b"[" + b"0," * MAX_VALUES + b"0]",
        b"[" + b"{}," * (MAX_VALUES // 6) + b"{}]",
    ],
    ids=["opened", "lists", "objects", "empty", "numbers", "many objects"],
)
def test_json_is_read_to_a_depth_and_a_number_of_values(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|more than 2,000,000 values"):
        read_json(body)


def test_brackets_and_commas_in_a_text_are_no_values() -> None:
    text = '[{,"\\' * (MAX_VALUES // 4)
    encoded = text.replace("\\", "\\\\").replace('"', '\\"')
    assert read_json(f'{{"a":"{encoded}"}}'.encode()) == {"a": text}
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert len(read_json(b'[0,"' + b"[" * 500 + b'"]')) == 2
    assert read_json(deep)


def test_a_token_that_nobody_can_send_back_is_refused() -> None:
    place = {"size": 1, "again": {"7": {"token": "a" * (LONGEST_TOKEN + 1)}}}
    with pytest.raises(BadReplyError, match="16385 characters"):
        bounded(place)
    assert bounded({"token": "a" * LONGEST_TOKEN}) is not None
    assert bounded(None) is None
