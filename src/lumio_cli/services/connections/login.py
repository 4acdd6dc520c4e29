"""What `lumio connect` does around the proof: find the credential in whatever way the operator
gives it, and tell the hub whose account it opens.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lumio_cli.core.errors import CredentialError, UsageError
from lumio_cli.core.redact import is_secret_name
from lumio_cli.hub.sqlite import state
from lumio_cli.providers.contract.auth import Credential, OAuth, Way
from lumio_cli.providers.contract.fields import Identity, suggest
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.services.connections import account_guard
from lumio_cli.services.connections.connect import (
    Connected,
    connect,
    missing_scopes,
    read_credential,
)
from lumio_cli.services.connections.oauth import OAuthFlow
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.services.connections.token_login import (
    ask_all,
    declared_of,
    token_of,
    variable_of,
)
from lumio_cli.services.connections.wish import LoggedIn, Wish

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

FRESH_PAUSES = (1.0, 3.0)
"""Seconds before a token that was just issued, and refused, is tried again."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def log_in(runtime: Runtime, wish: Wish, say: Callable[[str], None]) -> LoggedIn:
    """Find the credential, prove it, store it, and remember whose account it opens.

    `say` shows the operator a line that is needed to go on (the address of a login page). Nothing
    is stored unless the proof succeeds. Raises `UsageError` where the options do not fit or nobody
    can be asked, `ConfigError` account_changed where the hub holds another account's data, what
    the probe raises and what storing raises.
    """
    _check_options(wish)
    provider = runtime.provider(wish.provider)
    way = _find_way(provider, wish.way)
    values = read_settings(provider, wish.settings, oauth=wish.oauth, way=way)
    handed_over = runtime.credentials.given(provider.name)
    chosen = wish.oauth or way or wish.token_stdin or wish.token_file is not None
    if handed_over is not None and not chosen:
        return _try_given(runtime, provider, handed_over, values, verify=wish.verify)
    if wish.oauth:
        credential = _sign_in(runtime, provider, wish, values, say)
    elif way is not None:
        fields = ask_all(runtime, provider, way.fields, values)
        credential = Credential(way.name, "", fields=fields)
        runtime.credentials.learn(credential)
    else:
        credential = token_of(runtime, provider, wish, values)
    identity = None
    if wish.verify:
        identity = _prove(runtime, provider, credential, stored=False, fresh=wish.oauth)
        credential = _completed(credential, identity)
    send = open_for(runtime, provider, credential=credential).send
    done = connect(
        provider,
        credential,
        store=runtime.credentials,
        send_factory=lambda _: send,
        verify=False,
    )
    if identity is not None:
        done = replace(done, account=identity)
        _remember(runtime, provider, identity, credential, done.store)
    return LoggedIn(done, stored=True)


def read_settings(
    provider: Provider, settings: Sequence[str], *, oauth: bool, way: Way | None = None
) -> dict[str, str]:
    """The values of `--set`, by name. Raises `UsageError` for a name that a credential of this
    kind does not have, and for a secret, whose value is never part of a message.
    """
    fields = provider.credential
    if way is not None:
        fields = way.fields
    elif oauth and provider.oauth is not None:
        fields = (*fields, *provider.oauth.fields)
    declared = {field.name: field for field in fields}
    known = [name for name, field in declared.items() if not field.secret]
    known += ["client_id"] if oauth else []
    known += ["scopes"] if oauth and _chosen_by_hand(provider.oauth) else []
    values: dict[str, str] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        field = declared.get(name)
        if is_secret_name(name) or (field is not None and field.secret):
            first = way is None and name == provider.credential[0].name
            other = "with --token-stdin" if first else f"as {variable_of(provider, name)}"
            raise UsageError(
                f"--set is not for secrets, and {name} is one: others can see the command line",
                hint=f"give it at the prompt, or {other}",
            )
        if not equals or not value:
            raise UsageError("--set needs KEY=VALUE", hint="for example --set client_id=ID")
        if name not in known:
            raise UsageError(
                f"{provider.name} cannot be connected with --set {name}"
                + ("" if oauth or name != "client_id" else " without --oauth"),
                hint=suggest(name, known, "keys"),
            )
        values[name] = value
    return values


