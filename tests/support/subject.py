"""What a test knows of one resource of one provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Record
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Column, Kind, Resource
from lumio_cli.providers.registry import provider_class
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from support.two_way import Sample

NUMBERS, MOMENTS = ("integer", "number"), ("datetime", "epoch", "epoch_ms")
MOST = 100
"""Records a page in a case, at most: some providers' pages have thousands."""


@dataclass(frozen=True)
class Family:
    """Records that belong to others. `belongs_to` is SQL over the child's view that tells the
    owner's id (empty: it is of another kind), `delete` makes that one gone at the provider, so that
    the hub comes to know; `fill` makes some of both."""

    owner: str
    child: str
    belongs_to: str
    delete: Callable[[Sandbox, str], None]
    fill: Callable[[Sandbox], None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One resource of one provider, and how a test changes it behind the provider's API.

    text     path of a text that can be written, in a record as the provider sends it
    dump     all live records, as the provider would send them
    create   a record with that text; returns its id. `update`: id and text
    delete   so that the provider's tombstones name it; None where it has none
    purge    so that it is gone without a trace
    merge    so that the second becomes part of the first; returns the survivor's id. None where
             records of it cannot be merged, or nothing says that they were
    listing  path glob of the full listing; `live` tells it from others of the same path
    fresh    another valid credential of the same account
    grant    an OAuth login whose access token has expired, in a provider that has OAuth
    fill     makes it as many records as that; None: the sandbox's own `records` do
    environ  what else the provider needs to be told (a shop, chosen channels)
    idle     requests that a sync may cost where nothing has changed
    sample   how it is written by a push; None: it is not
    uncounted  the provider says nowhere how many records there are, and has no other way to ask
             for those behind a page: a listing that ends early cannot be told from a whole one
    hide     so that its age hides it, and it is not gone (`Resource.horizon`); with it all that
             are older
    newest_first  whether `dump` begins with the newest
    bulk     its full walk may be a bulk job (the provider's setting `bulk_from`)
    family   a resource of the provider whose records belong to another's, and go with them
    tells    the most that is believed of quotas whose limits the provider's answers tell, by name
    helps    path globs of what the provider is only asked in order to help: counts, and what a
             probe asks besides
    cannot   cases that cannot come about with this provider, each with the reason
    """

    provider: str
    resource: str
    text: str
    listing: str
    dump: Callable[[Sandbox], Iterable[Record]]
    create: Callable[[Sandbox, str], str]
    update: Callable[[Sandbox, str, str], None]
    purge: Callable[[Sandbox, str], None]
    fresh: Callable[[Sandbox], str]
    delete: Callable[[Sandbox, str], None] | None = None
    merge: Callable[[Sandbox, str, str], str] | None = None
    live: Callable[[Request], bool] = lambda _: True
    grant: Callable[[Sandbox], Credential] | None = None
    fill: Callable[[Sandbox, int], None] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    idle: int = 2
    sample: Sample | None = None
    hide: Callable[[Sandbox, str], None] | None = None
    newest_first: bool = False
    uncounted: bool = False
    bulk: bool = False
    family: Family | None = None
    tells: Mapping[str, int] = field(default_factory=dict)
    helps: tuple[str, ...] = ()
    cannot: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """PROVIDER/RESOURCE."""
        return f"{self.provider}/{self.resource}"

    @property
    def cls(self) -> type[Provider]:
        """The adapter."""
        return provider_class(self.provider)

    @property
    def declared(self) -> Resource:
        """What the adapter says of the resource."""
        return next(r for r in self.cls.resources if r.name == self.resource)

    @property
    def others(self) -> list[str]:
        """Another resource of the provider, as a target, where it has one that is listed by itself:
        it has a path of its own."""
        found = (
            f"{self.provider}/{r.name}"
            for r in self.cls.resources
            if r.paging and not r.parents and r.path != self.declared.path
        )
        return list(found)[:1]

    def free(self, *kinds: str) -> Iterator[Column]:
        """Columns of these kinds, in this order, by which no walk finds its way."""
        declared = self.declared
        taken = {*declared.volatile, declared.key, declared.group}
        for kind in kinds:
            yield from (
                c
                for c in declared.columns
                if c.kind == kind and c.path not in taken and "deleted" not in c.name
            )

    def page(self, kind: Kind = "full") -> int:
        """Records a page."""
        return min(self.declared.page_size.get(kind, 100), MOST)

    def overrides(self, name: str) -> bool:
        """Whether the provider, or this resource of it, has a way of its own to do that."""
        both = ((self.cls, Provider), (type(self.declared), Resource))
        return any(getattr(mine, name) is not getattr(base, name) for mine, base in both)

    @property
    def abilities(self) -> frozenset[str]:
        """What a case may need of it."""
        found: set[str] = {*self.declared.deletes}
        if self.declared.cursor is not None:
            found.add("cursor")
            found.add("edits" if self.declared.cursor.edits else "new only")
        if self.grant is not None:
            found.add("oauth")
        if self.merge is not None:
            found.add("merges")
        if self.hide is not None:
            found.add("hides")
        if not self.uncounted:
            found.add("counted")
        counts = self.overrides("count") or self.cls.total is not Provider.total
        if counts and not self.declared.rough_count:
            found.add("counts")
        if self.overrides("alive") and ("counts" not in found or "lost_paging" in self.cannot):
            found.add("asks")
        if not self.declared.parents:
            found.add("alone")
        if self.bulk:
            found.add("bulk")
        if self.family is not None:
            found.add("family")
        if self.tells:
            found.add("tells")
        if self.helps:
            found.add("helps")
        if any(self.free(*NUMBERS, *MOMENTS, "date", "boolean")):
            found.add("typed")
        if any(self.free("datetime")):
            found.add("dated")
        if self.declared.page_size.get("full"):
            found.add("pages")
        writes = self.declared.writes
        if writes is not None and self.sample is not None:
            found |= {
                name
                for name, size in (
                    ("creates", writes.create), ("updates", writes.update),
                    ("archives", writes.archive),
                )
                if size
            }  # fmt: skip
            if self.sample.other[0]:
                found.add("two fields")
        return frozenset(found)
