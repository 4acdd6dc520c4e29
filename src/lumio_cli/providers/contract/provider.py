"""What a provider declares.

A provider module is a class with facts as frozen dataclasses and a few pure methods. It never
sleeps, retries, logs, opens files or reads the clock: the transport acts on what it declares.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lumio_cli.core.errors import BadReplyError, ConfigError, GoneError, UsageError

if TYPE_CHECKING:
    from lumio_cli.providers.contract.auth import Credential, OAuth, Way
    from lumio_cli.providers.contract.messages import MessageKind
    from lumio_cli.providers.contract.paging import Paging
    from lumio_cli.providers.contract.writing import Writes

Json = Any
Place = dict[str, Any]
"""Where a listing stands: plain JSON, so that it can be checkpointed and resumed."""

Record = dict[str, Any]
"""One record as the provider sent it."""


# --- one request and its answer -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as the provider's documentation would write it.

    `path` is relative to the provider's base URL, or absolute: an absolute URL is only followed
    to one of the provider's `hosts`. `route` is the path with its variables as `{names}`, for
    quotas and logs; without it the path itself. `safe`: may be repeated although the answer was
    lost (None: true for GET and HEAD). `cost` is counted by quotas of points, 1 by all others;
    `keys` says whom the call is about, for quotas that count by that (`Quota.keyed`). `cache_for`
    is how many seconds the answer may be served again; 0 is never. `auth=False` sends no
    credential. `delay` is how many seconds the transport lets pass before it sends it, for
    asking again how something stands. `content` is a body as it is, with its content type in
    `headers`. `answer`: what a good answer is written in; one that should be JSON and is not, is a
    fault.
    """

    method: str
    path: str
    route: str = ""
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    json: Json = None
    form: Mapping[str, str] | None = None
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    safe: bool | None = None
    idempotency_key: str | None = None
    cost: float = 1.0
    keys: Mapping[str, str] = field(default_factory=dict)
    cache_for: float = 0.0
    auth: bool = True
    delay: float = 0.0
    answer: Literal["json", "text"] = "json"

    @property
    def label(self) -> str:
        """The route, for quotas, logs and counters."""
        return self.route or self.path

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no harm."""
        safe = self.method in ("GET", "HEAD") if self.safe is None else self.safe
        return safe or self.idempotency_key is not None


class Reply:
    """One answer. Header names are lower case. `date` is the provider's time as far as it can be
    believed, `skew` how many seconds its Date header was ahead of this machine's clock (None: it
    had none). `cached` marks an answer for which the provider was not asked, `stale` one that was
    served because the provider is down.
    """

    __slots__ = (
        "_decoded", "body", "cached", "date", "headers", "skew", "stale", "status", "url",
    )  # fmt: skip

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        url: str = "",
        date: datetime | None = None,
        stale: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.url = url
        self.date = date
        self.skew: float | None = None
        self.cached = False
        self.stale = stale
        self._decoded: Json = _UNREAD

    def json(self) -> Json:
        """The body as JSON, decoded once; what only strict JSON refuses is read all the same (see
        `values.read_json`). Raises `BadReplyError` where it is none."""
        if self._decoded is _UNREAD:
            from lumio_cli.providers.contract.values import read_json

            try:
                self._decoded = read_json(self.body)
            except ValueError as error:
                kind = self.headers.get("content-type", "no content type").split(";")[0]
                raise BadReplyError(
                    f"the provider answered {self.status} with something that is not JSON "
                    f"({kind}, {len(self.body)} bytes): {error}",
                    hint="a proxy or a maintenance page may be in between; try again later",
                ) from None
        return self._decoded

    def document(self) -> Mapping[str, Any]:
        """The body as a JSON object; empty where it is none: for error pages of any kind, where the
        status alone must do."""
        try:
            body = self.json()
        except BadReplyError:
            return {}
        return body if isinstance(body, dict) else {}

    def number(self, header: str) -> float | None:
        """A header's number; None where there is none."""
        try:
            return float(self.headers[header])
        except (KeyError, ValueError):
            return None


_UNREAD = object()


