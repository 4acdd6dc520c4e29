"""What a webhook's `value` becomes in the hub: messages from users, and statuses of ours.

Sources: Meta's documentation, webhooks reference, "messages"; facebook/openapi, v23.0
(IncomingMessageValueGeneral, StatusMessageValue).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lumio_cli.providers.contract.call import Record

MEDIA = ("image", "video", "audio", "document", "sticker")


def messages(value: Mapping[str, Any]) -> list[Record]:
    """The messages of one change, each with the account's number (`metadata`), with who wrote it
    (`contact`), and with its file, whatever its type, as `media`."""
    contacts = [c for c in value.get("contacts") or () if isinstance(c, dict)]
    found = []
    for message in value.get("messages") or ():
        record = {**message, "metadata": value.get("metadata") or {}}
        names = {message.get("from"), message.get("from_user_id")} - {None}
        for contact in contacts:
            if names & {contact.get("wa_id"), contact.get("user_id")}:
                record["contact"] = contact
        kind = message.get("type")
        if kind in MEDIA and isinstance(message.get(kind), dict):
            record["media"] = message[kind]
        found.append(record)
    return found


def statuses(value: Mapping[str, Any]) -> list[Record]:
    """The statuses of one change. A message has one of each kind at most, so that its id and the
    status are what a record is known by; WhatsApp's id of the message is `message_id`."""
    found = []
    for status in value.get("statuses") or ():
        message_id, word = status.get("id"), status.get("status")
        errors = status.get("errors") or [{}]
        found.append(
            {
                **status,
                "id": f"{message_id}:{word}",
                "message_id": message_id,
                "metadata": value.get("metadata") or {},
                "error": errors[0],
            }
        )
    return found
