"""What the workspace is made of: its people, conversations, groups and messages.

Each generated document is a function of the seed and its number, and of nothing else.
"""

from __future__ import annotations

from typing import Any

from ..table import Document, draw
from ..words import FAMILIES, FIRMS, MAIL_HOSTS, NOTES, PEOPLE, SUBJECTS, TITLES

TEAM_ID = "T0SANDBOX1"
TEAM_NAME = "Café Größe 🌻 Sandbox"
BOT_USER = "U0LUMIOBOT"
BOT_ID = "B0LUMIOBOT"
APP_ID = "A0SANDBOX1"

_ZONES = (
    ("America/Sao_Paulo", "Brasilia Standard Time", -10_800),
    ("Europe/Berlin", "Central European Time", 3_600),
    ("Asia/Tokyo", "Japan Standard Time", 32_400),
    (None, None, None),
)
_TOPICS = ("general", "random", "leads", "vendas", "größe", "営業", "проект-x", "ação_rápida")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GROUPS = (
    ("marketing-team", "Marketing Team"),
    ("vendas-br", "Equipe de Vendas 🇧🇷"),
    ("oncall", "On-Call <primary> & \"backup\""),
    ("営業部", "営業部"),
    ("retired", "Retired group"),
)  # fmt: skip


def coded(prefix: str, number: int) -> str:
    """An id: a letter for what it is, and ten digits and letters in the order of their making."""
    digits = ""
    number += 36**9
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return prefix + digits


def user_id(number: int) -> str:
    """The id of the n-th user."""
    return coded("U", number)


def channel_kind(number: int) -> str:
    """What the n-th conversation is, as `conversations.list` calls its types."""
    if number in (3, 23) or number % 20 == 9:
        return "im"
    if number == 4 or number % 20 == 14:
        return "mpim"
    return "private_channel" if number == 2 or number % 7 == 6 else "public_channel"


def channel_id(number: int) -> str:
    """The id of the n-th conversation. Its first letter says what it is, as far as Slack's do."""
    return coded({"im": "D", "mpim": "G"}.get(channel_kind(number), "C"), number)


