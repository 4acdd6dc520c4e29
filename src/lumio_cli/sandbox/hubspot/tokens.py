"""The credentials of the account, and what a request's one is good for."""

from __future__ import annotations

from ..http import Request
from ..lookalike import Token, Vault
from .errors import ApiError

# An OAuth access token lives about half an hour.
TOKEN_SECONDS = 1800.0


_CRM = tuple(
    f"crm.{part}.{kind}.{verb}"
    for kind in ("contacts", "companies", "deals")
    for part in ("objects", "schemas")
    for verb in ("read", "write")
)


ALL_SCOPES = ("oauth", *_CRM, "tickets", "e-commerce", "crm.objects.owners.read")


def furnish(vault: Vault) -> None:
    """Make the credentials of the account known."""
    every = vault.scopes = ALL_SCOPES
    vault.seconds = TOKEN_SECONDS
    pat = "pat-na1-00000000-0000-4000-8000-{:012d}".format
    vault.add("full", pat(1))
    vault.add("expired", pat(2), expires_at=0.0)
    vault.add("no_tickets", pat(3), [s for s in every if s != "tickets"])
    vault.add("read_only", pat(4), [s for s in every if not s.endswith("write")])
    vault.add("contacts_only", pat(5), ["oauth", "crm.objects.contacts.read"])
    vault.add("no_scopes", pat(6), [])


def authenticate(vault: Vault, request: Request) -> Token:
    """The token of a request. Raises ApiError (401)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        raise _unauthenticated("Authentication credentials not found. This API supports OAuth")
    token = vault.tokens.get(value.strip())
    if token is None:
        raise _unauthenticated("The OAuth token used to make this call is not valid.")
    now = vault.clock()
    if token.expires_at is not None and token.expires_at <= now:
        ago = int(now - token.expires_at)
        raise ApiError(
            401,
            "EXPIRED_AUTHENTICATION",
            f"The OAuth token used to make this call expired {ago} second(s) ago.",
        )
    return token


def _unauthenticated(message: str) -> ApiError:
    return ApiError(401, "INVALID_AUTHENTICATION", message)
