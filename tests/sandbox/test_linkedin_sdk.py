"""LinkedIn's own Python client against the look-alike: it finds nothing odd.

The client's addresses are fixed; its session is not, so that an adapter takes what is meant for
LinkedIn to the look-alike. The client escapes its queries itself.

What lumio writes, the client writes here, too: both must ask for the same, and each must see what
the other one did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from linkedin_api.clients.auth.client import AuthClient
from linkedin_api.clients.restli.client import RestliClient
from requests.adapters import HTTPAdapter

from lumio_cli.providers.contract.call import Send
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.linkedin import LinkedIn
from lumio_cli.sandbox.linkedin.data import FIRST_ORGANIZATION
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from providers.linkedin_subjects import SUBJECTS

from .both import adapter, hearing

VERSION = "202607"
PAGE = f"urn:li:organization:{FIRST_ORGANIZATION}"
HOSTS = ("https://api.linkedin.com", "https://www.linkedin.com")


class _Detour(HTTPAdapter):
    """Takes requests for LinkedIn to the look-alike."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        for host in HOSTS:
            request.url = str(request.url).replace(host, self._base_url, 1)
        return super().send(request, *args, **more)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=25, seed=7, quota="none", providers=["linkedin"]) as running:
        yield running


@pytest.fixture
def account(sandbox: Sandbox) -> LinkedIn:
    return cast(LinkedIn, sandbox.providers["linkedin"])


@pytest.fixture
def client(sandbox: Sandbox) -> RestliClient:
    found = RestliClient()
    found.session.trust_env = False
    for host in HOSTS:
        found.session.mount(host, _Detour(sandbox.base_url("linkedin")))
    return found


@pytest.fixture
def known(sandbox: Sandbox) -> dict[str, str]:
    return {"access_token": sandbox.token("linkedin"), "version_string": VERSION}


def test_it_lists_page_by_page(client: RestliClient, known: dict[str, str]) -> None:
    found: list[str] = []
    for start in (0, 10, 20):
        page = client.finder(
            resource_path="/posts",
            finder_name="author",
            query_params={"author": PAGE, "start": start, "count": 10, "sortBy": "CREATED"},
            **known,
        )
        assert page.status_code == 200
        assert (page.paging.start, page.paging.total) == (start, 25)
        found += [post["id"] for post in page.elements]
    assert len(set(found)) == 25


def test_it_asks_with_structures(client: RestliClient, known: dict[str, str]) -> None:
    answers = client.finder(
        resource_path="/leadFormResponses",
        finder_name="owner",
        query_params={
            "owner": {"organization": PAGE},
            "leadType": {"leadType": "COMPANY"},
            "submittedAtTimeRange": {"start": 1_740_000_000_000, "end": 1_750_000_000_000},
        },
        **known,
    )
    times = [answer["submittedAt"] for answer in answers.elements]
    assert times
    assert all(1_740_000_000_000 <= time <= 1_750_000_000_000 for time in times)
    figures = client.finder(
        resource_path="/organizationalEntityShareStatistics",
        finder_name="organizationalEntity",
        query_params={"organizationalEntity": PAGE},
        **known,
    )
    assert figures.elements[0]["totalShareStatistics"]["impressionCount"] > 0


def test_it_reads_one_and_many(
    client: RestliClient, account: LinkedIn, known: dict[str, str]
) -> None:
    account.tier = "standard"
    urns = account.tables["posts"].ids()[:2]
    one = client.get(resource_path="/posts/{urn}", path_keys={"urn": urns[0]}, **known)
    assert one.entity["id"] == urns[0]
    many = client.batch_get(resource_path="/posts", ids=[*urns, "urn:li:share:1"], **known)
    assert set(many.results) == set(urns)
    assert set(many.errors) == {"urn:li:share:1"}


