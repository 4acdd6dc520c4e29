"""Posting to a page.

An image is announced, put to the address that the announcement gives, and named in the post. The
new post's URN is in the header `x-restli-id`. LinkedIn takes no key of ours that would make a
second attempt harmless; it refuses the same text twice in a short time (422 DUPLICATE_POST).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    BadReplyError,
    CircuitOpenError,
    DeniedError,
    GoneError,
    QuotaError,
    RejectedError,
    UnavailableError,
    UsageError,
)
from lumio_cli.providers.contract.answers import receipt_of, unanswered
from lumio_cli.providers.contract.call import Call, Json, Record, Send, dig
from lumio_cli.providers.contract.fields import Field
from lumio_cli.providers.contract.messages import Message, MessageKind
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.linkedin.behaviour import AS_AUTHOR
from lumio_cli.providers.linkedin.resources import WRITTEN
from lumio_cli.providers.linkedin.restli import (
    call,
    end_of,
    escape,
    little_text,
    organization_of,
)

LONGEST = 3_000
"""Characters of a post's text."""
RECENT = 10
IMAGES = ("image/jpeg", "image/png", "image/gif")
ROUTE = "/rest/posts/{post}"

POST = MessageKind(
    name="post",
    title="A post of a page",
    to="the page: its number, or urn:li:organization:NUMBER",
    confirm=True,
    fields=(
        Field("text", "What the post says; #words become hashtags"),
        Field(
            "markup",
            "The text is in LinkedIn's own little text format, with mentions, and is sent as it is",
            kind="boolean",
            default=False,
        ),
        Field("media", "A JPEG, PNG or GIF file to show", kind="file", default=""),
        Field("alt", "What the image shows, for those who cannot see it", default=""),
        Field("link", "A web page to show instead of an image", default="", pattern="https?://.+"),
        Field("title", "The title of the link or of the image; a link must have one", default=""),
        Field("description", "What the link is about", default=""),
        Field(
            "visibility",
            "Who may see it: PUBLIC, or LOGGED_IN for members only",
            default="PUBLIC",
            pattern="PUBLIC|LOGGED_IN",
        ),
        Field("reshare", "Whether others may share it", kind="boolean", default=True),
        Field("draft", "Keep it as a draft", kind="boolean", default=False),
    ),
)


def text_of(values: Mapping[str, Json]) -> str:
    """The text as it is sent."""
    text = str(values.get("text") or "")
    return text if values.get("markup") else little_text(text)


def check(message: Message) -> None:
    """Raises `UsageError` for a post that LinkedIn would not take."""
    values = message.values
    organization_of(message.to)
    text, image, link = str(values.get("text") or ""), values.get("media"), values.get("link")
    if not text.strip():
        raise UsageError("a post needs a text")
    if len(text) > LONGEST:
        raise UsageError(f"a post has at most {LONGEST:,} characters; this one has {len(text):,}")
    if image and link:
        raise UsageError("a post shows an image or a link, not both")
    if link and not values.get("title"):
        raise UsageError("a link needs a title: LinkedIn does not read it from the web page")
    if image and dig(image, "type") not in IMAGES:
        raise UsageError(f"{dig(image, 'name')} is no JPEG, PNG or GIF")
    if image and not dig(image, "data"):
        raise UsageError(f"{dig(image, 'name')} is empty")


def deliver(version: str, message: Message, send: Send) -> Receipt:
    """Upload the image, if there is one, and make the post."""
    author = organization_of(message.to)
    try:
        body = _body(author, message.values, _content(version, author, message.values, send))
    except RejectedError as error:
        return _failed(message.key, error)
    return _create(version, message.key, body, send)


def _create(version: str, trace: str, body: Record, send: Send) -> Receipt:
    made = call(version, "POST", "/rest/posts", json=body, safe=False)
    try:
        reply = send(made)
    except RejectedError as error:
        return _failed(trace, error)
    except (QuotaError, CircuitOpenError):
        raise
    except UnavailableError as error:
        if error.code != OUTCOME_UNKNOWN:
            raise
        return Receipt.unknown(trace, error.message)
    found = unquote(reply.headers.get("x-restli-id", ""))
    if not found:
        message = "LinkedIn made the post, but does not say what it is called"
        return Receipt.unknown(trace, message)
    return Receipt.done(trace, found)


def _failed(trace: str, error: RejectedError) -> Receipt:
    kind = "gone" if isinstance(error, GoneError) else "validation"
    return Receipt.failed(trace, "conflict" if _is_duplicate(error) else kind, error.message)


def _is_duplicate(error: RejectedError) -> bool:
    return error.category == "DUPLICATE_POST" or error.status == 409


