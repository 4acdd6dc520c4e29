"""One audience's contents: its members, segments, merge fields and interests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..table import Table
from . import data
from .shape import iso

Document = dict[str, Any]
ARCHIVED_SHARE = 25
"""One archived member for so many live ones."""


class Room:
    """What an audience holds. Archived members are those that `members` lists as gone."""

    def __init__(
        self,
        list_id: str,
        position: int,
        seed: int,
        clock: Callable[[], float],
        *,
        members: int = 0,
        segments: int = 0,
    ) -> None:
        self.id = list_id
        self.fields = data.fields_of(position)
        self.forgotten: set[str] = set()
        # Whoever unsubscribed by a link in a mail may only come back by a form; the API may
        # bring back whom it has unsubscribed.
        self.unsubscribed_here: set[str] = set()
        category = data.short(seed, f"category {list_id}", 0)
        self.categories: list[Document] = [
            {"list_id": list_id, "id": category, "title": "Interessen", "display_order": 0,
             "type": "checkboxes"}
        ]  # fmt: skip
        self.interests: list[Document] = [
            {"category_id": category, "list_id": list_id, "name": name, "subscriber_count": "0",
             "id": data.short(seed, f"interest {list_id}", n), "display_order": n + 1}
            for n, name in enumerate(("Käse", "ワイン"))
        ]  # fmt: skip
        self._seed = seed
        extra = members // ARCHIVED_SHARE
        self._next = members + extra
        self._by_hash: dict[str, str] | None = None
        self.members = Table(
            members + extra,
            self._generated,
            data.stamp_member,
            clock,
            identify=partial(data.contact_id, seed, list_id),
            key="contact_id",
        )
        for contact in self.members.ids()[members:]:
            self.members.delete(contact)
            self.members.gone[contact] = self.members.created(contact) + 3600
        self.segments = Table(
            segments,
            partial(data.segment, list_id),
            data.stamp_segment,
            clock,
            identify=lambda n: str(data.SEGMENT_BASE + position * 10_000_000 + n),
        )

    def _generated(self, number: int) -> Document:
        document = data.member(self._seed, self.id, self.fields, number)
        # Asked with the fields that the audience has now, as Mailchimp answers.
        return {**document, "interests": {i["id"]: False for i in self.interests}}

    # -- members

    def read(self, contact: str) -> Document | None:
        """A member, live or archived; None where there is none."""
        live = self.members.get(contact)
        if live is not None:
            return live
        if contact not in self.members.gone:
            return None
        archived = self.members.last_known(contact)
        if archived is None:
            return None
        last = iso(self.members.gone[contact])
        return {**archived, "status": "archived", "last_changed": last}

    def find(self, name: str) -> str | None:
        """The contact id for a subscriber hash, an e-mail address or a contact id."""
        if self._known(name):
            return name
        wanted = data.hash_of(name) if "@" in name else name.lower()
        found = self._index().get(wanted)
        return found if found is not None and self._known(found) else None

    def _known(self, contact: str) -> bool:
        return contact in self.members or contact in self.members.gone

    def _index(self) -> dict[str, str]:
        """Contact ids by subscriber hash, made when one is first looked for."""
        if self._by_hash is None:
            self._by_hash = {
                data.hash_of(data.address(n)): data.contact_id(self._seed, self.id, n)
                for n in range(self._next)
            }
        return self._by_hash

    def insert(self, values: Document) -> str:
        """A new member; its contact id."""
        index = self._index()
        contact = data.contact_id(self._seed, self.id, self._next)
        self._next += 1
        web_id = 440_000_000 + int(contact[:6], 16)
        document = data.whole_member(self.id, contact, web_id, values)
        self.members.insert(document, contact)
        index[document["id"]] = contact
        return contact

    def update(self, contact: str, values: Document) -> None:
        """Change a live member, whose hash follows its address. Raises KeyError."""
        index = self._index()
        before = self.members.get(contact)
        if before is None:
            raise KeyError(contact)
        document = {**before, **values}
        again = data.whole_member(self.id, contact, before["web_id"], document)
        kept = {name: document[name] for name in document if name not in again}
        kept.pop("last_changed", None)
        self.members.update(contact, {**kept, **again})
        index.pop(before["id"], None)
        index[again["id"]] = contact

    def archive(self, contact: str) -> None:
        """Archive a live member. Raises KeyError."""
        self.members.delete(contact)

    def revive(self, contact: str) -> None:
        """An archived member comes back. Raises KeyError."""
        self.members.restore(contact)

    def forget(self, contact: str) -> None:
        """Delete a member for good: its address may not be imported again. Raises KeyError."""
        document = self.members.last_known(contact)
        if contact in self.members.gone:
            del self.members.gone[contact]
        else:
            self.members.purge(contact)
        if document is not None:
            self.forgotten.add(document["id"])

    def archived(self) -> list[str]:
        """The contact ids of archived members, in the order in which they were archived."""
        return sorted(self.members.gone, key=lambda c: (self.members.gone[c], c))

    def statuses(self) -> Iterable[str]:
        """The status of each live member."""
        return (document["status"] for document in self.members)