def test_a_long_query_goes_as_a_body(
    client: RestliClient, account: LinkedIn, known: dict[str, str]
) -> None:
    account.tier = "standard"
    ids = [f"urn:li:share:{number}" for number in range(200)]
    many = client.batch_get(resource_path="/posts", ids=ids, **known)
    assert many.status_code == 200
    assert len(many.errors) == 200


def test_it_makes_changes_and_deletes_a_post(
    client: RestliClient, account: LinkedIn, known: dict[str, str]
) -> None:
    body = {
        "author": PAGE,
        "commentary": "Grüße 🦄",
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED"},
        "lifecycleState": "PUBLISHED",
    }
    made = client.create(resource_path="/posts", entity=body, **known)
    assert made.status_code == 201
    urn = made.decoded_entity_id
    keys = {"urn": urn}
    patch = {"$set": {"commentary": "new"}}
    changed = client.partial_update(
        resource_path="/posts/{urn}", path_keys=keys, patch_set_object=patch["$set"], **known
    )
    assert changed.status_code == 204
    assert (account.tables["posts"].get(urn) or {})["commentary"] == "new"
    for _ in range(2):
        gone = client.delete(resource_path="/posts/{urn}", path_keys=keys, **known)
        assert gone.status_code == 204
    assert urn not in account.tables["posts"]


def test_it_starts_an_upload(client: RestliClient, known: dict[str, str]) -> None:
    action = client.action(
        resource_path="/images",
        action_name="initializeUpload",
        action_params={"initializeUploadRequest": {"owner": PAGE}},
        **known,
    )
    assert action.value["image"].startswith("urn:li:image:")


def test_errors_come_through(client: RestliClient, known: dict[str, str]) -> None:
    old = client.finder(
        resource_path="/organizationAcls",
        finder_name="roleAssignee",
        access_token=known["access_token"],
        version_string="202501",
    )
    assert old.status_code == 426
    assert old.response.json()["code"] == "NONEXISTENT_VERSION"
    refused = client.finder(
        resource_path="/organizationAcls",
        finder_name="roleAssignee",
        access_token="sandbox-no-such-token",
        version_string=VERSION,
    )
    assert refused.status_code == 401


def test_it_logs_in_and_looks_at_its_token(sandbox: Sandbox, account: LinkedIn) -> None:
    auth = AuthClient(CLIENT_ID, CLIENT_SECRET, "http://127.0.0.1:18920/callback")
    auth.session.trust_env = False
    for host in HOSTS:
        auth.session.mount(host, _Detour(sandbox.base_url("linkedin")))
    refresh = account.vault.grant(account.vault.scopes)
    renewed = auth.exchange_refresh_token_for_access_token(refresh)
    assert renewed.status_code == 200
    assert renewed.expires_in == 5_184_000
    told = auth.introspect_access_token(renewed.access_token)
    assert told.active
    assert told.status == "active"
    assert set(told.scope.split(",")) == set(account.vault.scopes)


# --- what lumio writes, written by the client

IMAGE = b"\x89PNG sandbox"
KEY = "/posts/{urn}"
HTTPS_OWN = {"POST": "CREATE", "DELETE": "DELETE"}


@dataclass
class Member:
    """The client with the token of one member."""

    client: RestliClient
    known: dict[str, str]

    def post(self, **values: Any) -> Any:
        """Create a post of the first page."""
        return self.client.create(resource_path="/posts", entity=new(**values), **self.known)

    def read(self, urn: str) -> Any:
        return self.client.get(resource_path=KEY, path_keys={"urn": urn}, **self.known)

    def change(self, urn: str, **values: Any) -> Any:
        return self.client.partial_update(
            resource_path=KEY, path_keys={"urn": urn}, patch_set_object=values, **self.known
        )

    def delete(self, urn: str) -> Any:
        return self.client.delete(resource_path=KEY, path_keys={"urn": urn}, **self.known)

    def announce(self) -> dict[str, str]:
        """Where an image is to be put, and what it will be called."""
        found = self.client.action(
            resource_path="/images",
            action_name="initializeUpload",
            action_params={"initializeUploadRequest": {"owner": PAGE}},
            **self.known,
        )
        return cast(dict[str, str], found.value)

    def upload(self) -> str:
        """Upload an image; its URN. The client has no method for the bytes themselves."""
        place = self.announce()
        headers = {"Content-Type": "image/png", "Authorization": f"Bearer {self.token}"}
        assert self.client.session.put(place["uploadUrl"], IMAGE, headers=headers).ok
        return place["image"]

    @property
    def token(self) -> str:
        return self.known["access_token"]


