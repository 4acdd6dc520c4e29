"""Where credentials come from and where they go. First hit wins:

1. `LUMIO_<PROVIDER>_TOKEN`
2. `LUMIO_<PROVIDER>_TOKEN_FILE`, then systemd's `$CREDENTIALS_DIRECTORY/lumio-<provider>`
3. the provider's setting `token_command`
4. the store: the machine's keyring, or the encrypted vault where the operator chose it

Only the store is ever written to. Which source was used is part of every answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from lumio_cli.core.clock import Clock, SystemClock
from lumio_cli.core.errors import CredentialError
from lumio_cli.core.paths import Paths
from lumio_cli.core.stop import Stop
from lumio_cli.credentials.keyring_index import Index
from lumio_cli.credentials.operator_sources import find_given, given_fields, variable
from lumio_cli.credentials.serialization import decode, encode
from lumio_cli.credentials.system_keyring import SERVICE, Passwords, SystemKeyring
from lumio_cli.credentials.vault import Vault
from lumio_cli.credentials.vault_key import SCRYPT_N, KeySource
from lumio_cli.providers.contract.auth import Credential

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from lumio_cli.core.redact import Redactor

_NO_KEYRING = ("keyring_unavailable", "keyring_no_dbus")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """How credentials are kept.

    store           auto: the vault where one exists or its key is in the environment, else the
                    keyring. It never changes over by itself because a keyring fails.
    vault_key_file  a file that holds the vault's key
    keyring_timeout seconds for one use of the keyring
    """

    store: Literal["auto", "keyring", "vault"] = "auto"
    vault_key_file: str | None = None
    keyring_timeout: float = 8.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A credential and where it was found; `writable`: a renewed one can be saved there."""

    credential: Credential = field(repr=False)
    source: str
    writable: bool


