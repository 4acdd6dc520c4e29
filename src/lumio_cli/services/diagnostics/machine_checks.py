"""Checks of the machine: versions, time, disk, terminal, proxies."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lumio_cli import __version__
from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import LumioError
from lumio_cli.core.units import format_size
from lumio_cli.services.diagnostics.check import Check, Finding, Status
from lumio_cli.services.diagnostics.context import Scene

OLDEST_SQLITE = (3, 38)
"""STRICT tables came with 3.37, JSON in every build with 3.38."""
SCARCE = 64 << 20
SPARE = 256 << 20
"""Bytes: below the first nothing works, and this much should be left beside a hub's copy."""
BORN = 1_735_689_600.0
"""2025-01-01: a clock that says less was never set."""

_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONUTF8", "PYTHONIOENCODING")
_TERMINAL = ("TERM", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "CI")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def checks(scene: Scene) -> list[Check]:
    """The machine's checks."""
    return [
        Check("versions", versions),
        Check("clock", lambda: clock(scene)),
        Check("disk", lambda: disk(scene)),
        Check("terminal", lambda: terminal(scene)),
        Check("proxy", lambda: proxy(scene)),
    ]


def packages() -> dict[str, str]:
    """The versions of what lumio is made of."""
    try:
        needed = requires("lumio-cli") or []
    except PackageNotFoundError:  # run from a source tree that was never installed
        needed = []
    found = {"lumio-cli": __version__}
    for line in needed:
        name = line.split(";")[0].split("[")[0].split(">")[0].split("=")[0].strip()
        if "extra ==" not in line:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "missing"
    return found


def environment(scene: Scene) -> dict[str, Any]:
    """Where this lumio runs, without a secret: what a report begins with."""
    environ = scene.environ
    return {
        "lumio": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(),
        "packages": packages(),
        "profile": scene.paths.profile,
        "config": str(scene.paths.config),
        "hub": str(scene.hub_path),
        "time_zone": time.strftime("%Z %z"),
        "locale": {name: environ[name] for name in _LOCALE if name in environ},
        "terminal": {
            "stdin": _is_terminal(scene.runtime.stdin),
            "stdout": _is_terminal(scene.runtime.output.stdout),
            "stderr": _is_terminal(scene.runtime.output.stderr),
            "encoding": getattr(scene.runtime.output.stdout, "encoding", None),
            **{name: environ[name] for name in _TERMINAL if name in environ},
        },
        "proxies": proxies(environ),
        "variables": sorted(name for name in environ if name.startswith("LUMIO_")),
    }


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables that are set, each without user and password."""
    wanted = {*_PROXIES, *(name.lower() for name in _PROXIES)}
    return {
        name: value if name.upper() == "NO_PROXY" else bare_url(value)
        for name, value in sorted(environ.items())
        if name in wanted and value
    }


def bare_url(text: str) -> str:
    """A proxy's URL without user, password, path and query."""
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        port = f":{url.port}" if url.port else ""
    except ValueError:
        return "(not a URL)"
    return f"{url.scheme}://{url.hostname or ''}{port}"


def versions() -> Finding:
    """Whether everything is there, and new enough."""
    found = packages()
    missing = [name for name, said in found.items() if said == "missing"]
    text = (
        f"lumio {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
    facts = {"packages": found, "executable": sys.executable}
    if missing:
        return Finding(
            "fail",
            f"{text}; not installed: {', '.join(missing)}",
            "install lumio-cli again: `pip install --force-reinstall lumio-cli`",
            facts,
        )
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return Finding(
            "fail",
            f"{text}: this SQLite is too old",
            "use a Python whose SQLite is 3.38 or newer",
            facts,
        )
    return Finding("pass", text, None, facts)


def clock(scene: Scene) -> Finding:
    """Whether the clock was set, and does not lie behind what the hub has seen."""
    now = scene.clock.time()
    text = f"{format_timestamp(round(now))}, here {time.strftime('%H:%M %Z (%z)')}"
    facts = {"time_zone": time.strftime("%Z"), "utc_offset": time.strftime("%z")}
    if now < BORN:
        return Finding("fail", f"{text}: this clock was never set", "set it, or start NTP", facts)
    newest = None
    with suppress(LumioError), scene.hub() as hub:  # a hub that is damaged has its own check
        if hub is not None:
            newest = hub.execute("SELECT max(heartbeat_at) FROM lumio_runs").fetchone()[0]
    if newest is not None and scene.age(newest) < -60:
        return Finding(
            "warn",
            f"{text}: the last run ended {scene.ago(newest)}, so the clock was set back",
            "check it: `timedatectl`; syncs themselves use the provider's clock",
            facts,
        )
    return Finding("pass", text, None, facts)


def disk(scene: Scene) -> Finding:
    """Whether hub, backups and cache have room to grow."""
    size = scene.hub_path.stat().st_size if scene.hub_path.exists() else 0
    words: list[str] = []
    worst: Status = "pass"
    hint = None
    facts: dict[str, Any] = {"hub_bytes": size}
    seen: dict[int, str] = {}
    for what, path in (("hub", scene.hub_path.parent), ("cache", scene.paths.cache_dir)):
        place = _existing(path)
        device = place.stat().st_dev
        free = shutil.disk_usage(place).free
        facts[f"{what}_free_bytes"] = free
        if device in seen:
            continue
        seen[device] = what
        words.append(f"{format_size(free)} free for the {what}")
        if free < SCARCE:
            worst, hint = "fail", f"free some space where {place} is; nothing is lost meanwhile"
        elif free < SPARE + (size if what == "hub" else 0) and worst == "pass":
            worst, hint = "warn", f"free some space where {place} is: a backup copies the hub"
    text = f"{', '.join(words)}; the hub has {format_size(size)}"
    return Finding(worst, text, hint, facts)


def terminal(scene: Scene) -> Finding:
    """What the streams are, and which language they speak. Never a problem by itself."""
    facts = environment(scene)["terminal"]
    names = [name for name in ("stdin", "stdout", "stderr") if facts[name]]
    where = f"a terminal on {', '.join(names)}" if names else "no terminal: a script or a job"
    said = [f"{name}={scene.environ[name]}" for name in _LOCALE if scene.environ.get(name)]
    text = f"{where}; {', '.join(said) or 'no locale is set'}"
    return Finding("pass", f"{text}; output in {facts['encoding'] or 'UTF-8'}", None, facts)


def proxy(scene: Scene) -> Finding:
    """Which proxies are in force, and whether the certificates that are named exist."""
    found = proxies(scene.environ)
    chosen = scene.settings.http.proxy if scene.settings else ""
    words = [f"{name} {value}" for name, value in found.items()]
    words += [f"http.proxy {bare_url(chosen)}"] if chosen else []
    named = {name: scene.environ[name] for name in _TRUST if scene.environ.get(name)}
    if scene.settings and scene.settings.http.ca_file:
        named["http.ca_file"] = scene.settings.http.ca_file
    words += [f"{name} {value}" for name, value in named.items()]
    text = ", ".join(words) or "none is set: connections are direct"
    facts = {"proxies": found, "trust": named}
    for name, value in named.items():
        if not Path(value).expanduser().exists():
            return Finding(
                "fail",
                f"{text}: {name} names what does not exist",
                f"correct or remove {name}: without it no certificate can be verified",
                facts,
            )
    return Finding("pass", text, None, facts)


def _existing(path: Path) -> Path:
    """The path itself, or the nearest directory above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except ValueError:  # closed
        return False
