from __future__ import annotations

import http.client
import re
import socket
import string
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumio_cli.core.errors import (
    BadReplyError,
    CredentialError,
    LumioError,
    RejectedError,
    StoppedError,
    UsageError,
)
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.auth import OAuth
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.services.connections.oauth import (
    OAuthFlow,
    code_challenge,
    new_verifier,
    read_redirect,
)
from lumio_cli.services.connections.redirect_listener import Answer, Listener

SERVER = OAuth(
    "https://app.example.com/authorize", "/token", ("a.read", "b.read"), ("c.read",),
    redirect_host="127.0.0.1",
)  # fmt: skip
CLIENT = {"client_id": "cid", "client_secret": "hush-hush"}
TOKENS = (
    b'{"access_token":"acc-1","refresh_token":"ref-1","expires_in":"1800","token_type":"Bearer"}'
)


class Clock:
    """Runs by itself where `step` says so: each look takes so long."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 1_700_000_000.0, step

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float, stop: Stop) -> None:
        raise AssertionError


class Login:
    """A flow with everything around it."""

    def __init__(self, oauth: OAuth = SERVER, body: bytes = TOKENS, **options: Any) -> None:
        self.lines: list[str] = []
        self.secrets: list[str] = []
        self.calls: list[Call] = []
        self.body = body
        self.status = 200
        self.threads: list[threading.Thread] = []
        self.statuses: list[int] = []
        self.visits: list[Callable[[Login, str], int]] = []
        self.flow = OAuthFlow(
            oauth,
            CLIENT,
            **{
                "send": self.send,
                "say": self.lines.append,
                "learn": self.secrets.append,
                "open_url": self.open,
                "clock": Clock(),
                **options,
            },
        )

    def send(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(self.status, {"content-type": "application/json"}, self.body)

    def open(self, url: str) -> bool:
        """The browser: makes its visits one after the other, beside the waiting flow."""

        def browse() -> None:
            self.statuses.extend(visit(self, url) for visit in self.visits)

        self.threads.append(threading.Thread(target=browse, daemon=True))
        self.threads[0].start()
        return True

    def run(self, *visits: Callable[[Login, str], int], **options: Any) -> Any:
        self.visits = list(visits)
        try:
            return self.flow.run(**options)
        finally:
            for thread in self.threads:
                thread.join(10)


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def get(
    url: str, query: str, *, path: str = "/callback", method: str = "GET", host: str | None = None
) -> http.client.HTTPResponse:
    target = urlsplit(asked(url)["redirect_uri"])
    connection = http.client.HTTPConnection(str(target.hostname), target.port or 80, timeout=10)
    connection.putrequest(method, f"{path}?{query}", skip_host=host is not None)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    return connection.getresponse()


def good(_login: Login, url: str) -> int:
    return get(url, urlencode({"code": "the-code", "state": asked(url)["state"]})).status


def visit(query: str = "", **options: Any) -> Callable[[Login, str], int]:
    """A visit with `STATE` in place of the right state."""
    return lambda _login, url: (
        get(url, query.replace("STATE", asked(url)["state"]), **options).status
    )


# -- PKCE


def test_the_vector_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(st.integers())
def test_verifiers_are_as_the_rfc_wants_them(_n: int) -> None:
    verifier = new_verifier()
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", code_challenge(verifier))


# -- with a browser


def test_a_login() -> None:
    login = Login()
    credential = login.run(good)
    assert login.statuses == [200]
    url = login.lines[-1]
    params = asked(url)
    assert url.startswith("https://app.example.com/authorize?response_type=code&")
    assert params["client_id"] == "cid"
    assert params["scope"] == "a.read b.read"
    assert params["optional_scope"] == "c.read"
    assert params["code_challenge_method"] == "S256"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", params["redirect_uri"])
    (call,) = login.calls
    form = dict(call.form or {})
    assert code_challenge(form.pop("code_verifier")) == params["code_challenge"]
    assert form == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": params["redirect_uri"],
        "client_id": "cid",
        "client_secret": "hush-hush",
    }
    assert not call.repeatable
    assert (credential.kind, credential.token, credential.refresh) == ("oauth", "acc-1", "ref-1")
    assert credential.expires_at == datetime.fromtimestamp(1_700_000_000 + 1800, UTC)
    assert credential.scopes == ("a.read", "b.read")
    assert credential.fields == CLIENT
    for secret in ("acc-1", "ref-1", "hush-hush", "the-code", params["state"]):
        assert secret in login.secrets
    assert len(params["state"]) >= 22


def test_each_login_has_its_own_state_and_verifier() -> None:
    one, two = asked(Login().flow.url("u")), asked(Login().flow.url("u"))
    assert one["state"] != two["state"]
    assert one["code_challenge"] != two["code_challenge"]


def test_what_is_not_the_answer_is_turned_away_and_waited_past() -> None:
    login = Login()
    visits = [
        visit("code=evil&state=wrong"),
        visit("code=evil"),
        visit("code=evil&state="),
        visit("error=access_denied"),
        visit("error=access_denied&state=wrong"),
        visit("state=STATE"),
        visit("code=&state=STATE"),
        visit("code=a&code=b&state=STATE"),
        visit("code=evil&state=STATE&state=wrong"),
        visit("code=evil&state=%C3%A9"),
        visit("code=evil&state=STATE", host="attacker.example"),
        visit("code=evil&state=STATE", host="127.0.0.1:1"),
        visit("code=evil&state=STATE", path="/favicon.ico"),
        visit("code=evil&state=STATE", path="/"),
        visit("code=evil&state=STATE", path="/callback/"),
        visit("code=evil&state=STATE", method="HEAD"),
        visit("code=evil&state=STATE", method="POST"),
        good,
    ]
    assert login.run(*visits).token == "acc-1"
    assert login.statuses == [400] * 12 + [404] * 5 + [200]
    assert [dict(c.form or {})["code"] for c in login.calls] == ["the-code"]


def test_the_page_is_constant_and_keeps_the_code_to_itself(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pages: list[tuple[dict[str, str], str]] = []

    def look(query: str) -> Callable[[Login, str], int]:
        def browse(_login: Login, url: str) -> int:
            answer = get(url, query.replace("STATE", asked(url)["state"]))
            headers = {name.lower(): value for name, value in answer.getheaders()}
            pages.append((headers, answer.read().decode()))
            return answer.status

        return browse

    Login().run(look("code=<script>&state=no"), look("code=c-1234&state=STATE&x=<script>"))
    for headers, page in pages:
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["connection"] == "close"
        assert headers["server"] == "lumio"
        assert "script" not in page
        assert "c-1234" not in page
    out = capfd.readouterr()
    assert "c-1234" not in out.out + out.err


def test_a_peer_that_talks_no_http_is_waited_past(capfd: pytest.CaptureFixture[str]) -> None:
    def noise(_login: Login, url: str) -> int:
        target = urlsplit(asked(url)["redirect_uri"])
        with socket.create_connection((str(target.hostname), target.port or 0), 10) as peer:
            peer.sendall(b"\x16\x03\x01 <script>\r\n\r\n")
            answer = peer.recv(4096)
        assert b"script>" not in answer.replace(b"<!doctype", b"")
        return 0

    assert Login().run(noise, good).token == "acc-1"
    assert capfd.readouterr().err == ""


def test_a_refusal_ends_the_login() -> None:
    login = Login()
    query = "error=access_denied&state=STATE&error_description=No%1B%5B31m%20thanks"
    with pytest.raises(CredentialError) as caught:
        login.run(visit(query))
    assert caught.value.code == "login_denied"
    assert caught.value.message == (
        "the access was not allowed: No\\x1b[31m thanks (access_denied)"
    )
    assert not login.calls


def test_nobody_answers() -> None:
    with pytest.raises(CredentialError) as caught:
        Login(clock=Clock(step=100.0)).run()
    assert caught.value.code == "login_timeout"
    assert "within 300 s" in caught.value.message
    assert "--no-browser" in str(caught.value.hint)


def test_a_stop_ends_the_waiting_and_closes_the_port() -> None:
    stop = Stop()
    login = Login(stop=stop)

    def press(_login: Login, _url: str) -> int:
        stop.set("Ctrl-C", 130)
        return 0

    with pytest.raises(StoppedError):
        login.run(press)
    target = urlsplit(asked(login.lines[-1])["redirect_uri"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(target.hostname), target.port or 0), 5)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_port_that_is_taken(busy_port: int) -> None:
    with pytest.raises(UsageError) as caught:
        Login(port=busy_port).run()
    assert f"port {busy_port} on 127.0.0.1 cannot be used" in caught.value.message
    assert "--port" in str(caught.value.hint)
    assert "redirect URI" in str(caught.value.hint)


def test_localhost_is_both_addresses() -> None:
    with Listener("localhost", 0, "/cb", "s") as listener:
        target = urlsplit(listener.redirect_uri)
        assert target.hostname == "localhost"
        for address in ("127.0.0.1", "::1"):
            try:
                connection = socket.create_connection((address, target.port or 0), 5)
            except OSError:
                # A machine without IPv6.
                assert address == "::1"
                continue
            with connection:
                head = f"GET /cb?code=c&state=s HTTP/1.1\r\nHost: LOCALHOST:{target.port}"
                connection.sendall(f"{head}\r\n\r\n".encode())
                assert b" 200 " in connection.recv(100)
            assert listener.answer(5) == Answer(code="c")


def test_only_the_loopback() -> None:
    for host in ("0.0.0.0", "example.com", ""):
        with pytest.raises(UsageError, match="only listens on this machine"):
            Listener(host, 0, "/cb", "s")
    assert Listener("[::1]", 0, "/cb", "s")


# -- without a browser


def paste(login: Login, *texts: str) -> Callable[[str], str]:
    """Answers the prompt with `texts`, `STATE` replaced by the state that the page was told."""
    left = list(texts)

    def ask(_prompt: str) -> str:
        url = next(line for line in login.lines if line.startswith("https://"))
        return left.pop(0).replace("STATE", asked(url)["state"])

    return ask


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8123/callback?code=the-code&state=STATE",
        "  <http://127.0.0.1:8123/callback?state=STATE&code=the-code#_=_>\n",
        "?code=the-code&state=STATE",
        "code=the-code&state=STATE",
    ],
)
def test_a_pasted_address(text: str) -> None:
    login = Login(port=8123)
    login.flow._ask = paste(login, "nonsense", "http://x/?code=evil&state=no", text)
    assert login.run(browser=False).token == "acc-1"
    form = dict(login.calls[0].form or {})
    assert form["code"] == "the-code"
    assert form["redirect_uri"] == "http://127.0.0.1:8123/callback"
    assert sum("not the address" in line for line in login.lines) == 2
    assert not login.threads


def test_three_wrong_pastes_are_enough() -> None:
    login = Login()
    login.flow._ask = paste(login, "the-code", "code=the-code", "code=the-code&state=x")
    with pytest.raises(CredentialError) as caught:
        login.run(browser=False)
    assert caught.value.code == "login_mismatch"
    assert not login.calls


def test_a_pasted_refusal() -> None:
    login = Login()
    login.flow._ask = paste(login, "http://x/?error=access_denied&state=STATE")
    with pytest.raises(CredentialError, match="not allowed"):
        login.run(browser=False)


def test_no_terminal_to_paste_into() -> None:
    with pytest.raises(UsageError, match="no terminal"):
        Login().run(browser=False)


@given(st.text(string.printable, max_size=200))
def test_no_text_without_the_state_is_an_answer(text: str) -> None:
    assert read_redirect(text, "the-right-state-of-this-login") is None


# -- the exchange


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, b'{"error":"invalid_grant","error_description":"used"}', "used (invalid_grant)"),
        (200, b'{"ok":false,"error":"bad_code"}', "bad_code"),
        (200, b'{"access_token":"t","token_type":"DPoP"}', "of a type that lumio cannot use"),
    ],
)
def test_the_token_endpoint_refuses(status: int, body: bytes, message: str) -> None:
    login = Login(body=body)
    login.status = status
    with pytest.raises(CredentialError) as caught:
        login.run(good)
    assert message in caught.value.message
    assert "redirect URI" in str(caught.value.hint)
    assert len(login.calls) == 1


def test_the_transport_refuses_and_is_not_asked_again() -> None:
    calls: list[Call] = []

    def send(call: Call) -> Reply:
        calls.append(call)
        raise RejectedError("hubspot says 400: BAD_CLIENT_SECRET", status=400)

    with pytest.raises(CredentialError, match="refused the code: hubspot says 400") as caught:
        Login(send=send).run(good)
    assert caught.value.hint
    assert len(calls) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_no_token_answer(body: bytes) -> None:
    with pytest.raises(BadReplyError):
        Login(body=body).run(good)


@pytest.mark.parametrize("seconds", [b"0", b'"0"', b"null"])
def test_a_token_without_an_end(seconds: bytes) -> None:
    body = b'{"access_token":"acc-1","scope":"a.read,z","expires_in":' + seconds + b"}"
    credential = Login(body=body).run(good)
    assert credential.expires_at is None
    assert credential.refresh == ""
    assert credential.scopes == ("a.read", "z")


# -- options


def test_overrides() -> None:
    oauth = OAuth("https://a.example/x", "/token", ("one", "two"), scope_separator=",", pkce=False)
    login = Login(oauth, authorize_url="http://127.0.0.1:9/oauth?app=1", scopes=["x", "y z"])
    url = login.flow.url("http://localhost/cb")
    assert url.startswith("http://127.0.0.1:9/oauth?app=1&response_type=code")
    assert "scope=x%2Cy%20z" in url
    assert "code_challenge" not in url
    assert "optional_scope" not in url


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)", "no url"])
def test_only_web_pages_are_opened(url: str) -> None:
    with pytest.raises(LumioError, match="no http or https"):
        Login(authorize_url=url)


def test_a_client_id_is_needed() -> None:
    with pytest.raises(UsageError, match="client id"):
        OAuthFlow(SERVER, {}, send=Login().send, say=print, learn=print)
