"""Whose account it is and what its credential may do, however HubSpot answers about that."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.fields import Identity
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.hubspot.auth import CLIENT_ID, CLIENT_SECRET
from lumio_cli.services.connections.sessions import open_for
from support.lab import Lab

SCOPES = ("oauth", "crm.objects.contacts.read")
INTROSPECT = "/oauth/v3/token/introspect"
PRIVATE = "/oauth/v2/private-apps/get/access-token-info"
ACCOUNT = "48215077"


def login(lab: Lab, secret: str = CLIENT_SECRET) -> Credential:
    """What a login in the browser leaves, its scopes not yet known."""
    token = lab.sandbox.hubspot.vault.issue(SCOPES, "na1-refresh").value
    fields = {"client_id": CLIENT_ID, "client_secret": secret}
    return Credential("oauth", token, "na1-refresh", None, None, fields)


@pytest.fixture
def probe(lab: Lab) -> Callable[[Credential], Identity]:
    def ask(credential: Credential) -> Identity:
        runtime = Runtime(Globals(), environ=lab.environ)
        try:
            provider = runtime.provider("hubspot")
            session = open_for(runtime, provider, credential=credential)
            return provider.probe(session.send, credential)
        finally:
            runtime.close()

    return ask


def paths(lab: Lab) -> list[str]:
    return [path.removeprefix("/hubspot") for _, _, path, _ in list(lab.sandbox.requests)]


def test_scopes_come_by_introspection_and_no_token_stands_in_a_url(
    lab: Lab, probe: Callable[[Credential], Identity]
) -> None:
    credential = login(lab)
    found = probe(credential)
    assert (found.account_id, set(found.scopes or ())) == (ACCOUNT, set(SCOPES))
    assert INTROSPECT in paths(lab)
    assert not [path for path in paths(lab) if credential.token in path]


def test_an_app_without_a_secret_has_the_scopes_of_its_login(
    lab: Lab, probe: Callable[[Credential], Identity]
) -> None:
    assert probe(login(lab, secret="")).scopes is None
    assert INTROSPECT not in paths(lab), "it would be refused"


def test_a_private_app_is_asked_about_by_its_own_way(
    lab: Lab, probe: Callable[[Credential], Identity]
) -> None:
    found = probe(Credential("token", lab.sandbox.token("hubspot", "contacts_only")))
    assert set(found.scopes or ()) == set(SCOPES)
    assert PRIVATE in paths(lab)


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("path", ["/oauth/v1/*", f"{INTROSPECT}", PRIVATE])
def test_an_inspection_that_is_gone_leaves_the_scopes_unknown(
    lab: Lab, probe: Callable[[Credential], Identity], path: str, status: int
) -> None:
    lab.sandbox.hubspot.retired = {path: status}
    for credential in (login(lab), Credential("token", lab.sandbox.token("hubspot"))):
        assert probe(credential).account_id == ACCOUNT


@pytest.mark.parametrize("fault", ["400", "401", "403", "404", "500", "503", "html", "badjson"])
def test_an_inspection_that_fails_leaves_the_scopes_unknown(
    lab: Lab, probe: Callable[[Credential], Identity], fault: str
) -> None:
    lab.sandbox.faults.set([f"{fault}:path={INTROSPECT}", f"{fault}:path={PRIVATE}"])
    for credential in (login(lab), Credential("token", lab.sandbox.token("hubspot"))):
        found = probe(credential)
        assert (found.account_id, found.scopes) == (ACCOUNT, None)


def answer(lab: Lab, glob: str, document: object) -> None:
    """From now on these paths answer with `document`."""
    handle = lab.sandbox.hubspot.handle

    def reply(request: Request) -> Response:
        return Response.of_json(document) if fnmatchcase(request.path, glob) else handle(request)

    lab.sandbox.hubspot.handle = reply  # type: ignore[method-assign]


@pytest.mark.parametrize("told", [None, [], "contacts", {"scopes": "oauth"}, {"scopes": None}])
def test_scopes_in_another_form_are_unknown(
    lab: Lab, probe: Callable[[Credential], Identity], told: object
) -> None:
    answer(lab, INTROSPECT, told)
    assert probe(login(lab)).scopes is None


@pytest.mark.parametrize("told", [None, [], {}, {"portalId": None}, {"portalId": {"id": 1}}])
def test_an_answer_that_names_no_account_says_so(
    lab: Lab, probe: Callable[[Credential], Identity], told: object
) -> None:
    answer(lab, "/account-info/*", told)
    with pytest.raises(BadReplyError, match="name no portal"):
        probe(login(lab))
