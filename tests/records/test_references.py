"""A new record may be named before the provider has given it an id."""

from __future__ import annotations

import pytest

from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.services.records.values import given


def test_a_number_may_be_the_id_of_a_record_that_is_yet_to_be_created() -> None:
    column = ViewColumn("org_id", "org_id", "integer")
    assert given(column, "new-0123456789abcdef") == "new-0123456789abcdef"
    with pytest.raises(ValueError, match="org_id takes a whole number"):
        given(column, "new-one")