def _body(author: str, values: Mapping[str, Json], content: Record) -> Record:
    return {
        "author": author,
        "commentary": text_of(values),
        "visibility": str(values.get("visibility") or "PUBLIC"),
        "distribution": {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        },
        **({"content": content} if content else {}),
        "lifecycleState": "DRAFT" if values.get("draft") else "PUBLISHED",
        "isReshareDisabledByAuthor": not values.get("reshare", True),
    }


def _content(version: str, author: str, values: Mapping[str, Json], send: Send) -> Record:
    """What the post shows beside its text; an image is uploaded for it."""
    title, image = str(values.get("title") or ""), values.get("media")
    if values.get("link"):
        article = {"source": str(values["link"]), "title": title}
        if values.get("description"):
            article["description"] = str(values["description"])
        return {"article": article}
    if not image:
        return {}
    media = {"id": _upload(version, author, image, send)}
    if title:
        media["title"] = title
    if values.get("alt"):
        media["altText"] = str(values["alt"])
    return {"media": media}


def _upload(version: str, author: str, image: Json, send: Send) -> str:
    """Upload an image; its URN. Doing it twice leaves one that nobody shows, and no harm."""
    body = {"initializeUploadRequest": {"owner": author}}
    path = "/rest/images?action=initializeUpload"
    answer = send(call(version, "POST", path, restli="ACTION", json=body, safe=True)).json()
    address, name = dig(answer, "value.uploadUrl"), dig(answer, "value.image")
    if not isinstance(address, str) or not isinstance(name, str):
        raise BadReplyError("LinkedIn does not say where to put the image")
    headers = {"Content-Type": str(dig(image, "type"))}
    send(
        Call(
            "PUT",
            address,
            route="/dms-uploads/{image}",
            content=image["data"],
            headers=headers,
            safe=True,
            answer="text",
        )
    )
    return name


def find(version: str, message: Message, send: Send) -> Receipt | None:
    """The post that a lost answer was about: the same text, made in the last day."""
    author, text = organization_of(message.to), text_of(message.values)
    finder = f"q=author&author={escape(author)}{AS_AUTHOR}&sortBy=CREATED"
    path = f"/rest/posts?{finder}&start=0&count={RECENT}"
    reply = send(call(version, "GET", path, restli="FINDER"))
    oldest = (message.at.timestamp() - 86_400) * 1000
    for post in reply.json().get("elements") or ():
        same = dig(post, "commentary") == text
        if same and int(dig(post, "createdAt") or 0) >= oldest:
            return Receipt.done(message.key, str(post["id"]), post)
    return None


def write(version: str, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
    """Make, reword or delete posts, one request each. Of a post that is there, LinkedIn lets only
    the text be changed."""
    for change in changes:
        yield _write(version, change, send)


def _write(version: str, change: Change, send: Send) -> Receipt:
    try:
        if change.action == "create":
            return _create(version, change.trace, _new(change.values), send)
        send(_request(version, change))
    except UnavailableError as error:
        return unanswered([change], error)[0]
    except (UsageError, DeniedError, RejectedError) as error:
        return receipt_of(change, error, conflict=_is_duplicate)
    return Receipt.done(change.trace, change.id)


def _new(values: Mapping[str, str | None]) -> Record:
    """The body of a new post that is text alone. Raises `UsageError`."""
    _only(values, WRITTEN, "of a new post only {} can be written")
    if not values.get("author"):
        raise UsageError("author: a post needs a page that it is from")
    try:
        author = organization_of(str(values["author"]))
    except UsageError as error:
        raise UsageError(f"author: {error.message}") from None
    text = _checked(values.get("commentary"))
    if not text.strip():
        raise UsageError("commentary: a post needs a text")
    asked = {"text": text, "markup": True, "visibility": values.get("visibility")}
    return _body(author, asked, {})


def _request(version: str, change: Change) -> Call:
    """The request that rewords or deletes a post. Raises `UsageError`."""
    path = f"/rest/posts/{escape(change.id)}"
    if change.action == "archive":
        return call(version, "DELETE", path, ROUTE, restli="DELETE", safe=True)
    _only(change.values, WRITTEN[:1], "of a post that is there LinkedIn lets only {} be changed")
    body = {"patch": {"$set": {"commentary": _checked(change.values.get("commentary"))}}}
    return call(version, "POST", path, ROUTE, restli="PARTIAL_UPDATE", json=body, safe=True)


def _only(values: Mapping[str, Any], known: Sequence[str], rule: str) -> None:
    other = sorted(set(values) - set(known))
    if other:
        raise UsageError(f"{', '.join(other)}: {rule.format(' and '.join(known))}")


def _checked(value: str | None) -> str:
    """A text in LinkedIn's own format, as a listing shows it. Raises `UsageError` where LinkedIn
    would cut it, which it does without an error."""
    text = value or ""
    end = end_of(text)
    if end < len(text):
        raise UsageError(
            f"commentary: LinkedIn would cut the text before {text[end]!r} (character {end + 1}):"
            f" write it as '\\{text[end]}'"
        )
    return text
