"""What a provider declares.

A provider module is a class with facts as frozen dataclasses and a few pure methods. It never
sleeps, retries, logs, opens files or reads the clock: the transport acts on what it declares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from lumio_cli.core.errors import ConfigError, GoneError, UsageError
from lumio_cli.providers.contract.call import Call, Json, Record, Reply, Send
from lumio_cli.providers.contract.fields import Field, Identity, suggest
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.resource import Column, Kind, Property, Resource, Walk
from lumio_cli.providers.contract.verdict import Verdict

if TYPE_CHECKING:
    from lumio_cli.providers.contract.auth import Credential, OAuth, Way
    from lumio_cli.providers.contract.messages import MessageKind
    from lumio_cli.providers.contract.paging import Paging


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
        return resource.slices(self, kind, expected)

    def paging(self, walk: Walk) -> Paging:
        """How the walk is paged."""
        return walk.resource.pages(self, walk)

    def call(self, walk: Walk) -> Call:
        """The request of a walk's first page, before its paging has a say."""
        return walk.resource.call(self, walk)

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        """The records of a page. Raises `BadReplyError` where the answer has no list of them."""
        return walk.resource.records(self, walk, reply)

    def fill(self, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """The records with what their listing could not carry, by further requests."""
        return walk.resource.fill(self, walk, records, send)

    def total(self, walk: Walk, reply: Reply) -> int | None:
        """How many records the whole walk has, where a page says so."""
        return None

    def count(self, resource: Resource, send: Send) -> int | None:
        """How many records a full walk will meet, at least; None: cannot tell.

        For the progress bar, and where it is no rough one (`Resource.rough_count`) a listing that
        ends with clearly fewer is not believed.
        """
        return resource.count(self, send)

    def hides(self, walk: Walk, reply: Reply) -> bool:
        """Whether a page says that older records are hidden, and not gone (see `Horizon`)."""
        return walk.resource.hides(self, walk, reply)

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
        return resource.alive(self, ids, send)

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
