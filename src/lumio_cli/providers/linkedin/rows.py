"""What LinkedIn's rows are as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lumio_cli.providers.contract.call import Record, dig

ADMINISTRATOR = "ADMINISTRATOR"

CONTENT_ROLES = ("CONTENT_ADMINISTRATOR", "CONTENT_ADMIN", "DIRECT_SPONSORED_CONTENT_POSTER")
"""Roles, beside an administrator's, that read and write a page's posts (posts-api, permissions).
LinkedIn's page on roles has the first name, the page on posts the second."""


def organization(acl: Any) -> Record:
    """A role in a page as the page's record; what names no page comes as it is: a dead letter."""
    named = dig(acl, "organization") or dig(acl, "organizationTarget")
    if not isinstance(named, str | int):
        return acl if isinstance(acl, dict) else {"unreadable": acl}
    return {**acl, "organization": named, "id": str(named).rpartition(":")[2]}


def content_pages(acls: Sequence[Any]) -> list[Record]:
    """The pages among some roles whose posts the member may write without administering them, each
    once; and what names no page."""
    administered = {
        str(dig(acl, "organization")) for acl in acls if dig(acl, "role") == ADMINISTRATOR
    }
    found: dict[str, Record] = {}
    for number, acl in enumerate(acls):
        page = organization(acl)
        if "id" not in page:
            found[f"unreadable {number}"] = page
        elif page.get("role") in CONTENT_ROLES and page["organization"] not in administered:
            found.setdefault(page["id"], page)
    return list(found.values())


def figures(element: Any) -> Record:
    """Statistics of a page's life or day, with an id: `PAGE:lifetime` or `PAGE:2026-01-31`."""
    owner, start = dig(element, "organizationalEntity"), dig(element, "timeRange.start")
    if not isinstance(owner, str):
        return {"unreadable": element}
    key = owner.rpartition(":")[2]
    if not isinstance(start, int):
        return {**element, "id": f"{key}:lifetime", "period": "lifetime"}
    try:
        day = datetime.fromtimestamp(start / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return {"unreadable": element}
    return {**element, "id": f"{key}:{day}", "period": "day", "day": day}


def lead(response: Any) -> Record:
    """An answer to a form, with `answers` by the number of the question: the text, or the numbers
    of the options that were chosen."""
    answers = dig(response, "formResponse.answers")
    if not isinstance(response, dict) or not isinstance(answers, list):
        return response if isinstance(response, dict) else {"unreadable": response}
    found: dict[str, Any] = {}
    for item in answers:
        details: Mapping[str, Any] = dig(item, "answerDetails") or {}
        text = dig(details, "textQuestionAnswer.answer")
        chosen = dig(details, "multipleChoiceAnswer.options")
        found[str(dig(item, "questionId"))] = text if text is not None else chosen
    return {**response, "answers": found}
