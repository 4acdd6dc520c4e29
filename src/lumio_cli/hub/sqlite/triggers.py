"""The SQL of a view that can be edited with any SQL client.

An edit becomes one row a record of `lumio_outbox`: `edits` are the new values by column, `base`
those that they were made on. Only SQLite's own functions are used, none of them younger than 3.38,
so that every program with an SQLite inside can edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lumio_cli.hub.edits import LOCAL, UNSETTLED, State
from lumio_cli.hub.sqlite.columns import (
    RESERVED,
    Abilities,
    ViewColumn,
    boolean,
    expression,
    quote,
    view_name,
)
from lumio_cli.hub.sqlite.records import raw_table

NEW_ID = "'new-' || lower(hex(randomblob(8)))"
NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
_NUMBERS = ("integer", "number")
_AT_IT = f"status IN ('{State.SENDING}', '{State.UNKNOWN}')"
UNDER_WAY = f"({_AT_IT} OR sent IS NOT NULL)"
"""`Edit.under_way`: the provider may have it by now, so that taking it back is another edit."""


def statements(
    provider: str, resource: str, columns: Sequence[ViewColumn], abilities: Abilities
) -> Iterator[str]:
    """The statements that make a view and its triggers. The view must not exist."""
    maker = _Maker(provider, resource, columns, abilities)
    yield maker.view()
    yield from maker.updates()
    yield maker.insert()
    yield maker.delete()


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _path(column: ViewColumn) -> str:
    return _text(f'$."{column.name}"')


def _old(column: ViewColumn) -> str:
    """The value before the statement; JSON as the text that the view shows."""
    value = f"OLD.{quote(column.name)}"
    return f"CAST({value} AS TEXT)" if column.kind == "json" else value


def _json_text(column: ViewColumn, value: str) -> str:
    """A value as the text of JSON; a number with all its digits, of which SQLite's functions that
    make JSON keep 15."""
    quoted = f"json_quote({value})"
    if column.kind not in _NUMBERS:
        return quoted
    return f"CASE typeof({value}) WHEN 'real' THEN printf('%!.17g', {value}) ELSE {quoted} END"


def _in_json(column: ViewColumn, value: str) -> str:
    """A value as it is given to a function that makes JSON."""
    return f"json({_json_text(column, value)})" if column.kind in _NUMBERS else value


def _kept(column: ViewColumn, path: str) -> str:
    """The value that an edit was made on, in the form of a new one that is the same."""
    value = f"json_extract(base, {path})"
    return value if column.kind in (*_NUMBERS, "boolean") else f"CAST({value} AS TEXT)"


NO_TEXT = "CAST(NULL AS TEXT)"


def _nothing(column: ViewColumn) -> str:
    """NULL, with the affinity of what `columns.expression` reads: SQLite looks only at the columns
    that a query names where both parts of the view agree about that, and else at all of them.
    """
    affinity = {"integer": "INTEGER", "number": "NUMERIC"}.get(column.kind)
    return f"CAST(NULL AS {affinity})" if affinity else "NULL"


def _pairs(values: Iterable[tuple[str, str]]) -> str:
    """Rows of `name` and `value`. The first is none: it gives the columns their names, which
    VALUES does not do inside of triggers.
    """
    rows = ", ".join(f"({_text(name)}, {value})" for name, value in values)
    head = "SELECT NULL AS name, NULL AS value"
    return f"{head} UNION ALL VALUES {rows}" if rows else head


def _given(column: ViewColumn) -> str:
    """The new value, as the view would show it."""
    new = f"NEW.{quote(column.name)}"
    if column.kind == "boolean":
        return f"{boolean(new)} ELSE {new} END"
    # Joined to nothing it is text alone: what came from a JSON function would become JSON again.
    return new if column.kind in _NUMBERS else f"CAST({new} AS TEXT) || ''"


class _Maker:
    def __init__(
        self, provider: str, resource: str, columns: Sequence[ViewColumn], abilities: Abilities
    ) -> None:
        self.provider, self.resource = provider, resource
        self.columns, self.abilities = columns, abilities
        self.view_name = view_name(provider, resource)
        self.writable = [c for c in columns if not c.read_only]
        self.read_only = [c.name for c in columns if c.read_only] + list(RESERVED)
        self.names = f"{_text(provider)}, {_text(resource)}"
        self.mine = f"provider = {_text(provider)} AND resource = {_text(resource)}"

    def view(self) -> str:
        """Records with their edits, then those that are yet to be created."""
        if not any(self.abilities):
            listed = "".join(
                f"{expression(c, 'payload')} AS {quote(c.name)}, " for c in self.columns
            )
            return (
                f"CREATE VIEW {quote(self.view_name)} AS SELECT id, {listed}updated_at AS"
                " _updated_at, synced_at AS _synced_at, payload AS _payload"
                f" FROM {raw_table(self.provider, self.resource)} WHERE deleted_at IS NULL"
            )
        shown, made = [], []
        for column in self.columns:
            name = quote(column.name)
            value = expression(column, "r.payload")
            if column.read_only:
                shown.append(f"{value} AS {name}")
                made.append(_nothing(column))
                continue
            path = _path(column)
            shown.append(
                f"CASE WHEN o.edits IS NULL OR json_type(o.edits, {path}) IS NULL THEN {value}"
                f" ELSE json_extract(o.edits, {path}) END AS {name}"
            )
            made.append(f"json_extract(o.edits, {path})")
        made += [NO_TEXT, NO_TEXT, NO_TEXT]
        of = " AND ".join(f"o.{part}" for part in self.mine.split(" AND "))
        return (
            f"CREATE VIEW {quote(self.view_name)} AS SELECT r.id AS id,"
            f" {''.join(f'{item}, ' for item in shown)}r.updated_at AS _updated_at,"
            " r.synced_at AS _synced_at, r.payload AS _payload"
            f" FROM {raw_table(self.provider, self.resource)} AS r"
            f" LEFT JOIN lumio_outbox AS o ON {of} AND o.record = r.id"
            " WHERE r.deleted_at IS NULL AND o.action IS NOT 'delete'"
            f" UNION ALL SELECT o.record, {', '.join(made)}"
            f" FROM lumio_outbox AS o WHERE {of} AND o.action = 'create'"
        )

    def updates(self) -> Iterator[str]:
        """One trigger a column, of which only those fire that a statement sets; and one that
        refuses what cannot be changed."""
        if not self.abilities.update:
            yield self._trigger("update", "UPDATE", self._refuse("changed"))
            return
        listed = ", ".join(quote(name) for name in self.read_only)
        yield self._trigger(
            "fixed",
            f"UPDATE OF {listed}",
            self._checks(lambda name: f"NEW.{name} IS NOT OLD.{name}", self.read_only),
        )
        for number, column in enumerate(self.writable):
            yield self._trigger(
                f"set_{number}",
                f"UPDATE OF {quote(column.name)}",
                self._edit(column),
                when=f"NEW.{quote(column.name)} IS NOT OLD.{quote(column.name)}",
            )

    def _edit(self, column: ViewColumn) -> str:
        path, key, given = _path(column), _text(column.name), _given(column)
        new, old = _in_json(column, given), _in_json(column, _old(column))
        again = given if new == given else f"json_extract({new}, '$')"
        back = (
            f"NOT {UNDER_WAY} AND (action = 'create' OR json_type(base, {path}) IS NOT NULL)"
            f" AND {_kept(column, path)} IS {again}"
        )
        return (
            f"SELECT CASE {self._misfits(f'NEW.{quote(column.name)}')} END;"
            # An upsert would make all that a new row needs first, and throw it away.
            " UPDATE lumio_outbox SET"
            f" edits = CASE WHEN {back} THEN json_remove(edits, {path})"
            f" ELSE json_set(edits, {path}, {new}) END,"
            f" base = CASE WHEN {back} THEN json_remove(base, {path})"
            f" WHEN action = 'update' AND json_type(base, {path}) IS NULL"
            f" THEN json_set(base, {path}, {old}) ELSE base END,"
            f" version = version + 1, edited_at = {NOW},"
            # A new record that may be there already is not sent again for being edited.
            f" status = CASE WHEN status = '{State.FAILED}' AND kind IS NOT '{UNSETTLED}'"
            f" THEN '{State.PENDING}'"
            f" ELSE status END WHERE {self.mine} AND record = OLD.id;"
            " INSERT INTO lumio_outbox (provider, resource, record, action, edits, base)"
            f" SELECT {self.names}, OLD.id, 'update', json_object({key}, {new}),"
            f" json_object({key}, {old}) WHERE changes() = 0;"
            f" DELETE FROM lumio_outbox WHERE {self.mine} AND record = OLD.id"
            f" AND action = 'update' AND edits = '{{}}' AND NOT {UNDER_WAY};"
        )

    def insert(self) -> str:
        """A new record, by an id of our own until the provider gives one."""
        if not self.abilities.create:
            return self._trigger("insert", "INSERT", self._refuse("created"))
        checks = self._checks(lambda name: f"NEW.{name} IS NOT NULL", self.read_only)
        given = _pairs((c.name, f"NEW.{quote(c.name)}") for c in self.writable)
        empty = self._abort("a new record needs a value")
        values = _pairs((c.name, _json_text(c, _given(c))) for c in self.writable)
        return self._trigger(
            "insert",
            "INSERT",
            f"{checks} SELECT CASE WHEN count(value) = 0 THEN {empty}"
            f" {self._misfits('value', 'max')} END FROM ({given});"
            " INSERT INTO lumio_outbox (provider, resource, record, action, edits)"
            f" SELECT {self.names}, {NEW_ID}, 'create', json_group_object(name, json(value))"
            f" FROM ({values}) WHERE value <> 'null';",
        )

    def delete(self) -> str:
        """A deletion; one of a record that the provider has never seen leaves nothing."""
        if not self.abilities.delete:
            return self._trigger("delete", "DELETE", self._refuse("deleted"))
        values = _pairs((c.name, _old(c)) for c in self.writable)
        return self._trigger(
            "delete",
            "DELETE",
            f"DELETE FROM lumio_outbox WHERE {self.mine} AND record = OLD.id"
            f" AND action = 'create' AND NOT {UNDER_WAY};"
            " INSERT INTO lumio_outbox (provider, resource, record, action, base)"
            f" SELECT {self.names}, OLD.id, 'delete',"
            f" (SELECT json_group_object(name, value) FROM ({values}) WHERE name IS NOT NULL)"
            f" WHERE OLD.id NOT LIKE '{LOCAL}' OR EXISTS"
            f" (SELECT 1 FROM lumio_outbox WHERE {self.mine} AND record = OLD.id)"
            " ON CONFLICT (provider, resource, record) DO UPDATE SET action = 'delete',"
            # What was edited before was made on the older of the two.
            " base = (SELECT json_group_object(key, value) FROM (SELECT key, value"
            " FROM json_each(excluded.base) WHERE key NOT IN (SELECT key FROM"
            " json_each(lumio_outbox.base)) UNION ALL SELECT key, value"
            " FROM json_each(lumio_outbox.base))),"
            " version = version + 1, edited_at = excluded.edited_at,"
            # A new record that may be there is looked for, and then deleted.
            f" status = CASE WHEN {_AT_IT} THEN status"
            f" WHEN attempt_rid IS NOT NULL THEN '{State.UNKNOWN}' ELSE '{State.PENDING}' END;",
        )

    def _trigger(self, suffix: str, event: str, body: str, when: str = "") -> str:
        name = quote(f"lumio_{self.view_name}_{suffix}")
        condition = f" WHEN {when}" if when else ""
        return (
            f"CREATE TRIGGER {name} INSTEAD OF {event} ON {quote(self.view_name)}"
            f"{condition} BEGIN {body} END"
        )

    def _misfits(self, value: str, over: str = "") -> str:
        """The cases of a value, or of one of many (`over` is then max), that JSON cannot hold."""
        cases = {
            f"{value} IN (9e999, -9e999)": "an infinite number cannot be stored",
            f"typeof({value}) = 'blob'": "binary data cannot be stored",
            f"instr({value}, char(0))": "text with a zero byte cannot be stored",
        }
        return " ".join(f"WHEN {over}({c}) THEN {self._abort(why)}" for c, why in cases.items())

    def _abort(self, why: str) -> str:
        return f"RAISE(ABORT, {_text(f'{self.view_name}: {why}')})"

    def _checks(self, test: Callable[[str], str], names: Sequence[str]) -> str:
        cases = " ".join(
            f"WHEN {test(quote(name))} THEN RAISE(ABORT, {_text(self._why(name))})"
            for name in names
        )
        return f"SELECT CASE {cases} END;"

    def _why(self, column: str) -> str:
        if column == "id":
            return f"{self.view_name}.id is read-only: {self.provider} gives each record its id"
        if column in RESERVED:
            return f"{self.view_name}.{column} is read-only: lumio keeps it"
        return f"{self.view_name}.{column} is read-only: lumio cannot write it to {self.provider}"

    def _refuse(self, done: str) -> str:
        message = (
            f"records of {self.view_name} cannot be {done} here: lumio has no way to do so at"
            f" {self.provider}"
        )
        return f"SELECT RAISE(ABORT, {_text(message)});"
