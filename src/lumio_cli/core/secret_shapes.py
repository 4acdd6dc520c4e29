"""What secrets look like: the names that they stand under, and shapes that only tokens have.

All patterns have bounds: a hostile text costs time in proportion to its length.
"""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote, unquote_plus

MASK = "***"

# Names are compared in lower case, without `-`, `_` and `.`.
_SECRET_ENDINGS = (
    "token", "tokenkey", "secret", "password", "passwd", "passphrase", "pwd", "apikey", "accesskey",
    "privatekey", "secretkey", "signingkey", "codeverifier", "assertion", "jwt", "otp",
    "devicecode", "authorizationcode", "authorization", "cookie", "sessionid", "webhookurl",
    "secretproof", "credential", "amzsignature", "googsignature",
    "secrets", "passwords", "passphrases", "apikeys", "accesskeys", "privatekeys", "secretkeys",
    "accesstokens", "refreshtokens", "cookies", "credentials", "assertions",
)  # fmt: skip
_NOT_SECRET_ENDINGS = (
    "pagetoken", "nexttoken", "synctoken", "continuationtoken", "cursortoken", "unknownsecrets",
)  # fmt: skip
_NOT_SECRET = frozenset({"PWD", "OLDPWD"})
"""Directories, in every environment."""
ABOUT = frozenset({"source", "kind", "type", "way", "expiresat", "expiresin", "scope", "scopes"})
"""What is said about a credential, inside of an object of that name."""
_SECRET_PARAMETERS = frozenset({"code", "state", "sig", "signature", "key", "auth"})
"""Secret in a URL or a form, but ordinary words in JSON (`"code": "INVALID_EMAIL"`)."""

PAIR_HINTS = (
    "token", "secret", "passw", "passp", "pwd", "key", "verifier", "assertion", "jwt", "otp",
    "code", "credential", "signature", "authorization", "cookie", "session", "webhook",
)  # fmt: skip
_KEY = r"""(?<![\w.%-])(?P<key>[\w.%-]{0,40}?(?:token(?:_?key)?|secret(?:_?proof)?|passw(?:or)?d
        |passphrase|pwd|key|verifier|assertion|jwt|otp|(?:device|authorization)[_-]?code
        |credential|signature|authorization|cookie|session[_-]?id|webhook[_-]?url)s?)"""
