"""Whose token it is: its permissions, the account that it opens, the number it sends from.

Sources: Meta's documentation, "Access tokens" (`debug_token`, `granular_scopes`); facebook/openapi,
v23.0 (`assigned_whatsapp_business_accounts`, `phone_numbers`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lumio_cli.errors import BadReplyError, CredentialError, DeniedError, RejectedError
from lumio_cli.providers.auth import Credential
from lumio_cli.providers.base import Call, Identity, Send, dig

ACCOUNT_FIELDS = "id,name,timezone_id,currency,account_review_status"
NUMBER_FIELDS = "id,display_phone_number,verified_name,status,quality_rating"


def probe(send: Send, credential: Credential, versioned: Callable[[str], str]) -> Identity:
    """Raises `CredentialError` where the account has to be named, or does not exist."""
    token = _token(send, credential, versioned)
    account_id = credential.fields.get("waba_id") or _account(send, token, versioned)
    call = Call(
        "GET",
        versioned(f"/{account_id}"),
        route="/{waba_id}",
        params={"fields": ACCOUNT_FIELDS},
    )
    account = send(call).json()
    if not isinstance(account, dict) or "id" not in account:
        raise BadReplyError("WhatsApp's answer names no account", hint="try again later")
    wanted = credential.fields.get("phone_number_id", "")
    numbers = (
        [_number(send, wanted, versioned)] if wanted else _numbers(send, account_id, versioned)
    )
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
        details["phone_numbers"] = listed or "none"
    fields = {"waba_id": str(account["id"])}
    if number:
        fields["phone_number_id"] = str(number["id"])
    scopes, expires = token.get("scopes"), token.get("expires_at")
    return Identity(
        account_id=str(account["id"]),
        account_name=str(account.get("name") or f"account {account['id']}"),
        scopes=tuple(str(s) for s in scopes) if isinstance(scopes, list) else credential.scopes,
        expires_at=datetime.fromtimestamp(expires, UTC)
        if isinstance(expires, int) and expires > 0
        else credential.expires_at,
        details={name: value for name, value in details.items() if value},
        fields=fields,
    )


def _token(send: Send, credential: Credential, versioned: Callable[[str], str]) -> dict[str, Any]:
    """What Meta knows of the token; empty where it does not tell this kind of token."""
    params = {"input_token": credential.token}
    try:
        call = Call("GET", versioned("/debug_token"), route="/debug_token", params=params)
        found = dig(send(call).json(), "data")
    except (RejectedError, DeniedError):
        return {}
    return found if isinstance(found, dict) else {}


def _account(send: Send, token: dict[str, Any], versioned: Callable[[str], str]) -> str:
    """The one account that the token opens."""
    found = {
        str(target)
        for scope in token.get("granular_scopes") or ()
        if str(scope.get("scope", "")).startswith("whatsapp_business_")
        for target in scope.get("target_ids") or ()
    }
    user = str(token.get("user_id") or "")
    if not found and user.isdigit():
        # A permission that is given for everything names nothing.
        route = "/{user_id}/assigned_whatsapp_business_accounts"
        path = versioned(f"/{user}/assigned_whatsapp_business_accounts")
        try:
            rows = dig(send(Call("GET", path, route=route)).json(), "data")
        except (RejectedError, DeniedError):
            rows = None
        found = {str(row["id"]) for row in rows or () if isinstance(row, dict) and "id" in row}
    if len(found) == 1:
        return found.pop()
    listed = f": {', '.join(sorted(found))}" if found else ""
    raise CredentialError(
        f"the token opens {len(found) or 'no'} WhatsApp accounts that it names{listed}",
        hint="name the account: `lumio connect whatsapp --set waba_id=ID`",
        code="credential_missing",
    )


def _numbers(send: Send, account: str, versioned: Callable[[str], str]) -> list[dict[str, Any]]:
    path, params = versioned(f"/{account}/phone_numbers"), {"fields": NUMBER_FIELDS, "limit": "100"}
    call = Call("GET", path, route="/{waba_id}/phone_numbers", params=params)
    rows = dig(send(call).json(), "data")
    if not isinstance(rows, list):
        raise BadReplyError("WhatsApp's answer lists no phone numbers", hint="try again later")
    return [row for row in rows if isinstance(row, dict) and "id" in row]


def _number(send: Send, number: str, versioned: Callable[[str], str]) -> dict[str, Any]:
    """The number that was named. Raises `CredentialError` where there is no such number."""
    params = {"fields": NUMBER_FIELDS}
    call = Call("GET", versioned(f"/{number}"), route="/{phone_number_id}", params=params)
    try:
        found = send(call).json()
    except RejectedError as error:
        raise CredentialError(
            f"the token opens no phone number with the id {number}: {error.message}",
            hint="it is shown in WhatsApp Manager, and by `lumio connect whatsapp` without it",
        ) from None
    if not isinstance(found, dict) or "id" not in found:
        raise BadReplyError("WhatsApp's answer names no phone number", hint="try again later")
    return found
