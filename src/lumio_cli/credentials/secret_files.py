"""Files that hold secrets: read only where nobody else can, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from lumio_cli.core.errors import CredentialError
from lumio_cli.core.paths import make_private_dir

LIMIT = 65536


def check_secret(text: str, source: str) -> str:
    """`text` without surrounding white space, as a secret from `source`.

    Raises `CredentialError` credential_malformed, naming the source and never the value, where
    nothing is left or where anything but visible ASCII is inside: such a token cannot be sent in
    a header, and is a paste that went wrong.
    """
    secret = text.strip()
    if not secret:
        raise CredentialError(
            f"{source} is empty",
            hint=f"put a token into {source}, or remove it to use the stored credential",
            code="credential_malformed",
        )
    if not all("!" <= c <= "~" for c in secret):
        raise CredentialError(
            f"{source} holds white space, control or non-ASCII characters inside the token",
            hint=f"{source} must hold the token and nothing else",
            code="credential_malformed",
        )
    return secret


def read_secret_file(path: Path, source: str, environ: Mapping[str, str]) -> str:
    """The text of a file that holds a secret.

    Raises `CredentialError`: credential_missing where it cannot be read, credential_exposed where
    others than its owner may read it, credential_malformed where it is no text.
    """
    try:
        # A FIFO is no regular file; to find that out must not wait for its writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise CredentialError(
                    f"{source} is no regular file: {path}",
                    hint="name a file that holds the secret and nothing else",
                    code="credential_missing",
                )
            if about.st_mode & _forbidden(path, environ):
                raise CredentialError(
                    f"{source} can be read by other users: {path}",
                    hint=f"chmod 600 {path}, and renew the secret if the machine is shared",
                    code="credential_exposed",
                )
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise CredentialError(
            f"{source} cannot be read: {path}: {error.strerror}",
            hint="check the path and who may read it",
            code="credential_missing",
        ) from None
    if len(data) <= LIMIT:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode()
    raise CredentialError(
        f"{source} is not a text of at most {LIMIT} bytes: {path}",
        hint="name a file that holds the secret and nothing else",
        code="credential_malformed",
    )


def _forbidden(path: Path, environ: Mapping[str, str]) -> int:
    """The mode bits that a secret file must not have.

    systemd gives a service its credentials through an access list, and the list's mask shows up
    as the group's bits: there, only the bits for everybody mean something.
    """
    granted = environ.get("CREDENTIALS_DIRECTORY")
    if granted and path.absolute().is_relative_to(granted):
        return stat.S_IRWXO
    return stat.S_IRWXG | stat.S_IRWXO


def create_secret_file(path: Path, data: bytes) -> None:
    """A new file, 0600. Raises FileExistsError: it never replaces one.

    It is on the disk, with its name, when this returns.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            # The umask can only have taken bits away; a default access list can add some.
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _flush_names(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def replace_secret_file(path: Path, data: bytes) -> None:
    """Put `data` at `path`, whole or not at all, 0600. The caller holds a lock on `path`.

    A crash leaves the old file and perhaps `PATH.tmp`, which the next call removes. Raises
    OSError.
    """
    make_private_dir(path.parent)
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    create_secret_file(temporary, data)
    try:
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_names(path.parent)


def _flush_names(directory: Path) -> None:
    """Without this a rename or a new name may be forgotten in a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
