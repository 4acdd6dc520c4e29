"""Posts of pages, and the images that go with them.

Text is in the little text format: a reserved character that is not escaped, and that is no part of
a mention or a hashtag, ends the text there, and the post is made all the same. The same text twice
is refused. Deleting what is deleted succeeds. A listing is newest first, by creation or by change.
Drafts are shown to `viewContext=AUTHOR` only. A page's posts are for its administrators, for those
of its content, and for those who post its sponsored content.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..http import Request, Response, Route
from ..table import Document
from .data import distribution
from .errors import bad_field, fail
from .paging import page
from .restli import RestliError, parameters, urn_id

if TYPE_CHECKING:
    from .account import Account

READ = ("r_organization_social",)
WRITE = ("w_organization_social",)
LONGEST = 3_000
PUBLISHED = ("PUBLISHED", "DRAFT")
VIEWS = ("READER", "AUTHOR")
ROLES = (
    "ADMINISTRATOR", "CONTENT_ADMIN", "CONTENT_ADMINISTRATOR", "DIRECT_SPONSORED_CONTENT_POSTER",
)  # fmt: skip
VISIBILITIES = ("PUBLIC", "CONNECTIONS", "LOGGED_IN")
PATCHABLE = {"commentary", "contentCallToActionLabel", "contentLandingPage", "lifecycleState"}
_LITTLE = re.compile(
    r"@\[(?:\\.|[^\]\\])*\]\(urn:li:\w+:[\w-]+\)"  # a mention
    r"|\{hashtag\|\\#\|(?:\\.|[^}\\])+\}"  # a hashtag
    r"|#\w+"
    r"|\\[\\|{}@\[\]()<>#*_~]"
    r"|[^\\|{}@\[\]()<>*_~]"
)


def little_text(text: str) -> str:
    """What LinkedIn keeps of a text: everything up to the first character that is out of place."""
    end = 0
    while found := _LITTLE.match(text, end):
        end = found.end()
    return text[:end]


def read_scopes(**_: str) -> tuple[str, ...]:
    """What reading needs."""
    return READ


def write_scopes(**_: str) -> tuple[str, ...]:
    """What writing needs."""
    return WRITE


def find(account: Account, request: Request) -> Response:
    """`q=author`: an organization's posts; `ids=List(...)`: BATCH_GET."""
    asked = parameters(request)
    table = account.tables["posts"]
    if "ids" in asked:
        account.need_standard_tier("posts.BATCH_GET")
        found = {urn: table.get(urn) for urn in asked["ids"]}
        missing = {"status": 404, "message": "Could not find entity"}
        return Response.of_json(
            {
                "results": {urn: post for urn, post in found.items() if post is not None},
                "statuses": {},
                "errors": {urn: missing for urn, post in found.items() if post is None},
            }
        )
    if asked.get("q") != "author":
        raise fail(400, "Invalid query parameters passed to request", "PARAM_INVALID")
    author = str(asked.get("author"))
    _authorized(account, author, "posts.FINDER-author")
    order = asked.get("sortBy", "LAST_MODIFIED")
    if order not in ("LAST_MODIFIED", "CREATED"):
        raise fail(400, f"sortBy is not valid: {order}", "PARAM_INVALID")
    ids = table.changed() if order == "LAST_MODIFIED" else table.ids()
    drafts = _as_author(request)
    mine = [
        i
        for i in reversed(ids)
        if account.author_of(i) == author and (drafts or not account.is_draft(i))
    ]
    return page(request, asked, mine, table.get)


def _as_author(request: Request) -> bool:
    """Whether drafts are asked for, too. Raises Answered."""
    view = request.one("viewContext") or "READER"
    if view not in VIEWS:
        raise fail(400, f"viewContext is not valid: {view}", "PARAM_INVALID")
    return view == "AUTHOR"


def _authorized(account: Account, author: str, what: str) -> None:
    """Raises Answered where the member has no role in the page. Raises RestliError."""
    organization = urn_id(author, "organization")
    role = account.roles.get(organization, "ADMINISTRATOR")
    if organization not in account.tables["organizations"] or role not in ROLES:
        raise account.denied(what)


def one(account: Account, request: Request, post: str) -> Response:
    """GET of one post."""
    found = account.tables["posts"].get(post)
    if found is None or (account.is_draft(post) and not _as_author(request)):
        raise fail(404, f"Could not find entity: {post}")
    return Response.of_json(found)


def create(account: Account, request: Request) -> Response:
    """A new post; its URN is in the header `x-restli-id`."""
    body = request.json()
    author = body.get("author")
    if not isinstance(author, str):
        raise bad_field("/author", "field is required but not found", "FIELD_REQUIRED")
    try:
        _authorized(account, author, "posts.CREATE")
    except RestliError as error:
        raise bad_field("/author", str(error)) from None
    if body.get("visibility") not in VISIBILITIES:
        raise bad_field("/visibility", f"is not one of {', '.join(VISIBILITIES)}")
    if body.get("lifecycleState") not in PUBLISHED:
        raise bad_field("/lifecycleState", f"is not one of {', '.join(PUBLISHED)}")
    if not isinstance(body.get("distribution"), dict):
        raise bad_field("/distribution", "field is required but not found", "FIELD_REQUIRED")
    text = _commentary(body.get("commentary"))
    content = _content(account, body.get("content"))
    twin = account.recent.get((author, text))
    if twin is not None and twin in account.tables["posts"]:
        message = f"Content is a duplicate of {twin}"
        raise fail(422, message, "DUPLICATE_POST", errorDetails={"duplicate": twin})
    made: Document = {
        "author": author,
        "commentary": text,
        "visibility": body["visibility"],
        "distribution": {**distribution(), **body["distribution"]},
        "lifecycleState": body["lifecycleState"],
        "isReshareDisabledByAuthor": bool(body.get("isReshareDisabledByAuthor", False)),
        "lifecycleStateInfo": {"isEditedByAuthor": False},
        **({"content": content} if content else {}),
    }
    urn = account.tables["posts"].insert(made)
    account.recent[author, text] = urn
    return Response(201, headers={"x-restli-id": urn, "Location": f"/posts/{quote(urn, safe='')}"})