def new(**values: Any) -> dict[str, Any]:
    """A post of the first page, as LinkedIn's own examples have it."""
    return {
        "author": PAGE,
        "commentary": "Grüße",
        "visibility": "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
        **values,
    }


@pytest.fixture
def member(client: RestliClient, known: dict[str, str]) -> Member:
    return Member(client, known)


@dataclass
class Lumio:
    """The adapter at the same account, with its whole transport."""

    provider: Any
    send: Send

    def write(self, action: Any, urn: str = "", **values: str | None) -> Receipt:
        change = Change(action, "t", id=urn, values=values)
        (receipt,) = self.provider.write(self.provider.resource("posts"), [change], self.send)
        found: Receipt = receipt
        return found

    def message(self, text: str, **values: Any) -> Message:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return Message("post", PAGE, {"text": text, **values}, "own-key", at)

    def deliver(self, text: str, **values: Any) -> Receipt:
        message = self.message(text, **values)
        self.provider.check(message, None)
        found: Receipt = self.provider.deliver(message, self.send)
        return found


@pytest.fixture
def lumio(sandbox: Sandbox, tmp_path: Path) -> Iterator[Lumio]:
    with adapter(sandbox, SUBJECTS[0], tmp_path) as (provider, send):
        yield Lumio(provider, send)


@pytest.fixture
def heard(sandbox: Sandbox) -> list[Request]:
    return hearing(sandbox, "linkedin")


def told(request: Request) -> tuple[Any, ...]:
    """What a request says to LinkedIn. The method of Rest.li may be left to HTTP's own where that
    tells it."""
    if request.method == "PUT":
        return request.method, request.path, request.headers["content-type"], request.body
    return (
        request.headers.get("x-restli-method") or HTTPS_OWN[request.method],
        request.path,
        request.raw_query,
        request.headers["linkedin-version"],
        request.headers["x-restli-protocol-version"],
        json.loads(request.body) if request.body else None,
    )


def test_a_post_with_a_link_is_read_back_as_it_was_made(member: Member) -> None:
    link = {"source": "https://example.com/?a=1&b=(2)", "title": "Größe", "description": "D"}
    made = member.post(content={"article": link}, isReshareDisabledByAuthor=True)
    assert made.status_code == 201
    read = member.read(made.decoded_entity_id).entity
    wanted = new(content={"article": link}, isReshareDisabledByAuthor=True)
    assert {name: read[name] for name in wanted} == wanted
    assert read["id"] == made.decoded_entity_id
    newest = member.client.finder(
        resource_path="/posts",
        finder_name="author",
        query_params={"author": PAGE, "count": 1, "sortBy": "CREATED"},
        **member.known,
    )
    assert newest.elements == [read]


def test_an_image_is_shown_once_its_bytes_are_there(member: Member, account: LinkedIn) -> None:
    place = member.announce()
    early = member.post(content={"media": {"id": place["image"]}})
    assert early.status_code == 400
    assert "is not available" in early.entity["message"]
    image = member.upload()
    assert account.images[image] == IMAGE
    for urn, status in ((image, "AVAILABLE"), (place["image"], "WAITING_UPLOAD")):
        asked = member.client.get(
            resource_path="/images/{urn}", path_keys={"urn": urn}, **member.known
        )
        assert asked.entity["status"] == status
    media = {"id": image, "title": "T", "altText": "A"}
    made = member.post(content={"media": media})
    assert member.read(made.decoded_entity_id).entity["content"] == {"media": media}


