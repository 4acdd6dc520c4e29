"""Pages, who administers them, and how many follow them.

A member finds the pages of its roles; a page's own document is whole for its administrators and
short for everybody else. BATCH_GET is refused in the development tier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from ..table import Document
from .data import MEMBER
from .errors import fail
from .paging import page
from .restli import parameters, urn_id

if TYPE_CHECKING:
    from .account import Account

ADMIN = ("rw_organization_admin", "r_organization_admin")
PUBLIC = ("id", "name", "localizedName", "vanityName", "localizedWebsite", "locations")


def scopes(**_: str) -> tuple[str, ...]:
    """Either scope of page administration."""
    return ADMIN


def acls(account: Account, request: Request) -> Response:
    """`q=roleAssignee`: the pages of the member; `q=organization`: those who have a role in it."""
    asked = parameters(request)
    role, state = asked.get("role"), asked.get("state")
    ids = list(account.tables["organizations"].ids())
    if asked.get("q") == "organization":
        wanted = urn_id(asked.get("organization"), "organization")
        ids = [i for i in ids if i == wanted]
    elif asked.get("q") != "roleAssignee":
        raise fail(400, "Invalid query parameters passed to request", "PARAM_INVALID")
    roles = account.roles
    chosen = [
        i
        for i in ids
        if role in (None, roles.get(i, "ADMINISTRATOR")) and state in (None, "APPROVED")
    ]

    def load(record_id: str) -> Document:
        return {
            "organization": f"urn:li:organization:{record_id}",
            "role": roles.get(record_id, "ADMINISTRATOR"),
            "roleAssignee": MEMBER,
            "state": "APPROVED",
        }

    return page(request, asked, chosen, load)


def one(account: Account, _request: Request, organization: str) -> Response:
    """GET of one page."""
    return Response.of_json(_document(account, organization))


def _document(account: Account, organization: str) -> Document:
    found = account.tables["organizations"].get(organization)
    if found is None:
        raise fail(404, f"Could not find entity: organization {organization}")
    if account.roles.get(organization, "ADMINISTRATOR") != "ADMINISTRATOR":
        return {name: found[name] for name in PUBLIC}
    return found


def many(account: Account, request: Request) -> Response:
    """`ids=List(...)`: BATCH_GET; `q=vanityName`: by the name in a page's address."""
    asked = parameters(request)
    if "ids" in asked:
        return batch(account, request)
    if asked.get("q") != "vanityName":
        raise fail(400, "Invalid query parameters passed to request", "PARAM_INVALID")
    table = account.tables["organizations"]
    found = [
        i for i in table.ids() if (table.get(i) or {})["vanityName"] == asked.get("vanityName")
    ]
    return page(request, asked, found, lambda i: _document(account, i))


def batch(account: Account, request: Request) -> Response:
    """BATCH_GET: what was found by id, and an error for each other."""
    account.need_standard_tier("organizations.BATCH_GET")
    results: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for organization in parameters(request)["ids"]:
        found = account.tables["organizations"].get(organization)
        if found is None:
            errors[organization] = {"status": 404, "message": "Could not find entity"}
        else:
            results[organization] = found
    return Response.of_json({"results": results, "statuses": {}, "errors": errors})


def network_size(account: Account, request: Request, urn: str) -> Response:
    """How many follow a page."""
    organization = urn_id(urn, "organization")
    if request.one("edgeType") != "COMPANY_FOLLOWED_BY_MEMBER":
        raise fail(400, "edgeType is not valid", "PARAM_INVALID")
    if organization not in account.tables["organizations"]:
        raise fail(404, f"Could not find entity: {urn}")
    return Response.of_json({"firstDegreeSize": 1_000 + int(organization) % 1_000})


def userinfo(_account: Account, _request: Request) -> Response:
    """The member itself, for tokens with `openid`."""
    return Response.of_json(
        {
            "sub": MEMBER.rpartition(":")[2],
            "name": "Zoë Sandbox",
            "given_name": "Zoë",
            "family_name": "Sandbox",
            "locale": {"country": "US", "language": "en"},
        }
    )


ROUTES = (
    Route("GET", "/rest/organizationAcls", acls, scopes),
    Route("GET", "/rest/organizations", many, scopes),
    Route("GET", "/rest/organizationsLookup", batch, scopes),
    Route("GET", "/rest/organizations/{organization}", one, scopes),
    Route("GET", "/rest/networkSizes/{urn}", network_size, scopes),
    Route("GET", "/v2/userinfo", userinfo, lambda **_: ("openid",)),
)
