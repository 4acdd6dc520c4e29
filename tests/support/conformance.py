"""What every provider must do, whatever it is: one plain function a case.

A provider joins with a `Subject` a resource (`tests/providers/subjects.py`). A case opens a lab of
its own and raises `AssertionError`, so that it can be pointed at a broken adapter as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

from lumio_cli.config.global_options import Globals
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Record, dig
from lumio_cli.providers.contract.resource import Kind
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sync.pull import slice_pull
from lumio_cli.transport import retry
from support.lab import Lab, place_hub
from support.subject import MOMENTS, MOST, NUMBERS, Family, Subject
from support.trials import Hands

__all__ = [
    "CASES", "MOMENTS", "MOST", "NUMBERS", "Case", "Check", "Family", "Rig", "Subject", "altered",
    "case", "cases_of", "rig",
]  # fmt: skip


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
        patch.object(slice_pull, "PAUSE", 0.0),
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
