"""From a message's values to the body of its request; what WhatsApp would refuse is refused here.

Sources: Meta's documentation of the Cloud API, one page a message type; facebook/openapi, v23.0.
Lengths that WhatsApp checks by itself and does not publish are left to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lumio_cli.core.errors import UsageError
from lumio_cli.providers.contract.messages import Message, Named
from lumio_cli.providers.whatsapp import files
from lumio_cli.providers.whatsapp.kinds import BY_NAME, CAPTIONED, MEDIA
from lumio_cli.providers.whatsapp.templates import in_order, listed

Upload = Callable[[Mapping[str, Any]], str]
"""Uploads a file and gives its id."""
_NAMED = re.compile(r"([a-z]\w*)=(.*)", re.DOTALL | re.IGNORECASE)
SUB_TYPES = {"url": "text", "quick_reply": "payload", "copy_code": "coupon_code"}
"""Kinds of template buttons that take a parameter, and what the parameter is called."""


def content(message: Message, upload: Upload) -> dict[str, Any]:
    """`type`, what belongs to it, and `context`. Raises `UsageError` before anything is uploaded
    that would be in vain."""
    values = _values(message)
    kind = message.kind
    found: dict[str, Any] = {}
    if reply := values.get("reply_to"):
        found["context"] = {"message_id": _message_id(reply, "reply_to")}
    if kind == "text":
        body = _text(values, "text", 4096)
        return {**found, "type": "text", "text": {"preview_url": _yes(values["preview"]),
                                                  "body": body}}  # fmt: skip
    if kind in MEDIA:
        return {**found, "type": kind, kind: _media(kind, values, upload)}
    if kind == "template":
        return {**found, "type": "template", "template": _template(values, upload)}
    if kind in ("buttons", "list"):
        make = _buttons if kind == "buttons" else _list
        return {**found, "type": "interactive", "interactive": make(values)}
    if kind == "location":
        return {**found, "type": "location", "location": _location(values)}
    if kind == "contacts":
        return {**found, "type": "contacts", "contacts": _contacts(values)}
    reaction = {
        "message_id": _message_id(values["message"], "message"),
        "emoji": str(values.get("emoji") or ""),
    }
    return {"type": "reaction", "reaction": reaction}


def _values(message: Message) -> dict[str, Any]:
    """The values with the kind's defaults. Raises `UsageError` for one too few or too many."""
    kind = BY_NAME.get(message.kind)
    if kind is None:
        raise UsageError(f"whatsapp sends no {message.kind!r}", hint=f"kinds: {', '.join(BY_NAME)}")
    known = {field.name: field.default for field in kind.fields}
    if unknown := sorted(set(message.values) - set(known)):
        raise UsageError(f"{kind.name} has no {unknown[0]!r}", hint=f"it has {', '.join(known)}")
    values = {**known, **{k: v for k, v in message.values.items() if v not in (None, "")}}
    if missing := [name for name, value in values.items() if value is None]:
        raise UsageError(f"{kind.name}: {missing[0]} is missing")
    return values


def _text(values: Mapping[str, Any], name: str, most: int) -> str:
    text = str(values[name])
    if not text.strip():
        raise UsageError(f"{name} is empty")
    if len(text) > most:
        raise UsageError(f"{name} has {len(text):,} characters; WhatsApp takes {most:,}")
    return text


def _message_id(value: Any, name: str) -> str:
    text = str(value)
    if not text.startswith("wamid."):
        raise UsageError(f"{name}: {text!r} is no id of a message", hint="it begins with wamid.")
    return text


