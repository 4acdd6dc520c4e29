"""LinkedIn's own Python client against the look-alike: it finds nothing odd.

The client's addresses are fixed; its session is not, so that an adapter takes what is meant for
LinkedIn to the look-alike. The client escapes its queries itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import requests
from linkedin_api.clients.auth.client import AuthClient
from linkedin_api.clients.restli.client import RestliClient
from requests.adapters import HTTPAdapter

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.linkedin import LinkedIn
from lumio_cli.sandbox.linkedin.data import FIRST_ORGANIZATION
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET

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
