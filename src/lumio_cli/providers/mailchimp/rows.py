"""What Mailchimp's rows are as records."""

from __future__ import annotations

from typing import Any

from lumio_cli.providers.contract.call import Record, dig


def member(row: Any, list_id: Any) -> Record:
    """A member as it is stored: its id is that of the audience and of the contact in it.

    The subscriber hash is made of the address, so that it is the same in every audience, and
    another one after a change of address; the contact's id stays. What has no id of its own is
    passed on without one: it has to become a dead letter.
    """
    if not isinstance(row, dict):
        return {"unreadable": row}
    own = row.get("contact_id") or row.get("id")
    where = row.get("list_id") or list_id
    shaped = {**row, "subscriber_hash": row.get("id")}
    if isinstance(own, str | int) and not isinstance(own, bool) and where:
        return {**shaped, "id": f"{where}:{own}"}
    shaped.pop("id", None)
    return shaped if own is None else {**shaped, "id": own}


def title_of(campaign: Any) -> str:
    """A campaign's internal title."""
    return str(dig(campaign, "settings.title") or "")
