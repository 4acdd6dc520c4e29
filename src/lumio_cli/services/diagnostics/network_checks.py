"""Checks of the way to a provider: its name, the connection, TLS, and what time it is there."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import LumioError
from lumio_cli.core.units import format_duration
from lumio_cli.providers.contract.call import Call
from lumio_cli.services.diagnostics.check import Check, Finding
from lumio_cli.services.diagnostics.provider_context import CONNECT, READ, Subject

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.x509 import Certificate

    from lumio_cli.transport.wire_errors import WireError

SKEW = 30.0
"""Seconds between the clocks from which on signatures and expiry go wrong."""
EXPIRES_SOON = 14.0
"""Days."""

_DAY = 86400.0


@dataclass(slots=True)
class Seen:
    """What the one request without a credential has shown."""

    fault: WireError | None = None
    seconds: float = 0.0
    status: int = 0
    skew: float | None = None
    tls: str = ""
    cipher: str = ""
    certificate: bytes = b""


def checks(subject: Subject) -> list[Check]:
    """The checks of the way, to be run in this order."""
    seen = Seen()
    return [
        Check("dns", lambda: dns(subject), network=True),
        Check("connection", lambda: connection(subject, seen), network=True),
        Check("tls", lambda: tls(subject, seen), network=True),
        Check("clock_skew", lambda: clock_skew(subject, seen), network=True),
    ]


def dns(subject: Subject) -> Finding:
    """Whether the provider's name has an address."""
    if subject.proxy:
        return Finding("skip", f"the proxy {subject.proxy} resolves {subject.host}")
    try:
        found = socket.getaddrinfo(subject.host, subject.port, type=socket.SOCK_STREAM)
    except OSError as error:
        subject.unreachable = f"{subject.host} cannot be resolved"
        return Finding(
            "fail",
            f"{subject.host} cannot be resolved ({error.strerror or type(error).__name__})",
            f"check the network and the DNS server, and providers.{subject.name}.base_url",
        )
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    shown = ", ".join(addresses[:3]) + (" and more" if len(addresses) > 3 else "")
    text = shown if addresses == [subject.host] else f"{subject.host} is {shown}"
    return Finding("pass", text, None, {"addresses": addresses})


def connection(subject: Subject, seen: Seen) -> Finding:
    """One request without a credential, the way all requests go."""
    if subject.unreachable:
        return Finding("skip", f"not tried: {subject.unreachable}")
    try:
        _ask(subject, seen)
    except LumioError as error:  # a setting that cannot be used
        subject.unreachable = error.message
        raise
    way = f" through {subject.proxy}" if subject.proxy else ""
    where = f"{subject.host}:{subject.port}{way}"
    facts = {"host": subject.host, "port": subject.port, "proxy": subject.proxy or None}
    fault = seen.fault
    if fault is None:
        text = f"{where} answered in {format_duration(seen.seconds)}"
        return Finding("pass", text, None, facts)
    if not fault.sent:
        subject.unreachable = fault.message
    if fault.kind == "tls":
        return Finding("pass", f"{where} accepts connections", None, facts)
    hint = fault.hint or (
        f"check the network, a firewall, and providers.{subject.name}.base_url; "
        "or wait until the provider is back"
    )
    return Finding("fail", fault.message, hint, {**facts, "kind": fault.kind})


def _ask(subject: Subject, seen: Seen) -> None:
    """Send the request and note what it shows of TLS and of the provider's clock."""
    from lumio_cli.transport.request_log import Tally
    from lumio_cli.transport.wire import Exchange, Timeouts, Wire
    from lumio_cli.transport.wire_errors import WireError

    settings = subject.scene.settings
    assert settings is not None  # noqa: S101 there is no subject without settings
    wire = Wire(
        subject.name,
        subject.base_url,
        timeouts=Timeouts(connect=CONNECT, read=READ, write=READ, pool=CONNECT),
        tls12=settings.http.tls12 or subject.provider.tls12,
        ca_file=settings.http.ca_file or None,
        proxy=settings.http.proxy or None,
    )

    def note(event: str, info: dict[str, Any]) -> None:
        # The connection may be closed when the answer is here; now it is open.
        if event.endswith("start_tls.complete"):
            tls = info["return_value"].get_extra_info("ssl_object")
            seen.tls = tls.version() or ""
            seen.cipher = (tls.cipher() or ("",))[0]
            # By position: below httpcore it is a plain `_ssl` object, which knows no keywords.
            seen.certificate = tls.getpeercert(True) or b""

    call = Call("HEAD", "/", auth=False)
    exchange = Exchange(call, Tally())
    request = wire.request(call, {}, exchange)
    request.extensions["trace"] = note
    clock, begin = subject.scene.clock, time.monotonic()
    try:
        reply = wire.reply(wire.handle_request(request), exchange, request.url)
    except WireError as error:
        seen.fault = error
        return
    finally:
        seen.seconds = time.monotonic() - begin
        wire.close()
    seen.status = reply.status
    if reply.date is not None:
        # Its Date was cut to whole seconds somewhere on the way there and back.
        seen.skew = clock.time() - seen.seconds / 2 - (reply.date.timestamp() + 0.5)


