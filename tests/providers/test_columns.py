"""The columns of a view are written in the same words for every provider."""

from __future__ import annotations

import pytest

from lumio_cli.providers.contract.columns import camel, columns, pascal
from lumio_cli.providers.contract.resource import Column


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("title", Column("title", "title", read_only=True)),
        ("title!", Column("title", "title")),
        ("sent_at:epoch", Column("sent_at", "sent_at", "epoch", read_only=True)),
        ("sum!:number=total.sum", Column("sum", "total.sum", "number")),
        ("tags!:json~set=a.tags", Column("tags", "a.tags", "json", same="set")),
        ("email~folded", Column("email", "email", read_only=True, same="folded")),
    ],
)
def test_a_word_is_a_column(word: str, expected: Column) -> None:
    assert columns(word) == (expected,)


@pytest.mark.parametrize("word", ["title:text!", "a=", "a:whole", "a~like", "a.b", "!a"])
def test_a_word_that_is_no_column_is_refused_by_its_name(word: str) -> None:
    with pytest.raises(ValueError, match=word.replace(".", r"\.")):
        columns(word)


def test_a_path_that_is_not_given_follows_the_providers_rule() -> None:
    assert [c.path for c in columns("created_at", camel)] == ["createdAt"]
    assert [c.path for c in columns("created_by_id", pascal)] == ["CreatedById"]
