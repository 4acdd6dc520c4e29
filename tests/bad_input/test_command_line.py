"""Wrong words on the command line: exit 2, the nearest word suggested, nothing touched."""

from __future__ import annotations

import pytest

from support.lab import Lab
from support.trials import both, contents

pytestmark = pytest.mark.attack("command line")


@pytest.mark.parametrize(
    ("argv", "names", "hint"),
    [
        (("sync", "hubspott"), "'hubspott'", "'hubspot'"),
        (("status", "hubspto"), "'hubspto'", "'hubspot'"),
        (("preview", "hubspott"), "'hubspott'", "'hubspot'"),
        (("sync", "hubspot/contact"), "'contact'", "'contacts'"),
        (("preview", "hubspot/dels"), "'dels'", "'deals'"),
        (("status", "hubspot/compannies"), "'compannies'", "'companies'"),
        (("sync", "hubspot/"), "'hubspot/'", "PROVIDER/RESOURCE"),
        (("sync", "/contacts"), "''", ""),
        (("snyc",), "'snyc'", "'sync'"),
        (("sync", "--mod", "full"), "--mod", "'--mode'"),
        (("sync", "--mode", "ful"), "'ful'", ""),
        (("sync", "--max-duration"), "--max-duration", ""),
        (("sync", "--records", "7"), "--records", ""),
        (("preview", "--limit", "many"), "--limit should be a valid integer", ""),
        (("--profile", "../../etc", "sync"), "'../../etc'", ""),
        (("sync", "--output", "jsno"), "--output cannot be 'jsno': it is one of table", "'json'"),
        (
            ("sync", "--mode", "ful"),
            "--mode cannot be 'ful': it is one of incremental, full",
            "did you mean 'full'?",
        ),
        (("sync", "--if-running=SKIP"), "--if-running cannot be 'SKIP'", "'skip'"),
        (("sync", "--direction", "xyz"), "one of pull, push, both", "lumio sync --help"),
        (("debug", "hubspot", "onn"), "action cannot be 'onn'", "'on'"),
        (("status", "--watch", "--interval", "1e12"), "--interval should be less than", ""),
        (("debug", "hubspot", "show", "--last", "9" * 30), "--last should be", ""),
        (("connect", "hubspot", "--token-file", "~nobody-here/x"), "there is no such user", ""),
    ],
)
def test_a_wrong_word_is_named_and_the_nearest_one_suggested(
    lab: Lab, argv: tuple[str, ...], names: str, hint: str
) -> None:
    code, error = both(lab, *argv)
    assert (code, error["exit_code"], error["code"]) == (2, 2, "usage")
    assert names in error["message"]
    assert hint in (error["hint"] or "")
    assert not lab.hub_path.exists(), "a wrong word creates nothing"
    assert not lab.sandbox.requests, "a wrong word costs no request"


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--wait", "never"),
        ("--max-wait", "a while"),
        ("--max-duration", "-3"),
        ("--max-delete", "lots"),
        ("--max-delete", "200"),
    ],
)
def test_a_flag_with_a_value_that_it_cannot_have_is_wrong_usage(
    lab: Lab, flag: str, value: str
) -> None:
    code, error = both(lab, "sync", "hubspot/contacts", flag, value)
    assert (code, error["exit_code"], error["code"]) == (2, 2, "usage")
    assert flag in error["message"]


def test_a_wrong_word_leaves_an_existing_hub_as_it_is(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    before = contents(lab)
    requests = len(lab.sandbox.requests)
    assert both(lab, "sync", "hubspot/contacts", "hubspot/contact")[0] == 2
    assert contents(lab) == before
    assert len(lab.sandbox.requests) == requests, "not even the good target was begun"
