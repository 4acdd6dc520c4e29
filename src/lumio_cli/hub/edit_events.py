"""What happens to an edit: see `hub.edits`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["create", "update", "delete"]


# -- by a hand


@dataclass(frozen=True, slots=True)
class EditedAgain:
    """Somebody has changed the record once more, by the view."""


@dataclass(frozen=True, slots=True)
class RecordDeleted:
    """Somebody has deleted the record, by the view."""


@dataclass(frozen=True, slots=True)
class Requeued:
    """An operator wants a failed one to be sent again."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """It is wanted no longer: taken back, or lost to what the provider has."""


# -- during a push


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run sends it now; `at` is by the provider's clock."""

    run_id: str
    at: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The run that had claimed it was killed. `rid`: the hub's last row number of the resource."""

    rid: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The hub is an older copy of itself: what came after it may have sent new records."""

    rid: int


@dataclass(frozen=True, slots=True)
class Done:
    """The provider has it. `edits` are what is left of it, since it was changed meanwhile, or not
    taken; made on `base`."""

    edits: Mapping[str, Any] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nobody knows whether it was applied; it was sent `at`."""

    message: str
    at: str
    rid: int
    since: str | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """It was not applied, and can be sent again as it is. `since`: when it was sent, or when it
    came into doubt."""

    message: str | None
    since: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider has refused it as it was in that `version`."""

    kind: str
    message: str
    version: int
    since: str | None


@dataclass(frozen=True, slots=True)
class FoundGone:
    """Its record is there no longer, or part of another by now; it is about to meet that. `run_id`
    where it waits for another run."""

    run_id: str | None


# -- of a create in doubt, when it is looked for


@dataclass(frozen=True, slots=True)
class Identified:
    """Its record is there: it was created."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """Its record would have come by now: it was not created."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A record came that may be its own, or nobody can say; `why`."""

    why: str


@dataclass(frozen=True, slots=True)
class Protected:
    """It can be sent again at once: the provider takes no second record of the kind."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """Its record may yet come; `why` it waits."""

    why: str


# -- when it is merged with what the provider has


@dataclass(frozen=True, slots=True)
class Compared:
    """It was compared with what the provider has now: `edits` made on `base` are left of it, and
    `conflict`, where a person has to decide."""

    edits: Mapping[str, Any]
    base: Mapping[str, Any]
    conflict: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Moved:
    """It is one of another record now: of the survivor of a merge, of an old record that is there
    again, or of a new one that takes a deleted one's place."""

    record: str
    action: Action
    edits: Mapping[str, Any]
    base: Mapping[str, Any]
    conflict: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """Another edit has become part of it."""

    edits: Mapping[str, Any]
    base: Mapping[str, Any]
    edited_at: str


Event = (
    EditedAgain
    | RecordDeleted
    | Requeued
    | Dropped
    | Claimed
    | Interrupted
    | Restored
    | Done
    | Unanswered
    | Postponed
    | Refused
    | FoundGone
    | Identified
    | NotFound
    | Alike
    | Protected
    | Unheard
    | Compared
    | Moved
    | Joined
)

Lasting = (
    EditedAgain
    | Requeued
    | Claimed
    | Interrupted
    | Restored
    | Unanswered
    | FoundGone
    | Alike
    | Protected
    | Unheard
    | Compared
    | Moved
    | Joined
)
"""Events that always leave something to be sent."""