class Outcome(enum.Enum):
    """What to do about an answer."""

    OK = "ok"
    RETRY = "retry"  # a passing fault: the same request may succeed
    THROTTLED = "throttled"  # too fast: wait, then the same request will succeed
    EXHAUSTED = "exhausted"  # a long quota is used up: stop, come back later
    REAUTH = "reauth"  # the credential has expired: refresh it, once
    DENIED = "denied"  # the credential lacks a permission
    REFUSED = "refused"  # the credential is no good at all
    GONE = "gone"  # no such thing
    REJECTED = "rejected"  # the request is wrong


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with what the provider said about it.

    `retry_after` in seconds. `quota` names the quota that a THROTTLED or EXHAUSTED answer is
    about; empty is all that apply to the call. `scopes` are the missing permissions. `hint` is what
    to do about a DENIED, REFUSED or REJECTED answer, where that is known.
    """

    outcome: Outcome
    message: str = ""
    category: str = ""
    retry_after: float | None = None
    quota: str = ""
    scopes: tuple[str, ...] = ()
    hint: str = ""


# --- quotas ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit as the provider publishes it: `count` per `per` seconds.

    kind      bucket       a token bucket: refills evenly, `burst` at once (default: count)
              window       never more than `count` in any `per` seconds
              concurrency  never more than `count` at the same moment (`per` is not used)
              points       a bucket that a call drains by its `cost`
              daily        `count` from midnight to midnight in `zone`
    routes    labels of the calls it applies to (fnmatch patterns); empty is all
    exempt    labels of calls it does not apply to
    shared    what the provider counts by: all tokens of an account, one app, or one token
    keyed     one for each value of that name in `Call.keys`; calls without it are not counted
    costed    a daily quota that a call drains by its `cost`
    most      the highest `count` that any plan has: answers that name a higher limit are believed
              so far; None: never above `count`
    """

    name: str
    count: float
    per: float = 1.0
    kind: Literal["bucket", "window", "concurrency", "points", "daily"] = "bucket"
    burst: float | None = None
    routes: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    shared: Literal["account", "app", "token"] = "token"
    zone: str = "UTC"
    keyed: str = ""
    costed: bool = False
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a reply says of a quota: `limit` and `remaining` in its unit, `reset_after` seconds.
    `limit` of a bucket is its size, and `rate` what it gives back a second (None: in proportion to
    its size). `refund` is what a call cost less than was charged for it.
    """

    quota: str
    limit: float | None = None
    remaining: float | None = None
    reset_after: float | None = None
    refund: float = 0.0
    rate: float | None = None


# --- settings and credentials ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A value that an operator gives: feeds prompts, config.example.yaml, redaction and guides."""

    name: str
    help: str
    secret: bool = False
    pattern: str = ""
    default: Any = None
    kind: Literal["text", "integer", "number", "boolean", "list", "file"] = "text"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose account a credential opens. `expires_at` None: unknown or never. `details` are for
    people; `fields` are kept with the credential, since requests need them.
    """

    account_id: str
    account_name: str
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


# --- resources ------------------------------------------------------------------------------


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
    """

    name: str
    path: str
    kind: Literal[
        "text", "integer", "number", "boolean", "datetime", "date", "epoch", "epoch_ms", "json"
    ] = "text"
    read_only: bool = False
    same: Literal["exact", "folded", "set"] = "exact"


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
    deletes: tuple[Literal["tombstones", "sweep"], ...] = ()
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

    @property
    def volatile(self) -> frozenset[str]:
        """Paths that change with every change, and say nothing by themselves."""
        cursor = [] if self.cursor is None else [self.cursor.path]
        return frozenset((self.updated, *cursor, *self.ignore))


# --- the provider ---------------------------------------------------------------------------

Send = Callable[[Call], Reply]
"""One request through the whole transport; raises `LumioError`."""


