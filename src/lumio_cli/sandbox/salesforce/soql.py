"""SOQL, as far as readers of whole tables use it: parsed into a `Query`, refused in its own words.

    SELECT fields | COUNT() | FIELDS(ALL|STANDARD|CUSTOM)  FROM type
    [WHERE conditions] [ORDER BY field [ASC|DESC] [NULLS FIRST|LAST], ...] [LIMIT n] [OFFSET n]

Relationships, aggregates and sub-queries are not known: a query with them is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .catalog import COMPOUND, NUMBERS, TYPES, FieldInfo, TypeInfo
from .errors import malformed, no_column, no_type, problem

LONGEST = 100_000
FIELDS_LIMIT = 200
OFFSET_MAX = 2000

_TOKENS = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w.]*)"
    r"|(?P<mark>!=|<>|<=|>=|[=<>(),]))"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_COMPARE = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison of one field: `op` is =, !=, <, <=, >, >=, like, in or not in."""

    field: FieldInfo
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by `and`, `or`; or one of them, by `not`."""

    word: str
    parts: tuple[Test | Group, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One field of ORDER BY."""

    field: FieldInfo
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query. `count`: SELECT COUNT()."""

    type: TypeInfo
    fields: tuple[FieldInfo, ...]
    count: bool = False
    where: Test | Group | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def needed(self) -> tuple[Test | Group, ...]:
        """Conditions all of which must hold."""
        if self.where is None:
            return ()
        if isinstance(self.where, Group) and self.where.word == "and":
            return self.where.parts
        return (self.where,)


def seconds(text: str) -> float:
    """A time in seconds since the epoch."""
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def parse(text: str, hidden: frozenset[str] = frozenset()) -> Query:
    """A query from its text. `hidden` are types, and fields as `Type.Field`, that the user may not
    see. Raises Answered (400)."""
    if len(text) > LONGEST:
        raise malformed(f"SOQL statement cannot be longer than {LONGEST} characters.")
    return _Parser(text, hidden).query()


class _Parser:
    def __init__(self, text: str, hidden: frozenset[str]) -> None:
        self.hidden = hidden
        self.tokens: list[tuple[str, str]] = []
        self.at = 0
        position = 0
        text = text.strip()
        while position < len(text):
            found = _TOKENS.match(text, position)
            if found is None:
                raise malformed(f"line 1:{position} no viable alternative at character")
            self.tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            position = found.end()

    # -- tokens

    def peek(self) -> str:
        return self.tokens[self.at][1].lower() if self.at < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise malformed("unexpected end of query")
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *words: str) -> bool:
        """Go past these words, where they are next."""
        ahead = [t[1].lower() for t in self.tokens[self.at : self.at + len(words)]]
        if ahead != list(words):
            return False
        self.at += len(words)
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise malformed(f"unexpected token: '{self.peek() or '<EOF>'}', expecting {word!r}")

    def name(self) -> str:
        kind, text = self.take()
        if kind != "name":
            raise malformed(f"unexpected token: '{text}'")
        return text

    def whole(self) -> int:
        kind, text = self.take()
        if kind != "number" or not text.isdigit():
            raise malformed(f"expecting a number, found '{text}'")
        return int(text)

    # -- grammar

    def query(self) -> Query:
        self.expect("select")
        count, names, every = False, [], ""
        if self.accept("count", "(", ")"):
            count = True
        elif self.accept("fields", "("):
            every = self.name().lower()
            self.expect(")")
        else:
            names.append(self.name())
            while self.accept(","):
                names.append(self.name())
        self.expect("from")
        source = self.name()
        if source in self.hidden or source.lower() not in _BY_NAME:
            raise no_type(source)
        kind = _BY_NAME[source.lower()]
        fields = self._every(kind, every) if every else self._fields(kind, names)
        where = self._any(kind) if self.accept("where") else None
        order = self._order(kind) if self.accept("order", "by") else ()
        limit = self.whole() if self.accept("limit") else None
        offset = self.whole() if self.accept("offset") else 0
        if self.at < len(self.tokens):
            raise malformed(f"unexpected token: '{self.tokens[self.at][1]}'")
        if every in ("all", "custom") and (limit is None or limit > FIELDS_LIMIT):
            message = f"The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}"
            raise malformed(message)
        if offset > OFFSET_MAX:
            message = f"Maximum SOQL offset allowed is {OFFSET_MAX}"
            raise problem(400, "NUMBER_OUTSIDE_VALID_RANGE", message)
        return Query(kind, fields, count, where, order, limit, offset)

    def _every(self, kind: TypeInfo, which: str) -> tuple[FieldInfo, ...]:
        if which not in ("all", "custom", "standard"):
            raise malformed(f"FIELDS({which}) is not known")
        wanted = {"all": (True, False), "custom": (True,), "standard": (False,)}[which]
        shown = (f for f in kind.fields.values() if f.custom in wanted)
        return tuple(f for f in shown if f"{kind.name}.{f.name}" not in self.hidden)

    def _field(self, kind: TypeInfo, name: str) -> FieldInfo:
        found = kind.find(name)
        if found is None or f"{kind.name}.{found.name}" in self.hidden:
            raise no_column(name, kind.name)
        return found

    def _fields(self, kind: TypeInfo, names: list[str]) -> tuple[FieldInfo, ...]:
        found: dict[str, FieldInfo] = {}
        for name in names:
            item = self._field(kind, name)
            if item.name in found:
                raise problem(400, "INVALID_FIELD", f"duplicate field selected: {item.name}")
            found[item.name] = item
        return tuple(found.values())

    def _order(self, kind: TypeInfo) -> tuple[Order, ...]:
        found = []
        while True:
            item = self._field(kind, self.name())
            if item.type in COMPOUND or item.type == "textarea":
                raise problem(400, "MALFORMED_QUERY", f"field '{item.name}' can not be sorted")
            descending = self.accept("desc")
            if not descending:
                self.accept("asc")
            last = self.accept("nulls", "last")
            if not last:
                self.accept("nulls", "first")
            found.append(Order(item, descending, last))
            if not self.accept(","):
                return tuple(found)

    def _any(self, kind: TypeInfo) -> Test | Group:
        first = self._one(kind)
        word = self.peek()
        if word not in ("and", "or"):
            return first
        parts = [first]
        while self.accept(word):
            parts.append(self._one(kind))
        if self.peek() in ("and", "or"):
            # SOQL does not say which of them would bind stronger: it wants parentheses.
            raise malformed(f"unexpected token: '{self.peek().upper()}'")
        return Group(word, tuple(parts))

    def _one(self, kind: TypeInfo) -> Test | Group:
        if self.accept("not"):
            return Group("not", (self._one(kind),))
        if self.accept("("):
            inner = self._any(kind)
            self.expect(")")
            return inner
        item = self._field(kind, self.name())
        if item.type in ("base64", *COMPOUND) or (item.type == "textarea" and item.length > 255):
            message = f"field '{item.name}' can not be filtered in a query call"
            raise problem(400, "INVALID_FIELD", message)
        for word in ("in", "not in"):
            if self.accept(*word.split()):
                return Test(item, word, self._list(item))
        if self.accept("like"):
            return Test(item, "like", self._value(item, self.take()))
        mark = self.take()[1]
        if mark not in _COMPARE:
            raise malformed(f"unexpected token: '{mark}'")
        return Test(item, _COMPARE[mark], self._value(item, self.take()))

    def _list(self, item: FieldInfo) -> tuple[Any, ...]:
        self.expect("(")
        found = [self._value(item, self.take())]
        while self.accept(","):
            found.append(self._value(item, self.take()))
        self.expect(")")
        return tuple(found)

    def _value(self, item: FieldInfo, token: tuple[str, str]) -> Any:
        """A literal, which must be of the field's type. Times become seconds since the epoch."""
        kind, text = token
        if kind == "name" and text.lower() == "null":
            return None
        quoted = kind == "text"
        wanted = {"datetime": "time", "date": "date", "int": "number", "boolean": "name"}.get(
            item.type, "number" if item.type in NUMBERS else "text"
        )
        if kind != wanted or (wanted == "name" and text.lower() not in ("true", "false")):
            told = {"time": "dateTime", "name": "boolean", "text": "string"}.get(wanted, wanted)
            ending = "should not be enclosed in quotes" if quoted else "should be of that form"
            message = f"value of filter criterion for field '{item.name}' must be of type {told}"
            raise problem(400, "INVALID_FIELD", f"\n{message} and {ending}")
        if kind == "time":
            return seconds(text)
        if kind == "number":
            return float(text)
        if kind == "name":
            return text.lower() == "true"
        if quoted:
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1], flags=re.DOTALL)
        return text


_BY_NAME = {name.lower(): item for name, item in TYPES.items()}