class Maker:
    """Makes the documents of one seed; `people` is how many users there are."""

    def __init__(self, seed: int, people: int) -> None:
        self._seed = seed
        self._people = people

    def user(self, number: int) -> Document:
        """The n-th user: some are bots, guests, or deactivated."""
        source = draw(self._seed, "users", number)
        (first, slug), (family, family_slug) = source.choice(PEOPLE), source.choice(FAMILIES)
        real = f"{first} {family}"
        shown = slug if number % 3 else ""
        profile: dict[str, Any] = {
            "real_name": real,
            "real_name_normalized": real,
            "display_name": shown,
            "display_name_normalized": shown,
            "first_name": first,
            "last_name": family,
            "title": source.choice(TITLES) or "",
            "phone": "" if number % 4 else f"+55 11 5550-{number % 10_000:04d}",
            "skype": "",
            "fields": None,
            "status_text": source.choice(("", "", "In a meeting", "Férias 🏖", "<away> & back")),
            "status_emoji": "",
            "status_expiration": 0,
            "avatar_hash": f"{source.getrandbits(48):012x}",
            "image_48": f"https://secure.gravatar.example/{number}-48.png",
            "image_512": f"https://secure.gravatar.example/{number}-512.png",
            "team": TEAM_ID,
        }
        document: Document = {
            "team_id": TEAM_ID,
            "name": f"{slug}.{family_slug}.{number}",
            "deleted": number % 11 == 5,
            "profile": profile,
            "is_bot": number % 17 == 3,
            "is_app_user": False,
        }
        if document["is_bot"]:
            profile |= {"bot_id": coded("B", number), "api_app_id": APP_ID}
        else:
            host = source.choice(MAIL_HOSTS)
            profile["email"] = f"{slug}.{family_slug}.{number}@{host}"
        if document["deleted"]:
            # Little more than its profile is left of a deactivated account.
            return document
        zone, label, offset = source.choice(_ZONES)
        document |= {
            "color": f"{source.getrandbits(24):06x}",
            "real_name": real,
            "is_admin": number % 19 == 1,
            "is_owner": number == 1,
            "is_primary_owner": number == 1,
            "is_restricted": number % 13 == 7,
            "is_ultra_restricted": number % 26 == 7,
            "is_email_confirmed": True,
            "who_can_share_contact_card": "EVERYONE",
        }
        if zone is not None:
            document |= {"tz": zone, "tz_label": label, "tz_offset": offset}
        return document

    def channel(self, number: int) -> Document:
        """The n-th conversation: #general, #random, a private one, a direct message, and so on."""
        source = draw(self._seed, "channels", number)
        kind = channel_kind(number)
        someone = user_id(number % max(1, self._people))
        if kind == "im":
            return {
                "is_archived": False,
                "is_im": True,
                "is_org_shared": False,
                "context_team_id": TEAM_ID,
                "user": someone,
                "is_user_deleted": False,
                "priority": 0,
            }
        name = _TOPICS[number] if number < 3 else f"{source.choice(_TOPICS)}-{number}"
        if kind == "mpim":
            name = f"mpdm-anna--jose--lumio-{number}"
        note = source.choice(NOTES) or ""
        return {
            "name": name,
            "is_channel": kind == "public_channel",
            "is_group": False,
            "is_im": False,
            "is_mpim": kind == "mpim",
            "is_private": kind != "public_channel",
            "is_archived": number % 10 == 6,
            "is_general": number == 0,
            "unlinked": 0,
            "name_normalized": name,
            "is_shared": False,
            "is_org_shared": False,
            "is_pending_ext_shared": False,
            "pending_shared": [],
            "context_team_id": TEAM_ID,
            "creator": someone,
            "is_ext_shared": False,
            "shared_team_ids": [TEAM_ID],
            "pending_connected_team_ids": [],
            # The app sees private conversations only where somebody invited it.
            "is_member": kind != "public_channel" or number < 2 or number % 5 == 0,
            "topic": {"value": source.choice(SUBJECTS), "creator": someone, "last_set": 0},
            "purpose": {"value": note[:250], "creator": "", "last_set": 0},
            "previous_names": [],
            "num_members": 2 + number % 40,
        }

    def group(self, number: int) -> Document:
        """One of the user groups; the last of them is disabled."""
        handle, name = GROUPS[number]
        members = sorted({user_id((number * 3 + i) % self._people) for i in range(4)})
        return {
            "team_id": TEAM_ID,
            "is_usergroup": True,
            "is_subteam": True,
            "auto_provision": False,
            "enterprise_subteam_id": "",
            "name": name,
            "description": NOTES[number] or "",
            "handle": handle,
            "is_external": False,
            "auto_type": None,
            "created_by": members[0],
            "updated_by": members[0],
            "deleted_by": members[0] if number == len(GROUPS) - 1 else None,
            "prefs": {"channels": [channel_id(0)], "groups": []},
            "users": members,
            "user_count": len(members),
        }

    def message(self, channel: str, number: int) -> Document:
        """The n-th message of a conversation: some by bots, edited, with reactions or files."""
        source = draw(self._seed, channel, number)
        text = f"{source.choice(SUBJECTS)} #{number}: {source.choice(NOTES) or '&lt;ok&gt;'}"
        author = user_id(source.randrange(max(1, self._people)))
        document: Document = {"type": "message", "text": text, "team": TEAM_ID}
        if number % 9 == 4:
            robot = source.choice(FIRMS)
            return document | {"subtype": "bot_message", "bot_id": BOT_ID, "username": robot}
        document |= {"user": author, "client_msg_id": f"{source.getrandbits(128):032x}"}
        if number % 12 == 7:
            document["edited"] = {"user": author, "ts": f"1790000000.{number % 10**6:06d}"}
        if number % 8 == 2:
            reaction = {"name": "thumbsup", "users": [author], "count": 1}
            document["reactions"] = [reaction]
        if number % 15 == 6:
            name = f"Größe {number}.pdf"
            document["files"] = [{"id": coded("F", number), "name": name, "size": 2**31 + number}]
        return document

    def thread(self, channel: str, number: int) -> list[tuple[int, Document]]:
        """The replies to the n-th message, with the seconds after which they came."""
        if number % 10 != 3 or number % 9 == 4:
            return []
        source = draw(self._seed, f"{channel}:thread", number)
        people = max(1, self._people)
        return [
            (
                60 * (index + 1),
                {
                    "type": "message",
                    "text": source.choice(NOTES) or "👍",
                    "user": user_id(source.randrange(people)),
                    "team": TEAM_ID,
                },
            )
            for index in range(1 + number % 4)
        ]


def stamp_user(document: Document, _created: float, modified: float) -> None:
    """Users say when they changed, in seconds."""
    document["updated"] = int(modified)


def stamp_channel(document: Document, created: float, modified: float) -> None:
    """Conversations say when they were made, in seconds, and changed, in milliseconds."""
    document["created"] = int(created)
    document["updated"] = int(modified * 1000)


def stamp_group(document: Document, created: float, modified: float) -> None:
    """Groups say when they were made, changed and disabled, in seconds; 0 is never."""
    document["date_create"] = int(created)
    document["date_update"] = int(modified)
    document["date_delete"] = int(modified) if document.get("deleted_by") else 0
