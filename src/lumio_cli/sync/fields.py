"""A resource's fields: what was declared, what the provider describes, and what the view shows."""

from __future__ import annotations

from collections.abc import Sequence

from lumio_cli.hub.sqlite.columns import READ_ONLY, Abilities, ViewColumn
from lumio_cli.hub.sqlite.state import KnownField
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Column, Property, Resource
from lumio_cli.providers.contract.writing import Writing
from lumio_cli.sync import choices


def abilities_of(provider: Provider | type[Provider], resource: Resource) -> Abilities:
    """What may be done to the resource's records."""
    writes = resource.writes
    writing = provider if isinstance(provider, type) else type(provider)
    if writes is None or not issubclass(writing, Writing):
        return READ_ONLY
    return Abilities(writes.create > 0, writes.update > 0, writes.archive > 0)


def columns_of(
    provider: Provider, resource: Resource, properties: Sequence[Property]
) -> list[ViewColumn]:
    """The view's columns: those declared, those added by the operator, then custom ones."""
    columns = {c.name: view_column(c) for c in resource.columns}
    added = (provider.options.get("columns") or {}).get(resource.name) or {}
    for name, path in added.items():
        columns[name] = ViewColumn(name, path, "text")
    # In one order, whether they were just described or are remembered: the view is rebuilt
    # where it differs.
    for prop in sorted(properties, key=lambda p: p.name):
        described = view_column(prop.column)
        declared = columns.setdefault(described.name, described)
        columns[described.name] = declared._replace(
            read_only=declared.read_only or described.read_only,
            choice=described.choice or declared.choice,
        )
    return list(columns.values())


def view_column(column: Column) -> ViewColumn:
    """A provider's column, as the hub knows it."""
    return ViewColumn(
        column.name,
        column.path,
        column.kind,
        column.read_only,
        column.same,
        choice=choices.stored(column.choice),
    )


def provider_column(column: ViewColumn) -> Column:
    """The hub's column, as the provider's module knows it."""
    return Column(
        column.known_as,
        column.path,
        column.kind,  # type: ignore[arg-type]
        column.read_only,
        column.same,  # type: ignore[arg-type]
        choices.read(column.choice),
    )


def as_property(field: KnownField) -> Property:
    """A field that the hub remembers, as it was described."""
    column = Column(
        field.column_name,
        field.path,
        field.kind,  # type: ignore[arg-type]
        field.read_only,
        field.same,  # type: ignore[arg-type]
        choices.read(field.choice),
    )
    return Property(field.name, field.type, column, field.custom, field.label)


def as_known(prop: Property) -> KnownField:
    """A described field, as the hub remembers it."""
    c = prop.column
    choice = choices.stored(c.choice)
    return KnownField(
        prop.name, prop.type, prop.label, prop.custom, c.name, c.path, c.kind, c.read_only, c.same,
        choice,
    )  # fmt: skip
