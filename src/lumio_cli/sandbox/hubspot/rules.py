"""What an account's administrator requires of records, which version 2026-09 of the API enforces.

Source: HubSpot's changelog "CRM API write validation enforcement" (August 2026): properties that
are required when another one has a certain value, and those that the form for new records requires.
Where a rule is about a property that the record has already, nothing is published: here it is met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .data import Value
from .errors import ApiError
from .store import Store


@dataclass(frozen=True, slots=True)
class Rule:
    """Records of a type must have `required`: new ones, or with `when`, those in which that
    property has the value `equals`."""

    kind: str
    required: str
    when: str = ""
    equals: str = ""

    def broken(self, before: Mapping[str, Value], values: Mapping[str, Value], new: bool) -> bool:
        """Whether a write of these values breaks it. What it does not touch, it does not break."""
        after = {**before, **values}
        if not self.when:
            return new and after.get(self.required) is None
        touched = new or self.when in values or self.required in values
        return touched and after.get(self.when) == self.equals and after.get(self.required) is None

    def error(self) -> dict[str, Any]:
        """What the answer says of it."""
        code = "MISSING_CONDITIONAL_REQUIRED_PROPERTY" if self.when else "MISSING_REQUIRED_PROPERTY"
        message = (
            f"{self.required} is required because of a conditional property rule based on "
            f"[{self.when}]"
            if self.when
            else f"A value for {self.required} must be provided"
        )
        return {"code": code, "message": message, "context": {"propertyName": [self.required]}}


def enforce(
    rules: Sequence[Rule], store: Store, values: Mapping[str, Value], index: int | None
) -> None:
    """Check a write of these values to a record; without an index, a new one. Raises ApiError
    (400) with all rules that it breaks."""
    ours = [rule for rule in rules if rule.kind == store.type.name]
    before = store.everything(index) if ours and index is not None else {}
    broken = [rule for rule in ours if rule.broken(before, values, index is None)]
    if broken:
        raise ApiError(
            400,
            "VALIDATION_ERROR",
            "The property values provided are invalid",
            errors=[rule.error() for rule in broken],
        )
