"""Who a message is for: phone numbers as E.164, or business-scoped user ids.

Sources: Meta's documentation, "Business-scoped user IDs" (the form `CC.` and at most 128 letters
and digits; sent as `recipient`, since in `to` they are accepted and delivered to nobody) and the
messages reference (a number without its plus sign is taken for one of the sender's own country);
ITU-T E.164 (list of assigned country codes); the North American numbering plan (no area or exchange
begins with 0 or 1); Anatel's numbering plan of Brazil (two digits of area, eight of a number, nine
of a mobile one, whose ninth was put before those that begin with 6 to 9).
"""

from __future__ import annotations

import re

from lumio_cli.core.errors import UsageError

_NOISE = re.compile(r"[\s().\-\u00a0\u2010-\u2015\u202a-\u202e\u2066-\u2069/]+")
_NUMBER = re.compile(r"[1-9]\d{6,14}")
_CODES = re.compile(
    r"1|7|2(?:0|7|1[1-368]|[2-689]\d)|3(?:[0-469]|[578]\d)|4(?:[013-9]|2[013])|5(?:[1-8]|[09]\d)"
    r"|6(?:[0-6]|[789]\d)|8(?:[1246]|[578]\d)|9(?:[0-58]|[679]\d)"
)
"""Country codes. Groups of ten that are assigned in part are taken whole."""
_WITHIN = {"1": re.compile(r"[2-9]\d{2}[2-9]\d{6}"), "55": re.compile(r"[1-9]{2}(?:9\d{8}|\d{8})")}
"""What a number looks like behind its country code, where a number without one is easily taken for
one of that country: 11987650009 of São Paulo for one of North America."""
_SHEET = re.compile(r"\+?\d+\.\d?|\+?\d(?:[.,]\d+)?[eE]\+?\d+")
"""A number that a spreadsheet has calculated with, and whose last digits may be gone."""
_USER = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


def is_user_id(text: str) -> bool:
    """Whether it is a business-scoped user id and not a phone number."""
    return bool(_USER.fullmatch(text))


def normal(text: str) -> str:
    """A recipient as WhatsApp's webhooks name it: the digits of a number with its country code,
    or a user id as it is. Raises `UsageError`.

    Blanks, brackets, dots and dashes do not matter; `+` and `00` before the country code are the
    same. A number that begins with a single zero, or with its area in brackets, is one without its
    country code; one that ends with `.0` or has an exponent comes from a spreadsheet.
    """
    given = text.strip()
    if is_user_id(given):
        return given
    if _SHEET.fullmatch(given):
        raise UsageError(
            f"not a phone number, but a spreadsheet's figure: {text!r}",
            hint="format the column as text, and write it like +5511987654321",
        )
    number = _NOISE.sub("", given)
    digits = number.removeprefix("+")
    if digits == number and number.startswith("00"):
        digits = number[2:]
    bare = digits == number
    if not digits.isascii() or not _NUMBER.fullmatch(digits) or (bare and given.startswith("(")):
        raise UsageError(
            f"not a phone number with its country code: {text!r}",
            hint="write it like +5511987654321",
        )
    code = _CODES.match(digits)
    within = _WITHIN.get(code[0]) if code else None
    if code is None or (within and not within.fullmatch(digits, code.end())):
        whose = f"+{code[0]} has no such numbers" if code else "no country has its first digits"
        raise UsageError(
            f"not a phone number with its country code: {text!r} ({whose})",
            hint="write it like +5511987654321",
        )
    return digits


def addressed(recipient: str) -> dict[str, str]:
    """The part of a message that says who it is for, from what `normal` returns."""
    return {"recipient": recipient} if is_user_id(recipient) else {"to": f"+{recipient}"}


def spellings(recipient: str) -> tuple[str, ...]:
    """A number, and how else WhatsApp may write the same one in its webhooks.

    Mobile numbers of Brazil have a ninth digit, of Mexico a 1 and of Argentina a 9 after the
    country code, which WhatsApp's own ids of older accounts leave out or keep. Numbers of Brazil
    that begin otherwise than with 6 to 9 are of landlines, or too young to have two forms.
    """
    found = [recipient]
    if brazil := re.fullmatch(r"(55\d\d)(9?)([6-9]\d{7})", recipient):
        found.append(f"{brazil[1]}{'' if brazil[2] else '9'}{brazil[3]}")
    elif mexico := re.fullmatch(r"52(1?)(\d{10})", recipient):
        found.append(f"52{'' if mexico[1] else '1'}{mexico[2]}")
    elif argentina := re.fullmatch(r"54(9?)(\d{10})", recipient):
        found.append(f"54{'' if argentina[1] else '9'}{argentina[2]}")
    return tuple(found)


def identity(text: str) -> str:
    """What is the same for all spellings of a recipient; the text as it is where it is none."""
    try:
        return min(spellings(normal(text)))
    except UsageError:
        return text
