"""Templates as the hub knows them: what messages are made of, and what WhatsApp would refuse.

Sources: Meta's documentation, "Template components" (placeholders by number or by name, formats of
headers, 60 characters of a header and 1,024 of a body with its parameters in place, 32,768 of one
that is alone) and "Error codes" of the Cloud API (132000 to 132018); "Messaging limits" (the number
of users a day outside of the 24 hours, for the whole portfolio: 250 to 100,000, or none).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from lumio_cli.core.errors import RejectedError, UsageError
from lumio_cli.providers.contract.messages import Message, Named, Past, Reach
from lumio_cli.providers.whatsapp.resources import PHONE_NUMBERS, TEMPLATES

HEADER_MOST, BODY_MOST, ALONE_MOST = 60, 1024, 32_768
MEDIA = ("IMAGE", "VIDEO", "DOCUMENT")
SYNC = "if it has changed since: `lumio sync whatsapp/templates`"
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_SPACES = re.compile(r"[\n\r\t]| {5,}")
_NUMBERED = re.compile(r"(\d{1,3})=(.*)", re.DOTALL)
_TIER = re.compile(r"TIER_(\d+)(K?)")
_REFUSED = {"PAUSED": "132015", "DISABLED": "132016"}
"""By status: the code that WhatsApp refuses with; by any other but APPROVED it is 132001."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template in one language. `header` is its text, `form` its format; empty: it has none."""

    name: str
    status: str
    named: bool
    form: str
    header: str
    body: str
    buttons: Sequence[Any]
    alone: bool


def known(values: Mapping[str, Any], past: Past) -> Template | None:
    """The template that a message is made from, if the hub has it."""
    name, language = str(values.get("template") or ""), str(values.get("language") or "en_US")
    match = {"name": name, "language": language}

    def told(path: str) -> str:
        return past.latest(TEMPLATES.name, match, path) or ""

    return _read(name, told("status"), told("parameter_format"), told("components"))


@lru_cache(maxsize=64)
def _read(name: str, status: str, form: str, listed: str) -> Template | None:
    parts = json.loads(listed) if listed else None
    if not isinstance(parts, list):
        return None
    by_kind = {str(part.get("type")).upper(): part for part in parts if isinstance(part, dict)}
    header = by_kind.get("HEADER", {})
    buttons = by_kind.get("BUTTONS", {}).get("buttons")
    return Template(
        name,
        status,
        form.upper() == "NAMED",
        str(header.get("format") or "TEXT").upper() if header else "",
        str(header.get("text") or ""),
        str(by_kind.get("BODY", {}).get("text") or ""),
        tuple(b for b in buttons if isinstance(b, dict)) if isinstance(buttons, list) else (),
        set(by_kind) == {"BODY"},
    )


def places(text: str) -> list[str]:
    """What stands in the double braces of a text, each once, in its order."""
    return list(dict.fromkeys(_PLACE.findall(text)))


def parameters(values: Mapping[str, Any], past: Past) -> frozenset[str]:
    """The names of the parameters of the template that these values name."""
    template = known(values, past)
    if template is None or not template.named:
        return frozenset()
    return frozenset((*places(template.header), *places(template.body)))


# -- what messages are made of


def prepared(message: Message, past: Past) -> Message:
    """The message with its parameters and its header as the template wants them. Raises
    `UsageError` where they cannot be told apart."""
    values = message.values
    if message.kind != "template" or values.get("components"):
        return message
    template = known(values, past)
    if template is None:
        return message
    body = listed(values.get("body"))
    header = values.get("header") or ""
    if template.named:
        body, header = _by_name(template, body, header)
    else:
        body, header = _by_number(template, body), _alone(template, header)
    made = {**values, "body": body, "header": header}
    if template.form in MEDIA and (values.get("header_link") or values.get("header_file")):
        wanted = template.form.lower()
        if values.get("header_type") not in (None, "", wanted):
            raise UsageError(
                f"header_type: the header of the template {template.name} is of type {wanted}"
            )
        made["header_type"] = wanted
    return replace(message, values=made)


