"""Credentials and OAuth, as declarations and pure functions; `transport.auth` acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lumio_cli.errors import BadReplyError, CredentialError
from lumio_cli.providers.base import Call, Reply


@dataclass(frozen=True, slots=True)
class Credential:
    """What opens an account.

    kind        token   one secret that was given to us
                oauth   an access token that a refresh token renews
    token       what requests carry
    refresh     the refresh token, empty where there is none
    expires_at  of `token`; None: unknown or never
    fields      what else the provider needs (client_id, client_secret, instance URL, ...)
    """

    kind: str
    token: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    def secrets(self) -> tuple[str, ...]:
        """Every value in it that must never be shown."""
        hidden = [v for k, v in self.fields.items() if "secret" in k or "key" in k]
        return tuple(s for s in (self.token, self.refresh, *hidden) if s)


@dataclass(frozen=True, slots=True)
class OAuth:
    """An authorization server (RFC 6749), as far as providers differ.

    `scope_separator` joins scopes in the authorize URL. `redirect_port` 0 is any free port: RFC
    8252 section 7.3 wants servers to allow it, many SaaS providers do not.
    """

    authorize_url: str
    token_path: str
    scopes: tuple[str, ...]
    optional_scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    pkce: bool = True
    redirect_host: str = "localhost"
    redirect_path: str = "/callback"
    redirect_port: int = 0
    revoke_path: str = ""


def exchange_call(
    oauth: OAuth, *, code: str, redirect_uri: str, verifier: str, client: Mapping[str, str]
) -> Call:
    """The request that turns an authorization code into tokens. A code works once: never retry."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        **{k: client[k] for k in ("client_id", "client_secret") if client.get(k)},
    }
    if oauth.pkce:
        form["code_verifier"] = verifier
    return Call("POST", oauth.token_path, form=form, auth=False, safe=False)


def refresh_call(oauth: OAuth, credential: Credential) -> Call:
    """The request that renews an access token."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": credential.refresh,
        **{
            k: credential.fields[k]
            for k in ("client_id", "client_secret")
            if credential.fields.get(k)
        },
    }
    return Call("POST", oauth.token_path, form=form, auth=False, safe=False)


def read_tokens(reply: Reply, *, now: datetime, old: Credential) -> Credential:
    """The credential that a token answer holds.

    A refresh token that is absent from the answer stays the old one (RFC 6749 section 6); an
    absent or zero `expires_in` means that the token does not expire. Raises `CredentialError` for
    an OAuth error, `BadReplyError` for anything that is no token answer.
    """
    body = reply.json()
    if not isinstance(body, dict):
        raise BadReplyError("the token endpoint did not answer with a JSON object")
    if reply.status >= 400 or "access_token" not in body:
        word = str(body.get("error") or body.get("category") or body.get("status") or reply.status)
        text = str(body.get("error_description") or body.get("message") or word)
        raise CredentialError(
            f"the token endpoint refused: {text} ({word})",
            code="login_expired" if "invalid_grant" in (word, text) else "credential_refused",
        )
    seconds = float(body.get("expires_in") or 0)
    scopes = body.get("scopes") or body.get("scope")
    if isinstance(scopes, str):
        scopes = scopes.replace(",", " ").split()
    return replace(
        old,
        kind="oauth",
        token=str(body["access_token"]),
        refresh=str(body.get("refresh_token") or old.refresh),
        expires_at=now + timedelta(seconds=seconds) if seconds else None,
        scopes=tuple(scopes) if scopes else old.scopes,
    )