def _chosen_by_hand(oauth: OAuth | None) -> tuple[str, ...]:
    """Scopes that a login asks for only where it is told to: an app that was not granted them
    would not get as far as the consent."""
    return () if oauth is None or oauth.optional_param else oauth.optional_scopes


def wanted_scopes(oauth: OAuth, chosen: str) -> tuple[str, ...]:
    """All scopes that a login asks for, `chosen` (`--set scopes=A,B`) among them.

    Raises `UsageError` for one that is none of the optional ones.
    """
    names = [name for name in chosen.replace(",", " ").split() if name not in oauth.scopes]
    for name in names:
        if name not in _chosen_by_hand(oauth):
            raise UsageError(
                f"{name!r} is no scope that this login can ask for",
                hint=suggest(name, _chosen_by_hand(oauth), "optional scopes"),
            )
    return (*oauth.scopes, *names)


def _check_options(wish: Wish) -> None:
    ways = {
        "--token-stdin": wish.token_stdin,
        "--token-file": wish.token_file is not None,
        "--oauth": wish.oauth,
        "--way": bool(wish.way),
    }
    chosen = [name for name, given in ways.items() if given]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} exclude each other", hint="give one of them")
    if not wish.oauth and (wish.port is not None or not wish.browser):
        name = "--port" if wish.port is not None else "--no-browser"
        raise UsageError(f"{name} is about --oauth", hint="add --oauth, or leave it out")


def _find_way(provider: Provider, name: str) -> Way | None:
    """The way of that name. Raises `UsageError`, with those that there are."""
    for way in provider.ways:
        if way.name == name:
            return way
    if not name:
        return None
    known = [way.name for way in provider.ways]
    raise UsageError(
        f"{provider.name} cannot be connected with --way {name}",
        hint=suggest(name, known, "ways") if known else "leave --way out, or use --oauth",
    )


# -- a browser


def _sign_in(
    runtime: Runtime,
    provider: Provider,
    wish: Wish,
    values: Mapping[str, str],
    say: Callable[[str], None],
) -> Credential:
    """The credential that a login in the browser ends with."""
    oauth, prompt = provider.oauth, runtime.prompt
    if oauth is None:
        raise UsageError(
            f"{provider.title} has no login with a browser",
            hint=f"lumio connect {provider.name} asks for a token",
        )

    def ask(question: str) -> str:
        return prompt.secret(question.rstrip(": "), instead="--token-stdin")

    scopes = wanted_scopes(oauth, values.get("scopes", ""))
    values = {name: value for name, value in values.items() if name != "scopes"}
    values = {**values, **ask_all(runtime, provider, oauth.fields, values)}
    flow = OAuthFlow(
        oauth,
        {**values, **_client(runtime, provider, oauth, values)},
        # The exchange carries no credential; there is none yet.
        send=open_for(
            runtime, provider, priority="interactive", credential=Credential("oauth", "")
        ).send,
        say=say,
        learn=runtime.redactor.learn,
        ask=ask if prompt.possible else None,
        open_url=webbrowser.open,
        tokens=provider.tokens,
        authorize_url=_authorize_url(runtime, provider, oauth),
        scopes=scopes,
        port=wish.port,
        clock=runtime.clock,
        stop=runtime.stop,
    )
    credential = flow.run(browser=wish.browser)
    return replace(credential, fields={**values, **credential.fields})


