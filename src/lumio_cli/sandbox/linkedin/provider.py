"""What the look-alike of LinkedIn answers, and where."""

from __future__ import annotations

from ..http import Routes
from . import leads, oauth, organizations, posts, statistics
from .account import Account


class LinkedIn(Account):
    """The account, behind HTTP."""

    routes = Routes(
        [
            *organizations.ROUTES,
            *posts.ROUTES,
            *statistics.ROUTES,
            *leads.ROUTES,
            *oauth.ROUTES,
        ]
    )
