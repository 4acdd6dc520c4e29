"""Where HubSpot's endpoints are: by numbered versions, by one dated version for all of them, or
each by the one that lumio was checked against.

Sources: HubSpot's own descriptions (HubSpot-public-api-spec-collection, `Rollouts`): of 2026-03 for
CRM objects, numbered for the others; and its clients that are generated from them
(HubSpot/hubspot-sdk-python, -typescript, -go), which have all of these APIs dated as well. A dated
version stands behind an API's name, a numbered one before it, and associations are v4 where the
others are v3.
From 2026-09 on an account's validation rules hold for all writes (changelog, August 2026).
"""

from __future__ import annotations

from typing import Literal

DATED = "2026-03"
"""The dated version that lumio was written against; HubSpot supports each for 18 months."""
NUMBERED = "v3"
CHECKED = "auto"
"""Each API by the version whose published description lumio's requests are held against."""

Api = Literal["objects", "associations", "properties", "owners", "pipelines", "account", "oauth"]

_NUMBERED: dict[Api, str] = {
    "objects": "/crm/v3/objects",
    "associations": "/crm/v4/associations",
    "properties": "/crm/v3/properties",
    "owners": "/crm/v3/owners",
    "pipelines": "/crm/v3/pipelines",
    "account": "/account-info/v3",
    "oauth": "/oauth/v3",
}


def endpoint(version: str, api: Api) -> str:
    """Return the path that an API's endpoints begin with: in `v3`, in a dated version, or in the
    one that lumio was checked against (`auto`)."""
    if version == CHECKED:
        version = DATED if api == "objects" else NUMBERED
    if version == NUMBERED:
        return _NUMBERED[api]
    if api == "account":
        return f"/account-info/{version}"
    return f"/oauth/{version}" if api == "oauth" else f"/crm/{api}/{version}"
