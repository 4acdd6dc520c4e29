"""The shop, as those see it who answer about it."""

from __future__ import annotations

from typing import Any, Protocol

from .account import Account


class Operations(Protocol):
    """The bulk operations of a shop."""

    def submit(self, text: str, grouped: bool, scopes: frozenset[str]) -> dict[str, Any]:
        """Begin an operation; the payload of the mutation."""

    def cancel(self, operation_id: str) -> dict[str, Any]:
        """Cancel an operation; the payload of the mutation."""

    def shown(self, operation_id: str) -> dict[str, Any] | None:
        """An operation as a node; None where there is no such one."""

    def last(self) -> dict[str, Any] | None:
        """The operation that was submitted last."""


class Shop(Protocol):
    """What is shared by all requests: records, operations, and used idempotency keys."""

    account: Account
    keys: dict[str, tuple[bytes, dict[str, Any]]]
    base_url: str
    refused: frozenset[str]

    @property
    def bulk(self) -> Operations:
        """The bulk operations."""

    def now(self) -> float:
        """Seconds since the epoch."""
