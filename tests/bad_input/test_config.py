"""Configurations that cannot be used: exit 7, the place named, the nearest key suggested."""

from __future__ import annotations

import pytest

from support.lab import Lab
from support.trials import both, contents

pytestmark = pytest.mark.attack("configuration")


def write(lab: Lab, text: str, mode: int = 0o600) -> None:
    path = lab.home / "config.yaml"
    path.write_text(text)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("text", "line", "names", "hint"),
    [
        ("sync:\n  max_wiat: 5\n", 2, "sync.max_wiat", "'max_wait'"),
        ("provider:\n  hubspot: {}\n", 1, "provider", "'providers'"),
        ("providers:\n  hubspott: {}\n", 2, "'hubspott'", "'hubspot'"),
        ("providers:\n  hubspot:\n    api_versoin: v3\n", 3, "api_versoin", "'api_version'"),
        ("providers:\n  hubspot:\n    api_version: v9\n", 3, "'v9'", ""),
        ("providers:\n  hubspot:\n    token: secret\n", 3, "providers.hubspot.token", ""),
        ("sync:\n  max_wait: [1]\n", 2, "a list", ""),
        ("sync:\n  max_wait: soon\n", 2, "'soon'", ""),
        ("sync:\n  concurrency: many\n", 2, "sync.concurrency", ""),
        ("sync:\n  concurrency: 0\n", 2, "sync.concurrency", ""),
        ("sync:\n  max_delete: 250\n", 2, "sync.max_delete", ""),
        ("sync: 5\n", 1, "sync", ""),
        ("output:\n  format: yaml\n", 2, "output.format", ""),
        ("sync:\n  max_wait: 5\nsync:\n  max_wait: 6\n", 3, "twice", ""),
        ("sync: {max_wait: 5\n", 2, "not YAML", ""),
        ("sync:\n\tmax_wait: 5\n", 2, "not YAML", ""),
        ("a: &a [*a]\n", 1, "", ""),
        ("!!python/object/apply:os.system ['true']\n", 1, "", ""),
    ],
)
def test_a_wrong_configuration_is_7_and_names_file_line_and_key(
    lab: Lab, text: str, line: int, names: str, hint: str
) -> None:
    write(lab, text)
    code, error = both(lab, "sync", "hubspot/contacts")
    assert (code, error["exit_code"], error["code"]) == (7, 7, "config_invalid")
    assert f"{lab.home}/config.yaml:{line}: " in error["message"]
    assert names in error["message"]
    assert hint in (error["hint"] or "")
    assert not lab.hub_path.exists(), "nothing was begun"
    assert not lab.sandbox.requests


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"- a\n- b\n", "key: value"),
        (b"just text", "key: value"),
        (b"sync: \xff\xfe\n", "UTF-8"),
        (b"hub:\n  path: \x00\n", "not YAML"),
        (b"hub:\n  path: 2026-02-31\n", "not of the type"),
        (b"sync: {max_wait: !!bool maybe}\n", "not of the type"),
        (b"providers: &a\n  hubspot: *a\n", "refers to itself"),
        (b"a: " + b"[" * 5000, "too deeply"),
    ],
)
def test_a_file_that_is_no_mapping_of_settings_is_7(lab: Lab, content: bytes, says: str) -> None:
    (lab.home / "config.yaml").write_bytes(content)
    (lab.home / "config.yaml").chmod(0o600)
    code, error = both(lab, "status")
    assert (code, error["code"]) == (7, "config_invalid")
    assert "config.yaml" in error["message"]
    assert says in error["message"]


def test_a_file_that_others_may_write_to_is_not_trusted(lab: Lab) -> None:
    write(lab, "sync:\n  max_wait: 5\n", 0o666)
    code, error = both(lab, "sync", "hubspot")
    assert code == 7
    assert "chmod go-w" in error["hint"]


