"""Whose data the hub holds, and whether a credential opens that very account."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from lumio_cli.clock import format_time, format_timestamp
from lumio_cli.errors import ConfigError, LumioError
from lumio_cli.hub import state

if TYPE_CHECKING:
    from lumio_cli.hub.db import Hub
    from lumio_cli.providers.auth import Credential
    from lumio_cli.providers.base import Identity, Provider, Send
    from lumio_cli.runtime import Runtime


def fingerprint_of(hub: Hub, credential: Credential) -> str:
    """By what the hub recognises a credential: the part of it that renewals do not change."""
    return state.fingerprint(hub.connection, credential.root)


def refuse_another(hub: Hub, provider: str, identity: Identity) -> None:
    """Raises `ConfigError` where the hub already holds another account's data: mixing the two
    would let a sync delete the one as missing from the other.
    """
    known = state.read_account(hub.connection, provider)
    if (
        known is not None
        and known.account_id != identity.account_id
        and _has_records(hub, provider)
    ):
        raise ConfigError(
            f"this hub holds the data of {provider} account {known.account_id} "
            f"({known.account_name}), but the credential opens {identity.account_id} "
            f"({identity.account_name})",
            code="account_changed",
            hint="use another profile for it: --profile NAME",
        )


def remember(
    hub: Hub, provider: str, identity: Identity, credential: Credential, source: str, now: float
) -> None:
    """Store whose account a proven credential opens.

    Raises as `refuse_another` does.
    """
    refuse_another(hub, provider, identity)
    account = state.Account(
        provider=provider,
        account_id=identity.account_id,
        account_name=identity.account_name,
        scopes=identity.scopes,
        fingerprint=fingerprint_of(hub, credential),
        kind=credential.kind,
        source=source,
        expires_at=format_time(identity.expires_at) if identity.expires_at else None,
        checked_at=format_timestamp(now),
        details=identity.details,
        fields=identity.fields,
    )
    with hub.transaction() as db:
        state.save_account(db, account)


def verify(
    hub: Hub, provider: Provider, credential: Credential, source: str, send: Send, now: float
) -> state.Account:
    """The account that the credential opens; asks the provider only where the hub has not seen
    this credential before. Raises what the probe raises, and `ConfigError` for another account.
    """
    known = state.read_account(hub.connection, provider.name)
    if known is not None and known.fingerprint == fingerprint_of(hub, credential):
        if known.source != source:
            with hub.transaction() as db:
                state.save_account(db, replace(known, source=source))
        return known
    identity = provider.probe(send, credential)
    remember(hub, provider.name, identity, credential, source, now)
    account = state.read_account(hub.connection, provider.name)
    assert account is not None  # noqa: S101 it was stored a line ago
    return account


def check(hub: Hub, provider: Provider, credential: Credential, send: Send) -> None:
    """Refuses what `verify` refuses, and writes nothing: for a preview."""
    known = state.read_account(hub.connection, provider.name)
    if known is not None and known.fingerprint != fingerprint_of(hub, credential):
        refuse_another(hub, provider.name, provider.probe(send, credential))


def _has_records(hub: Hub, provider: str) -> bool:
    row = hub.connection.execute(
        "SELECT 1 FROM lumio_resources WHERE provider = ? AND records > 0 LIMIT 1", [provider]
    ).fetchone()
    return row is not None


def account_key(runtime: Runtime, name: str, credential: Credential | None = None) -> str:
    """By what quotas and cache tell accounts apart: the account where it is known, else a digest
    of the credential, which is random enough to give nothing away.
    """
    if credential is None:
        reader = runtime.hub_reader
        account = None if reader is None else state.read_account(reader.connection, name)
        if account is not None:
            return account.account_id
        try:
            credential = runtime.credentials.load(name).credential
        except LumioError:
            return runtime.paths.profile
    return sha256(credential.root.encode()).hexdigest()[:16]
