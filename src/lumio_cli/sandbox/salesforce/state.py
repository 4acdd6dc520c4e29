"""What an org holds besides its tables: jobs, and the cursors of queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .catalog import FieldInfo
from .data import iso
from .ids import make_id
from .soql import Query


@dataclass(slots=True)
class Job:
    """A job of either kind. `polls` are how often it was asked about."""

    id: str
    operation: str
    object: str
    version: str
    created: float
    state: str
    delimiter: str = "COMMA"
    ending: str = "LF"
    polls: int = 0
    error: str = ""
    query: Query | None = None
    ids: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """What every answer about a job says."""
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.object,
            "createdById": make_id("005", 1),
            "createdDate": iso(self.created),
            "systemModstamp": iso(self.created),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version.removeprefix("v")),
            "lineEnding": self.ending,
            "columnDelimiter": self.delimiter,
        }

    def told(self) -> dict[str, Any]:
        """What is known of a job while it runs and after."""
        more: dict[str, Any] = {
            "jobType": "V2Query",
            "retries": 0,
            "totalProcessingTime": 100 * self.polls,
            "apiActiveProcessingTime": 10 * self.polls,
            "apexProcessingTime": 0,
        }
        if self.state == "JobComplete":
            more |= {"numberRecordsProcessed": len(self.ids), "isPkChunkingSupported": True}
        if self.error:
            more["errorMessage"] = self.error
        return {**self.document(), **more}


Row = dict[str, str]


@dataclass(slots=True)
class Ingest(Job):
    """An ingest job. Rows that were written come with the record's id and whether it was made."""

    key: FieldInfo | None = None
    assign: bool = False
    file: bytes = b""
    good: list[tuple[str, bool, Row]] = field(default_factory=list)
    bad: list[tuple[str, str, Row]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """What every answer about the job says."""
        shown = {
            **super(Ingest, self).document(),
            "contentUrl": f"services/data/{self.version}/jobs/ingest/{self.id}/batches",
        }
        return {**shown, "externalIdFieldName": self.key.name} if self.key else shown

    def told(self) -> dict[str, Any]:
        """What is known of a job while it runs and after."""
        return {
            **super(Ingest, self).told(),
            "jobType": "V2Ingest",
            "numberRecordsProcessed": len(self.good) + len(self.bad),
            "numberRecordsFailed": len(self.bad),
        }


@dataclass(slots=True)
class Cursor:
    """What a query found."""

    query: Query
    ids: list[str]
    batch: int
    expires_at: float
    endpoint: str