def listed(body: Any) -> list[Any] | Mapping[str, Any]:
    """Parameters as a list, or by their names; JSON that was given as text is read. Raises
    `UsageError`."""
    if isinstance(body, str) and body.lstrip().startswith(("[", "{")):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise UsageError(f"body is not JSON: {error}") from None
    if isinstance(body, str):
        return [body] if body else []
    if not isinstance(body, Mapping | list | tuple | None):
        raise UsageError(f"body: {body!r} is no list of parameters")
    return body if isinstance(body, Mapping) else list(body or ())


def _by_name(template: Template, body: Any, header: Any) -> tuple[Any, Any]:
    above, below = places(template.header), places(template.body)
    given = dict(body) if isinstance(body, Mapping) else {}
    for item in () if isinstance(body, Mapping) else body:
        name, equals, value = str(item).partition("=")
        if isinstance(item, Mapping) or not equals:
            listed = ", ".join((*above, *below)) or "none"
            raise UsageError(
                f"the template {template.name} names its parameters: {listed}",
                hint="give each with its name: `--param NAME=VALUE`, or a column of that name",
            )
        given[name] = value
    if isinstance(header, Mapping):
        header = Named(str(header.get("parameter_name")), header.get("text"))
    for item in header if isinstance(header, list) else [header] if header else []:
        name, equals, value = str(item).partition("=")
        if isinstance(item, Named) or (equals and name in above):
            given[name] = value
        elif len(above) == 1:
            given[above[0]] = str(item)
        else:
            raise _one_header(template)
    for name in above:
        if name in given:
            value = given[name] if name in below else given.pop(name)
            header = {"parameter_name": name, "text": str(value)}
    return given, header


def _by_number(template: Template, body: Any) -> list[Any]:
    if isinstance(body, Mapping):
        numbers = [str(n) for n in range(1, len(body) + 1)]
        if strange := next((str(name) for name in body if str(name) not in numbers), ""):
            raise _counted(template, strange)
        body = [body[n] for n in numbers]
    for item in body:
        if isinstance(item, Named):
            raise _counted(template, item.name)
    body = in_order(body)
    return [item if isinstance(item, Mapping) else {"type": "text", "text": str(item)}
            for item in body]  # fmt: skip


def in_order(given: Sequence[Any]) -> Sequence[Any]:
    """Parameters by their numbers, where all of them are written as `1=Ada`, `2=...`."""
    found = [_NUMBERED.fullmatch(item) if isinstance(item, str) else None for item in given]
    places = {int(one[1]): one[2] for one in found if one}
    if not given or len(places) < len(given) or set(places) != set(range(1, len(given) + 1)):
        return given
    return [places[number] for number in sorted(places)]


def _counted(template: Template, name: str) -> UsageError:
    count = len(places(template.body))
    return UsageError(
        f"the template {template.name} counts its parameters, and has none called {name!r}",
        hint=f"it has {count}: `--param VALUE` for each, or columns 1 to {count}" if count
        else "it has no parameters",
    )  # fmt: skip


def _alone(template: Template, header: Any) -> Any:
    """A header's one parameter, where it was given by its number."""
    if not isinstance(header, list):
        return header
    if len(header) != 1 or isinstance(header[0], Named):
        raise _one_header(template)
    return header[0]


def _one_header(template: Template) -> UsageError:
    return UsageError(
        f"header: the template {template.name} has {len(places(template.header))} parameters there",
        hint="the header of a template has one parameter at most",
    )


# -- what would be refused


def judge(name: str, language: str, components: Sequence[Any], past: Past) -> None:
    """Raises `UsageError` for components that do not fit the template, as far as the hub knows it,
    and `RejectedError` for a template that WhatsApp sends nothing from."""
    given: dict[str, list[Any]] = {"header": [], "body": []}
    buttons = []
    for component in components:
        kind = str(component.get("type") if isinstance(component, Mapping) else "").lower()
        if kind == "button":
            buttons.append(component)
        elif kind in given:
            given[kind] = component.get("parameters") or []
            if not isinstance(given[kind], list) or not all(
                isinstance(item, Mapping) for item in given[kind]
            ):
                raise UsageError(f"components: the parameters of the {kind} are no list of objects")
    for where, items in given.items():
        for text in _values(items).values():
            if _SPACES.search(text):
                raise UsageError(
                    f"{where}: a parameter has a line break, a tab or more than four blanks in a"
                    " row, which WhatsApp refuses (132018)",
                    hint="take them out of the cell",
                )
    template = known({"template": name, "language": language}, past)
    if template is None:
        _missing(name, language, past)
        return
    if template.status != "APPROVED":
        raise RejectedError(
            f"the template {name} in {language} is {template.status.lower() or 'not approved'},"
            " and WhatsApp sends approved ones only",
            category=_REFUSED.get(template.status, "132001"),
            hint=SYNC,
        )
    body_most = ALONE_MOST if template.alone else BODY_MOST
    if template.form in MEDIA:
        _media(template, given["header"])
    else:
        _fits(template, "header", template.header, given["header"], HEADER_MOST)
    _fits(template, "body", template.body, given["body"], body_most)
    _buttons(template, buttons)


