"""The support bundle: a ZIP that explains an installation and gives no secret away.

Everything goes through one redactor, which knows every secret that this profile has, and people
and machines become stand-ins. At last the finished archive is searched for those secrets: where
one is found, there is no bundle.
"""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumio_cli import __version__
from lumio_cli.core.clock import format_time, utc
from lumio_cli.core.errors import LumioError, StoppedError, UsageError
from lumio_cli.core.paths import make_private_dir
from lumio_cli.core.pseudonyms import Pseudonymizer
from lumio_cli.core.redact import Redactor, is_secret_name
from lumio_cli.core.units import format_size
from lumio_cli.services.diagnostics.check import LIMIT, limited

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime
    from lumio_cli.services.diagnostics.bundle_sources import Source
    from lumio_cli.services.diagnostics.context import Scene
    from lumio_cli.services.diagnostics.run import Report

FORMAT = 1
"""The bundle's version: it rises when a file changes its meaning."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A written bundle. `key` is the file that tells what the stand-ins stand for; it stays here.

    `files` are the manifest's entries.
    """

    path: Path
    size: int
    digest: str
    key: Path
    files: Sequence[dict[str, Any]] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "path": str(self.path),
            "bytes": self.size,
            "sha256": self.digest,
            "key": str(self.key),
            "files": list(self.files),
        }

    def lines(self) -> list[str]:
        """What people need to know of it."""
        return [
            f"bundle {self.path} ({format_size(self.size)}, sha256 {self.digest})",
            f"what its stand-ins (email-0001) stand for is in {self.key}, which stays with you",
            "read it before you send it",
        ]


def check_request(target: Path | None, include_payloads: bool) -> None:
    """Raises `UsageError` where a bundle was asked for that could not be written."""
    if target is None:
        if include_payloads:
            raise UsageError("--include-payloads needs --bundle FILE.zip")
        return
    if target.exists() or target.is_symlink():
        raise UsageError(
            f"{target} exists, and is not overwritten", hint="name another file, or remove it"
        )
    if not target.absolute().parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}", hint="make it, or name another")


def write_bundle(
    runtime: Runtime,
    report: Report,
    target: Path,
    *,
    include_payloads: bool = False,
    limit: float = LIMIT,
) -> Bundle:
    """Collect everything and write it to `target`, which must not exist.

    A file that cannot be collected within `limit` seconds is missing, and the manifest says why.
    Raises `UsageError` for the target, `LumioError` secret_found where a secret would be in it
    (then nothing is written), `StoppedError`.
    """
    from lumio_cli.services.diagnostics.bundle_sources import sources
    from lumio_cli.services.diagnostics.context import Scene

    check_request(target, include_payloads)
    scene = Scene(runtime)
    unknown = learn_secrets(runtime, limit)
    names = Pseudonymizer(hosts=_hosts(), users=_users(runtime))
    members: dict[str, bytes] = {}
    entries: list[dict[str, Any]] = []
    for source in sources(scene, report, list(report.providers), payloads=include_payloads):
        data, entry = _collect(source, runtime, names, limit)
        entries.append(entry)
        if data is not None:
            members[source.name] = data
    created = utc(round(runtime.clock.time()))
    manifest = {
        "format": FORMAT,
        "lumio": __version__,
        "created_at": format_time(created),
        "payloads": include_payloads,
        "unknown_secrets": unknown,
        "files": entries,
    }
    members["manifest.json"] = _encode(names.json(runtime.redactor.json(manifest)))
    data = seal(members, runtime.redactor, created.timetuple()[:6])
    key = _keep_key(scene, target, names)
    _write(target, data)
    return Bundle(target.absolute(), len(data), sha256(data).hexdigest(), key, entries)


def learn_secrets(runtime: Runtime, limit: float = LIMIT) -> list[str]:
    """Make every secret known to the redactor that this profile, or its environment, holds.

    Returns what could not be read, and why: of these only shape and name give them away.
    """
    from lumio_cli.providers.registry import provider_names

    redactor = runtime.redactor
    for name, value in runtime.environ.items():
        if is_secret_name(name) or name == "LUMIO_VAULT_KEY":
            redactor.learn(value)
        if "@" in value:
            redactor.learn_url(value)
    unknown = []
    for name in provider_names():
        try:
            limited(partial(runtime.credentials.load, name), limit, runtime.stop)
        except StoppedError:
            raise
        except TimeoutError:
            unknown.append(f"{name}: it could not be read in time")
        except LumioError as error:
            if error.code != "credential_missing":
                unknown.append(f"{name}: {error.message}")
    return unknown


