"""Where lumio keeps its files. Directories are 0700, files 0600."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lumio_cli.core.errors import ConfigError, LumioError, UsageError

PROFILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one profile. Nothing is created by asking for a path."""

    profile: str
    config_dir: Path
    data_dir: Path
    cache_dir: Path
    config: Path
    shared_dir: Path

    @property
    def hub(self) -> Path:
        """The hub: precious."""
        return self.data_dir / "lumio.db"

    @property
    def runtime(self) -> Path:
        """The profile's request log, debug switches and counters: disposable."""
        return self.data_dir / "runtime.db"

    @property
    def quotas(self) -> Path:
        """Rate buckets and breakers: shared by all profiles, since two of them may use the same
        token; disposable, too.
        """
        return self.shared_dir / "runtime.db"

    @property
    def credentials(self) -> Path:
        """The names of the providers that have a credential in the keyring."""
        return self.data_dir / "credentials.json"

    @property
    def locks(self) -> Path:
        """One lock file a target."""
        return self.data_dir / "locks"

    @property
    def backups(self) -> Path:
        """Copies of the hub, made before a migration or on demand."""
        return self.data_dir / "backups"

    @property
    def logs(self) -> Path:
        """The rotating log file's directory."""
        return self.data_dir / "logs"

    @property
    def cache(self) -> Path:
        """The second cache layer."""
        return self.cache_dir / "http"

    @property
    def vault(self) -> Path:
        """The encrypted credential vault."""
        return self.config_dir / "vault.json"


def _platform_dirs(environ: Mapping[str, str]) -> tuple[Path, Path, Path]:
    """The platform's own user directories for configuration, data and cache.

    systemd's `StateDirectory=` and `CacheDirectory=` win: a service often has no HOME.
    """
    home = Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 works without HOME
    if sys.platform == "darwin":
        support = home / "Library" / "Application Support" / "lumio"
        config, data, cache = support, support, home / "Library" / "Caches" / "lumio"
    else:
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "lumio"
        data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "lumio"
        cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "lumio"
    if state := environ.get("STATE_DIRECTORY"):
        data = Path(state.split(":")[0])
    if cached := environ.get("CACHE_DIRECTORY"):
        cache = Path(cached.split(":")[0])
    return config, data, cache


def check_profile(name: str) -> str:
    """The profile's name, or UsageError: it becomes a directory and part of a keyring entry."""
    if not PROFILE_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no profile name",
            hint="use up to 64 of a-z, 0-9, - and _, beginning with a letter or a digit",
        )
    return name


def find_paths(profile: str, environ: Mapping[str, str]) -> Paths:
    """The paths of `profile`, from `LUMIO_HOME`, `LUMIO_CONFIG` or the platform's directories."""
    check_profile(profile)
    if root := environ.get("LUMIO_HOME"):
        base = expand(root).absolute()
        config, data, cache = base, base, base / "cache"
    else:
        config, data, cache = _platform_dirs(environ)
    shared = data
    if profile != "default":
        config, data, cache = (d / "profiles" / profile for d in (config, data, cache))
    override = environ.get("LUMIO_CONFIG")
    return Paths(
        profile=profile,
        config_dir=config,
        data_dir=data,
        cache_dir=cache,
        shared_dir=shared,
        config=expand(override).absolute() if override else config / "config.yaml",
    )


def expand(path: str | Path, error: type[LumioError] = ConfigError) -> Path:
    """`path` with its `~` or `~user` expanded. Raises `error` where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise error(f"{path}: there is no such user", hint="write the path in full") from None


def list_profiles(environ: Mapping[str, str]) -> list[str]:
    """The names of all profiles that have files, `default` first."""
    base = find_paths("default", environ)
    found = {
        entry.name
        for root in {base.config_dir, base.data_dir}
        if (root / "profiles").is_dir()
        for entry in (root / "profiles").iterdir()
        if entry.is_dir() and PROFILE_NAME.fullmatch(entry.name)
    }
    return ["default", *sorted(found)]


def make_private_dir(path: Path) -> Path:
    """Create `path` (and its parents) for this user alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def require_ours(path: Path) -> None:
    """Raises `ConfigError` where others own the file or directory, or may write to it: they would
    decide where credentials go. What is not there, or belongs to root, is well."""
    try:
        found = path.stat()
    except OSError:
        return
    if found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(
            f"{path} belongs to another user (uid {found.st_uid}), who decides by it where lumio "
            "sends your credentials",
            hint=f"chown {_user()} {path}; or name a directory of your own: LUMIO_HOME",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"{path}: others may write to it, and so decide where lumio sends your credentials",
            hint=f"chmod go-w {path}",
        )


def _user() -> str:
    """Who we are, for a shell."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in a container, a user may have no name
        return str(os.geteuid())


def open_private(path: Path) -> int:
    """A descriptor of a file of ours, to read and to write, for this user alone; made where there
    is none. Not through a link: somebody else's file must not be written to.

    Raises OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.ELOOP, "it is a link, or no regular file", str(path))
    return descriptor


def _is_stream(path: Path) -> bool:
    """Whether it is a pipe or a device, or a name of a stream that is open."""
    names = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
    return str(path).startswith(names) or (path.exists() and not path.is_file())


@contextmanager
def written_whole(path: Path, *, errors: str = "strict") -> Iterator[IO[str]]:
    """A file of text in UTF-8 to write: it is there, whole, once the block has ended. Until then,
    and after an error, what was there before stays. A new file is for this user alone.

    Links are followed. What is no regular file (a pipe, a device), or stands for a stream that is
    open, is written to directly. `errors` as in `str.encode`. Raises OSError.
    """
    if _is_stream(path):
        with path.open("a", encoding="utf-8", errors=errors, newline="") as file:
            yield file
        return
    try:
        target = path.resolve()
    except RuntimeError:  # links that go round in a circle
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
    # Beside the target, so that it only needs another name in the end; nobody can put a link there
    # beforehand.
    part = target.with_name(f".lumio-{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors=errors, newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if target.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