def _missing(name: str, language: str, past: Past) -> None:
    """A template that is not in the hub does not exist, if the hub has templates at all."""
    if past.latest(TEMPLATES.name, {}, "name") is None:
        return
    other = past.latest(TEMPLATES.name, {"name": name}, "language")
    raise RejectedError(
        f"the hub knows no template {name} in {language}"
        + (f", but one in {other}" if other else ""),
        category="132001",
        hint=f"--language {other}" if other else SYNC,
    )


def _values(parameters: Sequence[Any]) -> dict[str, str]:
    """What parameters put into the text, by name or number."""
    found = {}
    for number, item in enumerate(parameters, 1):
        kind = str(item.get("type"))
        value = item.get("text") if kind == "text" else None
        if kind in ("currency", "date_time") and isinstance(item.get(kind), Mapping):
            value = item[kind].get("fallback_value")
        if value is not None:
            found[str(item.get("parameter_name") or number)] = str(value)
    return found


def _fits(template: Template, where: str, text: str, given: Sequence[Any], most: int) -> None:
    wanted, values = places(text), _values(given)
    if len(given) != len(wanted) or (template.named and set(values) != set(wanted)):
        listed = f": {', '.join(wanted)}" if template.named and wanted else ""
        got = f": {', '.join(values)}" if template.named and values else ""
        raise UsageError(
            f"{where}: the template {template.name} has {len(wanted)} parameters{listed}, and"
            f" {len(given)} are given{got}",
            hint=SYNC,
        )
    length = len(_PLACE.sub(lambda place: values.get(place[1], ""), text))
    if length > most:
        raise UsageError(
            f"{where}: with its parameters it has {length:,} characters, and WhatsApp takes"
            f" {most:,} (132005)"
        )


def _media(template: Template, given: Sequence[Any]) -> None:
    wanted = template.form.lower()
    if len(given) != 1 or given[0].get("type") != wanted:
        raise UsageError(
            f"header: the template {template.name} has a header of type {wanted}, which each"
            " message has to bring along",
            hint="give header_link or header_file",
        )


def _buttons(template: Template, given: Sequence[Any]) -> None:
    """Buttons whose address ends with a parameter need it; others may have one, or none."""
    taken = {str(component.get("index")): component for component in given}
    for index, component in taken.items():
        button = template.buttons[int(index)] if _within(index, template.buttons) else {}
        kind = str(component.get("sub_type")).upper()
        if kind in ("URL", "QUICK_REPLY", "COPY_CODE") and button.get("type") != kind:
            raise UsageError(
                f"buttons: the template {template.name} has no {kind.lower()} button {index}",
                hint="buttons are counted from 0, as the template has them",
            )
    for number, button in enumerate(template.buttons):
        needed = button.get("type") == "URL" and _PLACE.search(str(button.get("url") or ""))
        if needed and str(number) not in taken:
            raise UsageError(
                f"buttons: the address of button {number} of the template {template.name} needs"
                " its parameter (131008)",
                hint=f'--set \'buttons=[{{"type": "url", "index": {number}, "value": "..."}}]\'',
            )


def _within(index: str, buttons: Sequence[Any]) -> bool:
    return index.isdecimal() and int(index) < len(buttons)


def reach(past: Past) -> Reach | None:
    """How many users the portfolio may write to in a day, by the hub's phone numbers. Only from
    templates can a conversation be opened."""
    told = past.latest(PHONE_NUMBERS.name, {}, "whatsapp_business_manager_messaging_limit")
    tier = _TIER.fullmatch(told or "")
    people = int(tier[1]) * (1000 if tier[2] else 1) if tier else 0
    return Reach(people, frozenset({"template"})) if people else None