def _client(
    runtime: Runtime, provider: Provider, oauth: OAuth, values: Mapping[str, str]
) -> dict[str, str]:
    """The app that asks for access. Its secret is optional where PKCE stands in for it."""
    prompt = runtime.prompt
    id_name, secret_name = (variable_of(provider, n) for n in ("client_id", "client_secret"))
    client_id = values.get("client_id") or runtime.environ.get(id_name)
    if not client_id:
        instead = f"--set client_id=ID, or set {id_name}"
        client_id = prompt.text("Client id of your app", instead=instead)
    secret = runtime.environ.get(secret_name, "").strip()
    if not secret and (prompt.possible or not oauth.pkce):
        optional = ", empty for an app without one" if oauth.pkce else ""
        secret = prompt.secret(f"Client secret of your app{optional}", instead=secret_name)
    runtime.redactor.learn(secret)
    return {"client_id": client_id, "client_secret": secret}


def _authorize_url(runtime: Runtime, provider: Provider, oauth: OAuth) -> str | None:
    """The login page of a look-alike on this machine; None: the provider's own."""
    base_url = runtime.settings.provider(provider.name).base_url
    if urlsplit(base_url).hostname not in _LOOPBACK:
        return None
    return base_url.rstrip("/") + urlsplit(oauth.authorize_url).path


# -- the account


def _prove(
    runtime: Runtime,
    provider: Provider,
    credential: Credential,
    *,
    stored: bool,
    fresh: bool = False,
) -> Identity:
    """Whose account it is. `fresh`: the provider gave the credential a moment ago, and not all of
    its servers may know it yet. Raises `ConfigError` where the hub holds another account's data.
    """
    tried = None if stored else credential
    session = open_for(runtime, provider, priority="interactive", credential=tried)
    for pause in FRESH_PAUSES if fresh else ():
        try:
            identity = account_guard.identify(provider, session.send, credential)
            break
        except CredentialError:
            runtime.clock.sleep(pause, runtime.stop)
    else:
        identity = account_guard.identify(provider, session.send, credential)
    reader = runtime.hub_reader
    known = None if reader is None else state.read_account(reader.connection, provider.name)
    if known is not None and known.account_id != identity.account_id:
        # Before anything is stored: it refuses where there are records of the other account.
        _remember(runtime, provider, identity, credential, known.source)
    return identity


def _completed(credential: Credential, identity: Identity) -> Credential:
    """The credential with what the proof told about it."""
    scopes = credential.scopes if identity.scopes is None else identity.scopes
    return replace(
        credential,
        scopes=scopes,
        expires_at=credential.expires_at or identity.expires_at,
        fields={**credential.fields, **identity.fields},
    )


def _remember(
    runtime: Runtime, provider: Provider, identity: Identity, credential: Credential, source: str
) -> None:
    now = runtime.clock.time()
    with runtime.hub.transaction() as db:
        account_guard.remember(db, provider.name, identity, credential, source, now)


def _try_given(
    runtime: Runtime, provider: Provider, source: str, values: Mapping[str, str], *, verify: bool
) -> LoggedIn:
    """Prove what environment, file or command give. It is used as it is, and never stored."""
    if not verify:
        raise UsageError(
            f"{provider.name} uses the credential from {source}, which is never stored: "
            "without a proof there is nothing to do",
            hint="leave out --no-verify, or give another one with --token-stdin or --token-file",
        )
    given = runtime.credentials.load(provider.name).credential
    if given.kind == "token":
        credential = read_credential(
            provider,
            store=runtime.credentials,
            environ=runtime.environ,
            values={**declared_of(provider, given), provider.credential[0].name: given.token}
            | dict(values),
        )
    else:
        _find_way(provider, given.kind)
        credential = given
    identity = _prove(runtime, provider, credential, stored=True)
    credential = _completed(credential, identity)
    _remember(runtime, provider, identity, credential, source)
    done = Connected(
        provider=provider.name,
        account=identity,
        scopes=credential.scopes,
        missing_scopes=missing_scopes(provider, credential.scopes),
        credential=credential,
        store=source,
    )
    return LoggedIn(done, stored=False)
