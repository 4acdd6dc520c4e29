"""One provider under examination: what its checks share, and what earlier ones found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lumio_cli.core.errors import LumioError
from lumio_cli.services.diagnostics.machine_checks import bare_url

if TYPE_CHECKING:
    from lumio_cli.config.settings import ProviderSettings
    from lumio_cli.credentials import Loaded
    from lumio_cli.hub.sqlite.state import Account
    from lumio_cli.providers.contract.fields import Identity
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.providers.contract.quota import Allowance
    from lumio_cli.services.diagnostics.context import Scene
    from lumio_cli.transport.breaker import Breaker
    from lumio_cli.transport.quota.limiter import Limiter

CONNECT, READ = 4.0, 8.0
"""Seconds to connect and to answer: less than a check has, so that it can say what was late."""


@dataclass(slots=True)
class Subject:
    """A provider and what is found out about it. Its checks run one after the other.

    account     whose account the hub holds; None: none, or the hub cannot be read
    loaded      the credential, once it is read
    identity    what the provider said of it, once it was asked
    said        what the provider said of its quotas then
    unreachable why there is no use in asking; empty as long as there is
    """

    scene: Scene
    name: str
    settings: ProviderSettings
    provider: Provider
    account: Account | None
    loaded: Loaded | None = field(default=None, repr=False)
    identity: Identity | None = None
    said: dict[str, Allowance] = field(default_factory=dict)
    unreachable: str = ""

    @property
    def base_url(self) -> str:
        """Where the provider is."""
        return self.settings.base_url or self.provider.base_url

    @property
    def host(self) -> str:
        """The host of it."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def port(self) -> int:
        """Its port, the scheme's own where none is named."""
        url = urlsplit(self.base_url)
        return url.port or (443 if url.scheme == "https" else 80)

    @property
    def plain(self) -> bool:
        """Whether it is asked without TLS: a look-alike on this machine."""
        return urlsplit(self.base_url).scheme == "http"

    @property
    def proxy(self) -> str:
        """The proxy on the way there, without its password; empty: the way is direct."""
        from urllib.request import getproxies, proxy_bypass

        if self.plain:
            return ""
        chosen = self.scene.settings.http.proxy if self.scene.settings else ""
        proxies = getproxies()
        found = chosen or proxies.get("https") or proxies.get("all") or ""
        if not chosen and found and proxy_bypass(f"{self.host}:{self.port}"):
            return ""
        return bare_url(found) if found else ""

    @property
    def account_key(self) -> str:
        """By what quotas tell this account from others."""
        from lumio_cli.services.connections.account_guard import account_key

        if self.account is not None:
            return self.account.account_id
        credential = self.loaded.credential if self.loaded is not None else None
        try:
            return account_key(self.scene.runtime, self.name, credential)
        except LumioError:  # a hub that cannot be read has its own check
            return self.scene.paths.profile

    def limiter(self) -> Limiter:
        """The provider's rate limits, to look at."""
        from lumio_cli.transport.owner import limiter_of, whose

        return limiter_of(
            self.scene.runtime.quota_store,
            self.provider,
            whose(self.account_key, self.base_url),
            self.scene.clock,
            share=self.settings.quota_share,
        )

    def breaker(self) -> Breaker:
        """The provider's circuit, to look at."""
        from lumio_cli.transport.owner import breaker_of, whose

        owner = whose(self.account_key, self.base_url)
        return breaker_of(self.scene.runtime.quota_store, self.name, owner, self.scene.clock)


def find_subject(scene: Scene, name: str) -> Subject:
    """The provider `name` with its settings. Raises UsageError and ConfigError; a hub that cannot
    be read is none of its business.
    """
    from lumio_cli.hub.sqlite.state import read_account
    from lumio_cli.providers.registry import load_provider

    assert scene.settings is not None  # noqa: S101 the caller has looked
    chosen = scene.settings.provider(name)
    account = None
    try:
        with scene.hub() as db:
            account = read_account(db, name) if db is not None else None
    except LumioError:
        pass
    options = {
        **chosen.options,
        "columns": chosen.columns,
        "limits": chosen.limits,
        "time_zone": account.details.get("time_zone", "") if account else "",
    }
    return Subject(scene, name, chosen, load_provider(name, options), account)
