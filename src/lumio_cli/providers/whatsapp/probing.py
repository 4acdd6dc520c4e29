"""Whose token it is: its permissions, the account that it opens, the number it sends from.

Sources: Meta's documentation, "Access tokens" (`debug_token`, `granular_scopes`); facebook/openapi,
v23.0 (`assigned_whatsapp_business_accounts`, `phone_numbers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lumio_cli.core.errors import (
    BadReplyError,
    CredentialError,
    DeniedError,
    GoneError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.contract.auth import Credential, told_besides
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.fields import Identity

NEVER = 253_402_300_800
"""The year 10000, in seconds since 1970: no date has room for what lies behind it."""
ACCOUNT_FIELDS = "id,name,timezone_id,currency,account_review_status"
NUMBER_FIELDS = "id,display_phone_number,verified_name,status,quality_rating"


def is_id(value: object) -> bool:
    """Whether it is an id as Graph's objects have them: digits, as text or as a number."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text.isascii() and text.isdigit()


def numeric(credential: Credential, name: str) -> str:
    """The id of that name, which goes into paths, where a word such as `me` would be another
    object. Raises `CredentialError` where there is none, or it is no number."""
    value = credential.fields.get(name, "")
    if is_id(value):
        return value
    raise CredentialError(
        f"whatsapp: the {name} {value!r} is no number" if value
        else f"whatsapp: {name} is not known",
        hint=f"`lumio connect whatsapp --set {name}=ID`, or set LUMIO_WHATSAPP_{name.upper()}",
        code="credential_malformed" if value else "credential_missing",
    )  # fmt: skip


def probe(send: Send, credential: Credential, versioned: Callable[[str], str]) -> Identity:
    """Raises `CredentialError` where the account has to be named, or does not exist."""
    wanted = credential.fields.get("phone_number_id", "")
    if wanted and not wanted.startswith("+"):
        wanted = numeric(credential, "phone_number_id")
    given = credential.fields.get("waba_id", "") and numeric(credential, "waba_id")
    token, refusal = _token(send, credential, versioned, helps=bool(given))
    account_id = given or _account(send, token, refusal, wanted, versioned)
    account = _fields(send, versioned(f"/{account_id}"), "/{waba_id}", ACCOUNT_FIELDS)
    if not isinstance(account, dict) or not is_id(account.get("id")):
        raise BadReplyError("WhatsApp's answer names no account", hint="try again later")
    untold = ""
    try:
        numbers = _sending(send, account_id, wanted, len(_targets(token)) > 1, versioned)
    except (DeniedError, RejectedError, UnavailableError) as error:
        # It is only for sending, and for people to see; one that is dialled has to be found.
        if wanted and not is_id(wanted) and not isinstance(error, DeniedError):
            raise
        numbers, untold = [], error.message
    number = numbers[0] if len(numbers) == 1 else {}
    details = {
        "currency": str(account.get("currency") or ""),
        "review": str(account.get("account_review_status") or ""),
        "phone_number": str(number.get("display_phone_number") or ""),
        "phone_number_status": str(number.get("status") or ""),
        "quality": str(number.get("quality_rating") or ""),
    }
    if not number:
        listed = ", ".join(f"{n['id']} ({n.get('display_phone_number')})" for n in numbers[:10])
        details["phone_numbers"] = listed or untold or "none"
        if numbers:
            details["sends_from"] = (
                "none of them yet: `lumio connect whatsapp --set phone_number_id="
                f"{numbers[0]['id']}` takes the first"
            )
    fields = {"waba_id": str(account["id"])}
    if number or is_id(wanted):
        fields["phone_number_id"] = str(number["id"]) if number else wanted
    scopes, expires = token.get("scopes"), token.get("expires_at")
    return Identity(
        account_id=str(account["id"]),
        account_name=str(account.get("name") or f"account {account['id']}"),
        scopes=tuple(str(s) for s in scopes) if isinstance(scopes, list) else credential.scopes,
        expires_at=datetime.fromtimestamp(expires, UTC)
        if isinstance(expires, int) and 0 < expires < NEVER
        else credential.expires_at,
        details={name: value for name, value in details.items() if value},
        fields=fields,
    )


def _token(
    send: Send, credential: Credential, versioned: Callable[[str], str], *, helps: bool
) -> tuple[dict[str, Any], str]:
    """What Meta knows of the token; empty where it does not tell this kind of token, with what it
    said instead. It only `helps` where the account is named: else that is to be found by it, and
    what went wrong is raised."""
    params = {"input_token": credential.token}
    call = Call("GET", versioned("/debug_token"), route="/debug_token", params=params)
    body, error = told_besides(send, call)
    if error is not None:
        if not helps and not isinstance(error, RejectedError | DeniedError):
            raise error
        return {}, error.message
    found = dig(body, "data")
    if not isinstance(found, dict):
        return {}, ""
    return found, str(dig(found, "error.message") or "")


