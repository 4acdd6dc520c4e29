"""What every provider must do, whatever it is: one plain function a case.

A provider joins with a `Subject` a resource (`tests/providers/subjects.py`). A case opens a lab of
its own and raises `AssertionError`, so that it can be pointed at a broken adapter as well.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, HTTPServer
from math import ceil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, get_args
from unittest.mock import patch
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from lumio_cli.credentials import CredentialSettings, CredentialStore
from lumio_cli.errors import LumioError
from lumio_cli.hub import misfits
from lumio_cli.options import Globals
from lumio_cli.paths import find_paths
from lumio_cli.providers.auth import Credential
from lumio_cli.providers.base import Column, Kind, Provider, Quota, Record, Resource, Walk, dig
from lumio_cli.providers.paging import Each, Parents, brings_rows, without_edge
from lumio_cli.providers.registry import provider_class
from lumio_cli.redact import Redactor
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.stop import Stop
from lumio_cli.sync import walk
from lumio_cli.sync.walk import Walker
from lumio_cli.transport import retry
from lumio_cli.transport.wire import Wire
from support import two_way
from support.lab import VAULT_KEY, Lab, Outcome, place_hub
from support.trials import Hands
from support.two_way import Sample

WRONG = "wrong-credential-00000000000000000000"
UNICODE = "Zoë 日本 🦄 [red]x[/red] <b>&amp; \u202eabc \t“”"
BEYOND_FLOATS = "9007199254740993"
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
        counts = any(
            getattr(self.cls, name) is not getattr(Provider, name) for name in ("count", "total")
        )
        if counts and not self.declared.rough_count:
            found.add("counts")
        if self.cls.alive is not Provider.alive and (
            "counts" not in found or "lost_paging" in self.cannot
        ):
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


# --- the lab --------------------------------------------------------------------------------


@dataclass
class Rig(Lab):
    """A lab for one subject."""

    subject: Subject = field(kw_only=True)
    clock: Hands = field(kw_only=True)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a bare machine, plus what points at the sandbox."""
        name = self.subject.provider
        prefix = name.upper().replace("-", "_")
        return {
            "PATH": os.environ["PATH"],
            "LUMIO_HOME": str(self.home),
            f"LUMIO_{prefix}_TOKEN": self.token or self.sandbox.token(name),
            f"LUMIO_PROVIDERS__{prefix}__BASE_URL": self.sandbox.base_url(name),
            **{f"LUMIO_{prefix}_{key.upper()}": value for key, value in self._fields.items()},
            "LUMIO_CACHE__ENABLED": "false",
            **self.subject.environ,
            **self.extra,
        }

    @property
    def _fields(self) -> Mapping[str, str]:
        """What a credential of the look-alike has beside its token."""
        name = self.subject.provider
        ready = self.sandbox.providers[name].ready(self.sandbox.base_url(name))
        fields: Mapping[str, str] = ready.get("fields", {})
        return fields

    def lift_quotas(self) -> None:
        """Our side of a sandbox that counts nothing."""
        prefix = self.subject.provider.upper().replace("-", "_")
        lifted = {q.name: 1_000_000_000 for q in self.subject.cls.quotas}
        self.extra[f"LUMIO_PROVIDERS__{prefix}__LIMITS"] = json.dumps(lifted)

    def sync(self, *words: str, code: int = 0, stop: Stop | None = None) -> dict[str, Any]:
        """Sync the subject; the run must end with `code`. Returns its entry."""
        outcome = self.lumio("sync", self.subject.target, *words, stop=stop)
        assert outcome.code == code, f"exit code {outcome.code} instead of {code}: {outcome.out}"
        return outcome.resource(self.subject.resource)

    @property
    def ids(self) -> list[str]:
        """The provider's live records."""
        key = self.subject.declared.key
        return [str(dig(record, key)) for record in self.subject.dump(self.sandbox)]

    @property
    def payloads(self) -> dict[str, Record]:
        """What the hub holds."""
        view = f"{self.subject.provider}_{self.subject.resource}"
        return {i: json.loads(text) for i, text in self.sql(f"SELECT id, _payload FROM {view}")}

    def must_be_equal(self) -> None:
        """The hub holds what the provider has: the same records, the same fields."""
        subject = self.subject
        theirs = {str(dig(r, subject.declared.key)): r for r in subject.dump(self.sandbox)}
        ours = self.payloads
        missing, extra = theirs.keys() - ours.keys(), ours.keys() - theirs.keys()
        assert not missing, f"{len(missing)} records are missing: {sorted(missing)[:3]}"
        assert not extra, f"{len(extra)} records should not be there: {sorted(extra)[:3]}"
        for record_id, record in theirs.items():
            for column in subject.declared.columns:
                want, got = dig(record, column.path), dig(ours[record_id], column.path)
                assert want == got, f"{record_id}: {column.path} differs: {got!r} != {want!r}"

    def text_of(self, record_id: str) -> Any:
        """The text of a record in the hub."""
        return dig(self.payloads[record_id], self.subject.text)

    def is_listing(self, request: Request) -> bool:
        """Whether a request is for a page of the full listing."""
        return fnmatchcase(request.label, self.subject.listing) and self.subject.live(request)

    def on_page(self, react: Callable[[Request, Response, int], Response | None]) -> list[str]:
        """From now on `react` sees each page of the full listing, with its number from 1, and may
        answer something else. Returns the list that the pages' requests are added to.
        """
        provider = self.sandbox.providers[self.subject.provider]
        handle, seen = provider.handle, []

        def handle_and_react(request: Request) -> Response:
            answer = handle(request)
            if not self.is_listing(request):
                return answer
            seen.append(f"{request.label} {sorted(request.query.items())} {request.body!r}")
            return react(request, answer, len(seen)) or answer

        provider.handle = handle_and_react  # type: ignore[method-assign]
        return seen

    def listings(self) -> int:
        """How many requests for the listing's path the sandbox has seen."""
        glob = f"/{self.subject.provider}{self.subject.listing}"
        return sum(1 for _, _, path, _ in self.sandbox.requests if fnmatchcase(path, glob))

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """The transport as a command has it."""
        runtime = Runtime(Globals(), environ=self.environ)
        try:
            yield runtime
        finally:
            runtime.close()