class CredentialStore:
    """The credentials of one profile. Every secret that passes is made known to `redactor`.

    token_commands  the setting `token_command` by provider
    ask             gets a passphrase from the terminal; None: there is none
    known           what was learned of an account before, for a credential that is not stored
    find_keyring    stands in for `keyring.get_keyring`
    scrypt_n        the cost of a passphrase in a new vault
    """

    def __init__(
        self,
        paths: Paths,
        environ: Mapping[str, str],
        settings: CredentialSettings,
        redactor: Redactor,
        *,
        token_commands: Mapping[str, str | Sequence[str]] | None = None,
        ask: Callable[[str], str] | None = None,
        clock: Clock | None = None,
        stop: Stop | None = None,
        known: Callable[[str], Mapping[str, str]] = lambda _: {},
        find_keyring: Callable[[], KeyringBackend] | None = None,
        scrypt_n: int = SCRYPT_N,
    ) -> None:
        self._profile = paths.profile
        self._known = known
        self._environ = environ
        self._settings = settings
        self._redactor = redactor
        self._commands = token_commands or {}
        self._stop = stop or Stop()
        self.vault = Vault(
            paths.vault,
            KeySource(environ, settings.vault_key_file, ask),
            clock=clock or SystemClock(),
            learn=redactor.learn,
            stop=self._stop,
            scrypt_n=scrypt_n,
        )
        self._index = Index(paths.credentials, paths.locks)
        self._keyring = SystemKeyring(
            limit=settings.keyring_timeout, environ=environ, find=find_keyring, stop=self._stop
        )

    def load(self, provider: str) -> Loaded:
        """The credential of `provider`.

        Raises `CredentialError`: credential_missing where there is none, credential_malformed,
        credential_exposed or credential_damaged for one that cannot be used, and what the keyring
        (keyring_locked, keyring_timeout, ...) or the vault (vault_locked, vault_wrong_key, ...)
        have to say.
        """
        given = find_given(provider, self._environ, self._commands.get(provider), self._stop)
        if given is not None:
            fields = {**self._known(provider), **given_fields(provider, self._environ)}
            credential = Credential(given.kind, given.read(), fields=fields)
            self.learn(credential)
            return Loaded(credential, given.source, writable=False)
        try:
            text, source = self._use(provider, lambda kept: kept.get(self._user(provider)))
        except CredentialError as error:
            if error.code in _NO_KEYRING:
                raise self._nowhere(provider, error) from None
            raise
        if text is None:
            raise self._missing(provider, source)
        credential = decode(text, f"{source}, {provider}")
        self.learn(credential)
        return Loaded(credential, source, writable=True)

    def save(self, provider: str, credential: Credential) -> str:
        """Store the credential; where it went.

        Raises `CredentialError`: keyring_unavailable and the like where there is no place for
        it. Nothing is ever stored in plain text, and no other place is chosen silently.
        """
        self.learn(credential)
        text, user = encode(credential), self._user(provider)

        def keep(kept: Passwords) -> bool:
            kept.set(user, text)
            return kept.get(user) == text

        intact, source = self._use(provider, keep)
        if not intact:
            raise CredentialError(
                f"{source} did not keep the credential of {provider} as it was given",
                hint="use the vault instead: `lumio vault init`",
                code="keyring_failed",
            )
        if self._vault_chosen:
            return f"encrypted vault {self.vault.path}"
        self._index.add(provider)
        return source

    def delete(self, provider: str) -> bool:
        """Remove the stored credential; False where there was none. What the operator gives by
        environment, file or command is not touched. Raises `CredentialError` as `load` does.
        """
        user = self._user(provider)
        try:
            deleted = self._use(provider, lambda kept: kept.delete(user))[0]
        except CredentialError as error:
            if error.code in _NO_KEYRING:
                return False
            raise
        self._index.remove(provider)
        return deleted

    def given(self, provider: str) -> str | None:
        """Which of environment, file or command holds the credential, unread; None: none."""
        found = find_given(provider, self._environ, self._commands.get(provider), self._stop)
        return found.source if found else None

    def locate(self, provider: str) -> str | None:
        """Where the credential of `provider` is; None: not connected.

        Runs no command, asks nobody and needs no key; a keyring is only looked into where lumio
        has put something. Raises `CredentialError` within the keyring's
        time limit where the keyring is locked or does not answer: that is not the same as none.
        """
        if (source := self.given(provider)) is not None:
            return source
        user = self._user(provider)
        if self._vault_chosen:
            return "vault" if (SERVICE, user) in self.vault.names() else None
        if provider not in self._index:
            return None
        try:
            text, source = self._use(provider, lambda kept: kept.get(user))
        except CredentialError as error:
            if error.code in _NO_KEYRING:
                return None
            raise
        return None if text is None else source

    def list_connected(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that have a credential. Raises as `locate` does."""
        return [name for name in names if self.locate(name) is not None]

    def learn(self, credential: Credential) -> None:
        """Make every secret of `credential` known, so that no output shows it."""
        for secret in credential.secrets():
            self._redactor.learn(secret)

    # -- the store

    @property
    def _vault_chosen(self) -> bool:
        if self._settings.store != "auto":
            return self._settings.store == "vault"
        return self.vault.keys.given_in_environment or self.vault.exists

    def _use(self, provider: str, work: Callable[[Passwords], T]) -> tuple[T, str]:
        """What `work` returns on the store's entries, and the store's name."""
        if not self._vault_chosen:
            return self._keyring.use(work, provider)
        from lumio_cli.credentials.vault_backend import VaultKeyring

        return work(Passwords(VaultKeyring(self.vault), part=0)), "vault"

    def _user(self, provider: str) -> str:
        return f"{self._profile}:{provider}"

    def _missing(self, provider: str, source: str) -> CredentialError:
        return CredentialError(
            f"{provider} is not connected: there is no credential in the environment "
            f"or the {source}",
            hint=f"lumio connect {provider}, or set {variable(provider)}",
            code="credential_missing",
        )

    def _nowhere(self, provider: str, error: CredentialError) -> CredentialError:
        """Not connected, on a machine where connecting would find no place for the credential."""
        name = variable(provider)
        return CredentialError(
            f"{provider} is not connected, and {error.message}",
            hint=f"set {name} or {name}_FILE, "
            f"or `lumio vault init` and then `lumio connect {provider}`",
            code="credential_missing",
        )
