"""The control API below `/_sandbox`, for tests in other processes. No token, loopback only.

| request | body | what it does |
| --- | --- | --- |
| GET /_sandbox/stats | | requests by route and status, 429s, peak concurrency, records by type |
| POST /_sandbox/faults | `{"set": [SPEC]}`, `{"add": [SPEC]}` or `{"clear": true}` | see `faults` |
| POST /_sandbox/habits | `{"set": [SPEC]}` | what is made of values that are written: `habits` |
| POST /_sandbox/latency | `{"ms": N}` | milliseconds before each answer |
| POST /_sandbox/properties | `{"type", "name", "action": "add"/"remove"/"retype",
  "property_type", "field_type", "options", "unique"}` | HubSpot's custom properties |
| POST /_sandbox/hubspot/TYPE/create | `{"properties"}` | answers `{"id"}` |
| POST /_sandbox/hubspot/TYPE/update | `{"id", "properties"}` | |
| POST /_sandbox/hubspot/TYPE/archive or purge | `{"id"}` | |
| POST /_sandbox/hubspot/TYPE/merge | `{"winner", "loser", "new_id": bool}` | the loser is part
  of the winner, or both of a new record; answers `{"id"}` of the survivor |
| POST /_sandbox/salesforce/TYPE/merge | `{"winner", "loser"}` | the loser goes into the recycle
  bin, with the winner's id |
| POST /_sandbox/hubspot/associate | `{"from", "from_id", "to", "to_id"}` | types and ids |
| POST /_sandbox/hubspot/consent | `{"consent": bool}` | what the OAuth user will answer |
| POST /_sandbox/hubspot/retired | `{GLOB: status}` | paths that are gone: a page of HTML |
| POST /_sandbox/shopify/refuse, closed, serves, age, holes | see `shopify.provider.control` | |
| GET /_sandbox/hubspot/TYPE/dump | | all live records, one JSON document a line |
| POST /_sandbox/mailchimp/pages | `{"most": N}` | rows a page has at most, whatever is asked for |
| POST /_sandbox/salesforce/org | `{NAME: value}` | what the org does, see its class |
| POST /_sandbox/salesforce/TYPE/archive | `{"id"}` | puts an activity aside, as age does |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .faults import Faults
from .http import BadJsonError, Provider, Request, Response

if TYPE_CHECKING:
    from .server import Server


class Control:
    """Answers the control API of one server."""

    def __init__(self, providers: Mapping[str, Provider], faults: Faults) -> None:
        self._providers = providers
        self._faults = faults
        self.server: Server | None = None

    def __call__(self, request: Request, parts: list[str]) -> Response:
        """The answer; 404 for an unknown path, 400 for what cannot be done."""
        try:
            response = self._answer(request, parts)
        except (AttributeError, BadJsonError, LookupError, TypeError, ValueError) as error:
            return Response.of_json({"message": f"{type(error).__name__}: {error}"}, 400)
        if response is None:
            return Response.of_json({"message": f"no control at {request.path}"}, 404)
        return response

    def _answer(self, request: Request, parts: list[str]) -> Response | None:
        if parts == ["stats"]:
            return Response.of_json(self.stats())
        if parts == ["faults"]:
            if request.method == "POST":
                self._set_faults(request.json())
            return Response.of_json({"faults": self._faults.report()})
        if parts == ["habits"] and self.server is not None:
            if request.method == "POST":
                self.server.habits.set(request.json()["set"])
            return Response.of_json({"habits": self.server.habits.report()})
        if parts == ["latency"] and self.server is not None:
            self.server.latency = float(request.json()["ms"]) / 1000
            return Response.of_json({})
        if parts == ["properties"]:
            parts = ["hubspot", *parts]
        if not parts or parts[0] not in self._providers:
            return None
        return self._providers[parts[0]].control(request, parts[1:])

    def _set_faults(self, body: Any) -> None:
        if "set" in body:
            self._faults.set(body["set"])
        for spec in body.get("add", ()):
            self._faults.add(spec)
        if body.get("clear"):
            self._faults.clear()

    def stats(self) -> dict[str, Any]:
        """What `GET /_sandbox/stats` shows."""
        shown: dict[str, Any] = {
            "providers": {name: item.stats() for name, item in self._providers.items()},
            "faults": self._faults.report(),
        }
        if self.server is not None:
            seen = self.server.stats
            statuses = Counter(seen.statuses)
            shown |= {
                "requests": statuses.total(),
                "routes": dict(seen.routes),
                "statuses": {str(status): count for status, count in statuses.items()},
                "throttled": statuses[429],
                "peak_concurrency": seen.peak,
            }
        return shown
