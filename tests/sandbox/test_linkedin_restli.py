"""How the look-alike reads Rest.li: delimiters bare, everything else percent-encoded."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.linkedin.restli import RestliError, parameters, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("List(1,2,foobar)", ["1", "2", "foobar"]),
        ("List()", []),
        ("(k1:v1,k2:urn%3Ali%3Aapp%3A123,k3:List(1,2),k4:(k41:foobar))",
         {"k1": "v1", "k2": "urn:li:app:123", "k3": ["1", "2"], "k4": {"k41": "foobar"}}),
        ("%20t%3F%27%3A%2C%2A%21", " t?':,*!"),
        ("", ""),
    ],
)  # fmt: skip
def test_values_are_read(text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    "text", ["List(1,2", "(start:1", "urn:li:organization:1", "(nokey)", "List(1)2", "(a:1))"]
)
def test_what_is_not_written_right_is_refused(text: str) -> None:
    with pytest.raises(RestliError):
        read(text)


def test_dotted_names_are_objects() -> None:
    query = {
        "timeIntervals.timeRange.start": ["1"],
        "timeIntervals.timeRange.end": ["2"],
        "timeIntervals.timeGranularityType": ["DAY"],
    }
    request = Request("GET", "/rest/x", query, {}, b"", "http://127.0.0.1")
    assert parameters(request) == {
        "timeIntervals": {"timeRange": {"start": "1", "end": "2"}, "timeGranularityType": "DAY"}
    }
