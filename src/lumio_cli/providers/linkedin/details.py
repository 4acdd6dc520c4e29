"""What a listing of LinkedIn's leaves out, by a request for each record. It only adds to what is
known already: where it is refused, the record comes without."""

from __future__ import annotations

from lumio_cli.core.errors import DeniedError, RejectedError
from lumio_cli.providers.contract.call import Record, Send, dig
from lumio_cli.providers.linkedin.restli import call, escape


def with_page(version: str, record: Record, send: Send) -> Record:
    """A role with the page that it is in."""
    key = dig(record, "id")
    if not isinstance(key, str):
        return record
    path, route = f"/rest/organizations/{escape(key)}", "/rest/organizations/{id}"
    try:
        page = send(call(version, "GET", path, route)).json()
    except (RejectedError, DeniedError):
        return record
    return {**page, **record} if isinstance(page, dict) else record


def with_count(version: str, record: Record, send: Send) -> Record:
    """The figures of a page's life with how many follow it."""
    owner = escape(str(record["organizationalEntity"]))
    path = f"/rest/networkSizes/{owner}?edgeType=COMPANY_FOLLOWED_BY_MEMBER"
    try:
        body = send(call(version, "GET", path, "/rest/networkSizes/{urn}")).json()
    except (RejectedError, DeniedError):
        return record
    return {**record, "followerCount": dig(body, "firstDegreeSize")}