_SEPARATOR = (
    r"""(?P<sep>\\{0,8}["']?\s{0,80}[:=]\s{0,80}b?|\\{0,8}["'],\s{0,80}(?!\\{0,8}"value\b)b?)"""
)
_PAIR = re.compile(
    _KEY
    + _SEPARATOR
    + r"""(?P<value>(?P<edge>\\{1,8}")(?:(?!(?<!\\)(?P=edge)).)*(?:(?P=edge)|\Z)
        |"(?:[^"\\]|\\.)*(?:"|\Z)|'(?:[^'\\]|\\.)*'|[^\s"',;&#<>(){}\[\]\\]+)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_NAMED = re.compile(
    r"""(?P<head>(?P<edge>\\{0,8}")(?:name|key)(?P=edge)\s{0,80}:\s{0,80}(?P=edge)
        (?P<key>[\w.-]{1,60})(?P=edge)\s{0,80},\s{0,80}(?P=edge)value(?P=edge)\s{0,80}:\s{0,80}
        (?P=edge)).{0,4000}?(?<!\\)(?P=edge)""",
    re.VERBOSE | re.DOTALL,
)
GROUP = re.compile(_KEY + _SEPARATOR + r"(?P<open>[\[{])", re.IGNORECASE | re.VERBOSE)
_ELEMENT = re.compile(
    rf"<(?P<name>(?:[\w-]{{1,40}}:)?{_KEY})(?P<more>\s[^<>]*)?>(?P<value>[^<>]+)(?=<)".replace(
        r"(?<![\w.%-])", ""
    ),
    re.IGNORECASE | re.VERBOSE,
)
_PART = re.compile(
    r"""name=\\{0,8}"(?P<key>[^"\\\r\n]{1,80})\\{0,8}"(?P<head>[^\r\n\\]{0,400}
        (?:(?:\r?\n|\\{1,8}r\\{1,8}n)[\w-]+:[^\r\n\\]{0,400}){0,8}(?:\r?\n|\\{1,8}r\\{1,8}n){2})
        (?P<value>.*?)(?=(?:\r?\n|\\{1,8}r\\{1,8}n)--|\Z)""",
    re.DOTALL | re.VERBOSE,
)
_AUTHORIZATION = re.compile(
    r"""(?i)(?<![\w-])(?P<name>(?:proxy-)?authorization)(?P<sep>\s*[:=]\s*)(?!\*\*\*)
        (?:digest\s[^\r\n"']*(?:"[^"\r\n]*"[^\r\n"']*)*|(?:[A-Za-z][\w-]{0,30}\s+)?[^\s"',;]+)""",
    re.VERBOSE,
)
_COOKIE = re.compile(
    r"""(?i)(?<![\w-])(?P<name>(?:set-)?cookie)(?P<sep>\s*[:=]\s*)(?!\*\*\*)
        [\w.!#$%&'*+^`|~-]+=[^;\s"']*(?:;\s*[\w-]+(?:=[^;\s"']*)?)*""",
    re.VERBOSE,
)
_PARAMETER = re.compile(
    r"""(?P<sep>^|[?&#;\s"'(])(?P<key>[\w.%\-]{1,60})=(?P<value>[^&\s"'<>#]+)"""
)
_USERINFO = re.compile(r"(?<=://)[^/\s@\"'?#]+@")
_BARE_USERINFO = re.compile(
    r"""(?<![\w@/:.%+-])(?!mailto:)[\w.%+!$&*~-]{1,64}:[^\s:@/"'<>]{1,256}@(?=[\w.-]+:\d{2,5}\b)
        |(?<=proxy[=:])\s?[\w.%+!$&*~-]{1,64}:[^\s:@/"'<>]{1,256}@""",
    re.VERBOSE,
)
_TOKEN_IN_PATH = re.compile(r"(/(?:access|refresh)-tokens?/)(?!\*\*\*)[^/?#\s\"']+")
_BEARER = re.compile(r"(?i)(?P<name>\bbearer)(?P<sep>\s+)(?P<value>[\w.~+/=!-]{6,})")
_BASIC = re.compile(r"(?i)(?P<name>\bbasic)(?P<sep>\s+)(?P<value>[A-Za-z0-9+/_-]{8,}={0,2})")
_WORDS = frozenset((
    "a", "an", "and", "are", "auth", "authentication", "authorization", "authorisation",
    "blank", "can", "cannot", "challenge", "could", "credential", "credentials", "does",
    "empty", "error", "expired", "failed", "false", "for", "format", "has", "have", "header",
    "in", "invalid", "is", "isn't", "it", "length", "may", "missing", "must", "none", "not",
    "null", "of", "only", "or", "please", "realm", "rejected", "required", "scheme", "should",
    "the", "to", "token", "tokens", "true", "type", "undefined", "unknown", "unset", "value",
    "was", "were", "will", "with", "wrong",
))  # fmt: skip
"""Words of sentences about secrets: `password: must be set`, `Bearer authentication`."""

# (a literal that must occur, the shape). The literal is looked for first: that is nearly free.
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (literal, re.compile(pattern))
    for literal, pattern in (
        ("pat-", r"\bpat-[a-z]{2}\d*-[0-9a-f]{8}-[0-9a-f-]{8,}"),
        ("shp", r"\bshp(?:at|ss|ca|pa|ua|tka)_[0-9a-fA-F]{16,}"),
        ("xox", r"\bxox[a-z](?:\.[a-z]+)?-[A-Za-z0-9-]{8,}"),
        ("xapp-", r"\bxapp-[A-Za-z0-9-]{8,}"),
        ("EAA", r"\bEAA[A-Za-z0-9]{20,}"),
        ("00D", r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{8,}"),
        ("eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
        ("-us", r"\b[0-9a-f]{32}-us\d{1,3}\b"),
        ("AQ", r"\bAQ[A-Za-z0-9_-]{80,}"),
        ("/services/", r"(?<=/services/)T\w+/B\w+/\w+"),
        ("whsec_", r"\bwhsec_[A-Za-z0-9+/=_-]{16,}"),
        (
            "PRIVATE KEY",
            r"-----BEGIN (?P<what>[A-Z ]*PRIVATE KEY(?: BLOCK)?)-----"
            r"(?:(?:(?!-----BEGIN)[\s\S]){0,20000}?-----END (?P=what)-----"
            r"|(?:(?:\s|\\{1,8}[rn])*[A-Za-z0-9+/=]{16,})*)",
        ),
    )
)


def is_secret_name(name: str) -> bool:
    """Whether the value of a header, parameter or JSON key of this name is always secret."""
    plain = bare(name)
    return (
        plain.endswith(_SECRET_ENDINGS)
        and not plain.endswith(_NOT_SECRET_ENDINGS)
        and name not in _NOT_SECRET
    )


def bare(name: str) -> str:
    """A name in lower case, without what parts its words."""
    return re.sub(r"[-_.\s]", "", name).lower()


def _mask_value(match: re.Match[str]) -> str:
    return f"{match['name']}{match['sep']}{MASK}"


def _mask_pair(match: re.Match[str]) -> str:
    key, sep, value = match.group("key", "sep", "value")
    if not is_secret_name(unquote(key)):
        return match.group()
    quoted = value.startswith(("'", '"', "\\"))
    if not quoted and ":" in sep:
        prose = value.lower().rstrip(".!?:") in _WORDS
        if prose or (key.lower().endswith("token") and len(value) < 12):
            return match.group()  # prose: `invalid token: expired`
    if quoted:
        edge = match["edge"] or value[0]
        return f"{key}{sep}{edge}{MASK}{edge}"
    return f"{key}{sep}{MASK}"


_STRUCTURE = re.compile(r"""[\[\]{}]|\\{0,8}["']""")


def closing(text: str, begin: int) -> int:
    """Where the bracket is that closes the one at `begin`; the text's end where there is none."""
    depth, quote = 0, ""
    for match in _STRUCTURE.finditer(text, begin):
        sign = match.group()
        if quote:
            if sign == quote:
                quote = ""
        elif sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
            if not depth:
                return match.start()
        else:
            quote = sign
    return len(text)


def _mask_named(match: re.Match[str]) -> str:
    if not is_secret_name(match["key"]):
        return match.group()
    return f"{match['head']}{MASK}{match['edge']}"


def _mask_element(match: re.Match[str]) -> str:
    if not is_secret_name(match["key"]):
        return match.group()
    return f"<{match['name']}{match['more'] or ''}>{MASK}"


def _mask_part(match: re.Match[str]) -> str:
    key, value = match.group("key", "value")
    if not (is_secret_name(key) or key.lower() in _SECRET_PARAMETERS) or not value:
        return match.group()
    return match.group()[: match.start("value") - match.start()] + MASK


def _mask_parameter(match: re.Match[str]) -> str:
    sep, key = match.group("sep", "key")
    name = unquote_plus(key)
    if is_secret_name(name) or (sep != " " and name.lower() in _SECRET_PARAMETERS):
        return f"{sep}{key}={MASK}"
    return match.group()


def mask_schemes(text: str) -> str:
    """Mask what stands behind the name of a scheme of HTTP."""
    if "earer" in text or "EARER" in text:
        text = _BEARER.sub(_mask_bearer, text)
    if "asic" in text or "ASIC" in text:
        text = _BASIC.sub(_mask_basic, text)
    return text


def _mask_bearer(match: re.Match[str]) -> str:
    if match["value"].lower().rstrip(".!") in _WORDS:
        return match.group()
    return f"{match['name']} {MASK}"


def _mask_basic(match: re.Match[str]) -> str:
    """Mask what is `user:password` in base64, or looks drawn by lot."""
    value = match["value"]
    try:
        decoded = binascii.a2b_base64(value.translate(_STANDARD) + "=" * (-len(value) % 4))
    except binascii.Error:
        decoded = b""
    if b":" not in decoded and value.isalpha() and value[1:].islower():
        return match.group()
    return f"{match['name']} {MASK}"


_STANDARD = str.maketrans("-_", "+/")


def mask_pairs(text: str, lower: str) -> str:
    """Mask values by the names before them: headers, pairs, elements of XML, parts of a form.
    `lower` is the text in lower case."""
    if "authorization" in lower:
        text = _AUTHORIZATION.sub(_mask_value, text)
    if "cookie" in lower:
        text = _COOKIE.sub(_mask_value, text)
    text = _PAIR.sub(_mask_pair, _NAMED.sub(_mask_named, text))
    text = _TOKEN_IN_PATH.sub(rf"\1{MASK}", text)
    if "</" in text:
        text = _ELEMENT.sub(_mask_element, text)
    if "name=" in text:
        text = _PART.sub(_mask_part, text)
    return text


def mask_parameters(text: str) -> str:
    """Mask parameters of URLs and forms, and user and password of URLs."""
    if "=" in text:
        text = _PARAMETER.sub(_mask_parameter, text)
    if "@" in text:
        text = _USERINFO.sub(f"{MASK}@", text)
        text = _BARE_USERINFO.sub(f"{MASK}@", text)
    return text


def mask_shapes(text: str) -> str:
    """Mask what has the shape of a token."""
    for literal, pattern in _SHAPES:
        if literal in text:
            text = pattern.sub(MASK, text)
    return text
