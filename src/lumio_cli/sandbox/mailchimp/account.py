"""The look-alike itself: who may ask, how many at once, and which path is answered by what."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from ..faults import spoil
from ..http import Request, Response
from ..lookalike import Answered, LookAlike, Token
from ..options import Options
from ..table import Table
from . import data
from .problems import not_found, problem, refused
from .room import Room
from .state import Batch, stamp

NAMES = ("Newsletter", "Customers 客户", '"VIP" & friends')
READ_ONLY = "read"
"""The scope of users whose role may only read: Mailchimp has roles, and no scopes."""
COLLECTIONS = {
    "members": "id", "lists": "id", "segments": "id", "campaigns": "id", "reports": "id",
    "automations": "id",
}  # fmt: skip


class Account(LookAlike):
    """One Mailchimp account.

    There are three audiences, whatever `records` says: half of that many members and segments are
    in the first of them, a quarter in each other; one member in 25 more is archived. Campaigns,
    reports and automations are `records` each; every generated campaign was sent.

    Tokens by name: `full` (an API key), `other` (another key of the account), `viewer` (whose role
    may only read), `disabled` (whose user is disabled), `expired` (a key that was revoked) and
    `oauth` (an access token of an app).
    """

    name = "mailchimp"
    published: ClassVar[Mapping[str, int]] = {"connections": 10}
    account_name = "Freddie's 商店"
    account_id = "5a4db0c5a4db0c5a4db0c5a4d"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        key = partial("sandbox{:0>25}-us6".format)
        for name, scopes in (("full", None), ("other", None), ("viewer", (READ_ONLY,))):
            self.vault.add(name, key(name), scopes)
        self.vault.add("disabled", key("disabled"))
        self.vault.add("expired", key("expired"), expires_at=0.0)
        self.vault.add("oauth", "sandbox-oauth-access-token").oauth = True
        self.most_rows: int | None = None
        """Rows that a page has at most, whatever `count` asks for; None: as many as it asks for."""
        self.batches: dict[str, Batch] = {}
        self.batch_polls = 2
        self.drafts: dict[str, dict[str, Any]] = {}
        self._under_way = 0
        self._counting = threading.Lock()
        half = options.records - 2 * (options.records // 4)
        self.arrange((half, options.records // 4, options.records // 4))

    # -- what there is

    def arrange(self, sizes: Sequence[int]) -> None:
        """Begin anew, with an audience of each of these numbers of members and segments."""
        seed, clock, records = self.seed, self.clock, self.records
        ids = [data.short(seed, "list", n) for n in range(len(sizes))]
        home = (ids[0], NAMES[0]) if ids else ("", "")
        self.rooms = {
            list_id: Room(list_id, n, seed, clock, members=sizes[n], segments=sizes[n])
            for n, list_id in enumerate(ids)
        }
        lists = Table(
            len(ids),
            lambda n: data.audience(
                NAMES[n] if n < len(NAMES) else f"Audience {n}", ids[n], 100_000 + n
            ),
            stamp,
            clock,
            identify=partial(data.short, seed, "list"),
        )
        self.tables = {
            "audiences": lists,
            "campaigns": Table(
                records, lambda n: data.campaign(seed, n, *home), data.stamp_campaign, clock,
                identify=partial(data.short, seed, "campaign"),
            ),
            "reports": Table(
                records, lambda n: data.report(seed, n, *home), data.stamp_report, clock,
                identify=partial(data.short, seed, "campaign"),
            ),
            "automations": Table(
                records, lambda n: data.automation(seed, n, *home), data.stamp_automation, clock,
                identify=partial(data.short, seed, "automation"),
            ),
        }  # fmt: skip
        for list_id, room in self.rooms.items():
            self.tables[f"members-{list_id}"] = room.members
            self.tables[f"segments-{list_id}"] = room.segments

    def room(self, list_id: str) -> Room:
        """What an audience holds. Raises Answered (404)."""
        if list_id not in self.tables["audiences"]:
            raise not_found()
        if list_id not in self.rooms:
            self.rooms[list_id] = Room(list_id, len(self.rooms), self.seed, self.clock)
            self.tables[f"members-{list_id}"] = self.rooms[list_id].members
            self.tables[f"segments-{list_id}"] = self.rooms[list_id].segments
        return self.rooms[list_id]

    # -- who may ask

    def presented(self, request: Request) -> str:
        """The key or token: HTTP Basic with any user name, or Bearer."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return value.strip()
        try:
            pair = base64.b64decode(value).decode("utf-8", "replace")
        except ValueError:
            return ""
        return pair.partition(":")[2]

    def authenticate(self, request: Request) -> Token:
        """The token of a request. Raises Answered (401, 403)."""
        value = self.presented(request)
        if not value:
            said = "Your request did not include an API key."
            raise refused(401, said, "API Key Missing")
        token = self.vault.find(value)
        if token is None:
            said = (
                "Your API key may be invalid, or you've attempted to access the wrong datacenter."
            )
            raise refused(401, said, "API Key Invalid")
        if value == self.vault.names["disabled"]:
            raise refused(403, "This user has been disabled.", "User Disabled")
        if READ_ONLY in token.scopes and request.method != "GET":
            raise refused(403, "Your user role does not have permission to perform this action.")
        return token

    def handle(self, request: Request) -> Response:
        """Answers a request, unless too many others are under way."""
        if not request.path.startswith("/3.0"):
            return super().handle(request)
        count = request.one("count")
        if self.most_rows is not None and count is not None and count.isdigit():
            request.query["count"] = [str(min(int(count), self.most_rows))]
        with self._counting:
            self._under_way += 1
            over = self.limits is not None and self._under_way > self.limits["connections"]
            if over:
                self.ledger.refused += 1
        try:
            if over:
                return self.failure(429, None)
            return super().handle(request)
        finally:
            with self._counting:
                self._under_way -= 1

    def label(self, request: Request) -> str:
        """The path, and `#total_items` where nothing but how many there are is asked for."""
        counts = request.many("fields") == ["total_items"]
        return f"{request.path}#total_items" if counts else request.path

    # -- how it words what went wrong

    def refuse(self, status: int, message: str) -> Response:
        """An error of the look-alike's own making, as a problem document."""
        if status == 404:
            return not_found().response
        if status == 405:
            said = "The requested method and resource are not compatible."
            return problem(405, said)
        return problem(status, message)

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage, or too many connections: Mailchimp names no time to come back."""
        detail = {
            403: "Your user role does not have permission to perform this action.",
            429: f"You have exceeded the limit of {self.published['connections']} simultaneous"
            " connections.",
        }.get(status, "An unexpected internal error has occurred. Please try again later.")
        headers = {"Retry-After": retry_after} if retry_after is not None else {}
        return problem(status, detail, headers=headers)

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A JSON answer with a fault of its content."""
        if not isinstance(body, dict):
            return body
        name = next((n for n in COLLECTIONS if isinstance(body.get(n), list)), None)
        if name is None:
            return body
        rows = body[name]
        if kind == "empty":
            return {**body, name: [], "total_items": 0}
        if kind == "hollow":
            return {**body, name: []}
        if kind in ("nowhere", "last"):
            return {**body, "total_items": self._claimed(kind, request, body, len(rows))}
        if kind == "loop":
            again = self._first_page(request, name)
            return {**again, "total_items": 1_000_000}
        own = "contact_id" if name == "members" else COLLECTIONS[name]
        spoil(rows, kind, argument, key=own, text="huge")
        if kind == "noid" and rows and isinstance(rows[0], dict):
            rows[0].pop("id", None)
        return body

    @staticmethod
    def _claimed(kind: str, request: Request, body: dict[str, Any], rows: int) -> int:
        """A total that is one more than there are, which nobody can ever ask for; or one that ends
        with this page."""
        if kind == "nowhere":
            return int(body.get("total_items", 0)) + 1
        return int(request.one("offset") or 0) + rows

    def _first_page(self, request: Request, name: str) -> dict[str, Any]:
        """What the listing answers to everyone who asks for any page of it."""
        import orjson

        query = {**request.query, "offset": ["0"]}
        first = super().handle(
            Request("GET", request.path, query, request.headers, b"", request.base_url)
        )
        found: dict[str, Any] = orjson.loads(first.body)
        return found if name in found else {name: []}

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """`/_sandbox/mailchimp/pages`, and what every look-alike has."""
        if parts == ["pages"] and request.method == "POST":
            most = request.json().get("most")
            self.most_rows = None if most is None else int(most)
            return Response.of_json({"most": self.most_rows})
        return super().control(request, parts)

    def is_viewer(self, request: Request) -> bool:
        """Whether the request's user may only read."""
        token = self.vault.find(self.presented(request))
        return token is not None and READ_ONLY in token.scopes

    def perform(self, request: Request) -> Response:
        """One operation of a batch, answered as if it had been sent alone."""
        try:
            return self._answer(request)
        except Answered as answered:
            return answered.response