def test_of_a_post_that_is_there_the_text_alone_is_changed(member: Member) -> None:
    urn = member.post(visibility="LOGGED_IN").decoded_entity_id
    before = member.read(urn).entity
    assert member.change(urn, commentary="neu").status_code == 204
    after = member.read(urn).entity
    differing = {name for name in after if after[name] != before[name]} - {"lastModifiedAt"}
    assert differing == {"commentary", "lifecycleStateInfo"}
    assert after["commentary"] == "neu"
    refused = member.change(urn, visibility="PUBLIC")
    assert (refused.status_code, refused.entity["code"]) == (400, "VALIDATION_ERROR")
    assert member.read(urn).entity == after


def test_a_reserved_character_cuts_a_text_without_a_word(member: Member) -> None:
    made = member.post(commentary="Prices (net)")
    assert made.status_code == 201
    assert member.read(made.decoded_entity_id).entity["commentary"] == "Prices "
    whole = member.post(commentary=r"Prices \(net\) {hashtag|\#|new} @[Page](urn:li:person:1)")
    read = member.read(whole.decoded_entity_id).entity["commentary"]
    assert read == r"Prices \(net\) {hashtag|\#|new} @[Page](urn:li:person:1)"


def test_the_same_text_twice_is_refused_until_the_first_is_gone(member: Member) -> None:
    first = member.post().decoded_entity_id
    again = member.post()
    assert (again.status_code, again.entity["code"]) == (422, "DUPLICATE_POST")
    assert again.decoded_entity_id is None
    assert first in again.entity["message"]
    member.delete(first)
    assert member.post().status_code == 201


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"author": None}, "/author"),
        ({"author": "urn:li:person:1"}, "/author"),
        ({"visibility": "EVERYBODY"}, "/visibility"),
        ({"lifecycleState": "SENT"}, "/lifecycleState"),
        ({"distribution": None}, "/distribution"),
        ({"commentary": None}, "/commentary"),
        ({"commentary": "x" * 3001}, "/commentary"),
        ({"content": {"article": {"source": "https://example.com"}}}, "/content/article/title"),
        ({"content": {"media": {"id": "urn:li:image:none"}}}, "/content/media/id"),
    ],
)
def test_a_post_that_is_not_valid_names_its_field(
    member: Member, account: LinkedIn, values: dict[str, Any], field: str
) -> None:
    before = account.tables["posts"].ids()
    refused = member.post(**values)
    assert (refused.status_code, refused.entity["code"]) == (400, "VALIDATION_ERROR")
    (error,) = refused.entity["errorDetails"]["inputErrors"]
    assert error["input"]["inputPath"]["fieldPath"] == field
    assert account.tables["posts"].ids() == before


def test_a_post_that_is_gone_is_not_found(member: Member) -> None:
    urn = member.post().decoded_entity_id
    member.delete(urn)
    for answer in (member.read(urn), member.change(urn, commentary="x")):
        assert answer.status_code == 404
        assert answer.entity["code"] == "NOT_FOUND"
    assert member.delete(urn).status_code == 204


def test_who_may_not_write_is_told_what_for(
    member: Member, account: LinkedIn, sandbox: Sandbox
) -> None:
    urn = member.post().decoded_entity_id
    reader = Member(
        member.client, {**member.known, "access_token": sandbox.token("linkedin", "pages_only")}
    )
    for method, answer in (
        ("CREATE", reader.post(commentary="x")),
        ("PARTIAL_UPDATE", reader.change(urn, commentary="x")),
    ):
        assert answer.status_code == 403
        told = f"Not enough permissions to access: posts.{method}."
        assert answer.entity["message"].startswith(told)
    assert reader.delete(urn).status_code == 403
    elsewhere = member.post(author=f"urn:li:organization:{FIRST_ORGANIZATION + 99}")
    assert (elsewhere.status_code, elsewhere.entity["code"]) == (403, "ACCESS_DENIED")
    assert member.read(urn).entity["commentary"] == "Grüße"


