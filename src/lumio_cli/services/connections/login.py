"""What `lumio connect` does around the proof: find the credential in whatever way the operator
gives it, and tell the hub whose account it opens.
"""

from __future__ import annotations

import re
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import CredentialError, UsageError
from lumio_cli.core.paths import expand
from lumio_cli.core.redact import is_secret_name
from lumio_cli.core.stop import interruptible
from lumio_cli.credentials.operator_sources import given_fields, variable
from lumio_cli.credentials.secret_files import LIMIT, check_secret, read_secret_file
from lumio_cli.hub.sqlite import state
from lumio_cli.providers.contract.auth import Credential, OAuth, Way
from lumio_cli.providers.contract.fields import Field, Identity, suggest
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

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

FRESH_PAUSES = (1.0, 3.0)
"""Seconds before a token that was just issued, and refused, is tried again."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Wish:
    """How an operator wants to connect.

    settings  `KEY=VALUE` texts: what a credential has beside its secrets (client_id, ...)
    way       the name of one of the provider's `ways`; empty: a token, or a browser
    port      for the redirect of a browser login; None: as the provider declares it
    verify    prove the credential before it is stored
    """

    provider: str
    token_stdin: bool = False
    token_file: Path | None = None
    oauth: bool = False
    way: str = ""
    port: int | None = None
    browser: bool = True
    verify: bool = True
    settings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A provider that is connected. `stored` False: what the operator hands over with each run
    (environment, file, command) was proved and stays where it is.
    """

    connected: Connected
    stored: bool

    @property
    def in_vault(self) -> bool:
        """Whether the credential went into the encrypted vault, and not into a keyring."""
        return self.stored and self.connected.store.startswith("encrypted vault")

    def as_json(self) -> dict[str, Any]:
        """For `--output json`. Without the credential."""
        return {**self.connected.as_json(), "stored": self.stored}

    def facts(self) -> list[dict[str, Any]]:
        """What an operator wants to see, as rows of `what` and `value`."""
        done = self.connected
        account, scopes = done.account, done.scopes
        expires = done.credential.expires_at
        values = {
            "provider": done.provider,
            "account": account.account_name if account else "not verified",
            "account id": account.account_id if account else None,
            **{k.replace("_", " "): v for k, v in (account.details if account else {}).items()},
            "credential": done.credential.kind,
            "expires": format_time(expires) if expires else None,
            "scopes": " ".join(sorted(scopes)) if scopes is not None else "not told",
            "stored in" if self.stored else "used from": done.store,
        }
        return [{"what": name, "value": value} for name, value in values.items()]

    def warnings(self) -> list[str]:
        """What an operator has to know: missing permissions, and a source that wins."""
        done = self.connected
        found = [
            f"{done.provider}/{resource} cannot be synced without {', '.join(scopes)}"
            for resource, scopes in done.missing_scopes.items()
        ]
        if not self.stored:
            found.append(
                f"nothing was stored: {done.provider} uses the credential from {done.store}"
            )
        if done.used_instead:
            found.append(f"the credential from {done.used_instead} is used instead, while it lasts")
        return found


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
        fields = _ask_all(runtime, provider, way.fields, values)
        credential = Credential(way.name, "", fields=fields)
        runtime.credentials.learn(credential)
    else:
        credential = _token(runtime, provider, wish, values)
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
            other = "with --token-stdin" if first else f"as {_variable(provider, name)}"
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


# -- a token


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
            values={**_declared(provider, given), provider.credential[0].name: given.token}
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


