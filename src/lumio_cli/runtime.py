"""What a command works with. Everything is opened on first use, so that a command pays only for
what it needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import LumioError
from lumio_cli.core.stop import Stop
from lumio_cli.output import Output, Preferences

if TYPE_CHECKING:
    from pathlib import Path

    from lumio_cli.config.settings import Settings
    from lumio_cli.core.clock import Clock
    from lumio_cli.core.paths import Paths
    from lumio_cli.core.redact import Redactor
    from lumio_cli.credentials import CredentialStore
    from lumio_cli.hub.sqlite.database import Hub
    from lumio_cli.hub.sqlite.state import Account
    from lumio_cli.output.prompt import Prompt
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.transport.runtime_db.store import RuntimeStore


class Runtime:
    """One run of lumio: its options, its streams, and what they lead to.

    Tests pass their own streams and environment.
    """

    def __init__(
        self,
        options: Globals,
        *,
        environ: Mapping[str, str] | None = None,
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.options = options
        self.environ = os.environ if environ is None else environ
        self.stdin = stdin or sys.stdin
        self.stop = stop or Stop()
        self._flags: dict[str, Any] = {}
        self._closing = ExitStack()
        self._reader: Hub | None = None
        self.output = Output(
            options,
            stdout=stdout or sys.stdout,
            stderr=stderr or sys.stderr,
            environ=self.environ,
            preferences=self._preferences,
            redact=self._redact,
        )

    @cached_property
    def paths(self) -> Paths:
        """The files of the profile."""
        from lumio_cli.core.paths import find_paths

        profile = self.options.profile or self.environ.get("LUMIO_PROFILE") or "default"
        return find_paths(profile, self.environ)

    @cached_property
    def settings(self) -> Settings:
        """The effective settings. Raises ConfigError."""
        from lumio_cli.config.settings import load_settings

        return load_settings(self.paths, self.environ, self._flags)

    def set_flags(self, **flags: Any) -> None:
        """Settings that the command line overrides: `set_flags(sync__max_wait=30)`.

        None means that the flag was not given. Call it before anything reads the settings.
        """
        given = {name.replace("__", "."): value for name, value in flags.items()}
        self._flags |= {name: value for name, value in given.items() if value is not None}
        self.__dict__.pop("settings", None)

    @cached_property
    def redactor(self) -> Redactor:
        """Takes secrets out of text. Whoever learns of a secret tells it."""
        from lumio_cli.core.redact import Redactor

        return Redactor()

    @cached_property
    def clock(self) -> Clock:
        """The machine's clock."""
        from lumio_cli.core.clock import SystemClock

        return SystemClock()

    @cached_property
    def prompt(self) -> Prompt:
        """Questions to the operator, where there is one."""
        from lumio_cli.output.prompt import Prompt

        return Prompt(
            self.options, stdin=self.stdin, stderr=self.output.stderr, environ=self.environ
        )

    # -- what holds data

    @property
    def hub_path(self) -> Path:
        """Where the hub is."""
        from pathlib import Path

        chosen = self.settings.hub.path
        return Path(chosen).expanduser().absolute() if chosen else self.paths.hub

    @cached_property
    def hub(self) -> Hub:
        """The hub, for reading and writing; created where there is none. Raises HubError, and
        ConfigError where its directory is not ours alone."""
        from lumio_cli.hub.sqlite.database import Hub

        self._require_own_home()
        timeout = self.settings.hub.busy_timeout
        hub = Hub.open(self.hub_path, busy_timeout=timeout, in_a_hurry=self.stop.is_set)
        self._closing.callback(hub.close)
        return hub

    def _require_own_home(self) -> None:
        """Raises ConfigError where others decide what is in the home: before anything is sent
        from there or written to it. To read is no risk."""
        from lumio_cli.core.paths import require_ours

        for directory in {self.paths.config_dir, self.paths.data_dir}:
            require_ours(directory)

    @property
    def hub_reader(self) -> Hub | None:
        """The hub, for reading only; None where there is none yet. Raises HubError."""
        if self._reader is not None and not self._reader.in_place:
            self._reader.close()
            self._reader = None
        if self._reader is None:
            from lumio_cli.hub.sqlite.database import Hub

            self._reader = Hub.open_reader(
                self.hub_path, busy_timeout=self.settings.hub.busy_timeout
            )
            if self._reader is not None:
                self._closing.callback(self._reader.close)
        return self._reader

    @cached_property
    def store(self) -> RuntimeStore:
        """The profile's request log, debug switches and counters."""
        return self._open_store(self.paths.runtime)

    @cached_property
    def quota_store(self) -> RuntimeStore:
        """Rate buckets and breakers, shared by all profiles."""
        if self.paths.quotas == self.paths.runtime:
            return self.store
        return self._open_store(self.paths.quotas)

    def _open_store(self, path: Path) -> RuntimeStore:
        from lumio_cli.core.paths import make_private_dir
        from lumio_cli.transport.runtime_db.store import RuntimeStore

        make_private_dir(path.parent)
        store = RuntimeStore(path, clock=self.clock)
        self._closing.callback(store.close)
        return store

    # -- what leads to providers

    @cached_property
    def credentials(self) -> CredentialStore:
        """The profile's credentials. Raises ConfigError where the home is not ours alone."""
        self._require_own_home()
        from lumio_cli.credentials import CredentialSettings, CredentialStore

        chosen = self.settings.credentials
        return CredentialStore(
            self.paths,
            self.environ,
            CredentialSettings(chosen.store, chosen.vault_key_file or None, chosen.keyring_timeout),
            self.redactor,
            token_commands={
                name: given.token_command
                for name, given in self.settings.providers.items()
                if given.token_command
            },
            ask=self._ask_passphrase if self.prompt.possible else None,
            clock=self.clock,
            stop=self.stop,
            known=lambda name: a.fields if (a := self._account(name)) is not None else {},
        )

    def _ask_passphrase(self, question: str) -> str:
        return self.prompt.secret(question.rstrip(": "), instead="LUMIO_VAULT_KEY_FILE")

    def provider(self, name: str) -> Provider:
        """The provider with its effective settings. Raises UsageError, ConfigError."""
        from lumio_cli.providers.registry import load_provider

        chosen = self.settings.provider(name)
        account = self._account(name)
        options = {
            **chosen.options,
            "columns": chosen.columns,
            "limits": chosen.limits,
            "deletes_every": chosen.deletes_every,
            "time_zone": account.details.get("time_zone", "") if account else "",
        }
        return load_provider(name, options)

    def _account(self, name: str) -> Account | None:
        """Whose account the hub holds, where it is known."""
        from lumio_cli.hub.sqlite.state import read_account

        reader = self.hub_reader
        return None if reader is None else read_account(reader.connection, name)

    def close_later(self, close: Callable[[], object]) -> None:
        """Call `close` when this is closed, before what was opened earlier is."""
        self._closing.callback(close)

    def derive(self, *, profile: str, environ: Mapping[str, str]) -> Runtime:
        """Another profile and environment, the same options, streams and stop.

        It is closed with this one.
        """
        from dataclasses import replace

        other = Runtime(
            replace(self.options, profile=profile),
            environ={**self.environ, **environ},
            stdin=self.stdin,
            stdout=self.output.stdout,
            stderr=self.output.stderr,
            stop=self.stop,
        )
        other.output = self.output
        other._flags = dict(self._flags)
        self._closing.callback(other.close)
        return other

    def start_log(self, **context: str) -> None:
        """Log to the profile's log file, every line with `context` (`run_id=...`); to stderr, too,
        for those who asked for more with `-v`.
        """
        from lumio_cli.core.logs import configure_logging

        more = self.options.verbose
        configure_logging(
            self.paths,
            self.redactor,
            "debug" if more > 1 else self.settings.log.level,
            ("json" if self.output.log_format == "json" else "text") if more else None,
            context=context,
        )

    def close(self) -> None:
        """Close what was opened. May be called twice."""
        self._closing.close()

    def _redact(self, text: str) -> str:
        return self.redactor.text(text)

    def _preferences(self) -> Preferences:
        """What environment and file say about output. A broken file is reported by whoever needs
        the settings; it must not keep an error from being shown.
        """
        try:
            settings = self.settings
        except LumioError:
            return Preferences()
        return Preferences(settings.output.format, settings.output.color, settings.log.format)
