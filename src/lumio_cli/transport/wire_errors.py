"""What can happen between us and a provider, and what it says about what was sent."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Literal

import httpx

from lumio_cli.core.errors import BadReplyError, ConfigError, UnavailableError

Kind = Literal[
    "dns", "refused", "unreachable", "connect", "connect_timeout", "pool", "proxy", "tls",
    "read_timeout", "write_timeout", "reset", "cut", "decode", "too_large", "protocol",
    "too_slow", "stopped",
]  # fmt: skip

_SETUP: frozenset[Kind] = frozenset({"proxy", "tls", "protocol", "pool", "too_large", "stopped"})
"""Faults of this machine's set-up: they say nothing about the health of the provider."""

_HOPELESS: frozenset[Kind] = frozenset({"tls", "protocol", "too_large", "too_slow"})
"""Faults that the same request meets again, however often it is sent."""

_EXPIRED, _NOT_VALID_YET, _HOSTNAME, _ADDRESS = 10, 9, 62, 64
"""OpenSSL's codes for certificates (X509_V_ERR_...)."""


class WireError(Exception):
    """No usable answer came. `sent`: the request may have reached the provider all the same."""

    def __init__(self, kind: Kind, message: str, *, sent: bool, hint: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.sent = sent
        self.hint = hint

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.kind not in _HOPELESS

    @property
    def unhealthy(self) -> bool:
        """Whether it is a sign that the provider is in trouble."""
        return self.kind not in _SETUP

    def error(self) -> UnavailableError:
        """The error to show."""
        kind = BadReplyError if self.kind in ("cut", "decode", "too_large") else UnavailableError
        hint = self.hint or "nothing was lost; run it again later"
        return kind(self.message, hint=hint)


def classify(error: Exception, host: str) -> WireError:
    """What an exception of httpx means, in one line about `host`.

    The texts of the exceptions are not used: some hold headers or URLs.
    """
    if isinstance(error, httpx.PoolTimeout):
        return WireError("pool", f"no free connection to {host} in time", sent=False)
    if isinstance(error, httpx.ConnectTimeout):
        return WireError(
            "connect_timeout", f"{host} did not accept a connection in time", sent=False
        )
    if isinstance(error, httpx.ProxyError):
        return WireError(
            "proxy",
            f"the proxy refused to connect to {host}",
            sent=False,
            hint="check HTTPS_PROXY, NO_PROXY or the `proxy` setting",
        )
    if isinstance(error, httpx.ConnectError):
        return _connecting(error, host)
    if isinstance(error, httpx.ReadTimeout):
        return WireError("read_timeout", f"{host} did not answer in time", sent=True)
    if isinstance(error, httpx.WriteTimeout):
        return WireError("write_timeout", f"{host} did not take the request in time", sent=True)
    if isinstance(error, httpx.RemoteProtocolError):
        return _broken_off(error, host)
    if isinstance(error, httpx.NetworkError):
        return WireError("reset", f"{host} broke the connection off", sent=True)
    if isinstance(error, httpx.DecodingError):
        return WireError("decode", f"{host} sent a body that cannot be decompressed", sent=True)
    return WireError(
        "protocol",
        f"the request to {host} cannot be sent ({type(error).__name__})",
        sent=False,
        hint="the credential or a setting may hold characters that HTTP does not allow",
    )


def _broken_off(error: httpx.RemoteProtocolError, host: str) -> WireError:
    # The only place where a text decides: h11 has no type for a body that ends too soon.
    if "complete message body" in str(error) or "chunked" in str(error):
        return WireError("cut", f"{host} broke off in the middle of an answer", sent=True)
    return WireError("reset", f"{host} closed the connection without a proper answer", sent=True)


def _connecting(error: Exception, host: str) -> WireError:
    """Why there is no connection: the answer is in the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, host)
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return WireError("reset", f"{host} broke the TLS handshake off", sent=False)
        if isinstance(cause, ssl.SSLError):
            return _handshake(cause, host)
        if isinstance(cause, socket.gaierror):
            return WireError(
                "dns",
                f"the name {host} cannot be resolved",
                sent=False,
                hint="check the network, the DNS server and the provider's `base_url`",
            )
        if isinstance(cause, ConnectionRefusedError):
            return WireError("refused", f"{host} refuses connections", sent=False)
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return WireError("unreachable", f"there is no route to {host}", sent=False)
        cause = cause.__cause__ or cause.__context__
    return WireError("connect", f"there is no connection to {host}", sent=False)


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> WireError:
    reasons = {
        _EXPIRED: f"the certificate of {host} has expired",
        _NOT_VALID_YET: f"the certificate of {host} is not valid yet",
        _HOSTNAME: f"the certificate that {host} shows is for another name",
        _ADDRESS: f"the certificate that {host} shows is for another name",
    }
    message = reasons.get(
        error.verify_code, f"the certificate of {host} is not trusted ({error.verify_message})"
    )
    clock = error.verify_code in (_EXPIRED, _NOT_VALID_YET)
    return WireError(
        "tls",
        message,
        sent=False,
        hint="check this machine's clock"
        if clock
        else "behind a proxy that reads TLS, name its CA in `ca_file` or SSL_CERT_FILE",
    )


def _handshake(error: ssl.SSLError, host: str) -> WireError:
    reason = (error.reason or "").lower().replace("_", " ")
    words = f" ({reason})" if reason else ""
    old = "version" in reason or "protocol" in reason
    return WireError(
        "tls",
        f"no TLS connection to {host}{words}",
        sent=False,
        hint="if the way there only knows TLS 1.2, allow it with the provider's `tls12` setting"
        if old
        else "a proxy or a firewall may be in between",
    )


def config_error(error: Exception, what: str) -> ConfigError:
    """The error for a setting that cannot be used. The cause's text may hold a password."""
    return ConfigError(f"{what} cannot be used ({type(error).__name__})")