class Provider:
    """What is true of every provider until a module says otherwise.

    The credential goes to `hosts` (`*.example.com` is any below it) and to no other; `open_hosts`
    may be asked without it. `credential` are the parts of a token login, the secret token first;
    `oauth` is the login in a browser, `ways` are all others. `guide` says how to set it up, and
    `notes` what the API does not give. `no_merges` is why nothing of it says that a record has
    become part of another; empty where something does (`merged`, `survivors`). `error_names` are
    keys of which each error document of its API has one; empty is any.

    `options` are the provider's effective settings, validated against `fields`; among them
    `limits`, other counts for its quotas by name, `time_zone`, in which its days begin,
    `columns`, more view columns by resource, and `deletes_every` in seconds.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    category: ClassVar[str]
    base_url: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]]
    open_hosts: ClassVar[tuple[str, ...]] = ()
    credential: ClassVar[tuple[Field, ...]]
    oauth: ClassVar[OAuth | None] = None
    ways: ClassVar[tuple[Way, ...]] = ()
    fields: ClassVar[tuple[Field, ...]] = ()
    quotas: tuple[Quota, ...] = ()
    resources: tuple[Resource, ...]
    tls12: ClassVar[bool] = False
    realtime: ClassVar[str] = "none"
    guide: ClassVar[tuple[str, ...]] = ()
    notes: ClassVar[tuple[str, ...]] = ()
    no_merges: ClassVar[str] = ""
    messages: ClassVar[tuple[MessageKind, ...]] = ()
    error_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        limits = options.get("limits") or {}
        zone = options.get("time_zone") or ""
        for name in limits:
            if name not in {quota.name for quota in self.quotas}:
                known = (quota.name for quota in self.quotas)
                raise ConfigError(
                    f"providers.{self.name}.limits: {self.name} has no quota {name!r}",
                    hint=suggest(name, known, "quotas"),
                )
        self.quotas = tuple(
            replace(q, count=limits.get(q.name, q.count), zone=zone or q.zone) for q in self.quotas
        )

    def resource(self, name: str) -> Resource:
        """The resource of that name. Raises `UsageError`, with the nearest name."""
        for resource in self.resources:
            if resource.name == name:
                return resource
        names = [r.name for r in self.resources]
        raise UsageError(
            f"{self.name} has no resource {name!r}", hint=suggest(name, names, "resources")
        )

    # -- talking

    def authorize(self, call: Call, credential: Credential) -> Mapping[str, str]:
        """The headers that carry the credential."""
        return {"Authorization": f"Bearer {credential.token}"}

    def address(self, call: Call, credential: Credential) -> Call:
        """The call with what the account decides in it: ids in its path, keys of its quotas.

        Raises `CredentialError` where the credential does not say.
        """
        return call

    def locate(self, credential: Credential) -> str:
        """The base URL of the credential's account, one of `hosts`; empty is `base_url`.

        Raises `CredentialError` where the credential does not say.
        """
        return ""

    def tokens(self, reply: Reply, *, now: datetime, old: Credential) -> Credential:
        """The credential that a token answer holds. Raises as `auth.read_tokens` does."""
        from lumio_cli.providers.contract.auth import read_tokens

        return read_tokens(reply, now=now, old=old)

    def renewal(self, credential: Credential, now: datetime) -> Call | None:
        """The request for a new access token; None: there is no way to get one."""
        from lumio_cli.providers.contract.auth import refresh_call

        if self.oauth is None or not credential.refresh:
            return None
        return refresh_call(self.oauth, credential)

    def judge(self, reply: Reply) -> Verdict | None:
        """What an answer means; None lets the status decide (`transport.default_verdicts`)."""
        return None

    def is_error(self, body: Json) -> bool:
        """Whether the JSON of an answer that is not good is an error, or a list of errors, of the
        provider's own. Others, of a proxy or a gateway, say nothing about what was sent."""
        told = body[0] if isinstance(body, list) and body else body
        if not isinstance(told, dict):
            return False
        return not self.error_names or any(name in told for name in self.error_names)

    def remaining(self, call: Call, reply: Reply) -> tuple[Allowance, ...]:
        """What the answer says of the quotas."""
        return ()

    def probe(self, send: Send, credential: Credential) -> Identity:
        """Whose account it is; the cheapest calls that prove the credential."""
        raise NotImplementedError

    # -- reading

    def describe(self, resource: Resource, send: Send) -> tuple[Property, ...] | None:
        """The fields that the provider knows for `resource`; None where it cannot tell."""
        return None

    def slices(
        self, resource: Resource, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """The independent parts that a walk can be cut into, by name, with the options that make
        each of them; one, unless the API allows more. `expected` is how many records a full walk
        will meet, where that is known."""
        return {"": {}}

    def paging(self, walk: Walk) -> Paging:
        """How the walk is paged."""
        return walk.resource.paging[walk.kind]

    def call(self, walk: Walk) -> Call:
        """The request of a walk's first page, before its paging has a say."""
        return Call("GET", walk.resource.path)

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        """The records of a page. Raises `BadReplyError` where the answer has no list of them."""
        rows = dig(reply.json(), walk.resource.rows)
        if not isinstance(rows, list):
            raise BadReplyError(
                f"{self.name} answered a page of {walk.resource.name} without "
                f"a list at {walk.resource.rows!r}",
                hint="try again later; `lumio debug` shows the exchange",
            )
        return rows

    def fill(self, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """The records with what their listing could not carry, by further requests."""
        return records

    def total(self, walk: Walk, reply: Reply) -> int | None:
        """How many records the whole walk has, where a page says so."""
        return None

    def count(self, resource: Resource, send: Send) -> int | None:
        """How many records a full walk will meet, at least; None: cannot tell.

        For the progress bar, and where it is no rough one (`Resource.rough_count`) a listing that
        ends with clearly fewer is not believed.
        """
        return None

    def hides(self, walk: Walk, reply: Reply) -> bool:
        """Whether a page says that older records are hidden, and not gone (see `Horizon`)."""
        return False

    def untold(self, resource: Resource) -> frozenset[str]:
        """Names of fields that records may lack though the provider has them: it was not asked for
        them, since it refuses them to this credential. What the hub has of them stays."""
        return frozenset()

    def group_of(self, walk: Walk, parent_id: str) -> str:
        """What `Resource.group` holds in the records that belong to a parent."""
        return parent_id

    def remarks(self, resource: Resource) -> tuple[str, ...]:
        """What an operator should know of how `resource` was read so far: fields that were left
        out, another version that answered. They become warnings of the run."""
        return ()

    def merged(self, walk: Walk, record: Record) -> Mapping[str, str]:
        """Ids of records that are others by now, as this one tells, each with the other's id.

        Others that a listed record has swallowed; or, of a tombstone, what it has become itself.
        """
        return {}

    def survivors(self, resource: Resource, ids: Sequence[str], send: Send) -> Mapping[str, str]:
        """Those of `ids` that were merged into other records, each with the other's id.

        Asked of records that are gone, before one of them is created anew. Raises `LumioError`.
        """
        return {}

    def alive(self, resource: Resource, ids: Sequence[str], send: Send) -> Collection[str]:
        """Those of `ids` that a read by id finds, and that a full listing would have. The first few
        are enough; where there is no such read, it finds none.

        Asked of some of the records that a full walk has not met, where no count tells whether it
        was whole, before they are taken for deleted. Raises `LumioError`.
        """
        return ()

    # -- writing (see also `writing.Writing`)

    def shown(self, column: Column, value: Json) -> Json:
        """A value of a view as a listing would show it at `column.path`, once it is written.

        `value` is as the view has it: booleans are 0 and 1, moments RFC 3339, JSON is text.
        """
        from lumio_cli.providers.contract.values import shown

        return shown(column.kind, value)


LOOKS = 5
"""Records that are asked for one by one, at most, where no request asks for many."""


def found_alone(
    ids: Sequence[str],
    ask: Callable[[str], Call],
    send: Send,
    there: Callable[[Reply], bool] = lambda _: True,
) -> list[str]:
    """Those of the first few `ids` whose own read answers a record, one that is `there`. Raises
    `LumioError`."""
    found = []
    for record in ids[:LOOKS]:
        try:
            if there(send(ask(record))):
                found.append(record)
        except GoneError:
            continue
    return found


def dig(value: Any, path: str) -> Any:
    """What lies at a dotted `path` inside decoded JSON, or None. An empty path is the whole."""
    if not path:
        return value
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def suggest(word: str, known: Iterable[str], what: str) -> str:
    """A hint for a name that is not known: the nearest one, or all of them."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known {what}: {', '.join(names)}" if names else f"there are no {what}"
