"""Messages: the kinds that a provider sends, and what it needs to do so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from lumio_cli.providers.contract.call import Send
    from lumio_cli.providers.contract.fields import Field
    from lumio_cli.providers.contract.receipt import Receipt


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A kind of message that a provider sends.

    fields   what it is made of, by name; a Field whose default is None must be given. Of kind
             `file`, the value is `{"name", "type", "data"}` with the bytes
    to       what a recipient is, for help texts; empty: the message has none
    bulk     may go to many recipients in one run
    confirm  always asks first, since it cannot be taken back and reaches many
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    to: str = ""
    bulk: bool = False
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient. `values` by the names of its kind's fields; `key` is ours
    alone, and the same when the message is sent again; `at` is now, an aware time in UTC."""

    kind: str
    to: str
    values: Mapping[str, Any]
    key: str
    at: datetime


class Named(str):
    """A parameter with a name, as `name=value`; `name` and `value` are its parts."""

    __slots__ = ("name", "value")

    def __new__(cls, name: str, value: Any) -> Named:
        """Make it of its parts."""
        made = super().__new__(cls, f"{name}={value}")
        made.name, made.value = name, str(value)
        return made

    name: str
    value: str


class Past(Protocol):
    """What the hub knows, for those who decide whether a message may be sent."""

    def latest(self, resource: str, match: Mapping[str, str], path: str) -> str | None:
        """The greatest value at `path` of the live records whose values at the paths of `match`
        are these; None where there is none, or no such table."""
        ...


@runtime_checkable
class Sends(Protocol):
    """A provider that sends messages, of the kinds that it declares."""

    def check(self, message: Message, past: Past) -> None:
        """Raises `UsageError` for a message that the provider would not take, and `RejectedError`
        for one that it would not deliver. Sends nothing."""
        ...

    def deliver(self, message: Message, send: Send) -> Receipt:
        """Send it; the receipt's `id` is the provider's id of it."""
        ...


@runtime_checkable
class Finds(Protocol):
    """A provider that can tell what became of a message whose answer was lost."""

    def find(self, message: Message, past: Past, send: Send) -> Receipt | None:
        """The receipt of a message that may have been sent: `done`, or `retry` where it certainly
        was not. None: nobody can say."""
        ...


@runtime_checkable
class Names(Protocol):
    """A provider that has more than one spelling for a recipient."""

    def names(self, to: str, past: Past) -> tuple[str, ...]:
        """What a recipient is called, as far as this and the hub tell. The first is the same for
        all spellings of what was written; the others are what the hub knows in addition. Two
        recipients that share a name are one. Never raises."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A provider whose messages are made by what the hub knows of it, such as a template."""

    def prepared(self, message: Message, past: Past) -> Message:
        """The message as it is sent. Raises `UsageError` where it cannot be made of this."""
        ...

    def parameters(self, values: Mapping[str, Any], past: Past) -> frozenset[str]:
        """The names of the parameters that messages with these values have, as far as the hub
        knows them."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """How many people an account may write to in 24 hours, by messages of these kinds."""

    people: int
    kinds: frozenset[str]


@runtime_checkable
class Reaches(Protocol):
    """A provider that lets an account write to so many people in a day."""

    def reach(self, past: Past) -> Reach | None:
        """How many; None: as many as one likes, or nobody knows."""
        ...

    def counts(self, message: Message, past: Past) -> bool:
        """Whether the message is one of those that are counted."""
        ...