def _token(
    runtime: Runtime, provider: Provider, wish: Wish, values: Mapping[str, str]
) -> Credential:
    """The credential from stdin, a file, or the operator's keyboard."""
    found = dict(values)
    first, *others = provider.credential
    if wish.token_stdin:
        found[first.name] = _read_stdin(runtime)
    elif values and not runtime.prompt.possible and (kept := _kept(runtime, provider)):
        found = {**kept, **values}
    elif wish.token_file is None:
        instead = f"--token-stdin, --token-file FILE, or set {variable(provider.name)}"
        found[first.name] = _ask(runtime, provider, first, instead)
    found |= _ask_all(runtime, provider, others, found)
    return read_credential(
        provider,
        store=runtime.credentials,
        environ=runtime.environ,
        values=found,
        token_file=wish.token_file,
    )


def _kept(runtime: Runtime, provider: Provider) -> dict[str, str]:
    """The values of the token that is stored, for which only more is to be said; empty: there is
    none."""
    try:
        stored = runtime.credentials.load(provider.name).credential
    except CredentialError:
        return {}
    if stored.kind != "token":
        return {}
    return {**_declared(provider, stored), provider.credential[0].name: stored.token}


def _declared(provider: Provider, credential: Credential) -> dict[str, str]:
    """What a credential has of the fields that a token login declares."""
    names = {field.name for field in provider.credential}
    return {name: value for name, value in credential.fields.items() if name in names}


def _ask_all(
    runtime: Runtime, provider: Provider, fields: Sequence[Field], values: Mapping[str, str]
) -> dict[str, str]:
    """The fields' values: given, from the environment, or from the keyboard where they must be
    there. Raises `CredentialError` for one that cannot be right."""
    environ = given_fields(provider.name, runtime.environ)
    found = {}
    for field in fields:
        name = _variable(provider, field.name)
        text = values.get(field.name) or environ.get(field.name)
        # A secret is never part of a command line: one that is optional can only be typed.
        optional = field.secret and field.default is not None
        if not text and (field.default is None or (optional and runtime.prompt.possible)):
            plain = name if field.secret else f"--set {field.name}=VALUE"
            if field.kind == "file":
                plain = f"{name}_FILE"
            text = _ask(runtime, provider, field, plain)
        text = text or str(field.default)
        if field.pattern and not re.fullmatch(field.pattern, text):
            raise CredentialError(
                f"the {field.name.replace('_', ' ')} of {provider.name} does not look like one: "
                f"it must match {field.pattern}",
                hint=field.help or None,
                code="credential_malformed",
            )
        found[field.name] = text
    return found


def _read_stdin(runtime: Runtime) -> str:
    if runtime.stdin.isatty():
        raise UsageError(
            "--token-stdin reads a pipe or a file, and stdin is a terminal, which shows what you "
            "type",
            hint="leave --token-stdin out: lumio then asks, and shows nothing",
        )
    try:
        with interruptible():
            text = runtime.stdin.read(LIMIT + 1)
    except UnicodeDecodeError:
        text = "\x00"
    if len(text) > LIMIT:
        raise CredentialError(
            f"stdin has more than {LIMIT} characters, which is no token",
            hint="check what is piped into lumio",
            code="credential_malformed",
        )
    return check_secret(text, "stdin")


def _ask(runtime: Runtime, provider: Provider, field: Field, instead: str) -> str:
    question = f"{provider.title} {field.name.replace('_', ' ')}"
    if field.help:
        question = f"{question}, {field.help[:1].lower()}{field.help[1:]}"
    if field.secret and field.default is not None:
        question += "; empty for none"
    if field.kind == "file":
        path = runtime.prompt.text(f"{question}: name of the file", instead=instead)
        return read_secret_file(expand(path, UsageError), "the file", runtime.environ).strip()
    ask = runtime.prompt.secret if field.secret else runtime.prompt.text
    return ask(question, instead=instead)


def _variable(provider: Provider, name: str) -> str:
    """The environment variable that may hold a part of a credential."""
    return f"{variable(provider.name).removesuffix('TOKEN')}{name.upper()}"


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
    values = {**values, **_ask_all(runtime, provider, oauth.fields, values)}
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
    id_name, secret_name = (_variable(provider, n) for n in ("client_id", "client_secret"))
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
