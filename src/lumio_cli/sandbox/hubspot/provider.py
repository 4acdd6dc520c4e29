"""What the look-alike of HubSpot answers, and where."""

from __future__ import annotations

from typing import Any, ClassVar

from ..http import Request, Response, Routes
from ..lookalike import CLIENT_ID, CLIENT_SECRET
from . import auth, batch, definitions, links, metadata, objects
from .account import Account
from .catalog import PORTAL_ID, TYPES
from .control import control
from .errors import ApiError


class HubSpot(Account):
    """The account, behind HTTP."""

    routes: ClassVar[Routes] = Routes(
        [
            *objects.ROUTES,
            *batch.ROUTES,
            *links.ROUTES,
            *definitions.ROUTES,
            *metadata.ROUTES,
            *auth.ROUTES,
        ]
    )

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """`/_sandbox/hubspot/...`: see sandbox.control."""
        try:
            return control(self, request, parts)
        except ApiError as error:
            return error.response("00000000-0000-4000-8000-000000000000")

    def stats(self) -> dict[str, Any]:
        """Records by type, and the requests that quotas refused."""
        with self.lock:
            return {
                "records": {name: len(self.objects[name]) for name in TYPES},
                "archived": {name: len(self.objects[name].archived) for name in TYPES},
                "over_quota": self.over_quota(),
                "daily_used": self.daily_used(),
            }

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know."""
        return {
            "base_url": base_url,
            "token": self.vault.names["full"],
            "tokens": dict(self.vault.names),
            "portal_id": PORTAL_ID,
            "oauth": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "authorize_url": f"{base_url}/oauth/authorize",
                "token_url": f"{base_url}/oauth/v3/token",
            },
        }
