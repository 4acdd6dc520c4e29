"""What may be shown. Applied where data leaves: logs, error texts, the http log, bundles.

Three nets, because each has holes: exact values that we know (the credentials in use, in every
form in which they travel), names whose values are always secret (headers, parameters, JSON keys),
and shapes that only tokens have. Control characters that could drive a terminal are made visible.
"""

from __future__ import annotations

import binascii
import json
import re
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

MASK = "***"

_MIN_SECRET = 6
"""Shorter values are ordinary words: masking them would hide the log, not the secret."""

# Names are compared in lower case, without `-`, `_` and `.`.
_SECRET_ENDINGS = (
    "token", "tokenkey", "secret", "password", "passwd", "apikey", "accesskey", "privatekey",
    "codeverifier", "clientassertion", "authorization", "cookie", "sessionid", "webhookurl",
    "secretproof",
)  # fmt: skip
_NOT_SECRET_ENDINGS = ("pagetoken", "nexttoken", "synctoken", "continuationtoken", "cursortoken")
_SECRET_PARAMETERS = frozenset({"code", "state", "sig", "signature", "key", "auth"})
"""Secret in a URL or a form, but ordinary words in JSON (`"code": "INVALID_EMAIL"`)."""

_PAIR_HINTS = (
    "token", "secret", "passw", "key", "verifier", "assertion", "authorization", "cookie",
    "session", "webhook",
)  # fmt: skip
_PAIR = re.compile(
    r"""(?<![\w.-])(?P<key>[\w.-]{0,40}?(?:token(?:_?key)?|secret|passw(?:or)?d|key|verifier
        |assertion|authorization|cookie|session_?id|webhook_?url))
        (?P<sep>\\?["']?\s*[:=]\s*b?|\\?["'],\s*b?)
        (?P<value>\\?"(?:[^"\\]|\\(?!").)*(?:\\?"|\Z)|'(?:[^'\\]|\\.)*'|[^\s"',;&#<>)}\]\\]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_HEADER_LINE = re.compile(
    r"(?i)(?<![\w-])((?:proxy-)?authorization|(?:set-)?cookie)(\s*[:=]\s*)(?!\*\*\*)[^\s\"'][^\r\n\"']*"
)
_PARAMETER = re.compile(
    r"""(?P<sep>^|[?&#;\s"'(])(?P<key>[\w.%\-]{1,60})=(?P<value>[^&\s"'<>#]+)"""
)
_USERINFO = re.compile(r"(?<=://)[^/\s@\"'?#]+@")
_TOKEN_IN_PATH = re.compile(r"(/(?:access|refresh)-tokens?/)(?!\*\*\*)[^/?#\s\"']+")

# (a literal that must occur, the shape). The literal is looked for first: that is nearly free.
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (literal, re.compile(pattern))
    for literal, pattern in (
        ("earer", r"(?i)(?<=bearer)\s+(?!\*\*\*)[\w.~+/=!-]{6,}"),
        ("asic ", r"(?i)(?<=basic)\s+(?!\*\*\*)[A-Za-z0-9+/_-]{12,}={0,2}"),
        ("pat-", r"\bpat-[a-z]{2}\d*-[0-9a-f]{8}-[0-9a-f-]{8,}"),
        ("shp", r"\bshp(?:at|ss|ca|pa|ua|tka)_[0-9a-fA-F]{16,}"),
        ("xox", r"\bxox[a-z](?:\.[a-z]+)?-[A-Za-z0-9-]{8,}"),
        ("xapp-", r"\bxapp-[A-Za-z0-9-]{8,}"),
        ("EAA", r"\bEAA[A-Za-z0-9]{20,}"),
        ("00D", r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{8,}"),
        ("eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
        ("-us", r"\b[0-9a-f]{32}-us\d{1,3}\b"),
        ("AQ", r"\bAQ[A-Za-z0-9_-]{80,}"),
        ("/services/", r"(?<=/services/)T\w+/B\w+/\w+"),
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*KEY-----|\Z)",
        ),
    )
)

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)


def escape_control(text: str, *, keep: str = "") -> str:
    r"""Make characters visible that could drive a terminal or turn text around (`\x1b`, `\u202e`).

    Line ends and tabs are escaped too, unless they are in `keep`.
    """

    def escape(match: re.Match[str]) -> str:
        character = match.group()
        if character in keep:
            return character
        point = ord(character)
        return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"

    return _CONTROL.sub(escape, text)


