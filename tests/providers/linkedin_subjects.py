"""LinkedIn under the conformance suite: pages, posts, lead forms and leads.

The statistics are no subjects: nobody writes them, and a page's figures are read again each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Record
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.linkedin import LinkedIn
from lumio_cli.sandbox.linkedin.data import FIRST_ORGANIZATION, MEMBER, text_answer
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from support.conformance import Subject
from support.two_way import Sample

PAGE = f"urn:li:organization:{FIRST_ORGANIZATION}"
ENVIRON = {"LUMIO_PROVIDERS__LINKEDIN__LEAD_TYPES": "COMPANY"}


def account(sandbox: Sandbox) -> LinkedIn:
    """The look-alike's one account."""
    return cast(LinkedIn, sandbox.providers["linkedin"])


def _fresh(sandbox: Sandbox) -> str:
    return account(sandbox).vault.add("fresh", "linkedin-sandbox-token-fresh").value


def _grant(sandbox: Sandbox) -> Credential:
    vault = account(sandbox).vault
    refresh = vault.grant(vault.scopes)
    old = vault.issue(vault.scopes, refresh, age=vault.seconds + 60)
    return Credential(
        "oauth",
        old.value,
        refresh,
        # As if it were good for long: that it has expired, the provider must say.
        datetime.fromtimestamp(time.time(), UTC) + timedelta(days=1),
        vault.scopes,
        {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    )


def _of_first_page(request: Request) -> bool:
    """The other page has nothing, but is asked as well."""
    return any(PAGE in values[-1] for values in request.query.values())


def _subject(
    resource: str,
    text: str,
    listing: str,
    make: Callable[[str], dict[str, Any]],
    read: Callable[[Record], Record] = lambda record: record,
    **more: Any,
) -> Subject:
    """A resource whose records lie in a table of the look-alike; `make` gives the fields that hold
    a text, `read` what the adapter makes of a record."""

    def dump(sandbox: Sandbox) -> Iterable[Record]:
        # Newest first, as the listings are; what a test adds comes last.
        table = account(sandbox).tables[resource]
        old = [i for i in table.ids() if account(sandbox).is_generated(resource, i)]
        ids = [*reversed(old), *table.ids()[len(old) :]]
        return [read(record) for i in ids if (record := table.get(i)) is not None]

    def create(sandbox: Sandbox, value: str) -> str:
        table = account(sandbox).tables[resource]
        pattern = next(iter(table), {})
        pattern = {k: v for k, v in pattern.items() if k != "id"}
        return table.insert({**pattern, **_DEFAULTS.get(resource, {}), **make(value)})

    def update(sandbox: Sandbox, record_id: str, value: str) -> None:
        account(sandbox).tables[resource].update(record_id, make(value))

    return Subject(
        provider="linkedin",
        resource=resource,
        text=text,
        listing=listing,
        dump=dump,
        create=create,
        update=update,
        purge=lambda sandbox, record_id: account(sandbox).tables[resource].purge(record_id),
        fresh=_fresh,
        environ=ENVIRON,
        **more,
    )


_DEFAULTS: dict[str, dict[str, Any]] = {
    "posts": {"author": PAGE},
    "lead_forms": {"owner": {"organization": PAGE}},
    "lead_responses": {"owner": {"organization": PAGE}, "leadType": "COMPANY"},
}


def _with_role(page: Record) -> Record:
    return {
        **page,
        "id": str(page["id"]),
        "organization": f"urn:li:organization:{page['id']}",
        "role": "ADMINISTRATOR",
        "roleAssignee": MEMBER,
        "state": "APPROVED",
    }


def _answers(lead: Record) -> Iterator[tuple[str, Any]]:
    for item in lead["formResponse"]["answers"]:
        details = item["answerDetails"]
        if "textQuestionAnswer" in details:
            yield str(item["questionId"]), details["textQuestionAnswer"]["answer"]
        else:
            yield str(item["questionId"]), details["multipleChoiceAnswer"]["options"]


def _hide(sandbox: Sandbox, record_id: str) -> None:
    """LinkedIn forgets the answers that are as old as this one."""
    app = account(sandbox)
    age = app.clock() - app.tables["lead_responses"].created(record_id)
    app.lead_days = age / 86_400 - 0.5


LINKEDIN = (
    _subject(
        "organizations",
        "localizedName",
        "/rest/organizationAcls/ADMINISTRATOR",
        lambda text: {"localizedName": text},
        _with_role,
        grant=_grant,
        fill=lambda sandbox, count: account(sandbox).administer(count),
        helps=("*introspect*",),
    ),
    _subject(
        "posts",
        "commentary",
        "/rest/posts",
        lambda text: {"commentary": text},
        live=lambda request: _of_first_page(request) and request.one("sortBy") == "CREATED",
        sample=Sample(
            new=lambda n: {"author": PAGE, "commentary": f"Made {n}"},
            bad={"visibility": "NONE"},
            create="/rest/posts",
            other=("", None),
        ),
    ),
    _subject(
        "lead_forms",
        "name",
        "/rest/leadForms",
        lambda text: {"name": text},
        live=lambda request: _of_first_page(request) and request.one("count") == "100",
    ),
    _subject(
        "lead_responses",
        "answers.1",
        "/rest/leadFormResponses",
        lambda text: {"formResponse": {"answers": [text_answer(1, text)]}},
        lambda lead: {**lead, "answers": dict(_answers(lead))},
        live=lambda request: _of_first_page(request) and request.one("count") == "100",
        hide=_hide,
        newest_first=True,
    ),
)
SUBJECTS = LINKEDIN
