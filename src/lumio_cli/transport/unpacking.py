"""Answers that are packed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

PIECE = 1 << 18
"""Bytes that are unpacked at a stretch: a packed body may be a thousand times larger than it is."""


def unpacked(raw: Iterable[bytes], *, gzipped: bool) -> Iterator[bytes]:
    """Yield a packed body, never more than `PIECE` of it at once. Raises zlib.error, EOFError."""
    unpacker: Any = None
    for packed in filter(None, raw):
        if unpacker is None:
            # Some servers send deflate without the header that RFC 9110 (8.4.1.2) asks for.
            bare = not gzipped and packed[0] & 0x0F != zlib.DEFLATED
            bits = zlib.MAX_WBITS | 16 if gzipped else zlib.MAX_WBITS
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS if bare else bits)
        left = packed
        # What follows the end is read, so that the connection can be used again, and is nothing.
        while left and not unpacker.eof:
            yield unpacker.decompress(left, PIECE)
            left = unpacker.unconsumed_tail
    if unpacker is not None:
        yield unpacker.flush()
        if not unpacker.eof:
            raise EOFError
