"""What became of HubSpot's merged records.

Sources: the changelog entry "announcement-deals-now-support-merging" (a read of a merged deal
answers the deal that it was merged into, with that one's id) and the guides to merging records (the
ids of those that were merged are in `hs_merged_object_ids` of the one that is left).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lumio_cli.core.errors import GoneError
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.hubspot.resources import BATCH

MERGED = "hs_merged_object_ids"


def survivors(path: str, ids: Sequence[str], send: Send) -> dict[str, str]:
    """Those of `ids` that HubSpot answers another record for, with its id. Raises `LumioError`.

    A batch does not say which record answers which id: that, the survivors say themselves. One that
    no longer lists an id that led to it, by another that was merged in its turn, is asked alone.
    """
    found: dict[str, str] = {}
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH]
        body = {
            "inputs": [{"id": record} for record in part],
            "properties": [MERGED],
            "propertiesWithHistory": [],
        }
        told = send(Call("POST", f"{path}/batch/read", json=body, safe=True)).document()
        records = [record for record in told.get("results") or () if dig(record, "id")]
        open_ = set(part) - {str(record["id"]) for record in records}
        for record in records:
            lists = str(dig(record, f"properties.{MERGED}") or "").split(";")
            found.update({one: str(record["id"]) for one in lists if one in open_})
        if len(records) == len(part) - len(open_):
            continue  # All of them are records that were asked for.
        for one in sorted(open_ - found.keys() - _missing(told)):
            if survivor := _ask(path, one, send):
                found[one] = survivor
    return found


def _missing(told: Mapping[str, Any]) -> set[str]:
    """The ids that HubSpot says it has no record for."""
    errors = told.get("errors") or ()
    return {str(one) for error in errors for one in dig(error, "context.ids") or ()}


def _ask(path: str, record: str, send: Send) -> str:
    call = Call("GET", f"{path}/{record}", route=f"{path}/{{id}}")
    try:
        answer = str(dig(send(call).json(), "id") or "")
    except GoneError:
        return ""
    return "" if answer == record else answer
