"""Times that are read: in UTC, or not at all."""

from __future__ import annotations

import pytest

from lumio_cli.core.clock import format_time, parse_time


def test_times_are_read_in_utc() -> None:
    assert format_time(parse_time("2026-01-31T10:00:00.250+05:30")) == "2026-01-31T04:30:00.250Z"


@pytest.mark.parametrize(
    "text", ["2026-01-31T10:00:00", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "x"]
)
def test_what_has_no_place_in_utc_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)