def is_secret_name(name: str) -> bool:
    """Whether the value of a header, parameter or JSON key of this name is always secret."""
    bare = re.sub(r"[-_.\s]", "", name).lower()
    return bare.endswith(_SECRET_ENDINGS) and not bare.endswith(_NOT_SECRET_ENDINGS)


class Redactor:
    """Replaces secrets by `***`. One object for the whole process; safe to share by threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Never show `secret` again, in any form in which it may travel (URL, JSON, base64).

        Values under 6 characters are ignored.
        """
        secret = secret.strip()
        if len(secret) < _MIN_SECRET or secret in self._known:
            return
        with self._lock:
            self._known.add(secret)
            self._forms.update(_forms(secret))
            # Longest first: a secret may be the beginning of another.
            ordered = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        lower = text.lower()
        if any(hint in lower for hint in _PAIR_HINTS):
            if "authorization" in lower or "cookie" in lower:
                text = _HEADER_LINE.sub(rf"\1\2{MASK}", text)
            text = _PAIR.sub(_mask_pair, text)
            text = _TOKEN_IN_PATH.sub(rf"\1{MASK}", text)
        if "=" in text:
            text = _PARAMETER.sub(_mask_parameter, text)
        if "://" in text and "@" in text:
            text = _USERINFO.sub(f"{MASK}@", text)
        for literal, pattern in _SHAPES:
            if literal in text:
                text = pattern.sub(f" {MASK}" if literal in ("earer", "asic ") else MASK, text)
        return text

    def url(self, url: str) -> str:
        """A URL without the secrets in its user part, path, query and fragment."""
        return self.text(url)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers by name and by value."""
        return {
            name: MASK if is_secret_name(name) else self.text(value)
            for name, value in headers.items()
        }

    def json(self, value: Any) -> Any:
        """Decoded JSON, as a copy without secrets: by key and by value, at any depth."""
        return self._json(value, "", hidden=False)

    def _json(self, value: Any, key: str, *, hidden: bool) -> Any:
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): self._json(
                    item, str(name), hidden=hidden or is_secret_name(str(name))
                )
                for name, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._json(item, key, hidden=hidden) for item in value]
        if value is None or isinstance(value, bool):
            return value
        if hidden and value != "":
            return MASK
        if isinstance(value, str):
            return MASK if key == "code" and _opaque(value) else self.text(value)
        return value

    def contains_secret(self, data: bytes) -> bool:
        """Whether a known secret or something with the shape of a token is still in `data`."""
        text = data.decode("utf-8", "replace")
        if self._pattern is not None and self._pattern.search(text):
            return True
        return any(literal in text and pattern.search(text) for literal, pattern in _SHAPES)


def _forms(secret: str) -> set[str]:
    """Every spelling of `secret` that is long enough to be told from ordinary text."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    # Inside a larger base64 text (`user:password`) a value appears in one of three alignments;
    # the characters at its edges depend on the neighbours and are left out.
    for shift in range(3):
        padded = bytes(shift) + raw
        encoded = binascii.b2a_base64(padded, newline=False).decode()
        inner = encoded[-(-shift * 4 // 3) : len(padded) * 4 // 3]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in forms if len(form) >= _MIN_SECRET}


def _opaque(value: str) -> bool:
    """Whether a value looks drawn by lot rather than written: long, and with digits."""
    return len(value) >= 16 and any(c.isdigit() for c in value) and not value.isdigit()


def _mask_pair(match: re.Match[str]) -> str:
    key, sep, value = match.group("key", "sep", "value")
    if not is_secret_name(key):
        return match.group()
    quoted = value.startswith(('"', "'", '\\"'))
    if not quoted and ":" in sep and key.lower().endswith("token") and len(value) < 12:
        return match.group()  # prose: `invalid token: expired`
    if quoted:
        edge = '\\"' if value.startswith("\\") else value[0]
        return f"{key}{sep}{edge}{MASK}{edge}"
    return f"{key}{sep}{MASK}"


def _mask_parameter(match: re.Match[str]) -> str:
    sep, key = match.group("sep", "key")
    name = unquote_plus(key)
    if is_secret_name(name) or (sep != " " and name.lower() in _SECRET_PARAMETERS):
        return f"{sep}{key}={MASK}"
    return match.group()


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
