"""Credentials and OAuth, as declarations and pure functions; `transport.auth` acts on them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote_plus

from lumio_cli.core.errors import BadReplyError, CredentialError, LumioError, StoppedError
from lumio_cli.providers.contract.call import Call, Json, Reply, Send
from lumio_cli.providers.contract.fields import Field

LONGEST_LIFE = 10 * 365 * 86_400.0
"""Seconds beyond which the life of a token is as good as endless."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What opens an account.

    kind        token   one secret that was given to us
                oauth   an access token that a refresh token renews
                else    the name of the `Way` that renews it
    token       what requests carry; empty until it is got for the first time
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
        hidden = [v for k, v in self.fields.items() if _is_secret(k)]
        return tuple(s for s in (self.token, self.refresh, *hidden) if s)

    @property
    def root(self) -> str:
        """The part of it that renewals do not change, as far as there is one."""
        if self.kind in ("token", "oauth"):
            return self.refresh or self.token
        return "\n".join(f"{name}={value}" for name, value in sorted(self.fields.items()))


def _is_secret(name: str) -> bool:
    return any(word in name for word in ("secret", "key", "token", "password"))


@dataclass(frozen=True, slots=True)
class Way:
    """A way to connect besides a token and a browser: `fields` are what `Provider.renewal` makes
    the request for an access token of."""

    name: str
    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class OAuth:
    """An authorization server (RFC 6749), as far as providers differ.

    `authorize_url` and `token_path` (absolute, or relative to the base URL) may hold `{name}`s of
    `fields`, which are asked for before the login and kept with the credential. `scope_separator`
    joins scopes in the authorize URL, `optional_param` is where it takes `optional_scopes` and
    `extra` what else it takes, and `token_extra` what the token endpoint takes with a code.
    `redirect_port` 0 is any free port: RFC 8252 section 7.3 wants servers to allow it, many SaaS
    providers do not. Where it must be `https`, this machine cannot answer it: the operator copies
    the address that the browser ends at. `basic`: the client authenticates to the token endpoint
    by HTTP Basic instead of in the form.
    """

    authorize_url: str
    token_path: str
    scopes: tuple[str, ...]
    optional_scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    pkce: bool = True
    redirect_scheme: Literal["http", "https"] = "http"
    redirect_host: str = "localhost"
    redirect_path: str = "/callback"
    redirect_port: int = 0
    revoke_path: str = ""
    fields: tuple[Field, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    token_extra: Mapping[str, str] = field(default_factory=dict)
    optional_param: str = "optional_scope"
    basic: bool = False


def exchange_call(
    oauth: OAuth, *, code: str, redirect_uri: str, verifier: str, client: Mapping[str, str]
) -> Call:
    """The request that turns an authorization code into tokens. A code works once: never retry."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    form |= oauth.token_extra
    if oauth.pkce:
        form["code_verifier"] = verifier
    return token_call(oauth, form, client)


def refresh_call(oauth: OAuth, credential: Credential) -> Call:
    """The request that renews an access token."""
    form = {"grant_type": "refresh_token", "refresh_token": credential.refresh}
    return token_call(oauth, form, credential.fields)


def token_call(oauth: OAuth, form: Mapping[str, str], client: Mapping[str, str]) -> Call:
    """A request to the token endpoint, with the client's id and secret where `client` has them,
    and with its fields in the endpoint's address."""
    path = expand(oauth.token_path, client)
    given = {k: client[k] for k in ("client_id", "client_secret") if client.get(k)}
    if oauth.basic and "client_secret" in given:
        pair = ":".join(quote_plus(given[k]) for k in ("client_id", "client_secret"))
        headers = {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return Call("POST", path, form=form, headers=headers, auth=False, safe=False)
    return Call("POST", path, form={**form, **given}, auth=False, safe=False)


def expand(address: str, values: Mapping[str, str]) -> str:
    """An address with its `{name}`s filled in. Raises `CredentialError` for one that is missing,
    or that would change where the address leads."""
    for name in re.findall(r"\{(\w+)\}", address):
        value = values.get(name, "")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", value):
            raise CredentialError(
                f"{name} is missing, or is no part of an address",
                hint=f"give it with --set {name}=VALUE",
                code="credential_missing",
            )
        address = address.replace(f"{{{name}}}", value)
    return address


def read_tokens(reply: Reply, *, now: datetime, old: Credential) -> Credential:
    """The credential that a token answer holds.

    A refresh token that is absent from the answer stays the old one (RFC 6749 section 6); an
    absent or zero `expires_in`, or one that is no number, means that the token does not expire, as
    far as anybody knows. Raises `CredentialError` for an OAuth error, `BadReplyError` for anything
    that is no token answer.
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
    token, seconds = body["access_token"], _seconds(body.get("expires_in"))
    if not isinstance(token, str) or not token:
        raise BadReplyError("the token endpoint answered without a token")
    scopes = body.get("scopes") or body.get("scope")
    if isinstance(scopes, str):
        scopes = scopes.replace(",", " ").split()
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        scopes = None
    return replace(
        old,
        kind="oauth" if old.kind == "token" else old.kind,
        token=token,
        refresh=str(body.get("refresh_token") or old.refresh),
        expires_at=now + timedelta(seconds=seconds) if seconds else None,
        scopes=tuple(scopes) if scopes else old.scopes,
    )


def _seconds(value: object) -> float:
    """How long a token lives; 0 where that is not told."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except (OverflowError, ValueError):
            return 0.0
        return min(seconds, LONGEST_LIFE) if seconds > 0 else 0.0
    return 0.0


def told_besides(send: Send, call: Call) -> tuple[Json, LumioError | None]:
    """Return the JSON that answers what a probe only asks in order to help; or None, and why.

    The account is proven by another request: whatever becomes of this one leaves something unknown,
    and ends neither a login nor a pull. Raises `StoppedError`.
    """
    try:
        return send(call).json(), None
    except StoppedError:
        raise
    except LumioError as error:
        return None, error
