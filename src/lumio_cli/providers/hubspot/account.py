"""Whose account a credential opens, and what it may do.

Sources: the descriptions of account info and of OAuth (`POST .../token/introspect` with the app's
id and secret in the form), the changelog entry "v1-oauth-api-deprecation" (the endpoints that take
a token in their path end on February 16, 2027, since paths are logged), and for tokens without an
app to name HubSpot's guide to private apps (`/oauth/v2/private-apps/get/access-token-info`).
Whether that one knows service keys is written nowhere.
"""

from __future__ import annotations

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.auth import Credential, told_besides
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.fields import Identity

PRIVATE_APP = "/oauth/v2/private-apps/get/access-token-info"


def probe(account: str, oauth: str, send: Send, credential: Credential) -> Identity:
    """The account's details, and the scopes where HubSpot tells them.

    `account` and `oauth` are the paths of these two APIs. Raises `BadReplyError` where the details
    name no account.
    """
    body = send(Call("GET", f"{account}/details")).json()
    portal = dig(body, "portalId")
    if not isinstance(portal, int | str) or isinstance(portal, bool):
        raise BadReplyError("HubSpot's account details name no portal", hint="try again later")
    return Identity(
        account_id=str(portal),
        account_name=str(body.get("portalName") or body.get("uiDomain") or f"portal {portal}"),
        scopes=_scopes(oauth, send, credential),
        expires_at=credential.expires_at,
        details={"time_zone": str(body.get("timeZone") or ""), "hub_id": str(portal)},
    )


def _scopes(oauth: str, send: Send, credential: Credential) -> tuple[str, ...] | None:
    """The token's scopes; those of its login, or None, where HubSpot tells none."""
    call = _inspection(oauth, credential)
    if call is None:
        return credential.scopes
    scopes = dig(told_besides(send, call)[0], "scopes")
    if not isinstance(scopes, list):
        return credential.scopes
    return tuple(scope for scope in scopes if isinstance(scope, str))


def _inspection(oauth: str, credential: Credential) -> Call | None:
    """The request that tells a token's scopes. It is asked once only: it is not worth a wait."""
    if credential.kind != "oauth":
        return Call("POST", PRIVATE_APP, json={"tokenKey": credential.token})
    client = {k: credential.fields.get(k, "") for k in ("client_id", "client_secret")}
    if not all(client.values()):
        return None  # An app without a secret cannot inspect; its login named the scopes.
    form = {**client, "token": credential.token, "token_type_hint": "access_token"}
    return Call("POST", f"{oauth}/token/introspect", form=form, auth=False)