def _collect(
    source: Source, runtime: Runtime, names: Pseudonymizer, limit: float
) -> tuple[bytes | None, dict[str, Any]]:
    """A file's content, clean, and its entry in the manifest."""
    begin = time.monotonic()
    data, problem = None, None
    try:
        # Cleaning is part of the time: a text may be large.
        data = limited(lambda: _clean(source, runtime.redactor, names), limit, runtime.stop)
    except StoppedError:
        raise
    except TimeoutError:
        problem = f"not collected within {limit:g} s"
    except LumioError as error:
        problem = error.message
    except Exception as error:  # noqa: BLE001 one file that fails must not cost the others
        problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
    else:
        problem = None if data is not None else "there is nothing of it"
    entry = {
        "name": source.name,
        "bytes": len(data) if data is not None else 0,
        "sha256": sha256(data).hexdigest() if data is not None else None,
        "duration_ms": round((time.monotonic() - begin) * 1000, 1),
        "error": names.text(runtime.redactor.text(problem)) if problem else None,
    }
    return data, entry


def _clean(source: Source, redactor: Redactor, names: Pseudonymizer) -> bytes | None:
    found = source.collect()
    if found is None:
        return None
    if isinstance(found, str):
        text = redactor.text(found)
        return (text if source.payload else names.text(text)).encode("utf-8", "backslashreplace")
    value = redactor.json(found)
    value = value if source.payload else names.json(value)
    if source.name.endswith(".jsonl"):
        return b"".join(_encode(line, indent=None) + b"\n" for line in value)
    return _encode(value)


def _encode(value: Any, indent: int | None = 1) -> bytes:
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace")


def seal(members: dict[str, bytes], redactor: Redactor, date: Sequence[int]) -> bytes:
    """The archive of `members`, if none of them holds a secret; `date` is year to second, in UTC.

    Raises `LumioError` secret_found, naming the member.
    """
    buffer = io.BytesIO()
    moment = (date[0], date[1], date[2], date[3], date[4], date[5])
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(members.items()):
            about = zipfile.ZipInfo(name, moment)
            about.external_attr = 0o600 << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, data)
    data = buffer.getvalue()
    # What is sent is what is searched: the members as they come out of the archive.
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if redactor.contains_secret(name.encode()) or redactor.contains_secret(
                archive.read(name)
            ):
                raise LumioError(
                    f"a secret would be in {redactor.text(name)}: no bundle was written",
                    code="secret_found",
                    hint="please report it; the report alone is `lumio diagnostic -o json`",
                )
    return data


def _keep_key(scene: Scene, target: Path, names: Pseudonymizer) -> Path:
    """Write down what the stand-ins stand for, where only this user can read it."""
    directory = make_private_dir(scene.paths.data_dir / "bundles")
    path = directory / f"{target.stem}.{int(scene.clock.time())}.json"
    mapping = {stand_in: value for value, stand_in in names.mapping.items()}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_encode(mapping))
    return path


def _write(target: Path, data: bytes) -> None:
    """All of it under its name, or nothing; never over something else."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _name(part, target)
    except FileExistsError:
        raise UsageError(
            f"{target} exists, and is not overwritten", hint="name another file, or remove it"
        ) from None
    except OSError as error:
        raise LumioError(
            f"the bundle cannot be written: {target}: {error.strerror}",
            hint="check the directory, or name another file",
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, target: Path) -> None:
    """Give a finished file its name. Raises FileExistsError where the name is taken."""
    try:
        # Unlike a rename, a link does not replace what somebody has put there meanwhile.
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a filesystem without links, as on most sticks
        if target.exists():
            raise FileExistsError from None
        part.rename(target)


def _hosts() -> Iterable[str]:
    """The names of this machine."""
    name = os.uname().nodename
    return {name, name.partition(".")[0]}


def _users(runtime: Runtime) -> Iterable[str]:
    """The names of this user."""
    import pwd

    found: set[str] = {runtime.environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER")}
    with suppress(KeyError):
        about = pwd.getpwuid(os.getuid())
        found |= {about.pw_name, about.pw_gecos.partition(",")[0]}
    home = runtime.environ.get("HOME", "")
    return {*found, Path(home).name if home.startswith(("/home/", "/Users/")) else ""}