def _targets(token: dict[str, Any]) -> set[str]:
    """The accounts that the token's permissions name."""
    return {
        str(target)
        for scope in _listed(token.get("granular_scopes"))
        if str(dig(scope, "scope")).startswith("whatsapp_business_")
        for target in _listed(dig(scope, "target_ids"))
        if is_id(target)
    }


def _sending(
    send: Send, account: str, wanted: str, many: bool, versioned: Callable[[str], str]
) -> list[dict[str, Any]]:
    """The number that messages come from, if it is known; else all that it may be.

    One that was named by its id is asked for by it, unless the token opens `many` accounts, of
    which it might be another's. Raises `CredentialError` where there is no such number.
    """
    if is_id(wanted) and not many:
        path = versioned(f"/{wanted}")
        try:
            found = _fields(send, path, "/{phone_number_id}", NUMBER_FIELDS)
        except RejectedError:
            # What there is instead tells more than the refusal.
            return [_chosen(_numbers(send, account, versioned), wanted, account)]
        if not isinstance(found, dict) or not is_id(found.get("id")):
            raise BadReplyError("WhatsApp's answer names no phone number", hint="try again later")
        return [found]
    numbers = _numbers(send, account, versioned)
    return [_chosen(numbers, wanted, account)] if wanted else numbers


def _account(
    send: Send,
    token: dict[str, Any],
    refusal: str,
    wanted: str,
    versioned: Callable[[str], str],
) -> str:
    """The one account that the token opens, or that has the number that was named."""
    found = _targets(token)
    user = str(token.get("user_id") or "")
    if not found and user.isdigit():
        # A permission that is given for everything names nothing.
        route = "/{user_id}/assigned_whatsapp_business_accounts"
        path = versioned(f"/{user}/assigned_whatsapp_business_accounts")
        try:
            rows = _listed(dig(send(Call("GET", path, route=route)).json(), "data"))
        except (RejectedError, DeniedError) as error:
            rows, refusal = [], refusal or error.message
        found = {str(row["id"]) for row in rows if is_id(dig(row, "id"))}
    if len(found) == 1:
        return found.pop()
    for account in sorted(found) if wanted else ():
        if any(_is(number, wanted) for number in _numbers(send, account, versioned)):
            return account
    listed = f": {', '.join(sorted(found))}" if found else ""
    # What was refused on the way is why nothing was found, as likely as not.
    said = f" ({refusal})" if refusal and not found else ""
    raise CredentialError(
        f"the token opens {len(found) or 'no'} WhatsApp accounts that it names{listed}{said}",
        hint="give the same command with --set waba_id=" + min(found, default="ID"),
        code="credential_missing",
    )


def _is(number: dict[str, Any], wanted: str) -> bool:
    """Whether it is the number of that id or, with a plus sign, the one that people dial."""
    if not wanted.startswith("+"):
        return str(number["id"]) == wanted
    shown = str(number.get("display_phone_number") or "")
    return re.sub(r"\D", "", shown) == re.sub(r"\D", "", wanted)


def _chosen(numbers: list[dict[str, Any]], wanted: str, account: str) -> dict[str, Any]:
    """The number that was named. Raises `CredentialError` where the account has none such."""
    for number in numbers:
        if _is(number, wanted):
            return number
    listed = ", ".join(f"{n['id']} ({n.get('display_phone_number')})" for n in numbers[:10])
    raise CredentialError(
        f"the account {account} has no phone number {wanted}: it has {listed or 'none'}",
        hint="give the same command with --set phone_number_id="
        + (str(numbers[0]["id"]) if numbers else "ID"),
    )


def _numbers(send: Send, account: str, versioned: Callable[[str], str]) -> list[dict[str, Any]]:
    path, params = versioned(f"/{account}/phone_numbers"), {"fields": NUMBER_FIELDS, "limit": "100"}
    call = Call("GET", path, route="/{waba_id}/phone_numbers", params=params)
    rows = dig(send(call).json(), "data")
    if not isinstance(rows, list):
        raise BadReplyError("WhatsApp's answer lists no phone numbers", hint="try again later")
    return [row for row in rows if is_id(dig(row, "id"))]


def _fields(send: Send, path: str, route: str, fields: str) -> Any:
    """An object's fields; where one of them is refused, since a version of the API does not have
    it, the id and whatever else Graph tells unasked."""
    call = Call("GET", path, route=route, params={"fields": fields})
    try:
        return send(call).json()
    except GoneError:
        raise
    except RejectedError:
        return send(replace(call, params={})).json()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
