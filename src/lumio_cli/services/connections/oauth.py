"""Signing in with a browser: the authorization code flow (RFC 6749, 7636, 8252) for a terminal."""

from __future__ import annotations

import base64
import hashlib
import secrets
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit

from lumio_cli.core.clock import Clock, SystemClock, utc
from lumio_cli.core.errors import BadReplyError, CredentialError, RejectedError, UsageError
from lumio_cli.core.redact import escape_control
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.auth import (
    Credential,
    OAuth,
    exchange_call,
    expand,
    read_tokens,
)
from lumio_cli.providers.contract.call import Reply, Send
from lumio_cli.services.connections.redirect_listener import Answer, Listener

TIMEOUT = 300.0
_POLL = 0.05
_PASTES = 3

_CAUSES = (
    "check that the redirect URI is registered with the app exactly as shown, the client id and "
    "secret, and this machine's clock; then run the command again"
)


def code_challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_verifier() -> str:
    """A PKCE verifier: 43 characters of 256 random bits (RFC 7636 section 4.1)."""
    return secrets.token_urlsafe(32)


class OAuthFlow:
    """One login. Its state and its verifier are good for one `run`.

    oauth          the provider's declaration
    client         client_id, and client_secret for an app that has one
    send           one request to the provider; used once, never repeated
    authorize_url  instead of the declared one
    scopes         instead of the declared ones
    port, redirect_host  instead of the declared ones; port 0 is any free port
    say            shows a line to the operator
    tokens         reads the token answer, as `Provider.tokens` does
    ask            reads a line from the terminal without showing it; None: there is none
    open_url       opens the browser; False where it could not
    learn          told every secret that comes up
    timeout        seconds to wait for the browser
    """

    def __init__(
        self,
        oauth: OAuth,
        client: Mapping[str, str],
        *,
        send: Send,
        say: Callable[[str], None],
        learn: Callable[[str], None],
        tokens: Callable[..., Credential] = read_tokens,
        ask: Callable[[str], str] | None = None,
        open_url: Callable[[str], bool] = webbrowser.open,
        authorize_url: str | None = None,
        scopes: Sequence[str] | None = None,
        port: int | None = None,
        redirect_host: str | None = None,
        clock: Clock | None = None,
        stop: Stop | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        if not client.get("client_id"):
            raise UsageError(
                "signing in with a browser needs the client id of your app",
                hint="pass it with --set client_id=..., and the secret when asked",
            )
        self._authorize_url = expand(authorize_url or oauth.authorize_url, client)
        if urlsplit(self._authorize_url).scheme not in ("http", "https"):
            raise UsageError(f"{self._authorize_url!r} is no http or https address")
        self._oauth = oauth
        self._client = {k: v for k, v in client.items() if v}
        self._send = send
        self._say = say
        self._learn = learn
        self._tokens = tokens
        self._ask = ask
        self._open_url = open_url
        self._scopes = tuple(oauth.scopes if scopes is None else scopes)
        self._port = oauth.redirect_port if port is None else port
        self._host = redirect_host or oauth.redirect_host
        self._clock = clock or SystemClock()
        self._stop = stop or Stop()
        self._timeout = timeout
        self._state = secrets.token_urlsafe(32)
        self._verifier = new_verifier()
        for secret in (self._state, self._verifier, self._client.get("client_secret", "")):
            learn(secret)

    def run(self, *, browser: bool = True) -> Credential:
        """Log in; the credential, which is not stored yet.

        With `browser` a page is opened and its redirect awaited on this machine; without it the
        operator opens the page anywhere and pastes the address that it ended at.

        Raises `UsageError` (port busy, no terminal to paste into), `CredentialError`
        (login_denied, login_timeout, credential_refused), `StoppedError`, and what `send` raises.
        """
        local = self._oauth.redirect_scheme == "http"
        return self._with_browser() if browser and local else self._with_paste()

    def url(self, redirect_uri: str) -> str:
        """The page on which the operator allows the access."""
        params = {
            "response_type": "code",
            "client_id": self._client["client_id"],
            "redirect_uri": redirect_uri,
            "state": self._state,
        }
        join = self._oauth.scope_separator.join
        if self._scopes:
            params["scope"] = join(self._scopes)
        if self._oauth.optional_scopes and self._oauth.optional_param:
            params[self._oauth.optional_param] = join(self._oauth.optional_scopes)
        params |= self._oauth.extra
        if self._oauth.pkce:
            params["code_challenge"] = code_challenge(self._verifier)
            params["code_challenge_method"] = "S256"
        glue = "&" if urlsplit(self._authorize_url).query else "?"
        return f"{self._authorize_url}{glue}{urlencode(params, quote_via=quote)}"

    def _with_browser(self) -> Credential:
        with Listener(self._host, self._port, self._oauth.redirect_path, self._state) as listener:
            url = self.url(listener.redirect_uri)
            self._say("Allow the access in your browser. If it does not open, go to:")
            self._say(url)
            self._open_url(url)
            deadline = self._clock.monotonic() + self._timeout
            while (answer := listener.answer(_POLL)) is None:
                self._stop.check()
                if self._clock.monotonic() >= deadline:
                    raise CredentialError(
                        f"nobody allowed the access within {self._timeout:g} s",
                        hint="run it again; on a machine without a browser use --no-browser",
                        code="login_timeout",
                    )
            return self._exchange(answer, listener.redirect_uri)

    def _with_paste(self) -> Credential:
        if self._ask is None:
            raise UsageError(
                "there is no terminal to paste the address into",
                hint="run it on a terminal, or give lumio a token by environment or file",
            )
        port = f":{self._port}" if self._port else ""
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme = self._oauth.redirect_scheme
        redirect_uri = f"{scheme}://{host}{port}{self._oauth.redirect_path}"
        self._say("Open this address in any browser and allow the access:")
        self._say(self.url(redirect_uri))
        self._say(
            f"It ends at {redirect_uri}?..., which need not load. "
            "Paste the whole address of that page here."
        )
        for _ in range(_PASTES):
            answer = read_redirect(self._ask("Address: "), self._state)
            if answer is not None:
                return self._exchange(answer, redirect_uri)
            self._say(
                "That is not the address of this login. Paste all of it, from http to the end."
            )
        raise CredentialError(
            "what was pasted is not the answer to this login",
            hint="run it again, and use the page that it opens, not an older one",
            code="login_mismatch",
        )

    def _exchange(self, answer: Answer, redirect_uri: str) -> Credential:
        if answer.error:
            text = escape_control(answer.description or answer.error)[:200]
            raise CredentialError(
                f"the access was not allowed: {text} ({escape_control(answer.error)[:60]})",
                hint="run it again and allow the access; an account's administrator may have to",
                code="login_denied",
            )
        self._learn(answer.code)
        call = exchange_call(
            self._oauth,
            code=answer.code,
            redirect_uri=redirect_uri,
            verifier=self._verifier,
            client=self._client,
        )
        # Taken before the request: a token never lives longer than we think.
        now = utc(self._clock.time())
        old = Credential("oauth", "", scopes=self._scopes or None, fields=self._client)
        try:
            reply = self._send(call)
            _check_type(reply)
            credential = self._tokens(reply, now=now, old=old)
        except RejectedError as error:
            raise CredentialError(
                f"the token endpoint refused the code: {error.message}", hint=error.hint or _CAUSES
            ) from None
        except CredentialError as error:
            if error.hint is None:
                error.hint = _CAUSES
            raise
        for secret in credential.secrets():
            self._learn(secret)
        return replace(credential, kind="oauth")


def read_redirect(text: str, state: str) -> Answer | None:
    """The answer in a pasted address or query; None where it belongs to no login or to another."""
    text = text.strip().strip("<>\"'")
    query = urlsplit(text).query if "?" in text else text
    return Answer.read(query.partition("#")[0], state)


def _check_type(reply: Reply) -> None:
    body = reply.json()
    if not isinstance(body, dict):
        raise BadReplyError("the token endpoint did not answer with a JSON object")
    if str(body.get("token_type", "bearer")).lower() in ("dpop", "mac", "pop"):
        # RFC 6749 section 7.1: such a token is no use without a proof in each request.
        raise CredentialError("the token endpoint gave a token of a type that lumio cannot use")
