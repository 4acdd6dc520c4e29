"""Posting to a page, against the look-alike over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.errors import UsageError
from lumio_cli.options import Globals
from lumio_cli.providers.base import Send
from lumio_cli.providers.linkedin import LinkedIn
from lumio_cli.providers.messages import Message
from lumio_cli.providers.writing import Change, Receipt
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox.linkedin.data import FIRST_ORGANIZATION
from providers.linkedin.conftest import MakePages, Pages

PAGE = str(FIRST_ORGANIZATION)
IMAGE = {"name": "a.png", "type": "image/png", "data": b"\x89PNG sandbox"}


class Desk:
    """A lab with the adapter and its way out."""

    def __init__(self, lab: Pages, runtime: Runtime, clock: Any) -> None:
        self.lab = lab
        found = runtime.provider("linkedin")
        assert isinstance(found, LinkedIn)
        self.provider = found
        self.send: Send = runtime.session(found).send
        self._clock = clock

    def message(self, text: str, **values: Any) -> Message:
        """A post to the first page."""
        at = datetime.fromtimestamp(self._clock(), UTC)
        return Message("post", PAGE, {"text": text, **values}, "sandbox-key", at)

    def post(self, text: str, **values: Any) -> Receipt:
        """Check and deliver it."""
        message = self.message(text, **values)
        self.provider.check(message, None)  # type: ignore[arg-type]
        return self.provider.deliver(message, self.send)

    def stored(self, urn: str) -> dict[str, Any]:
        """The post as LinkedIn has it."""
        found = self.lab.account.tables["posts"].get(urn)
        assert found is not None
        return found


@pytest.fixture
def desk(make_pages: MakePages) -> Iterator[Desk]:
    lab, clock = make_pages()
    runtime = Runtime(Globals(), environ=lab.environ)
    try:
        yield Desk(lab, runtime, clock)
    finally:
        runtime.close()


def test_a_text_arrives_whole(desk: Desk) -> None:
    receipt = desk.post("Prices (net) [new] @ Zoë_1 #launch 🦄", reshare=False)
    assert receipt.status == "done"
    assert receipt.id.startswith("urn:li:")
    made = desk.stored(receipt.id)
    assert made["commentary"] == r"Prices \(net\) \[new\] \@ Zoë\_1 {hashtag|\#|launch} 🦄"
    assert made["author"] == f"urn:li:organization:{PAGE}"
    assert made["isReshareDisabledByAuthor"] is True
    assert (made["visibility"], made["lifecycleState"]) == ("PUBLIC", "PUBLISHED")


def test_own_markup_is_sent_as_it_is(desk: Desk) -> None:
    text = f"Thanks @[Page](urn:li:organization:{PAGE})"
    assert desk.stored(desk.post(text, markup=True).id)["commentary"] == text


def test_an_image_is_uploaded_and_shown(desk: Desk) -> None:
    receipt = desk.post("Look", media=IMAGE, title="A picture", alt="Nothing much")
    media = desk.stored(receipt.id)["content"]["media"]
    assert (media["title"], media["altText"]) == ("A picture", "Nothing much")
    assert desk.lab.account.images[media["id"]] == IMAGE["data"]


def test_a_link_is_shown(desk: Desk) -> None:
    link = "https://example.com/?a=1&b=(2)"
    receipt = desk.post("Read", link=link, title="Here", description="More")
    assert desk.stored(receipt.id)["content"] == {
        "article": {"source": link, "title": "Here", "description": "More"}
    }


def test_the_same_text_again_is_a_conflict(desk: Desk) -> None:
    first = desk.post("Once")
    second = desk.post("Once")
    assert (second.status, second.kind) == ("failed", "conflict")
    assert first.id in second.message


def test_a_lost_answer_leaves_it_open_and_the_post_can_be_found(desk: Desk) -> None:
    desk.lab.sandbox.faults.set(["lost:path=/rest/posts:method=POST"])
    receipt = desk.post("Lost and found")
    assert receipt.status == "unknown"
    desk.lab.sandbox.faults.clear()
    message = desk.message("Lost and found")
    found = desk.provider.find(message, None, desk.send)  # type: ignore[arg-type]
    assert found is not None
    assert found.status == "done"
    assert desk.stored(found.id)["commentary"] == "Lost and found"
    other = desk.message("Never sent")
    assert desk.provider.find(other, None, desk.send) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "values", "what"),
    [
        (" ", {}, "needs a text"),
        ("x" * 3001, {}, "3,000 characters"),
        ("x", {"media": IMAGE, "link": "https://example.com", "title": "t"}, "not both"),
        ("x", {"link": "https://example.com"}, "needs a title"),
        ("x", {"media": {**IMAGE, "type": "text/plain"}}, "no JPEG"),
        ("x", {"media": {**IMAGE, "data": b""}}, "is empty"),
    ],
)
def test_what_would_be_refused_is_not_sent(
    desk: Desk, text: str, values: dict[str, Any], what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        desk.post(text, **values)
    assert not [r for r in desk.lab.sandbox.requests if r[1] == "POST"]


def test_a_page_that_is_none_is_refused(desk: Desk) -> None:
    message = Message("post", "acme", {"text": "x"}, "k", datetime.now(UTC))
    with pytest.raises(UsageError, match="no page"):
        desk.provider.check(message, None)  # type: ignore[arg-type]


def test_posts_are_made_reworded_and_deleted_one_by_one(desk: Desk) -> None:
    posts = desk.provider.resource("posts")
    author = {"author": PAGE, "commentary": "made"}
    (made,) = desk.provider.write(posts, [Change("create", "c", values=author)], desk.send)
    assert (made.status, desk.stored(made.id)["commentary"]) == ("done", "made")
    changes = [
        Change("update", "good", id=made.id, values={"commentary": "reworded"}),
        Change("update", "bad", id=made.id, values={"visibility": "PUBLIC"}),
        Change("update", "gone", id="urn:li:share:1", values={"commentary": "x"}),
    ]
    found = {r.trace: (r.status, r.kind) for r in desk.provider.write(posts, changes, desk.send)}
    assert found == {
        "good": ("done", ""),
        "bad": ("failed", "validation"),
        "gone": ("failed", "gone"),
    }
    assert desk.stored(made.id)["commentary"] == "reworded"
    gone = [Change("archive", f"d{n}", id=made.id) for n in range(2)]
    assert [r.status for r in desk.provider.write(posts, gone, desk.send)] == ["done", "done"]
    assert made.id not in desk.lab.account.tables["posts"]
