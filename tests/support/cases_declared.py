"""What an adapter declares: conformance of its names, hosts, quotas, columns and fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from lumio_cli.core.errors import LumioError
from lumio_cli.hub.sqlite import misfits
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.transport.wire import Wire
from support.conformance import Subject, case

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
