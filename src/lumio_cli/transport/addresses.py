"""Addresses: how they are read, and by which proxy they are reached."""

from __future__ import annotations

import httpx

from lumio_cli.core.errors import ConfigError


def parse_url(text: str, what: str) -> httpx.URL:
    """Return an absolute http(s) URL, as the client that connects reads it.

    Raises `ConfigError`.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ConfigError(f"{what} is no URL") from None
    if url.scheme not in ("https", "http") or not url.host:
        raise ConfigError(f"{what} is no http(s) URL")
    return url


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, whatever a name server says."""
    if host in ("localhost", "::1"):
        return True
    # Digits only: `127.0.evil.test` is a name like any other.
    return host.startswith("127.") and host.replace(".", "").isdigit()


def environment_proxy(url: httpx.URL) -> str | None:
    """Return the proxy that the environment names for an address; None for none."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy is None or proxy_bypass(url.netloc.decode()):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
