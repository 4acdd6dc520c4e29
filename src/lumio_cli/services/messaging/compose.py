"""From options and rows to messages: which kind is meant, and what its fields hold."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from lumio_cli.core.errors import UsageError
from lumio_cli.providers.contract.fields import Field, suggest
from lumio_cli.providers.contract.messages import Message, MessageKind
from lumio_cli.services.messaging.parameters import OWN, gathered, spelled

MAX_FILE = 100 * 1024 * 1024
"""Bytes of an attachment: more than any provider takes, and less than what fills the memory."""
_FILES = 8
_YES, _NO = ("true", "yes", "1", "on"), ("false", "no", "0", "off")
_NAMES = 1000
_SYNONYMS = {
    "file": ("media", "image", "header_file"),
    "media": ("file", "image", "header_file"),
    "link": ("header_link",),
    "params": ("body",),
    "thread": ("reply_to",),
    "list": ("sections",),
}
"""What options and columns may call a field, where its kind has none of that very name."""


@dataclass(frozen=True, slots=True)
class Given:
    """What holds for all messages: the kind, if it was named, and values by field, as they were
    given: text, lists of text, or decoded JSON.
    """

    kind: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


class _Content(bytes):
    """The bytes of a file that many messages have, and their digest, made once."""

    @cached_property
    def digest(self) -> str:
        return blake2b(self, digest_size=16).hexdigest()


class Composer:
    """Makes the messages of one provider. Files are read once for all messages that have them.

    `parameters` are the names that the template has for its parameters, as far as they are known:
    columns may be called so.
    """

    def __init__(
        self,
        provider: str,
        kinds: Sequence[MessageKind],
        given: Given,
        parameters: Collection[str] = (),
    ) -> None:
        if not kinds:
            raise UsageError(
                f"{provider} sends no messages", hint="`lumio providers show NAME` says who does"
            )
        self._provider = provider
        self._kinds = {kind.name: kind for kind in kinds}
        self._given = given
        self._parameters = parameters
        # A template may call its parameters as another kind calls its fields.
        meant = [kind for kind in kinds if given.kind in ("", kind.name)]
        meant = [kind for kind in meant if not _strange(kind, given.values)] or meant
        fields = {f.name for kind in meant for f in kind.fields}
        self._fields = fields | {name for name, more in _SYNONYMS.items() if fields & set(more)}
        self._list = "body" if "body" in fields and "params" not in fields else "params"
        self._spelled: dict[str, str] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._chosen: dict[tuple[str, str, frozenset[str]], MessageKind] = {}
        if given.kind and given.kind not in self._kinds:
            raise UsageError(
                f"{provider} has no kind of message {given.kind!r}",
                hint=suggest(given.kind, self._kinds, "kinds"),
            )
        self._check_names(given.values, "")

    def kind(self, name: str) -> MessageKind:
        """The kind of that name."""
        return self._kinds[name]

    def check_columns(self, columns: Iterable[str]) -> None:
        """Raises `UsageError` for a column that no kind has a field for, since a slip in a header
        would be one in every message, and where there has to be one of recipients. Columns that
        begin with `_` are the operator's own.
        """
        spelled = [self._spell(c) for c in columns]
        if double := next((n for i, n in enumerate(spelled) if n in spelled[:i]), ""):
            raise UsageError(f"--input: two columns are the same parameter, {double}")
        own = [c for c in spelled if c not in OWN and not c.startswith("_")]
        self._check_names(own, "--input: ")
        names = {c.partition(".")[0] for c in (*own, *self._given.values)}
        fitting = [k for k in self._candidates() if not _strange(k, names)]
        if "to" not in columns and fitting and all(kind.to for kind in fitting):
            raise UsageError("--input: there is no column 'to'", hint="it names the recipient")

    def message(self, cells: Mapping[str, Any], key: str, at: datetime) -> Message:
        """The message of a row, whose cells go before what holds for all.

        Raises `UsageError` for a field that does not exist, is missing or cannot be read.
        """
        raw = gathered({**self._by_field(self._given.values), **self._by_field(cells)})
        to = raw.pop("to", "")
        named = raw.pop("kind", self._given.kind)
        values = {name: value for name, value in raw.items() if not name.startswith("_")}
        for name in ("file", "media"):
            if _is_link(values.get(name)):
                values["link"] = values.pop(name)
        if isinstance(to, float):
            raise UsageError(
                f"'to' is a figure, {to!r}, and not text",
                hint='write it in quotes: "+5511987654321"',
            )
        if not isinstance(named, str) or not isinstance(to, str | int) or isinstance(to, bool):
            raise UsageError("'to' and 'kind' are text")
        kind = self._choose(named, values, bool(to))
        fields = {f.name: f for f in kind.fields}
        values = {_named(kind, name): value for name, value in values.items()}
        read = {f.name: _default(f) for f in kind.fields if f.name not in values}
        read |= {name: self._read(fields[name], value) for name, value in values.items()}
        return Message(kind.name, str(to).strip(), read, key, at)

    def digest(self, message: Message) -> bytes:
        """What tells the message from another, but for its key. How lines end makes no
        difference.
        """
        return self.digests(message, (message.to,))[0]

    def digests(self, message: Message, names: Sequence[str]) -> list[bytes]:
        """The same by each of the names that its recipient has."""
        content = _dumped(message.values)
        if "\\r\\n" in content:
            content = _dumped(_one_line_end(message.values))
        kind = json.dumps(message.kind)
        texts = (f"[{kind}, {json.dumps(name)}, {content}]" for name in names)
        return [
            blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            for text in texts
        ]

    # -- inside

    def _by_field(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values by the names of fields and parameters."""
        return {self._spell(name): value for name, value in values.items()}

    def _spell(self, name: str) -> str:
        found = self._spelled.get(name)
        if found is None:
            if len(self._spelled) > _NAMES:
                self._spelled.clear()
            found = spelled(name, self._parameters, self._fields)
            whole, dot, part = found.partition(".")
            found = f"{self._list}{dot}{part}" if whole == "params" else found
            self._spelled[name] = found
        return found

    def _candidates(self) -> list[MessageKind]:
        """The kinds that are left by what holds for all."""
        named = self._given.kind
        return [self._kinds[named]] if named else list(self._kinds.values())

    def _check_names(self, names: Iterable[str], what: str) -> None:
        known = {f.name for kind in self._candidates() for f in kind.fields}
        known |= {name for name, others in _SYNONYMS.items() if known & set(others)}
        for name in names:
            if name.partition(".")[0] not in known:
                owner = (
                    f"{self._provider}'s {self._given.kind}" if self._given.kind else self._provider
                )
                raise UsageError(
                    f"{what}{owner} has no field {name!r}", hint=suggest(name, known, "fields")
                )

    def _choose(self, named: str, values: Mapping[str, Any], to: bool) -> MessageKind:
        key = (named, _medium(values), frozenset([*values, *(["to"] if to else [])]))
        found = self._chosen.get(key)
        if found is None:
            found = self._chosen[key] = self._find(named, values, to)
        return found

    def _find(self, named: str, values: Mapping[str, Any], to: bool) -> MessageKind:
        """The one kind that has all that is given, and needs nothing else."""
        if named:
            if named not in self._kinds:
                hint = suggest(named, self._kinds, "kinds")
                raise UsageError(f"{self._provider} has no kind of message {named!r}", hint=hint)
            kind = self._kinds[named]
            if problem := _misfit(kind, values, to):
                raise UsageError(f"{self._provider} {named}: {problem}", hint=_needs(kind))
            return kind
        fitting = [k for k in self._kinds.values() if not _misfit(k, values, to)]
        medium = [k for k in fitting if k.name == _medium(values)]
        if len(medium or fitting) == 1:
            return (medium or fitting)[0]
        if fitting:
            names = " or ".join(kind.name for kind in fitting)
            raise UsageError("it may be of more than one kind", hint=f"--kind {names}")
        near = [k for k in self._kinds.values() if not _strange(k, values)]
        raise UsageError(
            f"no kind of message of {self._provider} is made of {_list(values, to)}",
            hint="; ".join(map(_needs, near or self._kinds.values())),
        )

    def _read(self, spec: Field, value: Any) -> Any:
        try:
            found = self._file(str(value)) if spec.kind == "file" else _convert(spec, value)
        except ValueError as error:
            raise UsageError(f"{spec.name}: {error}") from None
        if spec.pattern and isinstance(found, str) and not re.fullmatch(spec.pattern, found):
            raise UsageError(f"{spec.name}: {found!r} is not of the form {spec.pattern}")
        return found

    def _file(self, path: str) -> dict[str, Any]:
        """A file's name, type and bytes. The last few are remembered."""
        found = self._files.get(path)
        if found is None:
            file = Path(path).expanduser()
            try:
                if file.stat().st_size > MAX_FILE:
                    raise ValueError(f"{path} has more than {MAX_FILE >> 20} MiB")
                data = _Content(file.read_bytes())
            except OSError as error:
                raise ValueError(f"{path}: {error.strerror}") from None
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            found = {"name": file.name, "type": kind, "data": data}
            while len(self._files) >= _FILES:
                del self._files[next(iter(self._files))]
            self._files[path] = found
        return found