def test_a_file_that_was_named_and_is_not_there_is_7(lab: Lab) -> None:
    code, error = both(lab, "sync", "hubspot", environ={"LUMIO_CONFIG": str(lab.home / "none")})
    assert code == 7
    assert f"{lab.home}/none" in error["message"]


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("LUMIO_SYNC__MAX_WAIT", "soon", ""),
        ("LUMIO_SYNC__MAXWAIT", "5", "'max_wait'"),
        ("LUMIO_HUB__BUSY_TIMEOUT", "-1", ""),
        ("LUMIO_HTTP__CONNECT_TIMEOUT", "99999999999", ""),
        ("LUMIO_PROVIDERS__HUBSPOT__API_VERSION", "latest", ""),
        ("LUMIO_PROVIDERS__HUBSPOT__BASE_URL", "ftp://127.0.0.1/", ""),
        ("LUMIO_PROVIDERS__HUBSPOT__COLUMNS", "{not json", ""),
        ("LUMIO_PROVIDERS__HUBSPOT__LIMITS", '{"burst": 1e999}', ""),
    ],
)
def test_a_wrong_variable_is_7_and_named(lab: Lab, variable: str, value: str, hint: str) -> None:
    code, error = both(lab, "sync", "hubspot", environ={variable: value})
    assert (code, error["code"]) == (7, "config_invalid")
    assert variable in error["message"]
    assert hint in (error["hint"] or "")


def test_a_quota_that_the_provider_does_not_have_is_7(lab: Lab) -> None:
    environ = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"brust": 3}'}
    code, error = both(lab, "sync", "hubspot", environ=environ)
    assert (code, error["hint"]) == (7, "did you mean 'burst'?")


def test_a_base_url_that_would_show_the_token_to_the_network_is_7(lab: Lab) -> None:
    environ = {"LUMIO_PROVIDERS__HUBSPOT__BASE_URL": "http://api.hubapi.com"}
    code, error = both(lab, "sync", "hubspot/contacts", environ=environ)
    assert (code, error["code"]) == (7, "config_invalid")
    assert "in the clear" in error["message"]


def test_a_configuration_that_breaks_leaves_the_hub_alone(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    before = contents(lab)
    write(lab, "sync: [\n")
    assert both(lab, "sync")[0] == 7
    assert contents(lab) == before


def test_a_secret_in_a_broken_file_is_not_repeated(lab: Lab) -> None:
    secret = "pat-na1-0badcafe-0000-4000-8000-00000000beef"
    write(lab, f"providers:\n  hubspot:\n    token: {secret}\n    api_version: [{secret}\n")
    for output in ("json", "table"):
        outcome = lab.lumio("sync", "-o", output)
        assert outcome.code == 7
        assert secret not in outcome.out + outcome.err
    write(lab, f"providers:\n  hubspot:\n    api_version: {secret}\n")
    for output in ("json", "table"):
        outcome = lab.lumio("sync", "-o", output)
        assert outcome.code == 7
        assert secret not in outcome.out + outcome.err


@pytest.mark.parametrize("name", ["LUMIO_HOME", "LUMIO_CONFIG"])
def test_a_home_of_somebody_who_does_not_exist_is_7(lab: Lab, name: str) -> None:
    code, error = both(lab, "status", environ={name: "~nobody-here/lumio"})
    assert (code, error["code"]) == (7, "config_invalid")
    assert "~nobody-here/lumio: there is no such user" in error["message"]


def test_a_path_that_cannot_be_used_is_named(lab: Lab) -> None:
    code, error = both(lab, "config", "init", environ={"LUMIO_HOME": "/dev/null/lumio"})
    assert (code, error["code"]) == (1, "file_unusable")
    assert error["message"] == "/dev/null/lumio: Not a directory"


def test_the_arguments_of_a_token_command_are_not_shown(lab: Lab) -> None:
    environ = {"LUMIO_PROVIDERS__HUBSPOT__TOKEN_COMMAND": "pass-tool --password hunter2secret"}
    done = lab.lumio("config", "show", "-o", "json", environ=environ)
    assert "pass-tool" in done.out
    assert "hunter2secret" not in done.out
