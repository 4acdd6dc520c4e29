"""How Graph's listings are walked.

Source: Graph API, "Paginated results": a listing ends where `paging.next` is absent; the cursor is
there on the last page, too. The address in `next` names the same cursor. Nothing counts what there
is (of templates a summary does), so that after a full page without `next` the cursor is asked for
what follows: that is one request more where the last page happens to be full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lumio_cli.providers.contract.call import Place, Record, Reply, dig
from lumio_cli.providers.contract.paging import NoPlaceError, Token


def after(body: Any, *, full: bool) -> str | None:
    """The cursor of the next page, from where it stands or from the address of that page; None at
    the end. `full`: the page has as many rows as were asked for. Raises `NoPlaceError` where there
    is a next page that neither names.
    """
    address, token = dig(body, "paging.next"), dig(body, "paging.cursors.after")
    if not address:
        return str(token) if token and full else None
    if not token:
        token = parse_qs(urlsplit(str(address)).query).get("after", [""])[0]
    if not token:
        raise NoPlaceError("'paging.next' without a cursor")
    return str(token)


@dataclass(frozen=True, slots=True)
class Cursors(Token):
    """A listing by `limit` and `after`."""

    path: str = "paging.cursors.after"
    param: str = "after"
    size_param: str = "limit"

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        token = after(reply.json(), full=len(rows) >= place["size"])
        return None if token is None else {"size": place["size"], "token": token}
