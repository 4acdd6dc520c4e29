"""The built-in look-alikes, as a child process that cannot outlive its parent."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import LumioError, UsageError
from lumio_cli.core.redact import without_secrets

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

PROFILE = "sandbox"


@contextmanager
def serving(arguments: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Serve look-alikes inside the block; yields what the child says when it is ready: `url`,
    `pid` and `providers`, each with its `base_url` and `token`.

    The child ends with its standard input, so that even a kill -9 of this process takes it along.
    Raises `UsageError` for arguments it does not understand.
    """
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "lumio_cli.sandbox", "--until-eof", *arguments],
        env=without_secrets(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Ctrl-C is for lumio, which ends the child when it has finished its page.
        start_new_session=True,
        text=True,
    )
    assert child.stdin is not None  # noqa: S101 both are pipes
    assert child.stdout is not None  # noqa: S101
    assert child.stderr is not None  # noqa: S101
    try:
        line = child.stdout.readline()
        if not line:
            said = child.stderr.read().strip().splitlines()
            about = said[-1].rpartition("error: ")[2] if said else "it ended at once"
            if child.wait() == 2:
                raise UsageError(f"the sandbox refuses: {about}", hint="lumio sandbox --help")
            raise LumioError(f"the sandbox did not start: {about}")
        yield json.loads(line)
    finally:
        child.stdin.close()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
        child.stderr.close()


@contextmanager
def sandboxed(runtime: Runtime, records: int | None = None) -> Iterator[Runtime]:
    """A runtime whose providers are the look-alikes, in a profile of its own."""
    arguments = [] if records is None else ["--records", str(records)]
    with serving(arguments) as ready:
        environ = {}
        for name, provider in ready["providers"].items():
            environ[f"LUMIO_PROVIDERS__{name.upper()}__BASE_URL"] = provider["base_url"]
            # What the operator has in the environment for the real one is none of its business.
            own = {k: "" for k in runtime.environ if k.startswith(f"LUMIO_{name.upper()}_")}
            environ |= own | _credential(name, provider)
        yield runtime.derive(profile=PROFILE, environ=environ)


def describe(ready: dict[str, Any]) -> list[str]:
    """How to point lumio at a running sandbox: shell lines."""
    lines = [f"# sandbox at {ready['url']}, pid {ready['pid']}; Ctrl-C ends it"]
    for name, provider in ready["providers"].items():
        lines.append(f"export LUMIO_PROVIDERS__{name.upper()}__BASE_URL={provider['base_url']}")
        lines += [
            f"export {key}={shlex.quote(v)}" for key, v in _credential(name, provider).items()
        ]
    return lines


def _credential(name: str, provider: dict[str, Any]) -> dict[str, str]:
    """The variables that hold a look-alike's credential: its token, and what else it has."""
    parts = {"token": provider["token"], **provider.get("fields", {})}
    return {f"LUMIO_{name.upper()}_{part.upper()}": str(value) for part, value in parts.items()}
