"""The settings: flag, then environment, then configuration file, then default.

Each is declared once, with its help, from which `config.example.yaml` is made; and each remembers
where its value came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from lumio_cli.config.validation import Problem, check_providers, explain, unknown_variables
from lumio_cli.config.values import Bytes, Limit, Names, Seconds, Share, Words, decoded
from lumio_cli.config.yaml_file import ConfigFile, Key, read_config_file
from lumio_cli.core.errors import ConfigError, UsageError
from lumio_cli.core.paths import Paths


class Section(BaseModel):
    """A part of the settings. Unknown keys are errors; values never appear in pydantic's own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class OutputSettings(Section):
    """What results look like."""

    format: Literal["auto", "table", "tsv", "json"] = Field(
        default="auto",
        description="Form of the results; auto is table on a terminal, tsv elsewhere.",
    )
    color: Literal["auto", "always", "never"] = Field(default="auto", description="Colours.")


class LogSettings(Section):
    """Logs."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe entry that the log file keeps."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="Form of progress and warnings on stderr."
    )


class HttpSettings(Section):
    """The network."""

    connect_timeout: Seconds = Field(default=10.0, description="Longest wait for a connection.")
    read_timeout: Seconds = Field(
        default=60.0, description="Longest silence while an answer is read."
    )
    ca_file: str = Field(default="", description="More certificates to trust, in PEM form.")
    proxy: str = Field(default="", description="Proxy URL; empty: HTTPS_PROXY and NO_PROXY decide.")
    tls12: bool = Field(default=False, description="Accept TLS 1.2 where a middlebox knows no 1.3.")
    max_body: Bytes = Field(default=64 << 20, description="Largest answer that is read.")


class SyncSettings(Section):
    """How runs behave."""

    max_wait: Seconds = Field(
        default=300.0,
        description="Longest wait for a quota; beyond it the run stops at its checkpoint.",
    )
    max_delete: float = Field(
        default=10.0,
        ge=0,
        le=100,
        description="Largest share of a resource that a sweep may delete, in %.",
    )
    concurrency: int = Field(
        default=8, ge=1, le=64, description="Resources or slices pulled side by side."
    )
    prefetch: int = Field(
        default=1, ge=0, le=8, description="Pages fetched ahead of the one written."
    )
    max_record: Bytes = Field(default=8 << 20, description="Largest record that is stored.")
    lock_wait: Seconds = Field(default=0.0, description="How long to wait for another run's lock.")
    conflicts: Literal["provider", "local", "newest", "ask"] = Field(
        default="ask",
        description="Whose value counts where the hub and a provider changed the same field.",
    )


class CacheSettings(Section):
    """The response cache: schemas, pipelines, owners; never records of a sync."""

    enabled: bool = Field(default=True, description="Use it.")


class CredentialSettings(Section):
    """Where credentials are kept. They are never in this file: see `lumio connect`."""

    store: Literal["auto", "keyring", "vault"] = Field(
        default="auto", description="auto is the keyring where there is one, else the vault."
    )
    vault_key_file: str = Field(default="", description="File that holds the vault's key.")
    keyring_timeout: Seconds = Field(default=8.0, description="Longest wait for the keyring.")


class HubSettings(Section):
    """The hub."""

    path: str = Field(default="", description="Another place for lumio.db.")
    busy_timeout: Seconds = Field(default=30.0, description="Longest wait for another writer.")
    history: float = Field(
        default=90.0, ge=1, description="Days that the changes of records are remembered."
    )


class ProviderSettings(Section):
    """One provider. A provider's own settings are listed by `lumio providers show NAME`."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    enabled: bool = Field(default=True, description="Take part where no target is named.")
    base_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Another address of the API; empty: the provider's own.",
    )
    resources: Names = Field(
        default_factory=list, description="What to sync by default; empty: everything."
    )
    quota_share: Share = Field(
        default=1.0, description="Share of the provider's quotas that lumio may use (0.5 or 50%)."
    )
    limits: Annotated[dict[str, Limit], BeforeValidator(decoded)] = Field(
        default_factory=dict, description="Other limits than the provider publishes, by quota name."
    )
    deletes_every: Seconds = Field(
        default=3600.0,
        description="Time between two looks at a long list of deleted records.",
    )
    token_command: Words = Field(default_factory=list, description="Command that prints the token.")
    columns: Annotated[dict[str, dict[str, str]], BeforeValidator(decoded)] = Field(
        default_factory=dict,
        description="More view columns: {resource: {column: path in the record}}.",
    )
    conflicts: Annotated[
        dict[str, Literal["provider", "local", "newest", "ask"]], BeforeValidator(decoded)
    ] = Field(
        default_factory=dict,
        description="Whose value counts in conflicts, where not sync.conflicts: {resource: word}.",
    )
    ignore_counts: Names = Field(
        default_factory=list,
        description="Resources of which the provider counts more than it lists: not compared.",
    )
    priority: Literal["auto", "interactive", "incremental", "backfill"] = Field(
        default="auto", description="Place in the queue for quota; auto: by the kind of work."
    )

    @property
    def options(self) -> dict[str, Any]:
        """The provider's own settings, by the names of its `fields`; defaults included."""
        return dict(self.__pydantic_extra__ or {})


