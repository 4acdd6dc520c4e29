"""What a provider asks an operator for, and who a credential turns out to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Field:
    """A value that an operator gives: feeds prompts, config.example.yaml, redaction and guides."""

    name: str
    help: str
    secret: bool = False
    pattern: str = ""
    default: Any = None
    kind: Literal["text", "integer", "number", "boolean", "list", "file"] = "text"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose account a credential opens. `expires_at` None: unknown or never. `details` are for
    people; `fields` are kept with the credential, since requests need them.
    """

    account_id: str
    account_name: str
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


def suggest(word: str, known: Iterable[str], what: str) -> str:
    """A hint for a name that is not known: the nearest one, or all of them."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known {what}: {', '.join(names)}" if names else f"there are no {what}"
