"""Secrets that are told from all else, and how they may be spelled and housed."""

from __future__ import annotations

import base64
import binascii
import json
import re
import textwrap
from collections.abc import Callable
from random import Random
from urllib.parse import quote

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


def canary(number: int) -> str:
    """A secret of no known shape, another one for each number, with all that has to be escaped."""
    drawn = Random(number)
    return f'{"".join(drawn.choices(LETTERS, k=18))}/+"ä{number}'


def _bytes(secret: str) -> bytes:
    return secret.encode()


def _b64(secret: str, before: str = "", after: str = "") -> str:
    return base64.b64encode(_bytes(before + secret + after)).decode()


def _lowered(text: str) -> str:
    """Percent escapes with lower-case digits."""
    return re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda s: quote(s, safe=""),
    "percent in lower case": lambda s: _lowered(quote(s, safe="")),
    "percent of all": lambda s: "".join(f"%{b:02X}" for b in _bytes(s)),
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "json": lambda s: json.dumps(s)[1:-1],
    "json with slashes escaped": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "json in upper case": lambda s: json.dumps(s)[1:-1].replace("\\u00e4", "\\u00E4"),
    "json of all": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "json in json": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "json in json in json": lambda s: json.dumps(json.dumps(json.dumps(s)))[5:-5],
    "repr of bytes": lambda s: repr(_bytes(s))[2:-1],
    "repr of all": lambda s: "".join(f"\\x{b:02x}" for b in _bytes(s)),
    "html": lambda s: s.replace('"', "&quot;").replace("ä", "&#228;"),
    "html in hexadecimal": lambda s: s.replace('"', "&#x22;").replace("ä", "&#xE4;"),
    "base64": _b64,
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(_bytes(s)).decode().rstrip("="),
    "base64 of a pair": lambda s: _b64(s, "user:"),
    "base64 amid text": lambda s: _b64(s, "it", "x"),
    "base64 in a URL": lambda s: quote(_b64(s), safe=""),
    "base64 wrapped": lambda s: "\n".join(textwrap.wrap(_b64(s, "user:"), 12)),
    "base64 wrapped for mail": lambda s: "\r\n".join(textwrap.wrap(_b64(s), 16)),
    "base64 wrapped in json": lambda s: json.dumps("\n".join(textwrap.wrap(_b64(s), 14)))[1:-1],
    "hex": lambda s: _bytes(s).hex(),
    "hex in upper case with colons": lambda s: binascii.hexlify(_bytes(s), ":").decode().upper(),
}
"""What may become of a secret that lumio knows."""

HOUSES: dict[str, Callable[[str], object]] = {
    "a list": lambda s: {"secrets": [s, s]},
    "a list of numbers' texts": lambda s: {"api_keys": [["k", s]]},
    "an object": lambda s: {"credentials": {"user": "u", "word": s}},
    "an object of objects": lambda s: {"credential": {"inner": {"value": s}}},
    "a passphrase": lambda s: {"passphrase": s},
    "a pwd": lambda s: {"pwd": s},
    "an assertion": lambda s: {"client_assertion": s, "assertion": s},
    "a jwt": lambda s: {"jwt": s},
    "a one-time password": lambda s: {"otp": s},
    "a device code": lambda s: {"device_code": s},
    "json in json": lambda s: {"raw": json.dumps({"access_token": s})},
    "json in json in json": lambda s: {"raw": json.dumps({"raw": json.dumps({"password": [s]})})},
    "a list in json in text": lambda s: {
        "raw": f"it sent {json.dumps({'secrets': [s, 'x']})} to us"
    },
    "a form": lambda s: {"raw": f"grant_type=x&assertion={quote(s)}&code={quote(s)}&n=1"},
    "a form with an escaped name": lambda s: {"raw": f"a=1&access%5Ftoken={quote(s)}"},
    "a link signed by Amazon": lambda s: {
        "url": f"https://x.test/f?X-Amz-Signature={quote(s)}&e=1"
    },
    "a link signed by Google": lambda s: {"url": f"https://x.test/f?X-Goog-Signature={quote(s)}"},
    "a form in parts": lambda s: {
        "raw": f'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{s}\r\n--b--'
    },
    "xml": lambda s: {"raw": f"<r><sf:sessionId>{s.replace('<', '')}</sf:sessionId></r>"},
    "a header": lambda s: {"raw": f"Authorization: Bearer {quote(s)}"},
    "a name and a value": lambda s: {"headers": [{"name": "X-Api-Key", "value": s}]},
    "a pair": lambda s: {"headers": [["Authorization", s]]},
    "a proxy without a scheme": lambda s: {
        "raw": f"through user:{quote(s, safe='')}@proxy:8080 now"
    },
    "a key of PGP": lambda s: {
        "raw": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{s}\n-----END PGP PRIVATE KEY BLOCK-----"
    },
    "a key of PEM in json": lambda s: {
        "raw": json.dumps(
            f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{s}\n-----END ENCRYPTED PRIVATE KEY-----"
        )
    },
}
"""Where secrets stand that lumio does not know: only names and shapes give them away."""
