"""Posting to a page, against the look-alike over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    CircuitOpenError,
    DeniedError,
    GoneError,
    UnavailableError,
    UsageError,
)
from lumio_cli.providers.contract.call import Call, Reply, Send
from lumio_cli.providers.contract.messages import Message, Past
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.linkedin import LinkedIn
from lumio_cli.providers.linkedin.restli import end_of, little_text
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox.linkedin.data import FIRST_ORGANIZATION
from lumio_cli.services.connections.sessions import open_for
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
        self.send: Send = open_for(runtime, found).send
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


# -- writing posts from the hub


def write(desk: Desk, action: Any, values: dict[str, str | None], id_: str = "") -> Receipt:
    """One change to one post."""
    change = Change(action, "t", id=id_, values=values)
    (receipt,) = desk.provider.write(desk.provider.resource("posts"), [change], desk.send)
    return receipt


@pytest.mark.parametrize(
    ("action", "values", "what"),
    [
        ("create", {"author": PAGE, "commentary": "x", "lifecycle_state": "DRAFT"}, "lifecycle"),
        ("create", {"author": PAGE, "commentary": "x", "text": "y"}, "text: "),
        ("create", {"author": PAGE, "commentary": None}, "commentary: a post needs a text"),
        ("create", {"commentary": "x"}, "author: "),
        ("create", {"author": "acme", "commentary": "x"}, "author: 'acme' is no page"),
        ("create", {"author": PAGE, "commentary": "Prices (net)"}, r"write it as '\('"),
        ("update", {"commentary": "a_b"}, "before '_' (character 2)"),
        ("update", {"commentary": "x", "created_at": None}, "created_at: "),
        ("update", {"author": PAGE}, "author: "),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_sent(
    desk: Desk, action: Any, values: dict[str, str | None], what: str
) -> None:
    receipt = write(desk, action, values, "urn:li:share:1")
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert what in receipt.message
    assert not desk.lab.sandbox.requests


@pytest.mark.parametrize(
    "text",
    [
        "Größe 🦄\nzwei",
        r"Prices \(net\) \_ {hashtag|\#|launch} #now",
        f"Thanks @[Page \\(BR\\)](urn:li:organization:{PAGE})!",
        "a" * 3000,
    ],
)
def test_a_text_is_kept_as_it_is_written(desk: Desk, text: str) -> None:
    made = write(desk, "create", {"author": PAGE, "commentary": text, "visibility": None})
    assert made.status == "done", made
    assert desk.stored(made.id)["commentary"] == text
    assert desk.stored(made.id)["visibility"] == "PUBLIC"
    assert write(desk, "update", {"commentary": f"{text[1:]}!"}, made.id).status == "done"
    assert desk.stored(made.id)["commentary"] == f"{text[1:]}!"


def test_all_that_is_escaped_for_an_operator_is_kept_whole() -> None:
    plain = "\\ | { } @ [ ] ( ) < > # * _ ~ a_b #tag x#y https://example.com/?a=(b)#c"
    text = little_text(plain)
    assert end_of(text) == len(text)
    assert [end_of(f"ab{mark}c") for mark in "\\|{}@[]()<>*_~"] == [2] * 14
    assert end_of("a # b") == 2


def test_values_are_refused_with_linkedins_own_reasons(desk: Desk) -> None:
    bad = write(desk, "create", {"author": PAGE, "commentary": "x", "visibility": "NONE"})
    assert (bad.status, bad.kind) == ("failed", "validation")
    assert "/visibility" in bad.message
    first = write(desk, "create", {"author": PAGE, "commentary": "Once"})
    again = write(desk, "create", {"author": PAGE, "commentary": "Once"})
    assert (first.status, again.status, again.kind) == ("done", "failed", "conflict")


def test_a_page_goes_by_its_urn_in_a_listing(desk: Desk) -> None:
    author = next(c for c in desk.provider.resource("posts").columns if c.name == "author")
    made = write(desk, "create", {"author": PAGE, "commentary": "Ours"})
    assert desk.stored(made.id)["author"] == desk.provider.shown(author, PAGE)
    assert desk.provider.shown(author, desk.stored(made.id)["author"]).endswith(PAGE)


def test_only_what_a_post_takes_can_be_written() -> None:
    posts = LinkedIn({}).resource("posts")
    assert posts.writes is not None
    assert (posts.writes.unique, posts.writes.at_once) == ((), 50)
    written = {c.name for c in posts.columns if not c.read_only}
    assert written == {"author", "commentary", "visibility"}
    assert [r.name for r in LinkedIn({}).resources if r.writes is not None] == ["posts"]


LOST = UnavailableError("the answer was lost", code=OUTCOME_UNKNOWN)
DOWN = UnavailableError("connection refused")
DENIED = DeniedError("Not enough permissions", scopes=("w_organization_social",))


@pytest.mark.parametrize(
    ("action", "answer", "expected"),
    [
        ("create", LOST, ("unknown", "unsettled")),
        ("create", Reply(201, {}, b""), ("unknown", "unsettled")),
        ("create", DENIED, ("failed", "permission")),
        ("update", LOST, ("retry", "transient")),
        ("update", DOWN, ("retry", "transient")),
        ("update", DENIED, ("failed", "permission")),
        ("update", GoneError("no such post", status=404), ("failed", "gone")),
        ("archive", DOWN, ("retry", "transient")),
        ("archive", GoneError("no such post", status=404), ("done", "")),
    ],
)
def test_a_change_is_settled_by_what_is_known_of_it(
    action: Any, answer: Any, expected: tuple[str, str]
) -> None:
    def send(_: Call) -> Reply:
        if isinstance(answer, Reply):
            return answer
        raise answer

    provider = LinkedIn({})
    values = {"author": PAGE, "commentary": "x"} if action == "create" else {"commentary": "x"}
    change = Change(action, "t", id="urn:li:share:1", values=values)
    (receipt,) = provider.write(provider.resource("posts"), [change], send)
    assert (receipt.status, receipt.kind) == expected
    if answer is DENIED:
        assert "missing scope: w_organization_social" in receipt.message


@pytest.mark.parametrize("error", [DOWN, CircuitOpenError("left alone")])
def test_a_post_that_was_certainly_not_made_is_raised(error: UnavailableError) -> None:
    def send(_: Call) -> Reply:
        raise error

    provider = LinkedIn({})
    change = Change("create", "t", values={"author": PAGE, "commentary": "x"})
    with pytest.raises(UnavailableError) as caught:
        list(provider.write(provider.resource("posts"), [change], send))
    assert caught.value is error


def test_a_page_is_one_by_its_number_and_by_its_urn() -> None:
    nothing = cast(Past, None)
    found = {LinkedIn({}).names(to, nothing) for to in ("5515715", "urn:li:organization:5515715")}
    assert found == {("5515715",)}
