"""Messages from templates: what is compared with the template as it was approved.

Sources: Meta's documentation, "Error codes" of the Cloud API (132000 to 132018) and "Template
components" (named and positional parameters, formats of headers). How the details are worded, and
that a parameter without its name is a (#100), is known from those who met it: chatwoot#13851,
whatomate#144 and #351, netflie/laravel-notification-whatsapp#36 and #41. What WhatsApp says of a
name where the template counts its parameters is not published; here it is a (#100) as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import invalid, messaging

BODY_MOST, HEADER_MOST, ALONE_MOST = 1024, 60, 32_768
"""Characters of a body and of a header with their parameters in place; of a body that is alone."""
PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
SPACES = re.compile(r"[\n\r\t]| {5,}")
MEDIA = ("IMAGE", "VIDEO", "DOCUMENT")


def check(content: dict[str, Any], find: Callable[[str, str], Any]) -> None:
    """Raises Answered for what does not fit the template that `find` gives by name and language."""
    language = content.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    if not content.get("name") or not code:
        raise invalid("The parameters template['name'] and template['language'] are required.")
    template = find(str(content["name"]), str(code))
    if template is None:
        raise messaging(132001, f"template name ({content['name']}) does not exist in {code}")
    if template["status"] in ("PAUSED", "DISABLED"):
        raise messaging(132015 if template["status"] == "PAUSED" else 132016)
    if template["status"] != "APPROVED":
        raise messaging(132001, f"template name ({content['name']}) is not approved in {code}")
    given: dict[str, list[Any]] = {"header": [], "body": []}
    buttons = []
    for component in content.get("components") or ():
        kind = str(component.get("type")).lower()
        if kind == "button":
            buttons.append(component)
        elif kind in given:
            given[kind] = list(component.get("parameters") or ())
        else:
            raise messaging(131009, f"components: {kind} is no component of a message")
    named = template.get("parameter_format") == "NAMED"
    parts = {part["type"]: part for part in template["components"]}
    alone = set(parts) == {"BODY"}
    body = str(parts.get("BODY", {}).get("text", ""))
    _texts("body", body, given["body"], named, ALONE_MOST if alone else BODY_MOST)
    _header(parts.get("HEADER"), given["header"], named)
    _buttons(parts.get("BUTTONS"), buttons)


def _texts(where: str, text: str, given: list[Any], named: bool, most: int) -> None:
    places = list(dict.fromkeys(PLACE.findall(text)))
    values: dict[str, str] = {}
    for number, parameter in enumerate(given, 1):
        kind = str(parameter.get("type"))
        if kind not in ("text", "currency", "date_time"):
            raise messaging(
                132012, f"{where}: Format mismatch, expected TEXT, received {kind.upper()}"
            )
        value = parameter.get("text") if kind == "text" else parameter[kind].get("fallback_value")
        if not isinstance(value, str) or not value:
            raise messaging(131008, f"Parameter '{kind}' is mandatory for component parameter type")
        if SPACES.search(value):
            raise messaging(
                132018, "Param text cannot have new-line/tab characters or more than 4 "
                "consecutive spaces",
            )  # fmt: skip
        name = parameter.get("parameter_name")
        if named and not name:
            raise invalid("Invalid parameter: Parameter name is missing or empty")
        if name and not named:
            raise invalid("Invalid parameter: parameter_name is not allowed for this template")
        values[str(name or number)] = value
    if len(given) != len(places):
        raise messaging(
            132000, f"{where}: number of localizable_params ({len(given)}) does not match the "
            f"expected number of params ({len(places)})",
        )  # fmt: skip
    if named and set(values) != set(places):
        strange = min(set(values) - set(places), default="")
        raise messaging(132012, f"{where}: the template has no parameter {strange}")
    length = len(PLACE.sub(lambda found: values.get(found[1], ""), text))
    if length > most:
        raise messaging(132005, f"{where}: translated text has {length} characters, max {most}")


def _header(header: dict[str, Any] | None, given: list[Any], named: bool) -> None:
    form = str(header.get("format", "TEXT")) if header else "TEXT"
    if form == "TEXT":
        _texts("header", str(header.get("text", "")) if header else "", given, named, HEADER_MOST)
        return
    kinds = [str(parameter.get("type")).upper() for parameter in given]
    received = kinds[0] if len(kinds) == 1 else "UNKNOWN"
    if form not in MEDIA or received != form:
        raise messaging(132012, f"header: Format mismatch, expected {form}, received {received}")


def _buttons(part: dict[str, Any] | None, given: list[Any]) -> None:
    known = list(part.get("buttons") or ()) if part else []
    wanted = {
        str(n) for n, b in enumerate(known) if b["type"] == "URL" and PLACE.search(b.get("url", ""))
    }
    for component in given:
        index, kind = str(component.get("index")), str(component.get("sub_type")).upper()
        if not index.isdigit() or int(index) >= len(known) or known[int(index)]["type"] != kind:
            raise messaging(132012, f"buttons: Button at index {index} is no {kind}")
        if kind == "URL" and index not in wanted:
            raise messaging(132012, f"buttons: Button at index {index} takes no parameter")
        wanted.discard(index)
    if wanted:
        raise messaging(
            131008, f"buttons: Button at index {min(wanted)} of type Url requires a parameter"
        )