def _commentary(text: Any) -> str:
    if not isinstance(text, str):
        raise bad_field("/commentary", "field is required but not found", "FIELD_REQUIRED")
    if len(text) > LONGEST:
        raise bad_field("/commentary", f"length {len(text)} exceeds the maximum of {LONGEST}")
    return little_text(text)


def _content(account: Account, content: Any) -> Document:
    """The content of a post, checked. Raises Answered."""
    if content is None:
        return {}
    if not isinstance(content, dict) or len(content) != 1:
        raise bad_field("/content", "must be one kind of content")
    if "article" in content:
        article = content["article"]
        for name in ("source", "title"):
            if not article.get(name):
                text = "field is required but not found"
                raise bad_field(f"/content/article/{name}", text, "FIELD_REQUIRED")
        if not str(article["source"]).startswith(("http://", "https://")):
            raise bad_field("/content/article/source", "is not a URL")
    if "media" in content:
        image = str(content["media"].get("id"))
        if account.images.get(image) is None:
            raise bad_field("/content/media/id", f"{image} is not available")
    return content


def change(account: Account, request: Request, post: str) -> Response:
    """PARTIAL_UPDATE: `{"patch": {"$set": {...}}}`."""
    if request.headers.get("x-restli-method", "").upper() != "PARTIAL_UPDATE":
        raise fail(400, "X-RestLi-Method must be PARTIAL_UPDATE", "METHOD_INVALID")
    if post not in account.tables["posts"]:
        raise fail(404, f"Could not find entity: {post}")
    values = dict(request.json()["patch"]["$set"])
    unknown = sorted(set(values) - PATCHABLE)
    if unknown:
        raise bad_field(f"/{unknown[0]}", "cannot be changed", "FIELD_READ_ONLY")
    if "commentary" in values:
        values["commentary"] = _commentary(values["commentary"])
        values["lifecycleStateInfo"] = {"isEditedByAuthor": True}
    account.tables["posts"].update(post, values)
    return Response(204)


def delete(account: Account, _request: Request, post: str) -> Response:
    """Delete a post; one that is gone already is no error."""
    if post in account.tables["posts"]:
        account.tables["posts"].purge(post)
    return Response(204)


def image_action(account: Account, request: Request) -> Response:
    """`action=initializeUpload`: where to put an image, and what it will be called."""
    if request.one("action") != "initializeUpload":
        raise fail(400, "action is not valid", "PARAM_INVALID")
    owner = request.json().get("initializeUploadRequest", {}).get("owner")
    try:
        _authorized(account, str(owner), "images.ACTION-initializeUpload")
    except RestliError as error:
        raise bad_field("/initializeUploadRequest/owner", str(error)) from None
    serial = len(account.images) + 1
    image = f"urn:li:image:D4E10AQ{serial:08d}"
    account.images[image] = None
    place = f"{request.base_url}/dms-uploads/{image.rpartition(':')[2]}"
    value = {
        "uploadUrlExpiresAt": int(account.clock() * 1000) + 86_400_000,
        "uploadUrl": f"{place}/uploaded?ca=vector",
        "image": image,
    }
    return Response.of_json({"value": value})


def upload(account: Account, request: Request, image: str) -> Response:
    """PUT of an image's bytes at its upload URL."""
    urn = f"urn:li:image:{image}"
    if urn not in account.images:
        raise fail(404, "Could not find upload")
    if not request.body:
        raise fail(400, "The upload is empty", "EMPTY_UPLOAD")
    account.images[urn] = request.body
    return Response(201)


def image(account: Account, _request: Request, image: str) -> Response:
    """GET of one image."""
    if image not in account.images:
        raise fail(404, f"Could not find entity: {image}")
    status = "WAITING_UPLOAD" if account.images[image] is None else "AVAILABLE"
    return Response.of_json({"id": image, "status": status})


ROUTES = (
    Route("GET", "/rest/posts", find, read_scopes),
    Route("POST", "/rest/posts", create, write_scopes),
    Route("GET", "/rest/posts/{post}", one, read_scopes),
    Route("POST", "/rest/posts/{post}", change, write_scopes),
    Route("DELETE", "/rest/posts/{post}", delete, write_scopes),
    Route("POST", "/rest/images", image_action, write_scopes),
    Route("GET", "/rest/images/{image}", image, write_scopes),
    Route("PUT", "/dms-uploads/{image}/uploaded", upload, write_scopes, quota="upload"),
)
