"""Stand-ins for people and machines in what others are given to read."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any


class Pseudonymizer:
    """Stable stand-ins for people and machines in a support bundle: `email-0001`, `ip-0002`.

    `mapping` (real value -> stand-in) belongs to the caller, who can keep it to read the bundle.
    `hosts` and `users` are names of this machine that are to be replaced wherever they stand.
    """

    def __init__(
        self,
        mapping: dict[str, str] | None = None,
        *,
        hosts: Iterable[str] = (),
        users: Iterable[str] = (),
    ) -> None:
        self.mapping: dict[str, str] = {} if mapping is None else mapping
        self._lock = threading.Lock()
        patterns = [
            ("email", r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"),
            ("phone", r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)"),
            ("phone", r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?![\w-])"),
            ("ip", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)"),
            ("ip", r"(?<![\w:.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,34}(?![\w:])"),
        ]
        for kind, names in (("host", hosts), ("user", users)):
            words = sorted({n for n in names if len(n) > 2 and n not in _KEPT}, key=len)[::-1]
            if words:
                patterns.append(
                    (kind, rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")
                )
        self._patterns = [(kind, re.compile(pattern)) for kind, pattern in patterns]

    def text(self, text: str) -> str:
        """`text` with stand-ins."""
        for kind, pattern in self._patterns:
            text = pattern.sub(partial(self._stand_in, kind), text)
        return text

    def json(self, value: Any) -> Any:
        """Decoded JSON, as a copy with stand-ins in its strings."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _stand_in(self, kind: str, match: re.Match[str]) -> str:
        value = match.group()
        if value in _KEPT or (kind == "ip" and not _is_address(value)):
            return value
        key = value.lower() if kind == "email" else value
        with self._lock:
            if key not in self.mapping:
                count = sum(1 for name in self.mapping.values() if name.startswith(f"{kind}-"))
                self.mapping[key] = f"{kind}-{count + 1:04d}"
            return self.mapping[key]


_KEPT = frozenset({"127.0.0.1", "0.0.0.0", "::1", "localhost", "root"})  # noqa: S104 no binding
"""Names that every machine has: they tell nothing about anyone."""


def _is_address(value: str) -> bool:
    """Whether it is an IP address, and not a version number or a time of day."""
    from ipaddress import ip_address

    try:
        ip_address(value)
    except ValueError:
        return False
    return True
