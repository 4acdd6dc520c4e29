"""An account's state, and what its handlers share."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from ..http import Request, Response
from ..lookalike import LookAlike
from ..options import Options
from . import account
from .errors import invalid, unknown_object
from .media import Media
from .messages import Outbox

LIMIT_DEFAULT, LIMIT_MOST = 25, 100
TEMPLATES_MOST = 250
"""Templates of an account that is not verified; its analytics have a row a day for each."""


class State(LookAlike):
    """What one WhatsApp Business account holds."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.templates = account.templates(min(self.records, TEMPLATES_MOST), self.seed, self.clock)
        self.numbers = account.numbers(account.NUMBERS, self.seed, self.clock)
        self.tables = {"templates": self.templates, "phone_numbers": self.numbers}
        self.profiles: dict[str, dict[str, Any]] = {}
        self.outbox = Outbox(self.clock)
        self.media: dict[str, Media] = {}
        self.found_templates: dict[str, str] = {}
        self.apps = [{"whatsapp_business_api_data": {"id": account.APP_ID, "name": "lumio"}}]
        self.renamed: dict[str, str] = {}
        """Ids that a fault has given to phone numbers, and whose they are."""
        self.wabas: tuple[str, ...] = (account.WABA_ID,)

    # -- what tests change behind the API

    def set_numbers(self, count: int) -> None:
        """The account has so many phone numbers from now on."""
        self.numbers = account.numbers(max(count, 1), self.seed, self.clock)
        if not count:
            self.numbers.purge(account.PHONE_ID)
        self.tables["phone_numbers"] = self.numbers

    def profile(self, number_id: str) -> dict[str, Any]:
        """The business profile of a phone number."""
        return {**account.profile(self.seed, number_id), **self.profiles.get(number_id, {})}

    def receive(self, sender: str, at: float | None = None) -> None:
        """A user writes to the account (digits), now or at that second: the window opens."""
        self.outbox.heard[sender] = self.clock() if at is None else at

    def refuse_to(self, recipient: str, code: int) -> None:
        """From now on messages to this user (digits) are refused with that code; 0: no longer."""
        if code:
            self.outbox.refusals[recipient] = code
        else:
            self.outbox.refusals.pop(recipient, None)

    def number_digits(self) -> list[str]:
        """The phone numbers as analytics name them."""
        return [re.sub(r"\D", "", str(n["display_phone_number"])) for n in self.numbers]

    # -- what handlers share

    def waba(self, waba: str) -> None:
        """Raises Answered where the account is not the token's."""
        if waba not in self.wabas:
            raise unknown_object(waba)

    def number(self, number: str) -> dict[str, Any]:
        """A phone number of the account. Raises Answered."""
        found = self.numbers.get(self.renamed.get(number, number))
        if found is None:
            raise unknown_object(number, "post")
        return found

    @staticmethod
    def limit(request: Request, most: int) -> int:
        """How many records a page shall have. Raises Answered."""
        text = request.one("limit") or str(LIMIT_DEFAULT)
        if not text.isdigit() or int(text) < 1:
            raise invalid("Param limit must be a positive integer")
        return min(int(text), most)

    def listing(
        self, request: Request, ids: list[str], most: int, kind: str
    ) -> tuple[list[str], dict[str, Any]]:
        """The ids of the page that is asked for, and its `paging`."""

        def link(after: str) -> str:
            query = {k: v[-1] for k, v in request.query.items()} | {"after": after}
            return f"{request.base_url}{request.path}?{urlencode(query)}"

        return account.page(
            self.tables[kind], ids, self.limit(request, most), request.one("after"), link
        )

    @staticmethod
    def answer_rows(rows: list[Any], paging: dict[str, Any]) -> Response:
        """A listing as Graph wraps it."""
        return Response.of_json({"data": rows, **({"paging": paging} if paging else {})})
