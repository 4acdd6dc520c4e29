"""A credential as the text that a keyring or the vault keeps."""

from __future__ import annotations

import json

from lumio_cli.core.clock import format_time, parse_time
from lumio_cli.core.errors import CredentialError
from lumio_cli.providers.contract.auth import Credential

VERSION = 1


def encode(credential: Credential) -> str:
    """The credential as ASCII JSON, so that its length is the same in every encoding."""
    return json.dumps(
        {
            "version": VERSION,
            "kind": credential.kind,
            "token": credential.token,
            "refresh": credential.refresh,
            "expires_at": format_time(credential.expires_at) if credential.expires_at else None,
            "scopes": list(credential.scopes) if credential.scopes is not None else None,
            "fields": dict(credential.fields),
        },
        separators=(",", ":"),
    )


def decode(text: str, where: str) -> Credential:
    """The credential in `text`, which was found in `where`.

    Raises `CredentialError` credential_damaged where it is none, or one of a newer lumio.
    """
    try:
        body = json.loads(text)
        if body["version"] > VERSION:
            raise CredentialError(
                f"{where}: the credential was stored by a newer lumio",
                hint="update lumio, or connect again with this one",
                code="credential_damaged",
            )
        return Credential(
            kind=str(body["kind"]),
            token=str(body["token"]),
            refresh=str(body["refresh"]),
            expires_at=parse_time(body["expires_at"]) if body["expires_at"] else None,
            scopes=tuple(map(str, body["scopes"])) if body["scopes"] is not None else None,
            fields={str(k): str(v) for k, v in body["fields"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        # The cause would show the text, and with it the token.
        raise CredentialError(
            f"{where}: what is stored there is no credential of lumio",
            hint="connect again: `lumio connect PROVIDER` replaces it",
            code="credential_damaged",
        ) from None
