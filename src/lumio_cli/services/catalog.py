"""What `lumio providers` shows: the declarations of the provider classes.

Makes no request, and does not touch the keyring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumio_cli.core.units import format_duration, grouped
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.registry import provider_class, provider_names
from lumio_cli.sync.fields import abilities_of

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime


def describe_all() -> list[dict[str, Any]]:
    """Every provider, in short."""
    return [summary(provider_class(name)) for name in provider_names()]


def summary(cls: type[Provider]) -> dict[str, Any]:
    """One provider, in short."""
    return {
        "provider": cls.name,
        "title": cls.title,
        "category": cls.category,
        "auth": auth_ways(cls),
        "resources": [resource.name for resource in cls.resources],
        "directions": [
            "pull",
            *(["push"] if any(any(abilities_of(cls, r)) for r in cls.resources) else []),
            *(["send"] if cls.messages else []),
        ],
        "realtime": cls.realtime,
        "limits": [quota_text(quota) for quota in cls.quotas],
    }


def describe(name: str) -> dict[str, Any]:
    """All that an operator needs to know of a provider. Raises UsageError for an unknown one."""
    cls = provider_class(name)
    return {
        **summary(cls),
        "base_url": cls.base_url,
        "hosts": list(cls.hosts),
        "guide": list(cls.guide),
        "notes": list(cls.notes),
        "scopes": scopes(cls),
        "resources": [_resource(cls, resource) for resource in cls.resources],
        "messages": [
            {
                "kind": kind.name,
                "title": kind.title,
                "to": kind.to,
                "bulk": kind.bulk,
                "fields": [_field(field) for field in kind.fields],
            }
            for kind in cls.messages
        ],
        "quotas": [_quota(quota) for quota in cls.quotas],
        "credential": [_field(field) for field in cls.credential],
        "ways": [
            {"way": way.name, "title": way.title, "fields": [_field(f) for f in way.fields]}
            for way in cls.ways
        ],
        "settings": [_field(field) for field in cls.fields],
    }


def auth_ways(cls: type[Provider]) -> list[str]:
    """How a credential can be given."""
    browser = ["oauth"] if cls.oauth is not None else []
    return ["token", *browser, *(way.name for way in cls.ways)]


def scopes(cls: type[Provider]) -> dict[str, list[str]]:
    """The scopes that reading and writing everything needs, and those that a login may do without:
    some of the former, or such as show more."""
    read = {scope for resource in cls.resources for scope in resource.scopes}
    write = {scope for resource in cls.resources for scope in resource.write_scopes}
    optional = cls.oauth.optional_scopes if cls.oauth is not None else ()
    return {"read": sorted(read), "write": sorted(write - read), "optional": sorted(optional)}


def quota_text(quota: Quota) -> str:
    """A quota as people say it: `burst: 100 in 10 s`."""
    unit = " points" if quota.kind == "points" or quota.costed else ""
    count = f"{grouped(round(quota.count))}{unit}"
    if quota.keyed:
        count = f"{count} for each {quota.keyed}"
    match quota.kind:
        case "concurrency":
            return f"{quota.name}: {count} at once"
        case "daily":
            return f"{quota.name}: {count} a day"
        case _:
            per = format_duration(quota.per) if quota.per >= 10 else f"{quota.per:g} s"
            return f"{quota.name}: {count} in {per}"


def _resource(cls: type[Provider], resource: Resource) -> dict[str, Any]:
    able = abilities_of(cls, resource)
    incremental = resource.cursor is not None or bool(resource.parents)
    return {
        "resource": resource.name,
        "title": resource.title,
        "directions": ["pull", *(["push"] if any(able) else [])],
        "writes": str(able).split(),
        "incremental": incremental,
        "finds": "webhooks" if not resource.paging else "changes" if incremental else "full walks",
        "deletes": list(resource.deletes),
        "scopes": list(resource.scopes),
        "write_scopes": list(resource.write_scopes),
        "columns": [column.name for column in resource.columns],
        "read_only": [c.name for c in resource.columns if c.read_only or not any(able)],
        "note": resource.note,
    }


def _quota(quota: Quota) -> dict[str, Any]:
    return {
        "quota": quota.name,
        "kind": quota.kind,
        "count": quota.count,
        "per_s": None if quota.kind in ("concurrency", "daily") else quota.per,
        "shared_by": quota.shared,
        "limit": quota_text(quota),
    }


def _field(field: Any) -> dict[str, Any]:
    return {
        "name": field.name,
        "help": field.help,
        "secret": field.secret,
        "default": None if field.secret else field.default,
        "kind": field.kind,
    }


def connected(runtime: Runtime) -> dict[str, bool]:
    """For each provider, whether it has a credential, without opening any store.

    One that is handed over (environment, file, command) is seen directly; of the stored ones the
    hub knows whose account they opened.
    """
    from lumio_cli.hub.sqlite.state import read_account

    def known(name: str) -> bool:
        reader = runtime.hub_reader
        return reader is not None and read_account(reader.connection, name) is not None

    given = runtime.credentials.given
    return {name: given(name) is not None or known(name) for name in provider_names()}