def tls(subject: Subject, seen: Seen) -> Finding:
    """Protocol and certificate of the connection."""
    if subject.plain:
        return Finding("skip", f"plain http to {subject.host}: nothing to verify")
    fault = seen.fault
    if fault is not None and fault.kind == "tls":
        shown = _unverified(subject)
        about = f"; it shows {_describe(shown, subject.scene.clock.time())}" if shown else ""
        return Finding(
            "fail",
            f"{fault.message}{about}",
            fault.hint or "a proxy or a firewall may be in between",
            _facts(shown) if shown else {},
        )
    if not seen.certificate:
        return Finding("skip", f"not tried: {subject.unreachable or 'there was no connection'}")
    found = _parse(seen.certificate)
    facts = {"protocol": seen.tls, "cipher": seen.cipher, "verified": True, **_facts(found)}
    now = subject.scene.clock.time()
    text = f"{seen.tls}, verified: {_describe(found, now)}"
    if _days_left(found, now) < EXPIRES_SOON:
        hint = "the provider has to renew it, or the proxy that reads TLS here"
        return Finding("warn", text, hint, facts)
    return Finding("pass", text, None, facts)


def clock_skew(subject: Subject, seen: Seen) -> Finding:
    """This machine's clock against the provider's."""
    if seen.skew is None:
        why = seen.fault.message if seen.fault else subject.unreachable
        return Finding("skip", f"not known: {why or 'the answer has no Date'}")
    off = abs(seen.skew)
    facts = {"seconds": round(seen.skew, 1)}
    if off < 2:
        return Finding("pass", "this clock and the provider's agree", None, facts)
    which = "ahead of" if seen.skew > 0 else "behind"
    text = f"this clock is {format_duration(off)} {which} the provider's"
    if off < SKEW:
        return Finding("pass", text, None, facts)
    hint = "set this machine's clock, or start NTP: `timedatectl set-ntp true`"
    return Finding("warn", text, hint, facts)


def _unverified(subject: Subject) -> Certificate | None:
    """The certificate that could not be verified, fetched to be shown and for nothing else."""
    if subject.proxy:
        return None
    try:
        text = ssl.get_server_certificate((subject.host, subject.port), timeout=CONNECT)
        return _parse(ssl.PEM_cert_to_DER_cert(text))
    except (OSError, ValueError):
        return None


def _parse(data: bytes) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(data)


def _describe(found: Certificate, now: float) -> str:
    days = _days_left(found, now)
    end = f"expires in {days:.0f} days" if days >= 0 else f"expired {-days:.0f} days ago"
    return f"{_name(found, 'subject')} from {_name(found, 'issuer')}, {end}"


def _days_left(found: Certificate, now: float) -> float:
    return (found.not_valid_after_utc.timestamp() - now) / _DAY


def _facts(found: Certificate) -> dict[str, Any]:
    end: datetime = found.not_valid_after_utc
    return {
        "subject": found.subject.rfc4514_string(),
        "issuer": found.issuer.rfc4514_string(),
        "not_after": format_time(end),
    }


def _name(found: Certificate, side: str) -> str:
    """The common name, or the organisation, or all of it."""
    from cryptography.x509 import NameOID

    name = getattr(found, side)
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(oid):
            return str(attribute.value)
    return str(name.rfc4514_string()) or "a certificate without a name"