# --- lumio and the client ask for the same


def test_lumio_writes_posts_as_the_client_does(
    member: Member, lumio: Lumio, heard: list[Request]
) -> None:
    first = member.post(commentary="Größe", visibility="LOGGED_IN").decoded_entity_id
    member.delete(first)  # the same text may not be there twice
    heard.pop()
    author = str(FIRST_ORGANIZATION)
    made = lumio.write("create", author=author, commentary="Größe", visibility="LOGGED_IN")
    member.change(made.id, commentary="neu")
    receipts = [made, lumio.write("update", made.id, commentary="neu")]
    member.delete(made.id)
    receipts.append(lumio.write("archive", made.id))
    assert [receipt.status for receipt in receipts] == ["done"] * 3
    said = [told(request) for request in heard]
    methods = ["CREATE", "CREATE", "PARTIAL_UPDATE", "PARTIAL_UPDATE", "DELETE", "DELETE"]
    assert [one[0] for one in said] == methods
    assert said[1::2] == said[::2]


def test_lumio_posts_an_image_as_the_client_does(
    member: Member, lumio: Lumio, heard: list[Request]
) -> None:
    file = {"name": "a.png", "type": "image/png", "data": IMAGE}
    ours = lumio.deliver("Look (here) #new", media=file, title="T", alt="A", reshare=False)
    media = member.read(ours.id).entity["content"]["media"]
    by_lumio = [told(request) for request in heard[:3]]
    member.delete(ours.id)
    heard.clear()
    image = member.upload()
    text = r"Look \(here\) {hashtag|\#|new}"
    content = {"media": {"id": image, "title": "T", "altText": "A"}}
    made = member.post(commentary=text, content=content, isReshareDisabledByAuthor=True)
    assert made.status_code == 201
    # Images are counted: the second one is called otherwise.
    name, other = (urn.rpartition(":")[2] for urn in (image, media["id"]))
    by_client = [
        told(
            replace(
                request,
                path=request.path.replace(name, other),
                body=request.body.replace(name.encode(), other.encode()),
            )
        )
        for request in heard
    ]
    assert [one[0] for one in by_client] == ["ACTION", "PUT", "CREATE"]
    assert by_lumio == by_client


def test_lumio_posts_a_link_as_the_client_does(
    member: Member, lumio: Lumio, heard: list[Request]
) -> None:
    article = {"source": "https://example.com/?a=(1)", "title": "T", "description": "D"}
    first = member.post(commentary="Read", content={"article": article}, lifecycleState="DRAFT")
    member.delete(first.decoded_entity_id)
    heard.pop()
    values = {"link": article["source"], "title": "T", "description": "D", "draft": True}
    assert lumio.deliver("Read", **values).status == "done"
    theirs, ours = (told(request) for request in heard)
    assert ours == theirs


def test_lumio_meets_what_the_client_did(member: Member, lumio: Lumio) -> None:
    urn = member.post(commentary="Lost & found").decoded_entity_id
    found = lumio.provider.find(lumio.message("Lost & found"), None, lumio.send)
    assert (found.status, found.id) == ("done", urn)
    twin = lumio.write("create", author=PAGE, commentary="Lost & found")
    assert (twin.status, twin.kind) == ("failed", "conflict")
    assert urn in twin.message
    member.delete(urn)
    gone = lumio.write("update", urn, commentary="x")
    assert (gone.status, gone.kind) == ("failed", "gone")
    assert lumio.provider.find(lumio.message("Lost & found"), None, lumio.send) is None
