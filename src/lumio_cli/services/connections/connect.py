"""What `lumio connect` and `lumio disconnect` do: a credential is proved first and stored then."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import CredentialError, UsageError
from lumio_cli.core.paths import expand
from lumio_cli.credentials import CredentialStore
from lumio_cli.credentials.secret_files import check_secret, read_secret_file
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Send
from lumio_cli.providers.contract.fields import Identity, suggest
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.services.connections.account_guard import identify


@dataclass(frozen=True, slots=True)
class Connected:
    """A provider whose credential is stored.

    account         whose account it is; None where nothing was asked (`verify=False`)
    scopes          granted; None: the provider does not tell
    missing_scopes  by resource, what a sync of it would lack
    store           where the credential went
    used_instead    a source that wins over the store as long as it is there; None: none
    """

    provider: str
    account: Identity | None
    scopes: tuple[str, ...] | None
    missing_scopes: Mapping[str, tuple[str, ...]]
    credential: Credential = field(repr=False)
    store: str
    used_instead: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For `--output json`. Without the credential."""
        expires = self.credential.expires_at
        return {
            "provider": self.provider,
            "status": "connected",
            "verified": self.account is not None,
            "account": {
                "id": self.account.account_id if self.account else None,
                "name": self.account.account_name if self.account else None,
            },
            "scopes": sorted(self.scopes or ()),
            "missing_scopes": {name: list(scopes) for name, scopes in self.missing_scopes.items()},
            "credential": {
                "kind": self.credential.kind,
                "store": self.store,
                "expires_at": format_time(expires) if expires else None,
            },
            "used_instead": self.used_instead,
        }


@dataclass(frozen=True, slots=True)
class Disconnected:
    """`removed`: a stored credential is gone. `remaining` names a source that lumio cannot remove
    and that keeps the provider connected; None: there is none. True in a condition if removed.
    """

    provider: str
    removed: bool
    remaining: str | None = None

    def __bool__(self) -> bool:
        return self.removed

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "provider": self.provider,
            "status": "connected" if self.remaining else "disconnected",
            "removed": self.removed,
            "remaining": self.remaining,
        }


def connect(
    provider: Provider,
    credential: Credential,
    *,
    store: CredentialStore,
    send_factory: Callable[[Credential], Send],
    verify: bool = True,
) -> Connected:
    """Prove `credential` (from `read_credential` or a browser login), then store it.

    `send_factory` makes a one-off way to the provider for the proof. With `verify=False` nothing
    is sent. Nothing is stored unless the proof succeeds. Raises what the probe raises, and what
    `CredentialStore.save` raises.
    """
    identity = identify(provider, send_factory(credential), credential) if verify else None
    if identity is not None:
        credential = replace(
            credential,
            scopes=credential.scopes if identity.scopes is None else identity.scopes,
            expires_at=credential.expires_at or identity.expires_at,
        )
    where = store.save(provider.name, credential)
    return Connected(
        provider=provider.name,
        account=identity,
        scopes=credential.scopes,
        missing_scopes=missing_scopes(provider, credential.scopes),
        credential=credential,
        store=where,
        used_instead=store.given(provider.name),
    )


def read_credential(
    provider: Provider,
    *,
    store: CredentialStore,
    environ: Mapping[str, str],
    values: Mapping[str, str] | None = None,
    token_file: Path | None = None,
) -> Credential:
    """The credential that the operator gives, checked against the provider's declaration.

    values      by field name (`token`, ...), as a prompt, stdin or --set gave them
    token_file  holds the value of the first field
    neither     what environment, file or command give

    Raises `UsageError` for a field that the provider does not have, `CredentialError`
    credential_missing for one that is not there, credential_malformed for a value that cannot be
    right, and what reading a file raises. No value is ever part of a message.
    """
    fields = provider.credential
    first = fields[0].name
    given = dict(values or {})
    if token_file is not None:
        path = expand(token_file, UsageError)
        given[first] = read_secret_file(path, "the token file", environ)
    elif not given and store.given(provider.name):
        given[first] = store.load(provider.name).credential.token
    names = [f.name for f in fields]
    for name in given:
        if name not in names:
            raise UsageError(
                f"a credential of {provider.name} has no {name!r}",
                hint=suggest(name, names, "fields"),
            )
    found: dict[str, str] = {}
    for declared in fields:
        text = given.get(declared.name, declared.default)
        label = f"the {declared.name.replace('_', ' ')} of {provider.name}"
        if text is None:
            raise CredentialError(
                f"{label} is missing",
                hint=declared.help or f"lumio connect {provider.name}",
                code="credential_missing",
            )
        if not str(text) and declared.default is not None:
            # Not needed: the account itself says it.
            found[declared.name] = str(declared.default)
            continue
        value = check_secret(str(text), label)
        if declared.pattern and not re.fullmatch(declared.pattern, value):
            raise CredentialError(
                f"{label} does not look like one: it must match {declared.pattern}",
                hint=declared.help or None,
                code="credential_malformed",
            )
        found[declared.name] = value
    credential = Credential("token", found.pop(first), fields=found)
    store.learn(credential)
    return credential


def missing_scopes(
    provider: Provider, granted: tuple[str, ...] | None
) -> dict[str, tuple[str, ...]]:
    """By resource, the scopes for reading that are not among `granted`; empty where None: the
    provider does not tell, so the first sync will.
    """
    if granted is None:
        return {}
    have = set(granted)
    lacking = {r.name: tuple(s for s in r.scopes if s not in have) for r in provider.resources}
    return {name: scopes for name, scopes in lacking.items() if scopes}


def disconnect(provider: str, store: CredentialStore) -> Disconnected:
    """Remove the stored credential of `provider`.

    Raises `CredentialError` credential_given where nothing is stored and what connects the
    provider (a variable, a file, a command) is the operator's own to take away, and what the store
    raises.
    """
    remaining = store.given(provider)
    removed = store.delete(provider)
    if remaining and not removed:
        raise CredentialError(
            f"the credential of {provider} comes from {remaining}, which lumio cannot remove",
            hint=f"remove {remaining} where it is set",
            code="credential_given",
        )
    return Disconnected(provider, removed, remaining)
