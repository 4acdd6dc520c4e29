"""Rest.li 2.0 values in a query: strings, `List(...)` and `(key:value,...)`.

Delimiters stand as they are and everything else is percent-encoded, so that a value can only be
read from the query as it was sent. Names of parameters may be dotted, as Rest.li 1.0 had them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from ..http import Request


class RestliError(ValueError):
    """A parameter that cannot be read; says why."""


def parameters(request: Request) -> dict[str, Any]:
    """The query's parameters by name, decoded. Raises RestliError."""
    raw = getattr(request, "raw_query", None)
    if raw:
        pairs = [part.partition("=") for part in raw.split("&") if part]
        found = {unquote(name): read(value) for name, _, value in pairs}
    else:
        found = {name: read(values[-1], exact=False) for name, values in request.query.items()}
    return _nested(found)


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """`a.b=1` is the same as `a=(b:1)`."""
    found: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, last = name.split(".")
        holder = found
        for part in parents:
            holder = holder.setdefault(part, {})
        holder[last] = value
    return found


def read(text: str, exact: bool = True) -> Any:
    """One value: a string, a list or an object. With `exact`, the text is still percent-encoded
    and a bare colon inside a string is an error. Raises RestliError."""
    value, rest = _value(text, exact)
    if rest:
        raise RestliError(f"unexpected text after a value: {rest[:40]!r}")
    return value


def _value(text: str, exact: bool) -> tuple[Any, str]:
    if text.startswith("List("):
        return _list(text[5:], exact)
    if text.startswith("("):
        return _object(text[1:], exact)
    end = next((i for i, char in enumerate(text) if char in "(),"), len(text))
    word, rest = text[:end], text[end:]
    if not exact:
        return word, rest
    if ":" in word:
        raise RestliError(f"a colon in a string must be percent-encoded: {word[:60]!r}")
    return unquote(word), rest


def _list(text: str, exact: bool) -> tuple[list[Any], str]:
    items: list[Any] = []
    while not text.startswith(")"):
        item, text = _value(text, exact)
        items.append(item)
        text = _delimiter(text)
    return items, text[1:]


def _object(text: str, exact: bool) -> tuple[dict[str, Any], str]:
    found: dict[str, Any] = {}
    while not text.startswith(")"):
        key, colon, text = text.partition(":")
        if not colon or not key.isidentifier():
            raise RestliError(f"an object needs keys: {key[:40]!r}")
        found[key], text = _value(text, exact)
        text = _delimiter(text)
    return found, text[1:]


def _delimiter(text: str) -> str:
    """What is left after the comma between two members, or at the bracket that closes them."""
    if text.startswith(","):
        return text[1:]
    if not text.startswith(")"):
        raise RestliError("a list or an object is not closed")
    return text


def urn_id(urn: Any, kind: str) -> str:
    """The id in `urn:li:KIND:ID`. Raises RestliError for anything else."""
    prefix = f"urn:li:{kind}:"
    if not isinstance(urn, str) or not urn.startswith(prefix) or urn == prefix:
        raise RestliError(f"not a URN of the kind {kind}: {urn!r}")
    return urn[len(prefix) :]


def number(value: Any, name: str, least: int, most: int) -> int:
    """An integer parameter within its bounds. Raises RestliError."""
    try:
        found = int(value)
    except (TypeError, ValueError):
        raise RestliError(f"{name} is not a number: {value!r}") from None
    if not least <= found <= most:
        raise RestliError(f"{name} must be from {least} to {most}")
    return found
