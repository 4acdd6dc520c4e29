"""WhatsApp's resources for the conformance suite.

Templates, phone numbers and business profiles are listings. Analytics cannot be created, changed
or deleted: `tests/providers/whatsapp` has tests of its own for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.whatsapp import WhatsApp
from support.conformance import Subject


def account(sandbox: Sandbox) -> WhatsApp:
    """The look-alike's account."""
    return cast(WhatsApp, sandbox.providers["whatsapp"])


def _fresh(sandbox: Sandbox) -> str:
    token = "EAAsandboxFreshToken000000000000005"
    account(sandbox).vault.add("fresh", token)
    return token


def _numbers(sandbox: Sandbox, count: int) -> None:
    account(sandbox).set_numbers(count)


def _profiles(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
    app = account(sandbox)
    for number in app.numbers:
        named = {n: number[n] for n in ("id", "display_phone_number")}
        yield {**app.profile(number["id"]), **named}


def _create_profile(sandbox: Sandbox, about: str) -> str:
    app = account(sandbox)
    made = app.numbers.insert({"display_phone_number": "+55 11 95555-0000", "status": "LINKED"})
    app.profiles[made] = {"about": about}
    return made


def _update_profile(sandbox: Sandbox, number: str, about: str) -> None:
    account(sandbox).profiles.setdefault(number, {})["about"] = about


def _for_profiles(request: Request) -> bool:
    return request.one("fields") == "id,display_phone_number"


SUBJECTS = (
    Subject(
        provider="whatsapp",
        resource="templates",
        text="rejected_reason",
        listing="/v25.0/*/message_templates",
        dump=lambda sandbox: account(sandbox).templates,
        create=lambda sandbox, text: account(sandbox).templates.insert(
            {"name": "made", "language": "en_US", "status": "PENDING", "rejected_reason": text}
        ),
        update=lambda sandbox, i, text: account(sandbox).templates.update(
            i, {"rejected_reason": text}
        ),
        purge=lambda sandbox, i: account(sandbox).templates.purge(i),
        fresh=_fresh,
        helps=("/v25.0/debug_token",),
    ),
    Subject(
        provider="whatsapp",
        resource="phone_numbers",
        text="verified_name",
        listing="/v25.0/*/phone_numbers",
        live=lambda request: not _for_profiles(request),
        dump=lambda sandbox: account(sandbox).numbers,
        create=lambda sandbox, text: account(sandbox).numbers.insert(
            {"display_phone_number": "+55 11 95555-0001", "verified_name": text}
        ),
        update=lambda sandbox, i, text: account(sandbox).numbers.update(i, {"verified_name": text}),
        purge=lambda sandbox, i: account(sandbox).numbers.purge(i),
        fresh=_fresh,
        fill=_numbers,
    ),
    Subject(
        provider="whatsapp",
        resource="business_profiles",
        text="about",
        listing="/v25.0/*/phone_numbers",
        live=_for_profiles,
        dump=_profiles,
        create=_create_profile,
        update=_update_profile,
        purge=lambda sandbox, i: account(sandbox).numbers.purge(i),
        fresh=_fresh,
        fill=_numbers,
    ),
)
