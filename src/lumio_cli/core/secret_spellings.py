r"""Finds known secrets however they are spelled.

The usual spellings are plain strings, and one pattern finds them all. The others (escaped in part,
escaped twice, wrapped, with another case of hexadecimal digits) need patterns that are dear to
make: they are made once a text has signs of such spellings.
"""

from __future__ import annotations

import binascii
import json
import re
import threading
from urllib.parse import quote, quote_plus

MIN_SECRET = 6
"""Shorter values are ordinary words: masking them would hide the text, not the secret."""
_MIN_LINE = 20
"""Of a secret of several lines (a key), a line of so many characters is one by itself."""

_ESCAPED = re.compile(r"[%\\&]")
_WRAPPED = re.compile(
    r"[A-Za-z0-9+/_=-]{8}[\s>]+[A-Za-z0-9+/_-]{2}|(?:[0-9A-Fa-f]{2}[\s:-]){5}|(?:\\x[0-9A-Fa-f]{2}){3}"
)
_SLASHES = r"\\{1,8}"
"""Before an escape: a text in a text in a text. All repetitions have a bound, and so a cost."""
_PERCENT = r"%(?:25){0,4}"
_GAP = rf"(?:\s|>|{_SLASHES}[rnt]|{_PERCENT}0[AaDd]){{0,80}}"
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SHORT = {"\n": "n", "\r": "r", "\t": "t"}


class Spellings:
    """The secrets that are known. Safe to share by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._forms: set[str] = set()
        self._plain: re.Pattern[str] | None = None
        self._escaped: re.Pattern[str] | None = None
        self._wrapped: re.Pattern[str] | None = None

    def learn(self, secret: str) -> None:
        """Know `secret` from now on; too short ones are ignored."""
        secret = secret.strip()
        if len(secret) < MIN_SECRET or secret in self._known:
            return
        lines = (line.strip() for line in secret.splitlines())
        news = {secret, *(line for line in lines if len(line) >= _MIN_LINE and "-----" not in line)}
        with self._lock:
            self._known |= news
            self._forms = self._forms.union(*map(_forms, news))
            # Longest first: a secret may be the beginning of another.
            ordered = sorted(self._forms, key=lambda form: (-len(form), form))
            self._plain = re.compile("|".join(map(re.escape, ordered)))
            self._escaped = self._wrapped = None

    def mask(self, text: str, mask: str) -> str:
        """`text` with `mask` in the place of every known secret."""
        for pattern in self._patterns(text):
            text = pattern.sub(mask, text)
        return text

    def found(self, text: str) -> bool:
        """Whether a known secret is in `text`."""
        return any(pattern.search(text) for pattern in self._patterns(text))

    def _patterns(self, text: str) -> list[re.Pattern[str]]:
        """Those that may find something in a text like this one."""
        if self._plain is None:
            return []
        patterns = [self._plain]
        escaped = _ESCAPED.search(text) is not None
        if escaped:
            patterns.append(self._of_escaped())
        if escaped or _WRAPPED.search(text) is not None:
            patterns.append(self._of_wrapped())
        return patterns

    def _of_escaped(self) -> re.Pattern[str]:
        if (pattern := self._escaped) is None:
            with self._lock:
                ordered = sorted(self._known, key=lambda s: (-len(s), s))
            pattern = re.compile("|".join("".join(map(_escapes, s)) for s in ordered))
            self._escaped = pattern
        return pattern

    def _of_wrapped(self) -> re.Pattern[str]:
        if (pattern := self._wrapped) is None:
            with self._lock:
                ordered = sorted(self._known, key=lambda s: (-len(s), s))
            pattern = re.compile("|".join(p for s in ordered for p in _with_gaps(s)))
            self._wrapped = pattern
        return pattern


def _raw(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


def _base64(secret: str) -> set[str]:
    """What base64 makes of a secret inside of a larger text (`user:password`): in one of three
    alignments. The characters at its edges depend on the neighbours and are left out."""
    found = set()
    for shift in range(3):
        padded = bytes(shift) + _raw(secret)
        encoded = binascii.b2a_base64(padded, newline=False).decode()
        found.add(encoded[-(-shift * 4 // 3) : len(padded) * 4 // 3])
    return found


def _forms(secret: str) -> set[str]:
    """The usual spellings of `secret` that are long enough to be told from ordinary text."""
    percent = quote(secret, safe="", errors="replace")
    forms = {
        secret,
        percent,
        quote_plus(secret, errors="replace"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        _raw(secret).hex(),
        _raw(secret).hex().upper(),
    }
    for encoded in _base64(secret):
        forms |= {encoded, encoded.replace("+", "-").replace("/", "_")}
    return {form for form in forms if len(form) >= MIN_SECRET}


def _escapes(character: str) -> str:
    r"""A pattern of all ways to write a character: itself, `%2f`, `%252F`, `\/`, `\u002f`, `\x2f`,
    `&#47;`."""
    point = ord(character)
    ways = [_SLASHES if character == "\\" else re.escape(character)]
    if character in "/\"'":
        ways = [rf"(?:{_SLASHES})?{character}"]
    if character in _SHORT:
        ways.append(rf"{_SLASHES}{_SHORT[character]}")
    if character == " ":
        ways.append(r"\+")
    if character in _NAMED:
        ways.append(f"&{_NAMED[character]};")
    ways.append("".join(rf"{_PERCENT}{_hex(byte, 2)}" for byte in _raw(character)))
    units = _raw_units(character)
    ways.append("".join(rf"{_SLASHES}u{_hex(unit, 4)}" for unit in units))
    if point < 0x100:
        ways.append(rf"{_SLASHES}x{_hex(point, 2)}")
    if point >= 0x80:
        ways.append("".join(rf"{_SLASHES}x{_hex(byte, 2)}" for byte in _raw(character)))
    ways.append(rf"&#(?:0*{point}|[xX]0*{_hex(point, 1)});")
    return f"(?:{'|'.join(ways)})"


def _raw_units(character: str) -> list[int]:
    """The UTF-16 code units that JSON's escapes are made of."""
    raw = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]


def _hex(number: int, digits: int) -> str:
    """A pattern of a number in hexadecimal digits of either case."""
    return "".join(
        f"[{digit}{digit.upper()}]" if digit.isalpha() else digit
        for digit in f"{number:0{digits}x}"
    )


def _with_gaps(secret: str) -> list[str]:
    """Patterns of base64 and of hexadecimal digits that lines, blanks or escapes cut up."""
    other = {
        "+": rf"(?:[+-]|{_PERCENT}2[Bb])",
        "/": rf"(?:(?:{_SLASHES})?/|_|{_PERCENT}2[Ff])",
    }
    patterns = [
        _GAP.join(other.get(c, c) for c in form)
        for form in _base64(secret)
        if len(form) >= MIN_SECRET
    ]
    patterns.append(rf"(?:{_SLASHES}x|[\s:-])?".join(_hex(byte, 2) for byte in _raw(secret)))
    return patterns
