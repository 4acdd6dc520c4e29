"""Who a message is for: phone numbers as E.164, or business-scoped user ids.

Sources: Meta's documentation, "Business-scoped user IDs" (the form `CC.` and at most 128 letters
and digits; sent as `recipient`, since in `to` they are accepted and delivered to nobody) and the
messages reference (a number without its plus sign is taken for one of the sender's own country).
"""

from __future__ import annotations

import re

from lumio_cli.errors import UsageError

_NOISE = re.compile(r"[\s().\-\u00a0\u2010-\u2015\u202a-\u202e\u2066-\u2069/]+")
_NUMBER = re.compile(r"[1-9]\d{6,14}")
_USER = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


def is_user_id(text: str) -> bool:
    """Whether it is a business-scoped user id and not a phone number."""
    return bool(_USER.fullmatch(text))


def normal(text: str) -> str:
    """A recipient as WhatsApp's webhooks name it: the digits of a number with its country code,
    or a user id as it is. Raises `UsageError`.

    Blanks, brackets, dots and dashes do not matter; `+` and `00` before the country code are the
    same. A number that begins with a single zero is one without its country code.
    """
    given = text.strip()
    if is_user_id(given):
        return given
    number = _NOISE.sub("", given)
    digits = number.removeprefix("+")
    if digits == number and number.startswith("00"):
        digits = number[2:]
    if not digits.isascii() or not _NUMBER.fullmatch(digits):
        raise UsageError(
            f"not a phone number with its country code: {text!r}",
            hint="write it like +5511987654321",
        )
    return digits


def addressed(recipient: str) -> dict[str, str]:
    """The part of a message that says who it is for, from what `normal` returns."""
    return {"recipient": recipient} if is_user_id(recipient) else {"to": f"+{recipient}"}


def spellings(recipient: str) -> tuple[str, ...]:
    """A number, and how else WhatsApp may write the same one in its webhooks.

    Mobile numbers of Brazil have a ninth digit, of Mexico a 1 and of Argentina a 9 after the
    country code, which WhatsApp's own ids of older accounts leave out or keep.
    """
    found = [recipient]
    if brazil := re.fullmatch(r"(55\d\d)(9?)(\d{8})", recipient):
        found.append(f"{brazil[1]}{'' if brazil[2] else '9'}{brazil[3]}")
    elif mexico := re.fullmatch(r"52(1?)(\d{10})", recipient):
        found.append(f"52{'' if mexico[1] else '1'}{mexico[2]}")
    elif argentina := re.fullmatch(r"54(9?)(\d{10})", recipient):
        found.append(f"54{'' if argentina[1] else '9'}{argentina[2]}")
    return tuple(found)
