"""LinkedIn's URLs and texts: Rest.li 2.0 escaping, and the little text format.

Rest.li leaves the delimiters of lists and objects as they are and percent-encodes everything else,
so that a query has to be written as it will be sent. In little text, reserved characters that are
not escaped end a post's text without an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from lumio_cli.core.errors import UsageError
from lumio_cli.providers.contract.call import Call, Json

MARK = "{owner}"
"""Stands in a path for the organization that a listing is about."""
# A hashtag stands at the beginning of a word; anything else is a reserved character.
_LITTLE = re.compile(
    r"@\[(?:\\.|[^\\\]])*\]\(urn:li:[^()\s]+\)"  # a mention
    r"|\{hashtag\|\\?[#＃]\|(?:\\.|[^\\}])+\}"
    r"|#\w+"
    r"|\\[\\|{}@\[\]()<>#*_~]"
    r"|[^\\|{}@\[\]()<>#*_~]",
    re.DOTALL,
)
"""What little text is made of, as LinkedIn's page on its format describes it."""
_RESERVED = re.compile(r"(?<![\w&/])#([^\W_]+)|([\\|{}@\[\]()<>#*_~])")


def escape(value: str) -> str:
    """A string as Rest.li wants it in a query or a path."""
    return quote(value, safe="")


def urn(kind: str, key: object) -> str:
    """`urn:li:KIND:KEY`."""
    return f"urn:li:{kind}:{key}"


def organization_of(name: str) -> str:
    """The URN of a page, from its URN or its number. Raises `UsageError`."""
    found = re.fullmatch(r"(?:urn:li:organization:)?(\d+)", name.strip())
    if found is None:
        raise UsageError(
            f"{name!r} is no page of LinkedIn",
            hint="give its number, or urn:li:organization:NUMBER (see linkedin_organizations)",
        )
    return urn("organization", found[1])


def call(
    version: str,
    method: str,
    path: str,
    route: str = "",
    *,
    restli: str = "",
    json: Json = None,
    safe: bool | None = None,
) -> Call:
    """A call below /rest with the headers that all of them need. `restli` is the Rest.li method,
    for those that HTTP's own does not tell."""
    headers: Mapping[str, str] = {
        "LinkedIn-Version": version,
        "X-Restli-Protocol-Version": "2.0.0",
        **({"X-RestLi-Method": restli} if restli else {}),
    }
    label = route or path.partition("?")[0]
    return Call(method, path, route=label, json=json, headers=headers, safe=safe)


def end_of(text: str) -> int:
    """Where LinkedIn would end a little text: at its length, or at the first character that is out
    of place."""
    end = 0
    while found := _LITTLE.match(text, end):
        end = found.end()
    return end


def little_text(text: str) -> str:
    """Plain text as a post takes it: reserved characters escaped, hashtags as hashtags."""
    return _RESERVED.sub(
        lambda m: f"{{hashtag|\\#|{m[1]}}}" if m[1] else f"\\{m[2]}",
        text,
    )
