"""Ways to get a session: a browser login, a client's own credentials, a signed assertion."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from lumio_cli.core.errors import CredentialError
from lumio_cli.providers.contract.auth import Credential, OAuth, Way, expand, read_tokens
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.fields import Field

MY_DOMAIN = r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*\.my\.salesforce\.com"
LOGIN = rf"login\.salesforce\.com|test\.salesforce\.com|{MY_DOMAIN}"
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 a path, not a password
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_SECONDS = 180
"""How long an assertion is good: Salesforce takes no more than a few minutes."""

_LOGIN_HOST = Field(
    "login_host",
    "Where users log in: the org's own address, NAME.my.salesforce.com, or login.salesforce.com",
    default="login.salesforce.com",
    pattern=LOGIN,
)
_CLIENT_ID = Field("client_id", "Consumer key of the external client app")
_AUDIENCE = Field(
    "audience",
    "Whom assertions are meant for: empty is https://LOGIN_HOST; Government Cloud wants"
    " https://login.salesforce.com",
    default="",
    pattern=rf"(https://({LOGIN}))?",
)
_MY_DOMAIN_HINT = (
    "log in at the org's own address: --set login_host=NAME.my.salesforce.com, of a sandbox"
    " NAME--SANDBOX.sandbox.my.salesforce.com; and look whether the app is enabled there"
)
_APPROVAL = (
    "permit the user in the app's policies: admin approved users; some orgs say so of an assertion"
    " that is meant for another host: --set audience=https://login.salesforce.com"
)
_ADVICE = {
    "app_not_found": _MY_DOMAIN_HINT,
    "audience is invalid": "give the one that the org wants, with --set audience=https://HOST",
    "hasn't approved": _APPROVAL,
    "not admin approved": _APPROVAL,
    "invalid assertion": "upload the certificate that belongs to this private key",
    "client identifier invalid": "client_id is the app's consumer key; a new one takes 10 minutes",
    "not supported on this domain": _MY_DOMAIN_HINT,
}

OAUTH = OAuth(
    authorize_url="https://{login_host}/services/oauth2/authorize",
    token_path=f"https://{{login_host}}{TOKEN_PATH}",
    revoke_path="https://{login_host}/services/oauth2/revoke",
    scopes=("api", "refresh_token"),
    redirect_port=18924,
    fields=(_LOGIN_HOST,),
    optional_param="",
)
CLIENT_CREDENTIALS = Way(
    "client_credentials",
    "The app's own credentials, running as one user",
    (
        Field("my_domain", "Host of your org: acme.my.salesforce.com", pattern=MY_DOMAIN),
        _CLIENT_ID,
        Field("client_secret", "Consumer secret of the external client app", secret=True),
    ),
)
JWT = Way(
    "jwt",
    "A certificate whose private key signs each login",
    (
        _CLIENT_ID,
        Field("username", "The user's name in Salesforce, which looks like an e-mail address"),
        Field("private_key", "Private RSA key, as PEM", secret=True, kind="file"),
        _LOGIN_HOST,
        _AUDIENCE,
    ),
)
WAYS = (CLIENT_CREDENTIALS, JWT)


def advice(said: str) -> str:
    """What to do about an error of the token endpoint, by its words; empty: nobody knows."""
    return next((text for words, text in _ADVICE.items() if words in said), "")


def locate(credential: Credential) -> str:
    """The org's address. Raises `CredentialError` where the credential does not name one of
    Salesforce's own."""
    url = credential.fields.get("instance_url", "").rstrip("/")
    if re.fullmatch(rf"https://{MY_DOMAIN}", url):
        return url
    raise CredentialError(
        "the Salesforce credential does not say where its org is",
        hint="give it with --set instance_url=https://NAME.my.salesforce.com, or in "
        "LUMIO_SALESFORCE_INSTANCE_URL",
        code="credential_missing",
    )


def tokens(reply: Reply, *, now: datetime, old: Credential) -> Credential:
    """The credential of a token answer, with the org's address.

    There is no `expires_in`: how long a session lives is a setting of the org, so that its end is
    learned when it comes. `full` stands for all other scopes. Raises as `read_tokens` does, with
    what to do where Salesforce's words say it.
    """
    try:
        new = read_tokens(reply, now=now, old=old)
    except CredentialError as error:
        hint = advice(error.message)
        raise CredentialError(error.message, code=error.code, hint=hint or None) from None
    told = reply.json().get("instance_url")
    fields = {**new.fields, **({"instance_url": str(told)} if told else {})}
    scopes = new.scopes
    if scopes is not None and "full" in scopes and "api" not in scopes:
        scopes = (*scopes, "api")
    kind = old.kind if old.kind in {way.name for way in WAYS} else "oauth"
    return replace(new, kind=kind, fields=fields, scopes=scopes)


def renewal(credential: Credential, now: datetime) -> Call | None:
    """The request for a session by one of `WAYS`; None for a credential of another kind."""
    fields = credential.fields
    if credential.kind == CLIENT_CREDENTIALS.name:
        form = {
            "grant_type": "client_credentials",
            "client_id": fields.get("client_id", ""),
            "client_secret": fields.get("client_secret", ""),
        }
        return _post(expand("https://{my_domain}", fields), form)
    if credential.kind == JWT.name:
        form = {"grant_type": JWT_GRANT, "assertion": assertion(credential, now)}
        return _post(expand("https://{login_host}", fields), form)
    return None


def _post(host: str, form: dict[str, str]) -> Call:
    return Call("POST", f"{host}{TOKEN_PATH}", route=TOKEN_PATH, form=form, auth=False, safe=True)


def assertion(credential: Credential, now: datetime) -> str:
    """A JWT that logs the user in, signed with RS256 (RFC 7523). Raises `CredentialError` for a
    key that is none.

    It is meant for the host that it is sent to. External client apps are known in their own org
    alone: since Spring '26 the hosts that all orgs had in common answer `app_not_found`
    (n8n-io/n8n issue 28990, simstudioai/sim PR 6508). Government Cloud and some orgs with connected
    apps want those all the same (simple-salesforce PR 711, restforce PR 886): `audience`.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    fields = credential.fields
    claims = {
        "iss": fields.get("client_id", ""),
        "sub": fields.get("username", ""),
        "aud": fields.get("audience") or f"https://{fields.get('login_host', '')}",
        "exp": int(now.timestamp()) + JWT_SECONDS,
    }
    text = fields.get("private_key", "").replace("\\n", "\n")
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (TypeError, ValueError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise CredentialError(
            "the private key of Salesforce is no RSA key in PEM without a password",
            hint="LUMIO_SALESFORCE_PRIVATE_KEY_FILE names the file that holds it",
            code="credential_malformed",
        )
    signed = ".".join(_part(part) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return f"{signed}.{_encode(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(value: Mapping[str, object]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
