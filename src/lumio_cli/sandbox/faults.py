"""Faults on demand: what goes wrong, with which requests.

SPEC is `KIND[:ARGUMENT][:every=N][:times=N][:after=N][:rate=P][:path=GLOB][:method=M]`
(`KIND=ARGUMENT` is the same as `KIND:ARGUMENT`).

A fault looks at the requests that fit `path` (a shell pattern for the path below the provider's
prefix) and `method`, leaves the first `after` of them alone, then strikes every `every`-th
(default: each), or with probability `rate` from the sandbox's seed, at most `times` times.

| KIND | what happens | ARGUMENT |
| --- | --- | --- |
| latency | the answer comes late | milliseconds (100) |
| 429, 423, 500, 503, ... | this status in the provider's shape, nothing done | Retry-After:
  any text (`30`, `30000`, `soon`), or a moment so many seconds ahead: `date+SECONDS` as a date,
  `iso+SECONDS` as ISO 8601, `now+SECONDS` and `ms+SECONDS` in (milli)seconds since 1970 (none) |
| reset | the connection is reset before anything is read or done | |
| cut | the body ends before its Content-Length | bytes sent (half of them) |
| html | 200 with a page of HTML, nothing done | |
| badjson | 200 with JSON that does not end, nothing lost but the answer | |
| badutf8 | JSON with a byte that is not UTF-8 | |
| lost | the request is carried out, the connection closed without an answer | |
| expired | the credential expires, once, unless `times` or `every` says more | requests it is
  good for (0) |
| loop | the next page is always the same one | |
| noid | the first record has no id | |
| badid | the id of the first record is no string | `object` or `number` (object) |
| huge | the first record has a text of so many megabytes | megabytes (50) |
| empty | a listing without rows, and without a next page | |
| hollow | a page without rows that says where the next one is, which has them | |
| nowhere | a page that says that more follow, and not where | |
| last | a page that says it is the last, though more follow | |
| nullrow | the first record is null | |
| raw | the first record has a text that strict JSON does not know: `nan`, `inf`, `1e400`,
  `digits` (400 of them), `surrogate` (half of a character), `control` (as it is); or the whole
  answer begins with a `bom` | which (nan) |
| foreign | 302 to another host | the URL (https://attacker.invalid/) |
| slow | the body drips | seconds for the whole of it (2) |
| skew | the Date header is off | seconds, negative for the past, or `none`: it is empty (3600) |
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Any

from .http import Request

KINDS = frozenset(
    {
        "latency", "reset", "cut", "html", "badjson", "badutf8", "lost", "expired", "loop", "noid",
        "badid", "huge", "empty", "hollow", "nowhere", "last", "nullrow", "raw", "foreign", "slow",
        "skew",
    }
)  # fmt: skip
# These change what a JSON answer says; the provider knows where its rows and its paging are.
CONTENT = frozenset(
    {"loop", "noid", "badid", "huge", "empty", "hollow", "nowhere", "last", "nullrow", "raw"}
)


def spoil(
    rows: list[Any], kind: str, argument: str | None, *, key: str = "id", text: str = "message"
) -> None:
    """What `noid`, `badid`, `huge`, `nullrow` and `raw` do to the first record of a listing: `key`
    is where it has its id, `text` where a long text can stand. Other kinds, an empty listing, and
    one whose first is no record it leaves alone.
    """
    if rows and kind == "nullrow":
        rows[0] = None
    if not rows or not isinstance(rows[0], dict):
        return
    if kind == "noid":
        rows[0].pop(key, None)
    elif kind == "badid":
        named = {"value": rows[0].get(key)}
        rows[0][key] = 9007199254740993 if argument == "number" else named
    elif kind == "huge":
        rows[0][text] = "x" * int(float(argument or 50) * 1_000_000)
    elif kind == "raw" and argument != "bom":
        rows[0][text] = MARK


MARK = "(no JSON)"
"""Stands in a record where `written_raw` is to put what JSON does not know."""

RAW = {
    None: b"NaN",
    "nan": b"NaN",
    "inf": b"-Infinity",
    "1e400": b"1e400",
    "digits": b"9" * 400,
    "surrogate": b'"half \\ud83d of it"',
    "control": b'"a \x01 bell"',
}


def written_raw(body: bytes, argument: str | None) -> bytes:
    """What `raw` makes of an answer's bytes, once `spoil` has marked the place.

    Raises KeyError for an argument that it does not know.
    """
    if argument == "bom":
        return b"\xef\xbb\xbf" + body
    return body.replace(b'"' + MARK.encode() + b'"', RAW[argument], 1)


_MOMENTS = {
    "date": lambda at: formatdate(at, usegmt=True),
    "iso": lambda at: datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    "now": lambda at: f"{at:.0f}",
    "ms": lambda at: f"{at * 1000:.0f}",
}


def retry_after(argument: str | None, now: float) -> str | None:
    """The Retry-After that a status fault asks for; None: none. `now` is the provider's clock.

    Raises ValueError for seconds ahead that are no number.
    """
    word, plus, seconds = (argument or "").partition("+")
    if plus and word in _MOMENTS:
        return _MOMENTS[word](now + float(seconds))
    return argument


@dataclass(slots=True)
class Fault:
    """One parsed SPEC and how often it has been looked at and has struck."""

    spec: str
    kind: str
    argument: str | None = None
    every: int = 1
    times: int | None = None
    after: int = 0
    rate: float | None = None
    path: str = "*"
    method: str | None = None
    seen: int = 0
    struck: int = 0
    _random: random.Random = field(default_factory=random.Random)

    def strikes(self, request: Request) -> bool:
        """Whether this request is struck. Counts it."""
        if self.method is not None and self.method != request.method:
            return False
        if not fnmatchcase(request.label, self.path):
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.seen += 1
        turn = self.seen - self.after
        if turn <= 0 or turn % self.every:
            return False
        if self.rate is not None and self._random.random() >= self.rate:
            return False
        self.struck += 1
        return True


def parse_fault(spec: str, seed: int = 0) -> Fault:
    """Reads a SPEC. Raises ValueError that says what is wrong with it."""
    head, *rest = spec.split(":")
    kind, equals, argument = head.partition("=")
    if kind not in KINDS and not (kind.isdigit() and 400 <= int(kind) <= 599):
        known = ", ".join(sorted(KINDS))
        raise ValueError(f"not a fault: {kind!r} (a status from 400 to 599, or one of {known})")
    fault = Fault(spec, kind, argument if equals else None)
    for part in rest:
        try:
            _set(fault, part)
        except ValueError as error:
            raise ValueError(f"{spec!r}: {error}") from None
    if fault.every < 1 or fault.after < 0 or (fault.times is not None and fault.times < 0):
        raise ValueError(f"{spec!r}: every is at least 1, after and times at least 0")
    if kind == "raw" and fault.argument not in (*RAW, "bom"):
        raise ValueError(f"{spec!r}: raw is one of {', '.join([n for n in RAW if n])}, bom")
    _check(fault)
    if kind == "expired":
        fault.after += int(fault.argument or 0)
        if fault.times is None and fault.every == 1:
            fault.times = 1
    # A seed of its own for each fault, so that adding one does not move the others.
    fault._random.seed(f"{seed}:{spec}")
    return fault


_NUMBERS = {
    "latency": float, "slow": float, "skew": float, "huge": float, "cut": int, "expired": int
}  # fmt: skip
"""What reads the argument of a kind that takes a number."""


def _check(fault: Fault) -> None:
    """Raises ValueError for an argument that the fault could not strike with."""
    read, given = _NUMBERS.get(fault.kind), fault.argument
    try:
        if read and given and (fault.kind, given) != ("skew", "none"):
            read(given)
        if fault.kind.isdigit():
            retry_after(given, 0.0)
    except (ValueError, OverflowError):
        raise ValueError(f"{fault.spec!r}: {given!r} is no number") from None


def _set(fault: Fault, part: str) -> None:
    name, equals, value = part.partition("=")
    if not equals and fault.argument is None and name:
        fault.argument = name
    elif name in ("every", "times", "after"):
        setattr(fault, name, int(value))
    elif name == "rate":
        fault.rate = float(value)
    elif name in ("path", "method"):
        setattr(fault, name, value)
    else:
        raise ValueError(f"not part of a fault: {part!r}")


class Faults:
    """The faults in force. They are looked at in the order they were set."""

    def __init__(self, specs: list[str] | tuple[str, ...] = (), seed: int = 0) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.set(specs)

    def set(self, specs: list[str] | tuple[str, ...]) -> None:
        """Replaces every fault; the counts begin again. Raises ValueError."""
        faults = [parse_fault(spec, self._seed) for spec in specs]
        with self._lock:
            self._faults = faults

    def add(self, spec: str) -> None:
        """Adds one fault. Raises ValueError."""
        fault = parse_fault(spec, self._seed)
        with self._lock:
            self._faults = [*self._faults, fault]

    def clear(self) -> None:
        """Lets everything work again."""
        self.set(())

    def strike(self, request: Request) -> list[Fault]:
        """The faults that strike this request. Counts it."""
        if not self._faults:
            return []
        with self._lock:
            return [fault for fault in self._faults if fault.strikes(request)]

    def report(self) -> list[dict[str, int | str]]:
        """Each fault and how often it has struck."""
        return [{"spec": fault.spec, "struck": fault.struck} for fault in self._faults]