def _yes(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes")


def _decoded(value: Any, name: str, kind: type[Any]) -> Any:
    """JSON that was given as text, or decoded already. Raises `UsageError`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise UsageError(f"{name} is not JSON: {error}") from None
    if not isinstance(value, kind):
        raise UsageError(f"{name} must be a JSON {'list' if kind is list else 'object'}")
    return value


def _link(value: Any) -> str:
    link = str(value)
    if not link.startswith(("https://", "http://")):
        raise UsageError(f"link: {link!r} is no address", hint="it begins with https://")
    return link


# -- media


def _media(kind: str, values: Mapping[str, Any], upload: Upload) -> dict[str, Any]:
    given = [name for name in ("file", "link", "media_id") if values.get(name)]
    if len(given) != 1:
        raise UsageError(f"{kind}: give one of file, link and media_id")
    found: dict[str, Any] = {}
    if kind in CAPTIONED and values.get("caption"):
        found["caption"] = _text(values, "caption", 1024)
    name = str(values.get("filename") or "")
    if given == ["link"]:
        found["link"] = _link(values["link"])
    elif given == ["media_id"]:
        found["id"] = str(values["media_id"])
    else:
        file = files.check(kind, values["file"])
        name = name or str(file["name"])
        found["id"] = upload(file)
    if kind == "document" and name:
        found["filename"] = name
    return found


# -- templates


def _template(values: Mapping[str, Any], upload: Upload) -> dict[str, Any]:
    name = str(values["template"])
    if not name.isascii() or name != name.lower() or len(name) > 512:
        raise UsageError(f"{name!r} is no name of a template", hint="lower case, digits and _")
    # `policy` has one value, and the published description wants it.
    language = {"policy": "deterministic", "code": str(values["language"])}
    if values.get("components"):
        components = _decoded(values["components"], "components", list)
    else:
        components = [*_header(values, upload), *_body(values), *_template_buttons(values)]
    found: dict[str, Any] = {"name": name, "language": language}
    return {**found, "components": components} if components else found


def _header(values: Mapping[str, Any], upload: Upload) -> list[Any]:
    given = [n for n in ("header", "header_link", "header_file") if values.get(n)]
    if len(given) > 1:
        raise UsageError("a template has one header: give one of header, header_link, header_file")
    if not given:
        return []
    if given == ["header"]:
        header = values["header"]
        named = header if isinstance(header, Mapping) else {"text": _text(values, "header", 60)}
        parameter = {"type": "text", **named}
        return [{"type": "header", "parameters": [parameter]}]
    kind = str(values.get("header_type") or "")
    if given == ["header_link"]:
        kind = kind or "image"
        source = {"link": _link(values["header_link"])}
    else:
        raw = values["header_file"]
        mime = str(raw.get("type") or "") if isinstance(raw, Mapping) else ""
        kind = kind or {"image": "image", "video": "video"}.get(mime.partition("/")[0], "document")
        source = {"id": upload(files.check(kind, raw))}
    return [{"type": "header", "parameters": [{"type": kind, kind: source}]}]


def _body(values: Mapping[str, Any]) -> list[Any]:
    """The body's parameters: in their order, or by name where each is a `name=VALUE`."""
    given = listed(values.get("body"))
    if not isinstance(given, Mapping):
        named = [_NAMED.fullmatch(item) if isinstance(item, str) else None for item in given]
        if given and all(named):
            given = {found[1]: found[2] for found in named if found}
        elif any(isinstance(item, Named) for item in given):
            raise UsageError(
                "some parameters have names and others have not",
                hint="a template counts its parameters, or it names all of them",
            )
    if isinstance(given, Mapping):
        parameters = [
            {"type": "text", "parameter_name": str(name), "text": str(value)}
            for name, value in given.items()
        ]
    else:
        parameters = [
            p if isinstance(p, dict) else {"type": "text", "text": str(p)} for p in in_order(given)
        ]
    for parameter in parameters:
        if parameter.get("type") == "text" and not str(parameter.get("text", "")).strip():
            raise UsageError("body: a parameter is empty, which WhatsApp refuses")
    return [{"type": "body", "parameters": parameters}] if parameters else []


def _template_buttons(values: Mapping[str, Any]) -> list[Any]:
    if not values.get("buttons"):
        return []
    found = []
    for number, button in enumerate(_decoded(values["buttons"], "buttons", list)):
        kind = button.get("type") if isinstance(button, dict) else None
        if kind not in SUB_TYPES or "value" not in button:
            raise UsageError(
                f"buttons: {json.dumps(button, ensure_ascii=False)} needs a type and a value",
                hint=f"types are {', '.join(SUB_TYPES)}",
            )
        name = SUB_TYPES[kind]
        found.append(
            {
                "type": "button",
                "sub_type": kind,
                "index": str(button.get("index", number)),
                "parameters": [{"type": name, name: str(button["value"])}],
            }
        )
    return found


# -- buttons and lists


def _around(values: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Header, body and footer."""
    found: dict[str, Any] = {}
    if values.get("header"):
        found["header"] = {"type": "text", "text": _text(values, "header", 60)}
    found["body"] = {"text": _text(values, "text", most)}
    if values.get("footer"):
        found["footer"] = {"text": _text(values, "footer", 60)}
    return found


def _within(text: Any, what: str, most: int) -> str:
    return _text({what: "" if text is None else text}, what, most)


def _apart(values: Sequence[str], what: str) -> None:
    if len(set(values)) < len(values):
        raise UsageError(f"{what} must differ from each other")


def _buttons(values: Mapping[str, Any]) -> dict[str, Any]:
    given = values["buttons"]
    if isinstance(given, str):
        given = (
            _decoded(given, "buttons", list)
            if given.lstrip().startswith("[")
            else [part.strip() for part in given.split(",")]
        )
    pairs = []
    for item in given:
        if isinstance(item, Mapping):
            title = item.get("title")
            key = item.get("id", title)
        else:
            key, equals, title = str(item).partition("=")
            title = title if equals else key
        pairs.append((_within(key, "id of a button", 256), _within(title, "title of a button", 20)))
    if not 1 <= len(pairs) <= 3:
        raise UsageError(f"buttons: {len(pairs)} are given; WhatsApp takes one to three")
    _apart([key for key, _ in pairs], "ids of buttons")
    _apart([title for _, title in pairs], "titles of buttons")
    buttons = [{"type": "reply", "reply": {"id": key, "title": title}} for key, title in pairs]
    return {"type": "button", **_around(values, 1024), "action": {"buttons": buttons}}


def _list(values: Mapping[str, Any]) -> dict[str, Any]:
    given = _decoded(values["sections"], "sections", list)
    sections, ids = [], []
    for section in given:
        if not isinstance(section, Mapping) or not isinstance(section.get("rows"), list):
            raise UsageError("sections: each needs its rows")
        rows = []
        for row in section["rows"]:
            made = {
                "id": _within(row.get("id"), "id of a row", 200),
                "title": _within(row.get("title"), "title of a row", 24),
            }
            if row.get("description"):
                made["description"] = _within(row["description"], "description of a row", 72)
            ids.append(made["id"])
            rows.append(made)
        titled: dict[str, Any] = {}
        if len(given) > 1 or section.get("title"):
            titled["title"] = _within(section.get("title"), "title of a section", 24)
        sections.append({**titled, "rows": rows})
    if not 1 <= len(ids) <= 10 or len(sections) > 10:
        raise UsageError(f"sections: {len(ids)} rows are given; WhatsApp takes one to ten in all")
    _apart(ids, "ids of rows")
    action = {"button": _text(values, "button", 20), "sections": sections}
    return {"type": "list", **_around(values, 4096), "action": action}


# -- the others


def _location(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, most in (("latitude", 90), ("longitude", 180)):
        try:
            number = float(values[name])
        except (TypeError, ValueError):
            raise UsageError(f"{name} is no number: {values[name]!r}") from None
        if not -most <= number <= most:
            raise UsageError(f"{name} must lie between -{most} and {most}")
        found[name] = str(values[name]).strip()
    return found | {n: str(values[n]) for n in ("name", "address") if values.get(n)}


def _contacts(values: Mapping[str, Any]) -> list[Any]:
    given: list[Any] = _decoded(values["contacts"], "contacts", list)
    if not 1 <= len(given) <= 5:
        raise UsageError(f"contacts: {len(given)} are given; WhatsApp takes one to five")
    for contact in given:
        name = contact.get("name") if isinstance(contact, Mapping) else None
        if not isinstance(name, Mapping) or not name.get("formatted_name") or len(name) < 2:
            raise UsageError("contacts: each needs name.formatted_name and one more part of a name")
    return given
