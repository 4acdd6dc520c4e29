"""Settings: where they come from, what is wrong with them, and that each is declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lumio_cli.config.settings import ProviderSettings, Settings, SettingsError, load_settings
from lumio_cli.config.validation import convert, known_keys
from lumio_cli.core.errors import ConfigError, UsageError
from lumio_cli.core.paths import Paths, find_paths
from lumio_cli.core.units import (
    format_duration,
    format_size,
    parse_duration,
    parse_share,
    parse_size,
)
from lumio_cli.providers.contract.fields import Field
from lumio_cli.services.maintenance.config import example
from support.cli import lumio


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return find_paths("default", {"LUMIO_HOME": str(tmp_path)})


def write(paths: Paths, text: str, mode: int = 0o600) -> None:
    paths.config.write_text(text)
    paths.config.chmod(mode)


def problems(paths: Paths, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(paths, environ or {})
    assert caught.value.exit_code == 7
    assert "\n" not in caught.value.message
    return [f"{p.where}: {p.text} [{p.hint}]" for p in caught.value.problems]


def test_defaults_without_a_file(paths: Paths) -> None:
    settings = load_settings(paths, {})
    assert settings.sync.max_wait == 300
    assert settings.sync.max_delete == 10
    assert settings.sync.concurrency == 8
    assert str(settings.origin("sync.max_wait")) == "default"
    assert settings.provider("hubspot").quota_share == 1


def test_precedence_and_origins(paths: Paths) -> None:
    write(paths, "sync:\n  max_wait: 5m\n  concurrency: 2\n  max_delete: 1\n  prefetch: 3\n")
    environ = {"LUMIO_SYNC__CONCURRENCY": "3", "LUMIO_SYNC__MAX_DELETE": "2"}
    settings = load_settings(paths, environ, {"sync.max_delete": 4})
    assert (settings.sync.max_delete, settings.sync.concurrency) == (4, 3)
    assert (settings.sync.max_wait, settings.sync.prefetch) == (300, 3)
    assert str(settings.origin("sync.max_delete")) == "flag --max-delete"
    assert str(settings.origin("sync.concurrency")) == "environment LUMIO_SYNC__CONCURRENCY"
    assert str(settings.origin("sync.max_wait")) == f"file {paths.config}:2"
    assert settings.origin("sync.lock_wait").source == "default"


def test_file_and_environment_merge_inside_a_provider(paths: Paths) -> None:
    write(paths, "providers:\n  hubspot:\n    quota_share: 50%\n    resources: [deals]\n")
    environ = {
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": "http://127.0.0.1:1",
        "LUMIO_PROVIDERS__HUBSPOT__RESOURCES": "contacts, companies",
        "LUMIO_PROVIDERS__HUBSPOT__COLUMNS": '{"contacts": {"fax": "properties.fax"}}',
        "LUMIO_PROVIDERS__HUBSPOT__TOKEN_COMMAND": "pass show 'hub spot'",
    }
    hubspot = load_settings(paths, environ).provider("hubspot")
    assert hubspot.quota_share == 0.5
    assert hubspot.base_url == "http://127.0.0.1:1"
    assert hubspot.resources == ["contacts", "companies"]
    assert hubspot.columns == {"contacts": {"fax": "properties.fax"}}
    assert hubspot.token_command == ["pass", "show", "hub spot"]


def test_an_empty_variable_is_no_value(paths: Paths) -> None:
    assert load_settings(paths, {"LUMIO_SYNC__CONCURRENCY": ""}).sync.concurrency == 8


def test_a_providers_own_settings_have_their_defaults(paths: Paths) -> None:
    settings = load_settings(paths, {"LUMIO_PROVIDERS__HUBSPOT__API_VERSION": "v3"})
    assert settings.provider("hubspot").options["api_version"] == "v3"
    assert load_settings(paths, {}).provider("hubspot").options["api_version"] == "auto"
    with pytest.raises(UsageError):
        settings.provider("hubspt")


def test_every_problem_is_named_at_its_line(paths: Paths) -> None:
    write(
        paths,
        "sync:\n"
        "  max_delet: 3\n"
        "  concurrency: many\n"
        "syn: {}\n"
        "providers:\n"
        "  hubspot:\n"
        "    base_ur: x\n"
        "    base_url: ftp://x\n"
        "    token: pat-na1-00000000-0000-0000-0000-000000000000\n"
        "    quota_share: 150%\n"
        "    resources: [contacs]\n"
        "    api_version: 1.10\n"
        "  hubspt: {}\n",
    )
    found = problems(paths)
    expected = [
        ":2: there is no setting sync.max_delet [did you mean 'max_delete'?]",
        ":3: sync.concurrency should be a valid integer, not 'many'",
        ":4: there is no setting syn [did you mean 'sync'?]",
        ":7: there is no setting providers.hubspot.base_ur [did you mean 'base_url'?]",
        ":8: providers.hubspot.base_url should match",
        ":9: providers.hubspot.token: a secret does not belong in the configuration",
        ":10: providers.hubspot.quota_share: a share is a fraction",
        ":11: providers.hubspot.resources: hubspot has no resource 'contacs'",
        ":12: providers.hubspot.api_version should be text (put it in quotes)",
        ":13: there is no provider 'hubspt' [did you mean 'hubspot'?]",
    ]
    for text in expected:
        assert any(text in problem for problem in found), (text, found)
    assert len(found) == len(expected)
    assert "pat-na1" not in str(found)


def test_one_problem_is_one_line_with_its_own_hint(paths: Paths) -> None:
    write(paths, "sync: {max_wiat: 3}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(paths, {})
    assert caught.value.message == f"{paths.config}:1: there is no setting sync.max_wiat"
    assert caught.value.hint == "did you mean 'max_wait'?"


def test_a_variable_is_named_as_the_place(paths: Paths) -> None:
    assert problems(paths, {"LUMIO_SYNC__CONCURRENCY": "x"})[0].startswith(
        "LUMIO_SYNC__CONCURRENCY: sync.concurrency should be"
    )
    found = problems(paths, {"LUMIO_PROVIDERS__HUBSPOT__BASE_ULR": "x"})
    assert "did you mean 'base_url'?" in found[0]


def test_values_of_secret_looking_keys_are_not_shown(paths: Paths) -> None:
    write(paths, "providers:\n  hubspot:\n    client_secret: [hush-hush-hush]\n")
    assert "hush" not in str(problems(paths))
    write(paths, "http:\n  proxy: [x]\n  ca_file: {token: hush-hush-hush}\n")
    assert "hush" not in str(problems(paths))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("sync: [\n", "not YAML"),
        ("a: 1\nb: :\n  - x: {\n", "not YAML"),
        ("- sync\n", "expected settings"),
        ("sync: {}\nsync: {}\n", ":2: sync is there twice, first on line 1"),
        ("sync:\n  yes: 1\n", ":2: yes is no name"),
        ("sync: !!python/object:os.system {}\n", "not YAML"),
    ],
)
def test_a_broken_file_is_named_with_its_line(paths: Paths, text: str, word: str) -> None:
    write(paths, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(paths, {})
    assert word in caught.value.message
    assert str(paths.config) in caught.value.message


def test_an_empty_file_says_nothing(paths: Paths) -> None:
    write(paths, "# nothing\n")
    assert load_settings(paths, {}).sync.concurrency == 8


def test_a_file_that_others_may_write_is_refused(paths: Paths) -> None:
    write(paths, "", mode=0o620)
    with pytest.raises(ConfigError, match="others may write"):
        load_settings(paths, {})


def test_a_secret_that_others_may_read_is_a_finding(paths: Paths) -> None:
    text = "providers:\n  hubspot:\n    token_command: echo xoxb-1234567890-abcdefgh\n"
    write(paths, text, mode=0o644)
    assert "others may read it" in load_settings(paths, {}).findings[0]
    write(paths, text)
    assert load_settings(paths, {}).findings == ()


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    environ = {"LUMIO_HOME": str(tmp_path), "LUMIO_CONFIG": str(tmp_path / "no.yaml")}
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(find_paths("default", environ), environ)


def test_a_file_that_cannot_be_read(paths: Paths) -> None:
    paths.config.write_bytes(b"\xff\xfe\xff")
    paths.config.chmod(0o600)
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(paths, {})
    paths.config.unlink()
    paths.config.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(paths, {})


def test_unknown_variables_are_findings(paths: Paths) -> None:
    environ = {
        "LUMIO_PROFIL": "x",
        "LUMIO_SYNK__MAX_WAIT": "3",
        "LUMIO_HUBSPOT_TOKEN": "t",
        "LUMIO_HUBSPOT_TOKEN_FILE": "t",
        "LUMIO_HOME": "/x",
        "LUMIO_VAULT_KEY": "k",
        "OTHER": "x",
    }
    findings = load_settings(paths, environ).findings
    assert [f.split()[0] for f in findings] == ["LUMIO_PROFIL", "LUMIO_SYNK__MAX_WAIT"]
    assert "did you mean 'LUMIO_PROFILE'?" in findings[0]
    assert "did you mean 'LUMIO_SYNC__MAX_WAIT'?" in findings[1]


@pytest.mark.parametrize(
    ("field", "given_", "expected"),
    [
        (Field("a", "", kind="text"), 7, "7"),
        (Field("a", "", kind="integer"), "7", 7),
        (Field("a", "", kind="integer"), 7.0, 7),
        (Field("a", "", kind="number"), "0.5", 0.5),
        (Field("a", "", kind="boolean"), "Yes", True),
        (Field("a", "", kind="boolean"), False, False),
        (Field("a", "", kind="list"), "a, b", ["a", "b"]),
        (Field("a", "", kind="list"), ["a", 1], ["a", "1"]),
        (Field("a", "", pattern="v[0-9]+"), "v3", "v3"),
    ],
)
def test_a_providers_setting_is_read_as_its_kind(field: Field, given_: Any, expected: Any) -> None:
    assert convert(field, given_) == expected


@pytest.mark.parametrize(
    ("field", "given_"),
    [
        (Field("a", "", kind="text"), 1.10),
        (Field("a", "", kind="text"), True),
        (Field("a", "", kind="text"), ["x"]),
        (Field("a", "", kind="integer"), "x"),
        (Field("a", "", kind="integer"), 1.5),
        (Field("a", "", kind="integer"), True),
        (Field("a", "", kind="number"), "nan"),
        (Field("a", "", kind="boolean"), "maybe"),
        (Field("a", "", kind="list"), {"a": 1}),
        (Field("a", "a version", pattern="v[0-9]+"), "3"),
        (Field("a", "names", kind="list", pattern="[a-z]+"), ["a", "B"]),
    ],
)
def test_a_providers_setting_of_another_kind_is_refused(field: Field, given_: Any) -> None:
    with pytest.raises(ValueError, match=r"^should be"):
        convert(field, given_)


# --- the example ----------------------------------------------------------------------------

EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"


def uncommented() -> str:
    lines = [line.removeprefix("# ") for line in EXAMPLE.read_text().splitlines()]
    start = next(i for i, line in enumerate(lines) if line == "output:")
    prose = [line for line in lines[start:] if not line or line.endswith(":") or line[0] == " "]
    return "\n".join(prose) + "\n"


def test_the_example_is_current() -> None:
    assert EXAMPLE.read_text() == example(), "run `make config-example`"


def test_the_example_loads_and_says_nothing_but_defaults(paths: Paths) -> None:
    write(paths, uncommented())
    loaded, defaults = load_settings(paths, {}), load_settings(elsewhere(paths), {})
    for section in Settings.model_fields:
        if section != "providers":
            assert getattr(loaded, section) == getattr(defaults, section)
    assert loaded.provider("hubspot") == defaults.provider("hubspot")


def elsewhere(paths: Paths) -> Paths:
    return find_paths("default", {"LUMIO_HOME": str(paths.config_dir / "none")})


def test_the_example_misses_nothing() -> None:
    from lumio_cli.providers.registry import OURS, provider_class

    document = yaml.safe_load(uncommented())
    for section, name in known_keys(Settings):
        assert name in document[section]
    for provider in OURS:
        own = {field.name for field in provider_class(provider).fields}
        assert set(document["providers"][provider]) == {*ProviderSettings.model_fields, *own}


def test_every_setting_has_a_help_text() -> None:
    for section, name in known_keys(Settings):
        annotation = Settings.model_fields[section].annotation
        assert annotation is not None
        assert annotation.model_fields[name].description, (section, name)


# --- the command ----------------------------------------------------------------------------


def test_show_masks_and_names_the_origin(tmp_path: Path) -> None:
    env = {"LUMIO_HTTP__PROXY": "http://ann:hunter22@proxy:3128", "LUMIO_OTHER": "1"}
    done = lumio("config", "show", "-o", "json", home=tmp_path, env=env)
    assert done.code == 0
    assert "hunter22" not in done.out
    rows = {row["key"]: row for row in done.json["settings"]}
    assert rows["http.proxy"]["origin"] == "environment LUMIO_HTTP__PROXY"
    assert rows["sync.max_wait"] == {
        "key": "sync.max_wait",
        "value": 300.0,
        "origin": "default",
        "source": "default",
    }
    assert "providers.hubspot.api_version" in rows
    assert "LUMIO_OTHER means nothing" in done.err


def test_init_writes_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = lumio("config", "init", home=home)
    file = home / "config.yaml"
    assert done.code == 0
    assert str(file) in done.out
    assert file.read_text() == example()
    assert file.stat().st_mode & 0o777 == 0o600
    again = lumio("config", "init", "-o", "json", home=home)
    assert again.code == 2
    assert again.json["error"]["code"] == "usage"
    assert lumio("config", "init", "--print", home=home).out == example()


def test_path(tmp_path: Path) -> None:
    assert lumio("config", "path", home=tmp_path).out == f"{tmp_path}/config.yaml\n"
    document = lumio("-o", "json", "config", "path", home=tmp_path).json
    assert document == {"path": f"{tmp_path}/config.yaml", "exists": False}


def test_validate(tmp_path: Path) -> None:
    assert lumio("config", "validate", home=tmp_path).code == 0
    file = tmp_path / "config.yaml"
    file.write_text("sync:\n  max_wiat: 1\nhtpp: {}\n")
    file.chmod(0o600)
    done = lumio("config", "validate", home=tmp_path)
    assert done.code == 7
    assert "did you mean 'max_wait'?" in done.out
    assert "the configuration has 2 problems" in done.err
    document = lumio("config", "validate", "-o", "json", home=tmp_path).json
    assert document["valid"] is False
    assert len(document["problems"]) == 2
    assert document["error"]["exit_code"] == 7


def test_a_broken_configuration_does_not_hide_the_error(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("sync: [")
    (tmp_path / "config.yaml").chmod(0o600)
    done = lumio("providers", home=tmp_path)
    assert done.code == 7
    assert done.err.startswith("error: ")
    assert lumio("--version", home=tmp_path).code == 0


# --- units ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1 h 30 m", 5400),
        ("250ms", 0.25),
        ("0", 0),
        (1.5, 1.5),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "5 minutes", "1y", True, "nan", "inf", -1])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(text)


def test_sizes_and_shares() -> None:
    assert parse_size("64k") == 65536
    assert parse_size("1 GiB") == 1 << 30
    assert parse_size(10) == 10
    assert parse_share("50%") == 0.5
    assert parse_share(0.25) == 0.25
    for text in ("lots", True, "-1"):
        with pytest.raises(ValueError, match="a size is"):
            parse_size(text)
    for share in ("150%", 2, "x", "yes"):
        with pytest.raises(ValueError, match="a share is"):
            parse_share(share)


def test_readable_units() -> None:
    seconds = [0.45, 8.2, 42, 303, 7200, 7260, 86400, 90000]
    assert [format_duration(s) for s in seconds] == [
        "450 ms", "8.2 s", "42 s", "5 min 3 s", "2 h", "2 h 1 min", "1 d", "1 d 1 h",
    ]  # fmt: skip
    assert [format_size(s) for s in (812, 3500, 5 << 20, 5 << 30)] == [
        "812 B", "3.4 KiB", "5.0 MiB", "5.0 GiB",
    ]  # fmt: skip


@given(st.integers(0, 10**7))
def test_a_duration_survives_its_text(seconds: int) -> None:
    assert parse_duration(f"{seconds}s") == seconds
    text = format_duration(seconds).replace("min", "m")
    assert abs(parse_duration(text) - seconds) <= max(3600, seconds * 0.05)
