"""What may be shown. Applied where data leaves: logs, error texts, the http log, bundles.

Three nets, because each has holes: exact values that we know (the credentials in use, in every
spelling, see `spellings`), names whose values are always secret (headers, parameters, JSON keys),
and shapes that only tokens have. Control characters that could drive a terminal are made visible.

A mask takes the place of the secret alone: the words around it are what somebody has to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from lumio_cli.core.secret_shapes import (
    ABOUT,
    GROUP,
    MASK,
    PAIR_HINTS,
    bare,
    closing,
    is_secret_name,
    mask_pairs,
    mask_parameters,
    mask_schemes,
    mask_shapes,
)
from lumio_cli.core.secret_spellings import Spellings

__all__ = ["LARGEST", "MASK", "Redactor", "escape_control", "is_secret_name"]

LARGEST = 4 * 1024 * 1024
"""Characters of a text that is read as the structure it is; a larger one is read as text alone."""
_LONGEST = 10**100
_LAYERS = 4
"""JSON texts inside of JSON texts that are opened."""

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


def without_secrets(environ: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    """The environment for another program: without the secrets whose names begin with `prefix`."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(prefix) or not (is_secret_name(name) or name == "LUMIO_VAULT_KEY")
    }


class Redactor:
    """Replaces secrets by `***`. One object for the whole process; safe to share by threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings = Spellings()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Never show `secret` again, however it is spelled (in a URL, JSON, base64, hex).

        Values under 6 characters are ignored.
        """
        self._spellings.learn(secret)

    def learn_url(self, url: str) -> None:
        """Never show the password of a URL, which may lack its scheme, again."""
        try:
            password = urlsplit(url if "://" in url else f"//{url}").password or ""
        except ValueError:
            return
        self.learn(password)
        self.learn(unquote(password))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        text = self._spellings.mask(text, MASK)
        lower = text.lower()
        if any(hint in lower for hint in PAIR_HINTS):
            text = mask_pairs(self._groups(text), lower)
        return mask_shapes(mask_schemes(mask_parameters(text)))

    def url(self, url: str) -> str:
        """A URL without the secrets in its user part, path, query and fragment."""
        return self.text(url)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers by name and by value."""
        return {
            name: MASK if is_secret_name(name) else self.text(value)
            for name, value in headers.items()
        }

    def body(self, text: str) -> str:
        """A body without secrets: as the structure that it is, where it is JSON, else as text.

        The whole body: what is cut afterwards leaves no half of a secret.
        """
        value = _decoded(text)
        if value is None:
            return self.text(text)
        clean = self.json(value)
        return self.text(text if clean == value else json.dumps(clean, ensure_ascii=False))

    def json(self, value: Any) -> Any:
        """Decoded JSON, as a copy without secrets: by key and by value, at any depth, and in JSON
        that is text inside of it. What is nested deeper than Python reads is masked whole."""
        return self._json_of(value, "", hidden=False)

    def _json_of(self, value: Any, key: str, *, hidden: bool) -> Any:
        try:
            return self._json(value, key, hidden=hidden, layer=0)
        except RecursionError:
            return MASK

    def _json(self, value: Any, key: str, *, hidden: bool, layer: int) -> Any:
        if isinstance(value, Mapping):
            return self._object(value, key, hidden=hidden, layer=layer)
        if isinstance(value, list | tuple):
            named = len(value) == 2 and isinstance(value[0], str) and is_secret_name(value[0])
            if named and not hidden:
                second = self._json(value[1], value[0], hidden=True, layer=layer)
                return [self.text(value[0]), second]
            return [self._json(item, key, hidden=hidden, layer=layer) for item in value]
        if value is None or isinstance(value, bool):
            return value
        if hidden and value != "":
            return MASK
        if isinstance(value, str):
            return self._string(value, key, layer)
        # Python writes no number of thousands of digits; no secret is one.
        short = isinstance(value, int | float) and -_LONGEST < value < _LONGEST
        return MASK if short and self._spellings.found(str(value)) else value

    def _object(
        self, value: Mapping[Any, Any], key: str, *, hidden: bool, layer: int
    ) -> dict[str, Any]:
        named = value.get("name", value.get("key"))
        pair = "value" in value and isinstance(named, str) and is_secret_name(named)
        about = bare(key).endswith(("credential", "credentials"))
        found = {}
        for name, item in value.items():
            text = str(name)
            secret = hidden and not (about and bare(text) in ABOUT)
            secret = secret or is_secret_name(text) or (pair and text == "value")
            found[self.text(text)] = self._json(item, text, hidden=secret, layer=layer)
        return found

    def _string(self, value: str, key: str, layer: int) -> str:
        if bare(key) == "tokens" or (key == "code" and _opaque(value)):
            return MASK
        inner = _decoded(value) if layer < _LAYERS else None
        if inner is not None:
            clean = self._json(inner, "", hidden=False, layer=layer + 1)
            if clean != inner:
                value = json.dumps(clean, ensure_ascii=False)
        return self.text(value)

    def _groups(self, text: str) -> str:
        """Mask lists and objects under secret names; to the end where they are not closed."""
        parts, at = [], 0
        while (match := GROUP.search(text, at)) is not None:
            begin = match.start("open")
            if not is_secret_name(unquote(match["key"])):
                parts.append(text[at : begin + 1])
                at = begin + 1
                continue
            end = closing(text, begin)
            parts += [text[at:begin], self._group(match["key"], text[begin : end + 1])]
            at = end + 1
        return "".join(parts) + text[at:] if parts else text

    def _group(self, key: str, text: str) -> str:
        """What stands for a list or an object under a secret name."""
        value = _decoded(text)
        if value is not None:
            return json.dumps(self._json_of(value, key, hidden=True), ensure_ascii=False)
        return f"[{MASK}]" if text.startswith("[") else f"{{{MASK}}}"

    def contains_secret(self, data: bytes) -> bool:
        """Whether a known secret or something with the shape of a token is still in `data`."""
        text = data.decode("utf-8", "replace")
        return self._spellings.found(text) or mask_shapes(mask_schemes(text)) != text


def _decoded(text: str) -> Any:
    """What a text is in JSON, where it is a list or an object; else None."""
    if len(text) > LARGEST or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _opaque(value: str) -> bool:
    """Whether a value looks drawn by lot rather than written: long, and with digits."""
    return len(value) >= 16 and any(c.isdigit() for c in value) and not value.isdigit()
