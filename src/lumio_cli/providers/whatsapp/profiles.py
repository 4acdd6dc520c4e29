"""The business profile of a phone number, which no listing carries.

Source: Meta's documentation, business profiles; facebook/openapi, v23.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lumio_cli.core.errors import BadReplyError, GoneError
from lumio_cli.providers.contract.call import Call, Record, Send, dig
from lumio_cli.providers.whatsapp.probing import is_id
from lumio_cli.providers.whatsapp.resources import PROFILE_FIELDS


def with_profile(versioned: Callable[[str], str], record: Any, send: Send) -> Record:
    """The record of a phone number with its profile, by a request of its own.

    A number that cannot be asked for, since its id is none or Graph knows it no longer, comes
    without an id and becomes a dead letter: a row whose columns are all empty would say that the
    profile is. Raises what `send` raises, `GoneError` apart.
    """
    number = dig(record, "id")
    if not is_id(number):
        return {"number": record, "refused": "the id is no number"}
    route = "/{phone_number_id}/whatsapp_business_profile"
    path = versioned(f"/{number}/whatsapp_business_profile")
    params = {"fields": ",".join(PROFILE_FIELDS)}
    try:
        rows = dig(send(Call("GET", path, route=route, params=params)).json(), "data")
    except GoneError as error:
        return {"number": record, "refused": error.message}
    if not isinstance(rows, list):
        raise BadReplyError("WhatsApp answered a business profile without its data")
    profile: Record = next((row for row in rows if isinstance(row, dict)), {})
    # The published description wraps it once more than the API does.
    inner = profile.get("business_profile")
    return {**(inner if isinstance(inner, dict) else profile), **record}
