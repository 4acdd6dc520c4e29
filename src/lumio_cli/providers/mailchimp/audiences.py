"""Audiences, which most of Mailchimp's records belong to."""

from __future__ import annotations

from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Reply, Send, dig
from lumio_cli.providers.contract.values import as_id
from lumio_cli.providers.mailchimp.listing import MOST


def list_ids(send: Send) -> list[str]:
    """The ids of all audiences: an account has hundreds at the very most. What is no id is left
    out: it costs the audience, and not what belongs to the others."""
    call = Call("GET", "/3.0/lists", params={"fields": "lists.id", "count": str(MOST)})
    ids = [dig(item, "id") for item in rows_in(send(call), "lists")]
    return [list_id for list_id in ids if isinstance(list_id, str) and as_id(list_id)]


def rows_in(reply: Reply, name: str) -> list[Any]:
    """The list of that name in an answer. Raises `BadReplyError` where there is none."""
    found = dig(reply.json(), name)
    if not isinstance(found, list):
        raise BadReplyError(
            f"mailchimp answered without a list at {name!r}",
            hint="try again later; `lumio debug` shows the exchange",
        )
    return found
