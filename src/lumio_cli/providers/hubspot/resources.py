"""What HubSpot's resources are: their columns, how they are listed, what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lumio_cli.providers.contract.call import Call, Record, Reply, dig
from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import (
    Above,
    NoPlaceError,
    Paging,
    Parents,
    Single,
    Token,
)
from lumio_cli.providers.contract.resource import Cursor, Kind, Resource, Writes

BATCH = 100
WRITES = Writes(create=BATCH, update=BATCH, archive=BATCH, at_once=BATCH)
"""No upserts: the guide to contacts (2026-09) says that partial ones are not supported by `email`,
and edits are partial."""
BY_EMAIL = replace(WRITES, unique=("email",))
"""Contacts: HubSpot's guide to contacts calls `email` their unique identifier, and a second one
with the same address is refused (409 CONFLICT)."""


PAIRS = (
    ("contacts", "companies"),
    ("deals", "companies"),
    ("deals", "contacts"),
    ("tickets", "companies"),
    ("tickets", "contacts"),
    ("tickets", "deals"),
)


def _property(name: str) -> str:
    return f"properties.{name}"


def _above(call: Call, key: str | None, size: int) -> Call:
    """The search for records whose id is greater than `key`, in the order of ids."""
    filters = list(call.json["filterGroups"][0]["filters"])
    if key is not None:
        filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": key})
    body = {**call.json, "filterGroups": [{"filters": filters}], "limit": size}
    return replace(call, json=body)


def _resume(call: Call, token: str) -> Call:
    """The same search from where an empty page says that its rows are."""
    return replace(call, json={**call.json, "after": token})


def _ask_associations(call: Call, keys: Mapping[str, str | None]) -> Call:
    inputs = [
        {"id": k} if token is None else {"id": k, "after": token} for k, token in keys.items()
    ]
    return replace(call, json={"inputs": inputs})


def _met_associations(reply: Reply) -> set[str]:
    """The records that an answer says something of: those with links, and those that have none,
    which come as errors (207, `NO_ASSOCIATIONS_FOUND`). One that is neither proves nothing."""
    body = reply.document()
    found = {str(dig(result, "from.id")) for result in body.get("results") or ()}
    for error in body.get("errors") or ():
        named = dig(error, "context.fromObjectId")
        found.update(str(record_id) for record_id in named or ())
    return found


def _more_associations(reply: Reply) -> dict[str, str]:
    """The records whose list of associations goes on, with the token to ask on.

    Raises `NoPlaceError` for one that goes on without a token.
    """
    found = {}
    for result in dig(reply.json(), "results") or ():
        token, from_id = dig(result, f"{NEXT}.after"), dig(result, "from.id")
        if dig(result, NEXT) is not None and not token:
            raise NoPlaceError(f"{NEXT!r} of a record without 'after'")
        if token and from_id is not None:
            found[str(from_id)] = str(token)
    return found


NEXT = "paging.next"
"""Where an answer says that there is more, with `after` as the place (`ForwardPaging`)."""
PAGES = Token(f"{NEXT}.after", "after", "limit", more=NEXT)
# A search's total is of what matches it, and so of what lies above the last id.
CHANGES = Above(_above, more=NEXT, total="total", token=f"{NEXT}.after", resume=_resume)
PAGING: Mapping[Kind, Paging] = {"full": PAGES, "changes": CHANGES, "tombstones": PAGES}


def _crm(name: str, title: str, scope: str, listed: str, **more: Any) -> Resource:
    modified = "lastmodifieddate" if name == "contacts" else "hs_lastmodifieddate"
    stem = f"crm.objects.{scope}" if "." not in scope and scope not in _PLAIN_SCOPES else scope
    plain = stem in _PLAIN_SCOPES
    return Resource(
        name=name,
        path=name,
        title=title,
        columns=columns(listed, _property),
        paging=PAGING,
        page_size={"full": 100, "changes": 200, "tombstones": 100},
        cursor=Cursor(path=f"properties.{modified}", lookback=300.0),
        deletes=("tombstones", "sweep"),
        scopes=(stem if plain else f"{stem}.read",),
        write_scopes=(stem if plain else f"{stem}.write",),
        writes=BY_EMAIL if name == "contacts" else WRITES,
        **more,
    )


_PLAIN_SCOPES = ("tickets", "e-commerce")

# Not marked as written is what HubSpot sets itself, whether it is asked for its description or not;
# folded, what it keeps in lower case.
OBJECTS = (
    _crm(
        "contacts",
        "Contacts",
        "contacts",
        "email!~folded firstname! lastname! phone! mobilephone! company! jobtitle! website!"
        " address! city! state! zip! country! lifecyclestage! hs_lead_status! hubspot_owner_id!"
        " associatedcompanyid!:integer hs_email_optout!:boolean hs_merged_object_ids"
        " createdate:datetime lastmodifieddate:datetime",
    ),
    _crm(
        "companies",
        "Companies",
        "companies",
        "name! domain!~folded phone! website! industry! type! description! address! city! state!"
        " zip! country! numberofemployees!:integer annualrevenue!:number lifecyclestage!"
        " hubspot_owner_id! hs_merged_object_ids createdate:datetime hs_lastmodifieddate:datetime",
    ),
    _crm(
        "deals",
        "Deals",
        "deals",
        "dealname! amount!:number deal_currency_code! dealstage! pipeline! dealtype! description!"
        " closedate!:datetime hs_is_closed:boolean hs_is_closed_won:boolean"
        " hs_deal_stage_probability!:number hubspot_owner_id! hs_merged_object_ids"
        " createdate:datetime hs_lastmodifieddate:datetime",
    ),
    _crm(
        "products",
        "Products",
        "e-commerce",
        "name! description! price!:number hs_sku! hs_cost_of_goods_sold!:number hs_url!"
        " hs_recurring_billing_period! recurringbillingfrequency! hs_merged_object_ids"
        " createdate:datetime hs_lastmodifieddate:datetime",
    ),
    _crm(
        "tickets",
        "Tickets",
        "tickets",
        "subject! content! hs_pipeline! hs_pipeline_stage! hs_ticket_priority! hs_ticket_category!"
        " source_type! closed_date!:datetime hubspot_owner_id! hs_merged_object_ids"
        " createdate:datetime hs_lastmodifieddate:datetime",
    ),
)

ASSOCIATIONS = Resource(
    name="associations",
    path="associations",
    title="Associations",
    columns=columns("from_type from_id to_type to_id labels:json"),
    paging={
        "full": Parents(_ask_associations, _more_associations, _met_associations),
        "changes": Parents(_ask_associations, _more_associations, _met_associations),
    },
    page_size={"full": 1000, "changes": 1000},
    updated="",
    deletes=("sweep",),
    scopes=(),
    parents=("contacts", "companies", "deals", "tickets"),
    group="parent",
    note=(
        "Read for records that changed and, in a full sync, for all. Linking two records without "
        "touching either is seen by the next full sync."
    ),
)

OWNERS = Resource(
    name="owners",
    path="owners",
    title="Owners",
    columns=columns(
        "email first_name=firstName last_name=lastName user_id:integer=userId archived:boolean"
    ),
    paging={"full": PAGES},
    page_size={"full": 500},
    deletes=("sweep",),
    scopes=("crm.objects.owners.read",),
    metadata=True,
)

PIPELINES = Resource(
    name="pipelines",
    path="pipelines",
    title="Pipelines and stages",
    columns=columns(
        "object_type pipeline_id pipeline_label stage_id stage_label display_order:integer"
        " metadata:json"
    ),
    paging={"full": Single()},
    updated="updatedAt",
    deletes=("sweep",),
    metadata=True,
)


def links(a: str, b: str, result: Any) -> list[Record]:
    """What one record is linked to. What cannot be read comes without an id: as a dead letter."""
    from_id, found = dig(result, "from.id"), dig(result, "to")
    if from_id is None or not isinstance(found, list):
        return [{"unreadable": result}]
    return [
        _link(a, b, from_id, to) if dig(to, "toObjectId") is not None else {"unreadable": to}
        for to in found
    ]


def _link(a: str, b: str, from_id: Any, to: Mapping[str, Any]) -> Record:
    to_id = str(to["toObjectId"])
    listed = to.get("associationTypes")
    kinds = [t for t in listed if isinstance(t, dict)] if isinstance(listed, list) else []
    kinds.sort(key=lambda t: (str(t.get("category")), str(t.get("typeId")).rjust(20)))
    return {
        "id": f"{a}:{from_id}:{b}:{to_id}",
        "parent": f"{a}-{b}:{from_id}",
        "from_type": a,
        "from_id": str(from_id),
        "to_type": b,
        "to_id": to_id,
        "labels": [t["label"] for t in kinds if t.get("label")],
        "associationTypes": kinds,
    }


def stages(kind: str, pipeline: Any) -> list[Record]:
    """A pipeline's stages. What cannot be read comes without an id: as a dead letter."""
    found = dig(pipeline, "stages") or []
    if not isinstance(dig(pipeline, "id"), str | int) or not isinstance(found, list):
        return [{"unreadable": pipeline}]
    return [
        _stage(kind, pipeline, item)
        if isinstance(dig(item, "id"), str | int)
        else {"unreadable": item}
        for item in found
    ]


def _stage(kind: str, pipeline: Mapping[str, Any], stage: Mapping[str, Any]) -> Record:
    return {
        "id": f"{kind}:{pipeline['id']}:{stage['id']}",
        "object_type": kind,
        "pipeline_id": str(pipeline["id"]),
        "pipeline_label": pipeline.get("label"),
        "stage_id": str(stage["id"]),
        "stage_label": stage.get("label"),
        "display_order": stage.get("displayOrder"),
        "metadata": stage.get("metadata") or {},
        "updatedAt": stage.get("updatedAt"),
    }
