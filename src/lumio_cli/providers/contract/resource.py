"""What a provider's records are, and how they are listed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Record, Reply, Send, dig

if TYPE_CHECKING:
    from lumio_cli.providers.contract.paging import Paging

ColumnKind = Literal[
    "text", "integer", "number", "boolean", "datetime", "date", "epoch", "epoch_ms", "json"
]
Equality = Literal["exact", "folded", "set"]
Deletion = Literal["tombstones", "sweep"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a field takes besides nothing, where the provider refuses all else.

    names      the options, as they are shown and written
    also       other words that the provider's module takes for them, such as their ids
    separator  what stands between several options of one text; empty: it has one
    folded     upper or lower case does not count
    """

    names: tuple[str, ...]
    also: tuple[str, ...] = ()
    separator: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a view: `path` into the record (`properties.email`), and how to read it.

    kind  text | integer | number | boolean | datetime | date | epoch | epoch_ms | json. Booleans
          become 0 and 1, moments RFC 3339 in UTC (`epoch` and `epoch_ms` are seconds and
          milliseconds since 1970), a `date` is a day without a time, `json` is kept as JSON text.
          An empty string in a typed column is NULL, and so is what is no value of its kind.
    same  when two values are the same to the provider: exact | folded (upper or lower case does
          not count) | set (JSON: names, or objects with a `name` or a `label`, in any order).
          Nothing, NULL and an empty text are always the same.
    choice  its options, where it takes nothing else and they are known
    """

    name: str
    path: str
    kind: ColumnKind = "text"
    read_only: bool = False
    same: Equality = "exact"
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """A field as the provider describes it. `column` is what it becomes in the view."""

    name: str
    type: str
    column: Column
    custom: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How changes are found.

    path       where a record carries its modification time
    lookback   seconds that each window reaches back before the last one's end, for late rows
    sorted     rows arrive in cursor order, so that the cursor may move page by page
    edits      records that change are found by it; False: new ones only, and changes of older
               ones within the lookback or by a full walk
    """

    path: str
    lookback: float = 0.0
    sorted: bool = False
    edits: bool = True


@dataclass(frozen=True, slots=True)
class Horizon:
    """The moment before which a provider hides records that it still has: they are absent from
    every listing, and not deleted.

    path    where a record carries the time that the provider goes by; with `parent`, where that
            resource's records do
    why     what hides them, for people: "Shopify lists the orders of the last 60 days"
    kind    how the time is written
    days    how far back the listing reaches; None: as far as its pages say (`Provider.hides`)
    unless  scopes of which one lifts it
    root    where a record names the time of what it is hidden with, before its own (a reply: its
            thread's); a record that names none goes by its own
    parent  the resource whose records' age counts instead (by `Resource.group`)
    within  where pages say how far they reach: a path to what each of them is about (a channel);
            the oldest record that was listed of each is how far
    """

    path: str
    why: str
    kind: Literal["datetime", "epoch", "epoch_ms"] = "datetime"
    days: float | None = None
    unless: tuple[str, ...] = ()
    root: str = ""
    parent: str = ""
    within: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """The span of modification times that an incremental walk covers; None is open."""

    floor: datetime | None = None
    ceiling: datetime | None = None


Kind = Literal["full", "changes", "tombstones"]


@dataclass(frozen=True, slots=True)
class Walk:
    """One way through a resource: everything, what changed in a window, or what was deleted.

    `slice` names an independent part of it, with its own checkpoint; `options` is the slice's
    own plain JSON. `properties` are the names to ask for, empty where the API sends all.
    """

    resource: Resource
    kind: Kind
    slice: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    window: Window = Window()
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of record.

    name       the provider's own plural, snake_case
    path       of the listing, relative to the base URL
    rows       where the records are in an answer
    key        where a record carries its id
    columns    of the view, id apart
    paging     a style for each kind of walk that the API has; none: it comes by webhook only
    page_size  records a page, for each kind of walk
    cursor     None: there is no way to ask for changes; every walk is full
    deletes    tombstones: the provider lists what was deleted; sweep: absence from a complete
               full walk; both may apply (`tombstones` sees deletions early, the sweep the rest)
    parents    resources whose ids drive this one's listing (see `paging.Parents`)
    group      a path: where a record carries its parent's id, for resources with parents, and those
               whose `horizon` has one
    metadata   small tables (owners, pipelines) that only explain the others: a missing scope
               skips them without making the run partial
    ignore     paths that change without meaning: left out of the digest
    horizon    what is hidden of it by its age: kept, though no listing has it
    rough_count  its `count` is an estimate, or blind to what the credential may not see: good for
               watching, and no proof that a listing is short
    """

    name: str
    path: str
    title: str
    columns: tuple[Column, ...]
    paging: Mapping[Kind, Paging]
    page_size: Mapping[Kind, int] = field(default_factory=dict)
    rows: str = "results"
    key: str = "id"
    updated: str = "updatedAt"
    cursor: Cursor | None = None
    deletes: tuple[Deletion, ...] = ()
    scopes: tuple[str, ...] = ()
    write_scopes: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    group: str = ""
    metadata: bool = False
    ignore: tuple[str, ...] = ()
    horizon: Horizon | None = None
    rough_count: bool = False
    writes: Writes | None = None
    note: str = ""

    # How it is read, with `provider` as the account that is asked. A resource that differs from
    # the others is a class of its own; what all of a provider's share, a class between says.

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return the parts of a walk by name, with their options (`Provider.slices`)."""
        return {"": {}}

    def pages(self, provider: Any, walk: Walk) -> Paging:
        """Return how a walk is paged: as `paging` declares."""
        return self.paging[walk.kind]

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of a walk's first page, before its paging has a say."""
        return Call("GET", self.path)

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return the records of a page. Raises `BadReplyError` where there is no list of them."""
        found = dig(reply.json(), self.rows)
        if not isinstance(found, list):
            raise BadReplyError(
                f"{provider.name} answered a page of {self.name} without a list at {self.rows!r}",
                hint="try again later; `lumio debug` shows the exchange",
            )
        return found

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Return `records` with what their listing could not carry, by further requests."""
        return records

    def count(self, provider: Any, send: Send) -> int | None:
        """Return how many records a full walk will meet (`Provider.count`); None: cannot tell."""
        return None

    def hides(self, provider: Any, walk: Walk, reply: Reply) -> bool:
        """Return whether a page says that older records are hidden, and not gone."""
        return False

    def alive(self, provider: Any, ids: Sequence[str], send: Send) -> Collection[str]:
        """Return those of `ids` that a read by id finds (`Provider.alive`)."""
        return ()

    @property
    def volatile(self) -> frozenset[str]:
        """Paths that change with every change, and say nothing by themselves."""
        cursor = [] if self.cursor is None else [self.cursor.path]
        return frozenset((self.updated, *cursor, *self.ignore))


@dataclass(frozen=True, slots=True)
class Writes:
    """How a resource is written. Sizes are records a call, 0 where the API does not do it at all.

    at_once     changes that are handed over together: as many as may be in doubt after a crash
    unique      columns in which the provider lets no two records have the same value: a create
                that has one of them cannot make a second record when it is sent again
    """

    create: int = 0
    update: int = 0
    upsert: int = 0
    archive: int = 0
    upsert_key: str = ""
    at_once: int = 100
    unique: tuple[str, ...] = ()
