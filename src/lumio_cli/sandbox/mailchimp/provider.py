"""What the look-alike of Mailchimp answers, and where."""

from __future__ import annotations

from ..http import Routes
from . import audiences, batches, campaigns, login, members, segments
from .account import Account


class Mailchimp(Account):
    """The account, behind HTTP."""

    routes = Routes(
        [
            *login.ROUTES,
            *batches.ROUTES,
            *segments.ROUTES,
            *members.ROUTES,
            *audiences.ROUTES,
            *campaigns.ROUTES,
        ]
    )
