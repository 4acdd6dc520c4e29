"""The look-alike itself: tokens, permissions, the daily allocation, faults.

Lead, Account, Contact, Opportunity and Invoice__c have as many records as were asked for; there
are five users, three attachments and one organization. Record times are whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..http import Request, Response
from ..lookalike import LookAlike, Token
from ..options import Options
from .catalog import TYPES
from .data import LEGACY, MY_DOMAIN
from .errors import Invalid, bad_session, problem
from .records import Records, Tables
from .state import Cursor, Ingest, Job

_WRITES = ("create", "update", "merge")
_SWITCHES: dict[str, Callable[[Any], Any]] = {
    "hidden": set, "busy": int, "polls": int, "setup": bool, "counts": dict, "audiences": set,
    "refusal": str, "unbulkable": set, "jobs_max": int, "job_error": str, "hollow_results": int,
    "cut_results": int, "certificate": str.encode,
}  # fmt: skip


class Account(LookAlike):
    """One org behind HTTP.

    hidden      names of types, and of fields as `Type.Field`, that nobody may see: what is in it
                looks as if it had been deleted, or not been made yet
    busy        how many of the next requests find too many others running
    polls       how often a job is asked about until it is done
    setup       whether users have "View Setup and Configuration", which limits and counts need
    counts      what counts say of a type, where that is not what there is
    audiences   whom assertions may be meant for
    refusal     how a session that is not good is refused: INVALID_SESSION_ID, INVALID_AUTH_HEADER
                (as one whose token is a JWT), or without a word: ""
    unbulkable  types that Bulk API does not know
    jobs_max    query jobs in 24 hours
    job_error   what every query job fails with, where it is not empty
    hollow_results, cut_results
                how many of the next result pages have no rows yet, or lack their last one
    certificate the public key, as PEM, that assertions must be signed for

    `POST /_sandbox/salesforce/org` sets any of them by name, and
    `POST /_sandbox/salesforce/TYPE/archive` puts the activity `{"id"}` aside.
    """

    name = "salesforce"
    # Developer Edition has 15,000 calls in 24 hours, Enterprise 100,000 and more by its licences.
    published: ClassVar[dict[str, int]] = {"daily": 100_000}

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.vault.scopes = ("api", "id", "refresh_token")
        self.store = Records(options.records, options.seed, lambda: float(int(options.clock())))
        self.tables: Tables = self.store.tables
        self.hidden: set[str] = set()
        self.busy = 0
        self.polls = 1
        self.setup = True
        self.counts: dict[str, int] = {}
        self.audiences = {LEGACY[0], f"https://{MY_DOMAIN}"}
        self.refusal = "INVALID_SESSION_ID"
        self.unbulkable: set[str] = set()
        self.jobs_max = 10_000
        self.job_error = ""
        self.hollow_results = 0
        self.cut_results = 0
        self.certificate: bytes | None = None
        self.held: dict[str, Any] = {}
        self.cursors: dict[str, Cursor] = {}
        self.cursor_number = 0
        self.jobs: dict[str, Job] = {}
        self.ingests: dict[str, Ingest] = {}
        self.job_number = 0
        self.query_jobs = 0
        self._stuck: dict[str, Any] = {}
        self._unseen: dict[str, frozenset[str]] = {}
        self._readers: set[str] = set()
        for number, name in enumerate(
            (
                "full", "expired", "no_api", "no_scopes", "no_leads", "few_fields", "read_only",
                "no_setup",
            ),
            1,
        ):  # fmt: skip
            value = f"00Dsb0000000016!sandbox.{name}.{number:04d}.not.a.real.session"
            self.vault.add(name, value)
        names = self.vault.names
        self.vault.tokens[names["expired"]].expires_at = 0.0
        self.vault.tokens[names["no_api"]].scopes = frozenset({"id", "refresh_token"})
        self.vault.tokens[names["no_scopes"]].scopes = frozenset()
        self._unseen[names["no_leads"]] = frozenset({"Lead"})
        self._unseen[names["few_fields"]] = frozenset({"Lead.AnnualRevenue", "Lead.Score__c"})
        self._readers.add(names["read_only"])
        self._no_setup = names["no_setup"]

    # -- permissions

    def hidden_from(self, request: Request) -> frozenset[str]:
        """Types and fields that the user behind a request may not see."""
        return self._unseen.get(self.presented(request), frozenset()) | self.hidden

    def writable(self, request: Request) -> None:
        """Raises Answered (403) where the user may only read."""
        if self.presented(request) in self._readers:
            message = "insufficient access rights on object id"
            raise problem(403, "INSUFFICIENT_ACCESS_OR_READONLY", message, [])

    def setup_shown(self, request: Request) -> None:
        """Raises Answered (403) where the user lacks "View Setup and Configuration"."""
        if not self.setup or self.presented(request) == self._no_setup:
            raise problem(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id")

    def authenticate(self, request: Request) -> Token:
        """The session of a request, as Bearer or OAuth. Raises Answered (401)."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth") or not value:
            raise problem(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        token = self.vault.find(value.strip())
        if token is None:
            raise bad_session(code=self.refusal)
        if "api" not in token.scopes and request.path.startswith("/services/data"):
            raise bad_session("This session is not valid for use with the REST API")
        return token

    # -- the allocation

    def usage(self) -> tuple[int, int]:
        """Calls of the last 24 hours, and how many there may be."""
        most = (self.limits or self.published)["daily"]
        left = self.ledger.room("daily")
        return (0 if left is None else most - left), most

    # -- errors and faults

    def refuse(self, status: int, message: str) -> Response:
        """An error in Salesforce's shape."""
        code = {
            400: "JSON_PARSER_ERROR", 403: "INSUFFICIENT_ACCESS", 404: "NOT_FOUND",
            405: "METHOD_NOT_ALLOWED",
        }.get(status, "UNKNOWN_EXCEPTION")  # fmt: skip
        return Response.of_json([{"message": message, "errorCode": code}], status)

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage in Salesforce's words. It has no 429 of its own: too many at a time is a 403,
        which a fault that asks for 403 must not be taken for. 406 and 420 come from Salesforce
        Edge, which stands before the org and speaks no JSON."""
        if status in (406, 420):
            html = {"Content-Type": "text/html"}
            return Response(status, b"<h1>We are setting things up</h1>" * (status == 406), html)
        if status == 401:
            return bad_session(code=self.refusal).response
        words = {
            403: ("INSUFFICIENT_ACCESS", "insufficient access rights on object id"),
            414: ("URI_TOO_LONG", "URI Too Long"),
            503: ("SERVER_UNAVAILABLE", "Server unavailable, try again later"),
        }
        code, message = words.get(status, ("UNKNOWN_EXCEPTION", "An unexpected error occurred"))
        response = Response.of_json([{"message": message, "errorCode": code}], status)
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """`/_sandbox/salesforce/TYPE/...`: as for others, but what users could write is checked,
        and new records have all fields."""
        if parts == ["org"] and request.method == "POST":
            return self._switch(request.json())
        if len(parts) != 2 or parts[0] not in TYPES or request.method != "POST":
            return super().control(request, parts)
        body, kind = request.json(), TYPES[parts[0]]
        if parts[1] == "archive":
            self.tables.archived.add(body["id"])
            return Response.of_json({})
        if kind.readonly or parts[1] not in _WRITES:
            return super().control(request, parts)
        try:
            with self.lock:
                if parts[1] == "create":
                    return Response.of_json({"id": self.store.create(kind, body["values"])}, 201)
                if parts[1] == "merge":
                    self.store.merge(kind, body["winner"], body["loser"])
                else:
                    self.store.update(kind, body["id"], body["values"])
        except Invalid as error:
            return error.answer().response
        return Response.of_json({})

    def _switch(self, wished: dict[str, Any]) -> Response:
        """Set what the org does by name; raises LookupError for what cannot be set."""
        with self.lock:
            for name, value in wished.items():
                setattr(self, name, _SWITCHES[name](value))
        return Response.of_json({name: str(getattr(self, name)) for name in wished})
