"""Credentials that the operator hands over for one run: environment, file, command.

They win over whatever is stored, are never written anywhere, and keep the keyring untouched: cron,
CI and containers have none, or one that hangs.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumio_cli.core.errors import CredentialError
from lumio_cli.core.paths import expand
from lumio_cli.core.redact import without_secrets
from lumio_cli.core.stop import Stop
from lumio_cli.credentials.secret_files import LIMIT, check_secret, read_secret_file

if TYPE_CHECKING:
    from subprocess import Popen

COMMAND_LIMIT = 10.0
"""Seconds until a `token_command` has to be done."""


@dataclass(frozen=True, slots=True)
class Given:
    """A place that holds a credential. `source` names it for operators; `read` gets the token,
    which is empty for a way of connecting (`kind`) that gets its own.
    """

    source: str
    read: Callable[[], str]
    kind: str = "token"


def variable(provider: str) -> str:
    """The environment variable that may hold the provider's token."""
    return f"{_prefix(provider)}TOKEN"


def _prefix(provider: str) -> str:
    return f"LUMIO_{provider.upper().replace('-', '_')}_"


def given_fields(provider: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment says of a credential beside its token, by name: LUMIO_SHOPIFY_SHOP is
    `shop`, and LUMIO_SALESFORCE_PRIVATE_KEY_FILE names a file that holds `private_key`.

    Raises what reading such a file raises.
    """
    prefix, found = _prefix(provider), {}
    for name, value in environ.items():
        field = name.removeprefix(prefix).lower()
        if not name.startswith(prefix) or field in ("token", "token_file", "way") or not value:
            continue
        if field.endswith("_file"):
            path = expand(value, CredentialError)
            found[field.removesuffix("_file")] = read_secret_file(path, name, environ).strip()
        else:
            found.setdefault(field, value.strip())
    return found


def find_given(
    provider: str,
    environ: Mapping[str, str],
    command: str | Sequence[str] | None,
    stop: Stop,
) -> Given | None:
    """The first place that the operator named for `provider`, unread; None: none was named.

    A place that was named counts even where it turns out to be empty or unreadable: going on to
    the next one would use another account than the operator meant.
    """
    name = variable(provider)
    if way := environ.get(f"{_prefix(provider)}WAY"):
        return Given(f"{_prefix(provider)}WAY", lambda: "", kind=way)
    if name in environ:
        return Given(name, lambda: check_secret(environ[name], name))
    if (path := environ.get(f"{name}_FILE")) is not None:
        return _file(expand(path, CredentialError), f"{name}_FILE", environ)
    if granted := environ.get("CREDENTIALS_DIRECTORY"):
        file = Path(granted) / f"lumio-{provider}"
        if file.exists():
            return _file(file, f"the systemd credential {file.name}", environ)
    if command:
        argv = _split(command, provider)
        name = f"token_command ({Path(argv[0]).name})"
        return Given(name, lambda: _run(argv, provider, environ, stop))
    return None


def _file(path: Path, label: str, environ: Mapping[str, str]) -> Given:
    def read() -> str:
        if path == Path():
            return check_secret("", label)
        return check_secret(read_secret_file(path, label, environ), f"the file {path}")

    return Given(f"file {path}", read)


def _split(command: str | Sequence[str], provider: str) -> list[str]:
    try:
        argv = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError:
        argv = []
    if not argv:
        raise CredentialError(
            f"the token_command of {provider} is not a command line",
            hint="write it as a list, one argument an item",
            code="credential_missing",
        )
    return argv


def _run(argv: list[str], provider: str, environ: Mapping[str, str], stop: Stop) -> str:
    """What the command prints. Its output appears in no error: it may hold the token."""
    import subprocess

    label = f"the token_command of {provider} ({Path(argv[0]).name})"
    hint = "run it by hand: it must print the token on stdout and end with 0"
    try:
        # A session of its own, so that a time-out ends what the command has started, too.
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # What it needs itself (a key to a password store) stays; the other providers' go.
            env=without_secrets(environ, "LUMIO_"),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CredentialError(
            f"{label} cannot be started: {reason}",
            hint="check the provider's setting token_command",
            code="credential_missing",
        ) from None
    try:
        output = _output(process, stop)
        if output is not None and len(output) > LIMIT:
            raise CredentialError(
                f"{label} prints more than {LIMIT} bytes, which is no token",
                hint=hint,
                code="credential_malformed",
            )
    finally:
        _end(process)
    if output is None:
        raise CredentialError(
            f"{label} did not end within {COMMAND_LIMIT:g} s",
            hint=f"{hint}, without asking for anything",
            code="credential_missing",
        )
    if process.returncode:
        raise CredentialError(
            f"{label} ended with {process.returncode}", hint=hint, code="credential_missing"
        )
    try:
        return check_secret(output.decode(), f"the output of {label}")
    except UnicodeDecodeError:
        raise CredentialError(
            f"the output of {label} is not text", hint=hint, code="credential_malformed"
        ) from None


def _output(process: Popen[bytes], stop: Stop) -> bytes | None:
    """What the process prints until it ends, or a little more than `LIMIT` bytes of it; None when
    its time is over."""
    import select
    from subprocess import TimeoutExpired

    assert process.stdout is not None  # noqa: S101 it was asked for
    pipe, output = process.stdout.fileno(), b""
    deadline = time.monotonic() + COMMAND_LIMIT
    reading = True
    while time.monotonic() < deadline:
        stop.check()
        if not reading:
            with contextlib.suppress(TimeoutExpired):
                process.wait(0.1)
                return output
        elif select.select([pipe], (), (), 0.1)[0]:
            piece = os.read(pipe, LIMIT)
            output, reading = output + piece, bool(piece)
            if len(output) > LIMIT:
                return output
    return None


def _end(process: Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()
