"""Whose data the hub holds, and whether a credential opens that very account."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from lumio_cli.core.clock import format_time, format_timestamp
from lumio_cli.core.errors import ConfigError, LumioError
from lumio_cli.core.redact import Redactor
from lumio_cli.hub.sqlite import state

if TYPE_CHECKING:
    from lumio_cli.hub.sqlite.database import Transactions
    from lumio_cli.providers.contract.auth import Credential
    from lumio_cli.providers.contract.call import Send
    from lumio_cli.providers.contract.fields import Identity
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.runtime import Runtime


def fingerprint_of(db: sqlite3.Connection, credential: Credential) -> str:
    """By what the hub recognises a credential: the part of it that renewals do not change."""
    return state.fingerprint(db, credential.root)


def refuse_another(db: sqlite3.Connection, provider: str, identity: Identity) -> None:
    """Raises `ConfigError` where the hub already holds another account's data: mixing the two
    would let a sync delete the one as missing from the other.
    """
    known = state.read_account(db, provider)
    if known is not None and known.account_id != identity.account_id and _has_records(db, provider):
        raise ConfigError(
            f"this hub holds the data of {provider} account {known.account_id} "
            f"({known.account_name}), but the credential opens {identity.account_id} "
            f"({identity.account_name})",
            code="account_changed",
            hint="use another profile for it: --profile NAME",
        )


def remember(
    db: sqlite3.Connection,
    provider: str,
    identity: Identity,
    credential: Credential,
    source: str,
    now: float,
) -> None:
    """Store whose account a proven credential opens. Belongs into a transaction.

    Raises as `refuse_another` does.
    """
    refuse_another(db, provider, identity)
    account = state.Account(
        provider=provider,
        account_id=identity.account_id,
        account_name=identity.account_name,
        scopes=identity.scopes,
        fingerprint=fingerprint_of(db, credential),
        kind=credential.kind,
        source=source,
        expires_at=format_time(identity.expires_at) if identity.expires_at else None,
        checked_at=format_timestamp(now),
        details=identity.details,
        fields=identity.fields,
    )
    state.save_account(db, account)


def identify(provider: Provider, send: Send, credential: Credential) -> Identity:
    """Whose account a credential opens. People name accounts as they like, also by the token.

    Raises what the probe raises.
    """
    found, redactor = provider.probe(send, credential), Redactor(credential.secrets())
    return replace(
        found,
        account_name=redactor.text(found.account_name),
        details={name: redactor.text(text) for name, text in found.details.items()},
    )


def verify(
    hub: Transactions,
    provider: Provider,
    credential: Credential,
    source: str,
    send: Send,
    now: float,
    *,
    write: bool = True,
) -> None:
    """Make sure that the hub holds the data of the account that the credential opens, or of none;
    asks the provider only where the hub has not seen this credential before.

    `write=False` only looks, for a preview. Raises what the probe raises, and `ConfigError` for
    another account.
    """
    name = provider.name
    if hub.call(_is_known, name, credential, source, write):
        return
    identity = identify(provider, send, credential)
    if write:
        hub.call(remember, name, identity, credential, source, now)
    else:
        hub.call(refuse_another, name, identity)


def _is_known(
    db: sqlite3.Connection, provider: str, credential: Credential, source: str, write: bool
) -> bool:
    """Whether the hub has seen the credential, or nothing is there that it could be held
    against; `write`: note where it came from."""
    known = state.read_account(db, provider)
    if known is None or known.fingerprint != fingerprint_of(db, credential):
        return known is None and not write
    if write and known.source != source:
        state.save_account(db, replace(known, source=source))
    return True


def _has_records(db: sqlite3.Connection, provider: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM lumio_resources WHERE provider = ? AND records > 0 LIMIT 1", [provider]
    ).fetchone()
    return row is not None


def account_key(
    runtime: Runtime,
    name: str,
    credential: Credential | None = None,
    *,
    fallback: Credential | None = None,
) -> str:
    """By what quotas and cache tell the accounts of one origin apart (`transport.owner` adds it):
    the account where it is known, else a digest of the credential, which is random enough to give
    nothing away. `fallback` is the stored credential, where the caller has it: then nothing is
    asked for it.
    """
    if credential is None:
        known = known_account(runtime, name)
        if known is not None:
            return known
        try:
            credential = fallback or runtime.credentials.load(name).credential
        except LumioError:
            return runtime.paths.profile
    return sha256(credential.root.encode()).hexdigest()[:16]


def known_account(runtime: Runtime, name: str) -> str | None:
    """The id of the account whose data the hub holds; None: it holds none. Asks for no credential.

    Raises `HubError`.
    """
    reader = runtime.hub_reader
    account = None if reader is None else state.read_account(reader.connection, name)
    return None if account is None else account.account_id