def summary(message: Message, limit: int = 80) -> str:
    """What a message says, on one line for people."""
    parts = []
    for name, value in message.values.items():
        if isinstance(value, dict) and "data" in value:
            parts.append(f"{name}: {value.get('name')} ({len(value['data'])} bytes)")
        elif value not in ("", None, [], ()):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            parts.append(f"{name}: {text}")
    line = " ".join(", ".join(parts).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _misfit(kind: MessageKind, values: Mapping[str, Any], to: bool) -> str:
    """What is wrong with these values for a kind; empty: nothing."""
    if more := _strange(kind, values):
        return f"there is no field {more[0]!r} in it"
    given = {_named(kind, name) for name in values}
    missing = [f.name for f in kind.fields if f.default is None and f.name not in given]
    if kind.to and not to:
        missing.insert(0, "to")
    if missing:
        return f"{' and '.join(missing)} must be given"
    return "it has no recipient" if to and not kind.to else ""


def _named(kind: MessageKind, name: str) -> str:
    """What the kind calls a field; the name itself where it has none that is meant."""
    fields = {f.name: f.kind for f in kind.fields}
    if name in fields and (name != "file" or fields[name] == "file"):
        return name
    file = name in ("file", "media")
    meant = (n for n in _SYNONYMS.get(name, ()) if n in fields and (fields[n] == "file") == file)
    return next(meant, name)


def _strange(kind: MessageKind, names: Iterable[str]) -> list[str]:
    """Those of the names that the kind has no field for."""
    fields = {f.name for f in kind.fields}
    return [name for name in names if _named(kind, name) not in fields]


def _medium(values: Mapping[str, Any]) -> str:
    """The kind of message that is usual for a file: image, video, audio or document."""
    where = values.get("file") or values.get("media") or values.get("link")
    if not isinstance(where, str) or not where:
        return ""
    path = where.partition("?")[0].partition("#")[0] if _is_link(where) else where
    major = (mimetypes.guess_type(path)[0] or "").partition("/")[0]
    return major if major in ("image", "video", "audio") else "document"


def _needs(kind: MessageKind) -> str:
    needed = ["to"] * bool(kind.to) + [f.name for f in kind.fields if f.default is None]
    more = [f.name for f in kind.fields if f.default is not None]
    text = f"{kind.name} needs {', '.join(needed) or 'nothing'}"
    return f"{text} (and takes {', '.join(more)})" if more else text


def _list(values: Mapping[str, Any], to: bool) -> str:
    return ", ".join(["to"] * to + list(values)) or "nothing"


def _default(spec: Field) -> Any:
    return list(spec.default) if isinstance(spec.default, tuple) else spec.default


def _convert(spec: Field, value: Any) -> Any:
    """A value as its field wants it. Raises ValueError."""
    if spec.kind == "list":
        return _as_list(value)
    if spec.kind == "boolean":
        return _as_boolean(value)
    if spec.kind in ("integer", "number"):
        try:
            return int(str(value)) if spec.kind == "integer" else float(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is not a number") from None
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return value


def _as_list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith(("[", "{")):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"it is not JSON: {error}") from None
    return [value]


def _as_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError(f"{value!r} is neither true nor false")
    return word in _YES


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))


def _digest_of(value: Any) -> str:
    """Bytes, for a digest: what tells one attachment from another."""
    return value.digest if isinstance(value, _Content) else str(value)


def _dumped(values: Any) -> str:
    return json.dumps(values, sort_keys=True, default=_digest_of)


def _one_line_end(value: Any) -> Any:
    """The same with lines that end alike, whatever the program that wrote them."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n")
    if isinstance(value, list | tuple):
        return [_one_line_end(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _one_line_end(item) for name, item in value.items()}
    return value
