"""What a run leaves the hub to know: conformance to the laws of freshness and of equal ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lumio_cli.transport.cache import Cache
from support.conformance import Rig, Subject, altered, case, rig

COUNTED = ("status", "read", "created", "updated", "deleted")
"""What a preview must say as the sync does."""


@case("alone", wide=True)
def check_cached_is_not_fresh(subject: Subject, home: Path) -> None:
    """What comes from the cache is no success of the provider's; what it answers itself, is."""
    with rig(subject, home) as lab:
        # The cache is kept by account, which the first run gets to know.
        lab.sync("--mode", "full")
        lab.extra["LUMIO_CACHE__ENABLED"] = "true"
        with _kept(subject):
            lab.sync()
            first, asked = _last_success(lab), lab.listings()
            again = lab.sync()
            assert lab.listings() == asked, "it was not cached"
            assert again["cached"], "an answer of the cache is not called one"
            assert _last_success(lab) == first, "an answer of the cache is taken for fresh"
            lab.must_be_equal()
        last = lab.sync("--mode", "full")
        assert not last["cached"], "an answer of the provider is called cached"
        assert _last_success(lab) > first, "an answer of the provider is not taken for fresh"


@contextmanager
def _kept(subject: Subject) -> Iterator[None]:
    """All answers are kept for a while, whatever they hold, and all is read each time: few
    listings are like that."""

    def kept(good: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *more: replace(good(self, *more), cache_for=600.0)

    with ExitStack() as stack:
        stack.enter_context(patch.object(subject.cls, "call", kept(subject.cls.call)))
        stack.enter_context(patch.object(subject.cls, "count", lambda *_: None))
        stack.enter_context(altered(subject.declared, cursor=None, deletes=("sweep",)))
        stack.enter_context(patch.object(Cache, "_is_telling", lambda *_: False))
        yield


def _last_success(lab: Rig) -> str:
    ((found,),) = lab.sql(
        "SELECT synced_at FROM lumio_resources WHERE (provider, resource) = (?, ?)",
        lab.subject.provider,
        lab.subject.resource,
    )
    return str(found)


@case("bulk")
def check_bulk_leaves_the_same_knowledge(subject: Subject, home: Path) -> None:
    """After a full walk by a bulk job the next run reads no more than after one by pages."""
    read = {}
    for least in ("0", "1"):
        with rig(subject, home, records=6) as lab, _slices(subject) as made:
            prefix = f"LUMIO_PROVIDERS__{subject.provider.upper()}"
            lab.extra[f"{prefix}__BULK_FROM"] = least
            lab.clock.forward(3600)
            lab.sync("--mode", "full")
            bulk = [bool(options.get("bulk")) for options in made[-1].values()]
            assert bulk == [least == "1"], "the walk was not the one that was wanted"
            lab.clock.forward(3600)
            read[least] = lab.sync()["read"]
            lab.must_be_equal()
    assert read["1"] <= read["0"], f"after a bulk job {read['1']} are read, not {read['0']}"


@contextmanager
def _slices(subject: Subject) -> Iterator[list[Mapping[str, Mapping[str, Any]]]]:
    """What walks are made of, noted."""
    made: list[Mapping[str, Mapping[str, Any]]] = []
    good: Any = subject.cls.slices

    def noted(self: Any, *more: Any, **named: Any) -> Any:
        made.append(good(self, *more, **named))
        return made[-1]

    with patch.object(subject.cls, "slices", noted):
        yield made


@case("family")
def check_children_go_with_their_owner(subject: Subject, home: Path) -> None:
    """What belongs to a record that is known to be gone goes with it, without a full sync."""
    family = subject.family
    assert family is not None
    targets = (f"{subject.provider}/{family.owner}", f"{subject.provider}/{family.child}")
    view = f"{subject.provider}_{family.child}"
    with rig(subject, home, records=6) as lab:
        family.fill(lab.sandbox)
        assert lab.lumio("sync", *targets).code == 0
        owners = [str(row[0]) for row in lab.sql(f"SELECT {family.belongs_to} FROM {view}")]
        one = next(owner for owner in owners if owner)
        theirs, others = owners.count(one), len(owners)
        family.delete(lab.sandbox, one)
        lab.clock.forward(3600)
        done = lab.lumio("sync", *targets, "--max-delete", "100")
        assert done.code == 0, done.out
        left = [str(row[0]) for row in lab.sql(f"SELECT {family.belongs_to} FROM {view}")]
        assert one not in left, f"{left.count(one)} stay of an owner that is gone"
        assert len(left) == others - theirs, "others went with them"


@case("tells", wide=True)
def check_told_limits_are_believed(subject: Subject, home: Path) -> None:
    """A limit that answers tell holds where it is less than the declared one, and where it is more
    as far as any plan of the provider goes."""
    for quota in (q for q in subject.cls.quotas if q.name in subject.tells):
        own = quota.burst or quota.count
        most = subject.tells[quota.name]
        for told in (own // 2, own * 2):
            with rig(subject, home, quota=f"{quota.name}={told}") as lab:
                lab.sync()
                rows = lab.lumio("limits", "show", subject.provider).document["limits"]
                (limit,) = (row["limit"] for row in rows if row["quota"] == quota.name)
                assert limit == min(told, most), f"{quota.name}: {told} was told, {limit} holds"


@case(wide=True)
def check_preview_counts_all(subject: Subject, home: Path) -> None:
    """A preview counts what a sync would read, also of resources that are driven by records which
    the hub does not have yet."""
    with rig(subject, home, records=4) as lab:
        if subject.family is not None:
            subject.family.fill(lab.sandbox)
        for new in ("", "a new one"):
            if new:
                lab.clock.forward(3600)
                subject.create(lab.sandbox, new)
            said, done = (
                lab.lumio(word, subject.provider).document["resources"]
                for word in ("preview", "sync")
            )
            counts = [{r["resource"]: [r[name] for name in COUNTED] for r in told}
                      for told in (said, done)]  # fmt: skip
            assert counts[0] == counts[1], f"a preview counts {counts[0]}, and a sync {counts[1]}"
