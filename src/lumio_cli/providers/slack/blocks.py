"""Block Kit: what Slack takes, so that what it would refuse is refused before.

Source: docs.slack.dev, reference of Block Kit (blocks, composition objects, the button element).
Kinds of blocks that are not named here, and what is not bounded there, are left to Slack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lumio_cli.core.errors import UsageError

BLOCKS_MAX = 50
ID_MAX = 255
SECTION_MAX, FIELDS_MAX, FIELD_MAX = 3000, 10, 2000
HEADER_MAX = 150
MARKDOWN_MAX = 12_000
"""Characters of all blocks of Markdown of a message together."""
URL_MAX, ALT_MAX = 3000, 2000
ELEMENTS = {"context": 10, "actions": 25}
BUTTON = {"text": 75, "value": 2000, "url": 3000, "action_id": ID_MAX}
TABLE_ROWS, TABLE_CELLS = 100, 20


def check(blocks: list[Any]) -> None:
    """Raises `UsageError` for the first thing that Slack would refuse, with its place."""
    if len(blocks) > BLOCKS_MAX:
        raise UsageError(f"there are {len(blocks)} blocks, and Slack takes {BLOCKS_MAX}")
    for problem in _problems(blocks):
        raise UsageError(problem, hint="https://docs.slack.dev/reference/block-kit/blocks")


def _problems(blocks: list[Any]) -> Iterator[str]:
    names: dict[str, int] = {}
    markdown = 0
    for number, block in enumerate(blocks, 1):
        kind, where = str(block["type"]), f"block {number} ({block['type']})"
        name = block.get("block_id")
        if name is not None:
            yield from _length(name, ID_MAX, f"{where}: block_id")
            if str(name) in names:
                yield f"{where}: block {names[str(name)]} has the same block_id"
            names[str(name)] = number
        if kind == "section":
            yield from _section(block, where)
        elif kind == "header":
            yield from _text(block.get("text"), HEADER_MAX, f"{where}: text", ("plain_text",))
        elif kind in ELEMENTS:
            yield from _elements(block, kind, where)
        elif kind == "image":
            yield from _image(block, where)
        elif kind == "markdown":
            markdown += len(str(block.get("text") or ""))
            if markdown > MARKDOWN_MAX:
                yield f"{where}: Slack takes {MARKDOWN_MAX:,} characters of Markdown in a message"
        elif kind == "table":
            yield from _table(block, where)


def _section(block: Mapping[str, Any], where: str) -> Iterator[str]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield f"{where}: it needs a text, or fields"
    if block.get("text") is not None:
        yield from _text(block["text"], SECTION_MAX, f"{where}: text")
    yield from _many(fields, FIELDS_MAX, f"{where}: fields")
    for number, field in enumerate(fields if isinstance(fields, list) else (), 1):
        yield from _text(field, FIELD_MAX, f"{where}: field {number}")
    yield from _button(block.get("accessory"), f"{where}: accessory")


def _elements(block: Mapping[str, Any], kind: str, where: str) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not elements:
        yield f"{where}: it needs elements"
        return
    yield from _many(elements, ELEMENTS[kind], f"{where}: elements")
    for number, element in enumerate(elements, 1):
        place = f"{where}: element {number}"
        yield from _button(element, place)
        if kind == "context" and isinstance(element, Mapping) and element.get("type") != "image":
            yield from _text(element, SECTION_MAX, place)


def _image(block: Mapping[str, Any], where: str) -> Iterator[str]:
    if not block.get("image_url") and not block.get("slack_file"):
        yield f"{where}: it needs an image_url, or a slack_file"
    yield from _length(block.get("image_url") or "", URL_MAX, f"{where}: image_url")
    if not block.get("alt_text"):
        yield f"{where}: it needs an alt_text"
    yield from _length(block.get("alt_text") or "", ALT_MAX, f"{where}: alt_text")


def _button(element: Any, where: str) -> Iterator[str]:
    if not isinstance(element, Mapping) or element.get("type") != "button":
        return
    yield from _text(element.get("text"), BUTTON["text"], f"{where}: text", ("plain_text",))
    for name in ("value", "url", "action_id"):
        yield from _length(element.get(name) or "", BUTTON[name], f"{where}: {name}")


def _table(block: Mapping[str, Any], where: str) -> Iterator[str]:
    rows = block.get("rows")
    yield from _many(rows, TABLE_ROWS, f"{where}: rows")
    for number, row in enumerate(rows if isinstance(rows, list) else (), 1):
        yield from _many(row, TABLE_CELLS, f"{where}: row {number}")


def _text(
    value: Any, most: int, where: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Iterator[str]:
    if not isinstance(value, Mapping) or value.get("type") not in kinds:
        yield f"{where}: it is no text object of type {' or '.join(kinds)}"
    elif not isinstance(value.get("text"), str) or not value["text"]:
        yield f"{where}: it is empty"
    else:
        yield from _length(value["text"], most, where)


def _length(value: Any, most: int, where: str) -> Iterator[str]:
    if len(str(value)) > most:
        yield f"{where}: it has {len(str(value)):,} characters, and Slack takes {most:,}"


def _many(value: Any, most: int, where: str) -> Iterator[str]:
    if isinstance(value, list) and len(value) > most:
        yield f"{where}: there are {len(value)}, and Slack takes {most}"