@contextmanager
def rig(
    subject: Subject,
    home: Path,
    records: int = 3,
    *,
    quota: str = "none",
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> Iterator[Rig]:
    """A home and a sandbox of their own; retries follow at once."""
    hands = Hands()
    only = (subject.provider,)
    sandbox = Sandbox(records=records, quota=quota, clock=clock or hands, providers=only, **options)
    if subject.fill is not None:
        subject.fill(sandbox, records)
    with (
        sandbox,
        patch.object(retry.Retry, "_draw", lambda *_: 0.001),
        patch.object(retry, "default_hold", lambda _: 0.02),
        patch.object(walk, "PAUSE", 0.0),
        altered(subject.declared, page_size=_smaller(subject.declared.page_size)),
    ):
        lab = Rig(Path(mkdtemp(dir=home)), sandbox, subject=subject, clock=hands)
        place_hub(lab.hub_path)
        if quota == "none":
            lab.lift_quotas()
        for parent in subject.declared.parents:
            lab.lumio("sync", f"{subject.provider}/{parent}")
        yield lab


def _smaller(sizes: Mapping[Kind, int]) -> dict[Kind, int]:
    """Page sizes that a case can fill in a moment."""
    return {kind: min(size, MOST) for kind, size in sizes.items()}


@contextmanager
def altered(declaration: Any, **values: Any) -> Iterator[None]:
    """A frozen declaration with other values, for a while."""
    before = {name: getattr(declaration, name) for name in values}
    try:
        for name, value in values.items():
            object.__setattr__(declaration, name, value)
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(declaration, name, value)


# --- the table of cases ---------------------------------------------------------------------

Check = Callable[[Subject, Path], None]


@dataclass(frozen=True)
class Case:
    """A check. `wide`: it is about the provider as a whole, so one of its resources will do.
    `needs`: abilities without which it does not apply.
    """

    name: str
    check: Check
    wide: bool = False
    needs: frozenset[str] = frozenset()

    def applies(self, subject: Subject) -> bool:
        """Whether it can come about with the subject."""
        return self.needs <= subject.abilities and self.name not in subject.cannot


CASES: dict[str, Case] = {}


def case(*needs: str, wide: bool = False) -> Callable[[Check], Check]:
    """Adds a check to the table."""

    def add(check: Check) -> Check:
        name = check.__name__.removeprefix("check_")
        CASES[name] = Case(name, check, wide, frozenset(needs))
        return check

    return add


def cases_of(subject: Subject, subjects: Iterable[Subject]) -> list[Case]:
    """The cases that a subject runs, the wide ones among them where it is the first of all
    `subjects` of its provider that they apply to."""
    siblings = [s for s in subjects if s.provider == subject.provider]
    return [
        c
        for c in CASES.values()
        if c.applies(subject) and not (c.wide and next(filter(c.applies, siblings)) is not subject)
    ]


# --- what is declared -----------------------------------------------------------------------

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")


def _unique(names: Iterable[str], what: str) -> None:
    listed = list(names)
    assert len(set(listed)) == len(listed), f"{what} are not unique: {listed}"


@case(wide=True)
def check_names(subject: Subject, home: Path) -> None:
    """Names become commands, variables, tables and columns: they are identifiers."""
    cls = subject.cls
    assert cls.name == subject.provider, f"{cls.name} is found as {subject.provider}"
    assert SNAKE.fullmatch(cls.name.replace("-", "_")), f"not an identifier: {cls.name!r}"
    assert cls.title and cls.category, "title and category are shown to people"
    for name in (r.name for r in cls.resources):
        assert SNAKE.fullmatch(name), f"not an identifier: {name!r}"
    _unique((r.name for r in cls.resources), "names of resources")
    _unique((f.name for f in (*cls.credential, *cls.fields)), "names of fields")


@case(wide=True)
def check_hosts(subject: Subject, home: Path) -> None:
    """Hosts are bare names, and the wire takes the credential to no neighbour of theirs."""
    cls = subject.cls
    base = urlsplit(cls.base_url)
    assert base.scheme == "https", f"base_url is not https: {cls.base_url}"
    assert cls.hosts, "no host may have the credential"
    for host in cls.hosts:
        # A wildcard is for accounts that have addresses of their own.
        bare = host.removeprefix("*.") if cls.locate is not Provider.locate else host
        assert HOST.fullmatch(bare), f"not a bare host name: {host!r}"
    assert base.hostname in cls.hosts, f"{base.hostname} is not among the hosts"
    if cls.oauth is not None:
        assert cls.oauth.authorize_url.startswith("https://"), "the login is not https"


@case(wide=True)
def check_foreign_hosts(subject: Subject, home: Path) -> None:
    """Whatever a link looks like: the wire refuses to take the credential to another host."""
    cls = subject.cls
    wire = Wire(cls.name, cls.base_url, cls.hosts)
    wild = [h[1:] for h in cls.hosts if h.startswith("*.") and cls.locate is not Provider.locate]
    for name in {*cls.hosts, str(urlsplit(cls.base_url).hostname)}:
        host = name.replace("*", "account")
        parent = host.partition(".")[2]
        for url in (
            "https://attacker.example/",
            f"https://attacker.{parent.rpartition('.')[2]}/",
            f"https://attacker.{parent}/",
            f"https://attacker-{host}/",
            f"https://{host}.attacker.example/",
            f"https://attacker.example\\@{host}/",
            f"https://{host}:8443/",
            f"https://{host}@attacker.example/",
            f"http://{host}/",
        ):
            tenant = url == f"https://attacker.{parent}/" and f".{parent}" in wild
            # One dash or more makes another account of it, where accounts have names there.
            tenant = tenant or (url == f"https://attacker-{host}/" and f".{parent}" in wild)
            try:
                wire.check(url)
            except LumioError:
                continue
            if tenant:
                continue
            raise AssertionError(f"the credential would go to {url}")


@case(wide=True)
def check_quotas(subject: Subject, home: Path) -> None:
    """Quotas are positive, of a known kind, named once, and a daily one has a real zone."""
    cls = subject.cls
    _unique((q.name for q in cls.quotas), "names of quotas")
    kinds = set(get_args(Quota.__annotations__["kind"])) or {
        "bucket", "window", "concurrency", "points", "daily",
    }  # fmt: skip
    for quota in cls.quotas:
        assert SNAKE.fullmatch(quota.name), f"not an identifier: {quota.name!r}"
        assert quota.kind in kinds, f"{quota.name}: no such kind: {quota.kind}"
        assert quota.count >= 1, f"{quota.name}: it would let nothing pass"
        assert quota.per > 0, f"{quota.name}: a span of {quota.per} s"
        assert quota.burst is None or quota.burst >= 1, f"{quota.name}: a burst of nothing"
        ZoneInfo(quota.zone)


@case(wide=True)
def check_columns(subject: Subject, home: Path) -> None:
    """Columns are identifiers, named once, none of the hub's own, of a known kind, with a path."""
    kinds = {"text", "json", *misfits.KINDS}
    for resource in subject.cls.resources:
        _unique((c.name.lower() for c in resource.columns), f"columns of {resource.name}")
        for column in resource.columns:
            where = f"{resource.name}.{column.name}"
            assert SNAKE.fullmatch(column.name), f"not an identifier: {where}"
            assert column.name != "id", f"{where} is the hub's own"
            assert column.path and column.kind in kinds, f"{where} cannot be read"


@case(wide=True)
def check_scopes(subject: Subject, home: Path) -> None:
    """Every main resource names its scopes, if any does, and an OAuth login asks for them."""
    cls = subject.cls
    named = [r for r in cls.resources if r.scopes]
    for resource in cls.resources:
        for scope in (*resource.scopes, *resource.write_scopes):
            assert scope and not re.search(r"\s", scope), f"{resource.name}: a scope {scope!r}"
        main = not resource.metadata and not resource.parents
        assert resource.scopes or not named or not main, f"{resource.name} names no scope"
    if cls.oauth is None:
        return
    asked = {*cls.oauth.scopes, *cls.oauth.optional_scopes}
    for resource in cls.resources:
        lacking = {*resource.scopes, *resource.write_scopes} - asked
        assert not lacking, f"{resource.name}: the login does not ask for {sorted(lacking)}"


@case(wide=True)
def check_walks(subject: Subject, home: Path) -> None:
    """Each kind of walk that a resource's facts promise has a paging and a page size."""
    cls = subject.cls
    names = {r.name for r in cls.resources}
    for resource in cls.resources:
        if not resource.paging:
            assert resource.note, f"{resource.name}: nothing says what fills it"
            continue
        kinds: set[str] = {"full"}
        if resource.cursor is not None or resource.parents:
            kinds.add("changes")
        if "tombstones" in resource.deletes:
            kinds.add("tombstones")
        lacking = kinds - set(resource.paging)
        assert not lacking, f"{resource.name}: no paging for {sorted(lacking)}"
        unused = set(resource.paging) - kinds
        assert not unused, f"{resource.name}: nothing uses the paging for {sorted(unused)}"
        assert all(n > 0 for n in resource.page_size.values()), f"{resource.name}: an empty page"
        assert set(resource.parents) <= names, f"{resource.name}: an unknown parent"
        assert resource.deletes or resource.note, f"{resource.name}: deletions would never be seen"
        if resource.cursor is not None:
            assert resource.cursor.lookback >= 0, f"{resource.name}: the lookback is negative"


@case(wide=True)
def check_fields(subject: Subject, home: Path) -> None:
    """The credential's fields: one of them is secret, patterns compile, all explain themselves."""
    cls = subject.cls
    assert any(f.secret for f in cls.credential), "no part of the credential is secret"
    for item in (*cls.credential, *cls.fields):
        assert item.help, f"{item.name} does not explain itself"
        pattern = re.compile(item.pattern)
        assert not item.secret or not item.default, f"{item.name}: a default for a secret"
        if item.pattern and isinstance(item.default, str):
            assert pattern.fullmatch(item.default), f"{item.name}: the default does not fit"
    assert cls.guide, "there is no guide for `connect`"


# --- who we are -----------------------------------------------------------------------------


@case(wide=True)
def check_connect(subject: Subject, home: Path) -> None:
    """`connect` proves the credential and says whose account it is, the same every time."""
    with rig(subject, home) as lab:
        found = []
        for _ in range(2):
            outcome = lab.lumio("connect", subject.provider)
            assert outcome.code == 0, outcome.out
            assert lab.sandbox.token(subject.provider) not in outcome.out + outcome.err, "leaked"
            found.append(outcome.document["account"])
            assert not outcome.document["missing_scopes"], "the full credential lacks a scope"
        assert found[0] == found[1], "whose account it is changes"
        assert found[0]["id"] and found[0]["name"], f"an account without a name: {found[0]}"
        assert lab.sync()["created"] == len(lab.ids)


@case(wide=True)
def check_wrong_credential(subject: Subject, home: Path) -> None:
    """A credential that is refused ends the run with 4, at once, and is not shown."""
    with rig(subject, home) as lab:
        lab.token = WRONG
        outcome = lab.lumio("sync", subject.target)
        _refused(outcome, subject)
        assert outcome.code == 4, f"exit code {outcome.code} instead of 4"
        assert len(lab.sandbox.requests) <= 2, "a wrong credential is tried again and again"


def _refused(outcome: Outcome, subject: Subject) -> None:
    """The subject's error is about the credential, which is not shown."""
    error = outcome.resource(subject.resource)["error"]
    assert error, "no error is told"
    assert error["exit_code"] == 4, f"the error is not about the credential: {error}"
    assert WRONG not in outcome.out + outcome.err, "the credential is shown"


@case("pages", wide=True)
def check_expired(subject: Subject, home: Path) -> None:
    """A credential that expires in the middle stops the run; with a new one it goes on."""
    size = subject.page()
    with rig(subject, home, size * 2 + 1) as lab:
        lab.sandbox.faults.set([f"expired:1:path={subject.listing}"])
        outcome = lab.lumio("sync", subject.target)
        _refused(outcome, subject)
        assert outcome.code == 4, f"exit code {outcome.code} instead of 4"
        assert len(lab.payloads) == size, "what came before is not kept"
        lab.token = subject.fresh(lab.sandbox)
        assert lab.sync()["created"] == size + 1, "it does not go on where it was"
        lab.must_be_equal()


def logged_in(lab: Rig) -> dict[str, str | None]:
    """A login in the vault instead of a token; the environment that has it."""
    subject = lab.subject
    assert subject.grant is not None
    environ = {"LUMIO_VAULT_KEY": VAULT_KEY, "LUMIO_HOME": str(lab.home)}
    store = CredentialStore(
        find_paths("default", environ), environ, CredentialSettings(store="vault"), Redactor()
    )
    store.save(subject.provider, subject.grant(lab.sandbox))
    return {f"LUMIO_{subject.provider.upper()}_TOKEN": None, "LUMIO_VAULT_KEY": VAULT_KEY}


@case("oauth", wide=True)
def check_refresh(subject: Subject, home: Path) -> None:
    """An access token that has expired is renewed by its refresh token, and the run succeeds."""
    with rig(subject, home, clock=time.time) as lab:
        outcome = lab.lumio("sync", subject.target, environ=logged_in(lab))
        assert outcome.code == 0, f"the token is not renewed: {outcome.out}"
        lab.must_be_equal()


@case()
def check_denied(subject: Subject, home: Path) -> None:
    """A permission that is missing skips the resource, without trying again, and is not green."""
    with rig(subject, home) as lab:
        lab.sandbox.faults.set([f"403:path={subject.listing}"])
        outcome = lab.lumio("sync", subject.target)
        entry = outcome.resource(subject.resource)
        assert entry["status"] == "skipped", f"not skipped but {entry['status']}: {entry['error']}"
        assert entry["error"]["code"] == "scope_missing", entry["error"]
        assert lab.listings() == 1, "what is not permitted is asked again"


# --- walks ----------------------------------------------------------------------------------


@case()
def check_full(subject: Subject, home: Path) -> None:
    """A full sync makes the hub equal to the provider; another one finds nothing to do."""
    count = 5
    with rig(subject, home, count) as lab:
        first = lab.sync()
        assert (first["mode"], first["created"]) == ("full", count), f"not all came: {first}"
        lab.must_be_equal()
        second = lab.sync("--mode", "full")
        assert second["unchanged"] == count, f"the same records are not the same: {second}"
        lab.must_be_equal()


@case("pages")
def check_edges(subject: Subject, home: Path) -> None:
    """No record, one, a full page and one more: all come, each once."""
    size = subject.page()
    for count in (0, 1, size, size + 1):
        with rig(subject, home, count) as lab:
            entry = lab.sync()
            assert entry["read"] == count, f"{entry['read']} of {count} records were read"
            lab.must_be_equal()


@case()
def check_fresh(subject: Subject, home: Path) -> None:
    """A full sync asks the provider: no page comes from the cache of an earlier run."""
    with rig(subject, home) as lab:
        lab.extra["LUMIO_CACHE__ENABLED"] = "true"
        lab.sync()
        lab.clock.forward(60)
        subject.create(lab.sandbox, "new")
        subject.update(lab.sandbox, lab.ids[0], "changed")
        lab.sync("--mode", "full")
        lab.must_be_equal()


@case("cursor")
def check_nothing_changed(subject: Subject, home: Path) -> None:
    """Where nothing has changed, nothing is read, it costs next to nothing, the cursor moves."""
    with rig(subject, home) as lab:
        lab.clock.forward(3600)
        before = lab.sync()["cursor"]
        lab.clock.forward(3600)
        entry = lab.sync()
        assert entry["mode"] == "incremental", f"it began anew: {entry['mode']}"
        assert entry["read"] == 0, f"{entry['read']} records are read that did not change"
        assert entry["requests"] <= subject.idle, f"nothing costs {entry['requests']} requests"
        assert entry["cursor"] > before, "the cursor stands still"


@case("new only")
def check_new_records(subject: Subject, home: Path) -> None:
    """Where the cursor finds new records only, these come, and no other."""
    with rig(subject, home) as lab:
        lab.clock.forward(3600)
        lab.sync()
        lab.clock.forward(3600)
        made = [subject.create(lab.sandbox, f"new {number}") for number in (1, 2)]
        lab.clock.forward(3600)
        entry = lab.sync()
        counts = {name: entry[name] for name in ("read", "created", "updated", "deleted")}
        assert counts == {"read": 2, "created": 2, "updated": 0, "deleted": 0}, counts
        assert [lab.text_of(i) for i in made] == ["new 1", "new 2"]
        lab.must_be_equal()


@case("edits")
def check_one_change(subject: Subject, home: Path) -> None:
    """One new and one changed record come, and no other."""
    with rig(subject, home) as lab:
        lab.clock.forward(3600)
        lab.sync()
        lab.clock.forward(3600)
        subject.update(lab.sandbox, lab.ids[0], "changed")
        new = subject.create(lab.sandbox, "new")
        lab.clock.forward(3600)
        entry = lab.sync()
        counts = {name: entry[name] for name in ("read", "created", "updated", "deleted")}
        assert counts == {"read": 2, "created": 1, "updated": 1, "deleted": 0}, counts
        assert (lab.text_of(lab.ids[0]), lab.text_of(new)) == ("changed", "new")
        lab.must_be_equal()


@case("edits")
def check_many_changes(subject: Subject, home: Path) -> None:
    """More changes than a page holds all come."""
    count = subject.page("changes") + 1
    with rig(subject, home, count) as lab:
        lab.clock.forward(3600)
        lab.sync()
        for number, record_id in enumerate(lab.ids):
            lab.clock.forward(1)
            subject.update(lab.sandbox, record_id, f"changed {number}")
        lab.clock.forward(3600)
        entry = lab.sync()
        assert entry["updated"] == count, f"{entry['updated']} of {count} changes came"
        lab.must_be_equal()


@case("edits")
def check_equal_times(subject: Subject, home: Path) -> None:
    """A page and more of records of the very moment that the cursor is at: none is skipped."""
    cursor = subject.declared.cursor
    assert cursor is not None
    with (
        rig(subject, home, subject.page("changes") + 2) as lab,
        altered(cursor, lookback=0.0),
    ):
        lab.sync()
        first, *others = lab.ids
        lab.clock.forward(1000)
        subject.update(lab.sandbox, first, "before")
        assert lab.sync()["updated"] == 1
        for record_id in others:  # the clock stands still
            subject.update(lab.sandbox, record_id, "after")
        lab.sync()
        lab.must_be_equal()


@case("pages")
def check_change_during_walk(subject: Subject, home: Path) -> None:
    """What happens to records behind and before a full walk is right after the next sync."""
    with rig(subject, home, subject.page() + 2) as lab:
        first, *_, last = lab.ids

        def meanwhile(request: Request, answer: Response, number: int) -> None:
            if number == 1:
                lab.clock.forward(5)
                if "new only" not in subject.abilities:
                    subject.update(lab.sandbox, first, "meanwhile")
                subject.create(lab.sandbox, "new meanwhile")
                subject.purge(lab.sandbox, last)

        lab.on_page(meanwhile)
        lab.sync()
        lab.clock.forward(3600)
        lab.sync()
        lab.must_be_equal()


@case("tombstones")
def check_tombstones(subject: Subject, home: Path) -> None:
    """A record that the provider lists as deleted is deleted by the next incremental sync."""
    assert subject.delete is not None, "its tombstones cannot be tested"
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        subject.delete(lab.sandbox, lab.ids[0])
        entry = lab.sync()
        assert entry["mode"] == "incremental"
        assert entry["deleted"] == 1, f"{entry['deleted']} deletions were seen, not 1"
        lab.must_be_equal()


@case("sweep")
def check_sweep(subject: Subject, home: Path) -> None:
    """A record that is gone without a trace is deleted by the next full sync, and no other is."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        subject.purge(lab.sandbox, lab.ids[1])
        entry = lab.sync("--mode", "full", "--max-delete", "50")
        assert entry["deleted"] == 1, f"{entry['deleted']} deletions were seen, not 1"
        lab.must_be_equal()


@case()
def check_empty(subject: Subject, home: Path) -> None:
    """An empty listing deletes nothing, whatever is allowed."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.sandbox.faults.set([f"empty:path={subject.listing}"])
        outcome = lab.lumio("sync", subject.target, "--mode", "full", "--max-delete", "100")
        entry = outcome.resource(subject.resource)
        assert entry["deleted"] == 0, f"an empty listing deleted {entry['deleted']} records"
        lab.sandbox.faults.clear()
        lab.must_be_equal()


@case("pages")
def check_loop(subject: Subject, home: Path) -> None:
    """A listing that goes in circles is an error after a few pages, and moves no cursor."""
    with rig(subject, home, subject.page() + 1) as lab:
        lab.sandbox.faults.set([f"loop:path={subject.listing}"])
        stop = Stop()

        def watch(request: Request, answer: Response, number: int) -> None:
            if number == 12:
                stop.set("SIGTERM", 143)

        pages = lab.on_page(watch)
        entry = lab.lumio("sync", subject.target, stop=stop).resource(subject.resource)
        assert len(pages) < 12, "it goes in circles"
        assert entry["error"], "a circle is no error"
        assert entry["error"]["code"] == "paging_loop", entry["error"]
        assert entry["cursor"] is None, "the cursor has moved"


@case()
def check_places(subject: Subject, home: Path) -> None:
    """Every place of every kind of walk is plain JSON, and asking changes neither it nor a call."""
    kinds: list[Kind] = [k for k in get_args(Kind) if k in subject.declared.paging]
    size = 2
    with rig(subject, home, 5) as lab, lab.runtime() as runtime:
        provider = runtime.provider(subject.provider)
        resource = provider.resource(subject.resource)
        send = runtime.session(provider).send
        for kind in kinds:
            if kind == "tombstones" and subject.delete is not None:
                for record_id in lab.ids[:3]:
                    subject.delete(lab.sandbox, record_id)
            for name, options in provider.slices(resource, kind, None).items():
                walk = Walk(resource, kind, slice=name, options=options)
                paging = provider.paging(walk)
                if isinstance(paging, Parents | Each):
                    continue
                place: dict[str, Any] | None = paging.first(size)
                met: list[str] = []
                pages = 0
                while place is not None:
                    place = _plain(place)
                    call = provider.call(walk)
                    before = copy.deepcopy((call, place))
                    reply = send(paging.ask(call, place))
                    rows = provider.records(walk, reply) if brings_rows(place) else []
                    following = paging.next(place, reply, rows)
                    rows = without_edge(place, rows, resource.key)
                    assert (call, place) == before, f"{kind}: paging changes what it is given"
                    rows = without_edge(place, rows, resource.key)
                    met += [str(dig(row, resource.key)) for row in rows]
                    pages += 1
                    assert pages < 20, f"{kind}: the walk does not end"
                    place = following
                assert len(set(met)) == len(met), f"{kind}: records came twice"
                if kind == "full":
                    assert sorted(met) == sorted(lab.ids), f"{kind}: not all records came"
                if kind == "tombstones" and subject.delete is not None:
                    assert len(met) == 3, f"{kind}: not all deletions came"


def _plain(place: Mapping[str, Any]) -> dict[str, Any]:
    """The place as a checkpoint gives it back."""
    try:
        text = json.dumps(place)
    except TypeError as error:
        raise AssertionError(f"the place is no JSON: {error}") from None
    again: dict[str, Any] = json.loads(text)
    assert again == place, f"the place is no plain JSON: {place} != {again}"
    return again


@case("pages")
def check_resume(subject: Subject, home: Path) -> None:
    """A walk that is stopped after every page goes on at the next: no page twice, none left out."""
    count = subject.page() * 2 + 1
    pages = ceil(count / subject.page())
    with rig(subject, home, count) as lab:
        stop, stored = Stop(), 0
        store = Walker._store

        def end(walker: Walker, *page: Any, **more: Any) -> None:
            # Not before: a page is whole only with the requests that fill it.
            nonlocal stored
            store(walker, *page, **more)
            stored += bool(page[0])
            if 0 < stored < pages:
                stop.set("SIGTERM", 143)

        seen = lab.on_page(lambda *_: None)
        for run in range(1, pages + 1):
            stop = Stop()
            with patch.object(Walker, "_store", end):
                lab.sync(code=0 if run == pages else 143, stop=stop)
            expected = min(run * subject.page(), count)
            held = len(lab.payloads)
            # A page by offset begins with the last row of the one before.
            fits = expected - run < held <= expected
            assert fits, f"{held} records after {run} pages, not {expected}"
        assert len(seen) == len(set(seen)) == pages, f"pages were asked for twice: {seen}"
        lab.must_be_equal()


# --- what records hold ----------------------------------------------------------------------


@case()
def check_big_ids(subject: Subject, home: Path) -> None:
    """An id that is a number beyond what a float can hold keeps every digit."""
    with rig(subject, home) as lab:
        lab.sandbox.faults.set([f"badid:number:path={subject.listing}"])
        lab.lumio("sync", subject.target)
        # Where records are known by their parent's id as well, that comes first.
        found = [i for i in lab.payloads if i.endswith(BEYOND_FLOATS)]
        assert len(found) == 1, f"the id has changed: {sorted(lab.payloads)}"
        assert str(dig(lab.payloads[found[0]], subject.declared.key)) == found[0]


@case()
def check_bad_record(subject: Subject, home: Path) -> None:
    """A record without an id is told and kept aside; the others are stored."""
    with rig(subject, home, 5) as lab:
        lab.sandbox.faults.set([f"noid:path={subject.listing}:times=1"])
        entry = lab.lumio("sync", subject.target).resource(subject.resource)
        assert entry["failed"] == 1, f"{entry['failed']} records failed: it was dropped in silence"
        assert entry["status"] == "partial"
        assert len(lab.payloads) == 4


@case()
def check_unknown_fields(subject: Subject, home: Path) -> None:
    """What the adapter does not know stays in the payload."""
    added = {"deep": [1, "ü", None], "big": 2**53 + 1}
    with rig(subject, home) as lab:

        def extend(request: Request, answer: Response, number: int) -> Response:
            body = json.loads(answer.body)
            for row in dig(body, subject.declared.rows):
                row["x_unknown"] = added
            return replace(answer, body=json.dumps(body).encode())

        lab.on_page(extend)
        lab.sync()
        for record_id, payload in lab.payloads.items():
            assert payload.get("x_unknown") == added, f"{record_id} lost what is not known"


@case()
def check_unicode(subject: Subject, home: Path) -> None:
    """Text arrives as it is: scripts, emoji, markup, directions, quotes."""
    with rig(subject, home) as lab:
        subject.update(lab.sandbox, lab.ids[0], UNICODE)
        lab.sync()
        got = lab.text_of(lab.ids[0])
        assert got == UNICODE, f"the text has changed: {got!r}"
        lab.must_be_equal()


@case("sweep")
def check_preview(subject: Subject, home: Path) -> None:
    """A preview says what a sync does, and writes nothing, neither here nor there."""
    with rig(subject, home) as lab:
        lab.sync()
        lab.clock.forward(3600)
        first, second, *_ = lab.ids
        subject.update(lab.sandbox, first, "changed")
        subject.create(lab.sandbox, "new")
        subject.purge(lab.sandbox, second)
        words = (subject.target, "--mode", "full", "--max-delete", "100")
        names = ("created", "updated", "deleted")
        theirs, ours = list(subject.dump(lab.sandbox)), _fingerprint(lab)
        shown = lab.lumio("preview", *words[:3]).resource(subject.resource)
        assert list(subject.dump(lab.sandbox)) == theirs, "a preview has changed the provider"
        assert _fingerprint(lab) == ours, "a preview has changed the hub"
        assert [shown[name] for name in names[:2]] == [1, 1], shown
        done = lab.lumio("sync", *words).resource(subject.resource)
        assert [done[name] for name in names] == [1, 1, 1], done
        lab.must_be_equal()


def _fingerprint(lab: Rig) -> str:
    """The whole content of the hub, but for SQLite's own bookkeeping."""
    digest = hashlib.sha256()
    for (table,) in lab.sql("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"):
        digest.update(repr(lab.sql(f"SELECT * FROM {table}")).encode())
    return digest.hexdigest()


# --- faults ---------------------------------------------------------------------------------


def _recovers(subject: Subject, home: Path, fault: str) -> list[tuple[float, int]]:
    """The listing fails once with `fault`, then works: the run succeeds. Returns the times and
    statuses of its requests."""
    with rig(subject, home, clock=time.time) as lab:
        lab.sandbox.faults.set([f"{fault}:path={subject.listing}:times=1"])
        entry = lab.sync()
        assert entry["retries"] == 1, f"{entry['retries']} retries after {fault}, not 1"
        lab.must_be_equal()
        glob = f"/{subject.provider}{subject.listing}"
        return [(t, s) for t, _, path, s in lab.sandbox.requests if fnmatchcase(path, glob)]


@case(wide=True)
def check_429_with_retry_after(subject: Subject, home: Path) -> None:
    """Too fast: the pause that the provider asks for is kept in full."""
    pause = 0.3
    refused, again, *_ = (t for t, _ in _recovers(subject, home, f"429:{pause}"))
    waited = again - refused
    assert waited >= pause, f"{waited:.3f} s instead of {pause}"


@case(wide=True)
def check_429_without_retry_after(subject: Subject, home: Path) -> None:
    """Too fast, and the provider does not say how long: a pause of our own, then again."""
    _recovers(subject, home, "429")


@case(wide=True)
def check_5xx(subject: Subject, home: Path) -> None:
    """A provider that is out of order for a moment is asked again."""
    for status in (500, 502, 503, 504):
        _recovers(subject, home, str(status))


@case(wide=True)
def check_truncated(subject: Subject, home: Path) -> None:
    """A body that ends early, JSON that does not end and a page of HTML are asked for again."""
    for fault in ("cut", "badjson", "html"):
        _recovers(subject, home, fault)


@case(wide=True)
def check_quota_is_kept(subject: Subject, home: Path) -> None:
    """Under the published quotas no request is refused: we are never the ones who are too fast."""
    with rig(subject, home, quota="published", clock=time.time) as lab:
        outcomes = [lab.lumio("sync", subject.provider) for _ in range(2)]
        refused = lab.sandbox.violations
        assert refused == 0, f"{refused} requests were over a quota"
        assert [o.code for o in outcomes] == [0, 0], outcomes[-1].out


# --- where the credential goes --------------------------------------------------------------


@contextmanager
def stranger() -> Iterator[tuple[str, list[str]]]:
    """A host that is not the provider's: its URL, and everything that it hears."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.requestline}\n{self.headers}")
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@case("pages")
def check_foreign_links(subject: Subject, home: Path) -> None:
    """`next` links that point to another host do not take the credential there."""
    with stranger() as (url, heard), rig(subject, home, subject.page() + 1) as lab:
        base = lab.sandbox.url.encode()

        def mislead(request: Request, answer: Response, number: int) -> Response:
            return replace(answer, body=answer.body.replace(base, url.encode()))

        lab.on_page(mislead)
        entry = lab.lumio("sync", subject.target).resource(subject.resource)
        assert not heard, f"a link took the credential to another host: {heard[0]}"
        if entry["error"] is None:
            lab.must_be_equal()
        else:
            assert entry["error"]["code"] == "foreign_host", entry["error"]


@case(wide=True)
def check_foreign_redirects(subject: Subject, home: Path) -> None:
    """A redirect to another host is not followed, and nothing is deleted for it."""
    with stranger() as (url, heard), rig(subject, home) as lab:
        lab.sync()

        def mislead(request: Request, answer: Response, number: int) -> Response:
            return Response(302, headers={"Location": f"{url}/"})

        lab.on_page(mislead)
        entry = lab.lumio("sync", subject.target, "--mode", "full").resource(subject.resource)
        assert not heard, f"a redirect took the credential to another host: {heard[0]}"
        assert entry["error"], "a redirect is taken for an answer"
        lab.must_be_equal()


# --- what is pushed -------------------------------------------------------------------------

for _needs, _check in (
    (("updates",), two_way.check_push_updates),
    (("creates",), two_way.check_push_creates),
    (("archives",), two_way.check_push_deletes),
    (("updates",), two_way.check_push_one_bad_item),
    (("creates",), two_way.check_push_lost_create),
    (("updates", "cursor", "edits", "two fields"), two_way.check_push_merges_fields),
    (("updates", "cursor", "edits"), two_way.check_push_conflict),
    (("updates",), two_way.check_push_edited_and_gone),
    (("archives", "cursor", "edits"), two_way.check_push_deleted_and_changed),
    (("updates",), two_way.check_push_edit_during_pull),
):
    case(*_needs)(_check)