class Settings(BaseSettings):
    """All settings of a run. Made by `load_settings`."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="LUMIO_",
        env_nested_delimiter="__",
    )

    output: OutputSettings = OutputSettings()
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()
    sync: SyncSettings = SyncSettings()
    cache: CacheSettings = CacheSettings()
    credentials: CredentialSettings = CredentialSettings()
    hub: HubSettings = HubSettings()
    providers: dict[str, ProviderSettings] = {}

    _origins: dict[str, Origin] = {}
    _findings: tuple[str, ...] = ()

    def origin(self, key: str) -> Origin:
        """Where the value of a dotted key came from: `settings.origin("sync.max_delete")`."""
        return self._origins.get(key, Origin("default"))

    @property
    def findings(self) -> tuple[str, ...]:
        """What is odd, but no error: unknown variables, a file that others may read."""
        return self._findings

    def provider(self, name: str) -> ProviderSettings:
        """The settings of a provider, its own ones with their defaults.

        Raises UsageError for a provider that does not exist. Imports the provider.
        """
        from lumio_cli.providers.registry import provider_class

        given = self.providers.get(name, ProviderSettings())
        defaults = {f.name: f.default for f in provider_class(name).fields}
        return ProviderSettings.model_validate({**defaults, **given.model_dump()})

    def configured(self, name: str) -> ProviderSettings:
        """The settings that all providers share, without importing the provider."""
        return self.providers.get(name, ProviderSettings())


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from. `detail`: the variable, or file and line."""

    source: Literal["flag", "environment", "file", "default"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.detail}".rstrip()


class SettingsError(ConfigError):
    """The configuration is invalid; `problems` is everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            f"{first.where}: {first.text}{more}",
            hint="`lumio config validate` names every problem" if more else first.hint,
        )
        if all(problem.where.startswith("--") for problem in problems):
            # Nothing is wrong with the configuration: the command line is.
            self.code, self.exit_code = UsageError.code, UsageError.exit_code
        self.problems = tuple(problems)


class _Layer(PydanticBaseSettingsSource):
    """Values that are at hand."""

    def __init__(self, owner: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(owner)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Part of the interface; everything is handed over at once."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


class _Bound(Settings):
    """The settings, from the layers that it is made with and from nowhere else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """A source a layer, the strongest first."""
        return tuple(_Layer(settings_cls, values) for values in init_settings()["layers"])


class _Environment(EnvSettingsSource):
    """`LUMIO_SECTION__KEY`, from the environment that is handed in.

    Values stay text: guessing JSON would turn the version "1.10" into a number.
    """

    def __init__(self, owner: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(owner)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """The text itself; the validators know better what it means."""
        return value


def load_settings(
    paths: Paths, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Settings:
    """The effective settings. `flags` are values by dotted key (`{"sync.max_wait": 30}`).

    Raises `SettingsError` (a ConfigError) with everything that is wrong.
    """
    file = read_config_file(paths.config, required=bool(environ.get("LUMIO_CONFIG")))
    flagged: dict[str, Any] = {}
    for name, value in (flags or {}).items():
        *sections, last = name.split(".")
        place = flagged
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    set_variables = {k: v for k, v in environ.items() if "__" in k and v != ""}
    variables = _Environment(Settings, set_variables)()
    layers = {"flag": flagged, "environment": variables, "file": file.values}

    origins = {
        ".".join(key): origin
        for source in ("file", "environment", "flag")
        for key, origin in _origins(source, layers[source], file)
    }

    def where(key: Key) -> str:
        # What stands inside of a variable's JSON came with the variable.
        around = (origins.get(".".join(key[:end])) for end in range(len(key), 0, -1))
        origin = next((o for o in around if o is not None), None)
        if origin is None or origin.source == "file":
            return file.where(key)
        return origin.detail

    problems: list[Problem] = []
    sources: dict[str, Any] = {"layers": tuple(layers.values())}
    own = check_providers(layers.values(), ProviderSettings, where, problems)
    try:
        settings = _Bound(**sources)
    except ValidationError as error:
        problems = [*explain(error, layers, Settings, where), *problems]
    if problems:
        raise SettingsError(problems)
    checked = {
        name: given.model_copy(update=own.get(name, {}))
        for name, given in settings.providers.items()
    }
    settings = settings.model_copy(update={"providers": checked})
    settings._origins = origins
    settings._findings = (*file.findings, *unknown_variables(environ, Settings))
    return settings


def _origins(
    source: str, values: Mapping[str, Any], file: ConfigFile
) -> Iterator[tuple[Key, Origin]]:
    """Every leaf of a layer, with where it came from."""
    for key, _ in leaves(values):
        if source == "environment":
            yield key, Origin("environment", "LUMIO_" + "__".join(key).upper())
        elif source == "flag":
            yield key, Origin("flag", "--" + key[-1].replace("_", "-"))
        else:
            yield key, Origin("file", file.where(key))


def leaves(values: Mapping[str, Any], key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """The values in nested mappings, by path; mappings are listed themselves, too."""
    for name, value in values.items():
        here = (*key, str(name))
        yield here, value
        if isinstance(value, Mapping):
            yield from leaves(value, here)
