"""What is wrong with blocks, in Slack's words: `invalid_blocks` names each fault by its place.

Modelled on docs.slack.dev's reference of Block Kit: how many and how long things may be.
"""

from __future__ import annotations

from typing import Any

BLOCKS_MAX = 50
_TEXTS = {
    # By kind of block: the parts that are text objects, with their longest length.
    "section": {"text": 3000},
    "header": {"text": 150},
    "image": {"title": 2000},
}
_LISTS = {
    "section": {"fields": 10},
    "context": {"elements": 10},
    "actions": {"elements": 25},
    "table": {"rows": 100},
}
_NEEDED = {
    "header": ("text",),
    "context": ("elements",),
    "actions": ("elements",),
    "image": ("alt_text",),
}
_BUTTON = {"value": 2000, "url": 3000, "action_id": 255}


def faults(blocks: list[Any]) -> list[str]:
    """All faults of a message's blocks; none: it is taken."""
    found: list[str] = []
    if len(blocks) > BLOCKS_MAX:
        found.append(f"no more than {BLOCKS_MAX} items allowed [json-pointer:/blocks]")
    names = set()
    for index, block in enumerate(blocks):
        at = f"/blocks/{index}"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            found.append(f"no such block type [json-pointer:{at}]")
            continue
        name = block.get("block_id")
        found += _long(name, 255, f"{at}/block_id")
        if name and name in names:
            found.append(f"block_id {name} is not unique [json-pointer:{at}/block_id]")
        names.add(name)
        found += _block(block, at)
    markdown = sum(len(str(b.get("text"))) for b in blocks if _is(b, "markdown"))
    if markdown > 12_000:
        found.append("must be less than 12001 characters [json-pointer:/blocks]")
    return found


def _is(block: Any, kind: str) -> bool:
    return isinstance(block, dict) and block.get("type") == kind


def _block(block: dict[str, Any], at: str) -> list[str]:
    kind = block["type"]
    found = [
        f"missing required field: {name} [json-pointer:{at}]"
        for name in _NEEDED.get(kind, ())
        if not block.get(name)
    ]
    if kind == "section" and not block.get("text") and not block.get("fields"):
        found.append(f"missing required field: text or fields [json-pointer:{at}]")
    for name, most in _TEXTS.get(kind, {}).items():
        if name in block:
            found += _text(block[name], most, f"{at}/{name}", plain=kind == "header")
    for name, most in _LISTS.get(kind, {}).items():
        if len(block.get(name) or ()) > most:
            found.append(f"no more than {most} items allowed [json-pointer:{at}/{name}]")
    if kind == "image":
        found += _long(block.get("alt_text"), 2000, f"{at}/alt_text")
        found += _long(block.get("image_url"), 3000, f"{at}/image_url")
    for number, field in enumerate(block.get("fields") or ()):
        found += _text(field, 2000, f"{at}/fields/{number}")
    elements = [*(block.get("elements") or ()), *filter(None, [block.get("accessory")])]
    for number, element in enumerate(elements):
        if kind in ("section", "actions") and _is(element, "button"):
            place = f"{at}/elements/{number}"
            found += _text(element.get("text"), 75, f"{place}/text", plain=True)
            for name, most in _BUTTON.items():
                found += _long(element.get(name), most, f"{place}/{name}")
        elif kind == "context" and not _is(element, "image"):
            found += _text(element, 3000, f"{at}/elements/{number}")
    return found


def _text(value: Any, most: int, at: str, plain: bool = False) -> list[str]:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(value, dict) or value.get("type") not in kinds:
        return [f"unsupported type: {value.get('type') if isinstance(value, dict) else None} "
                f"[json-pointer:{at}]"]  # fmt: skip
    if not value.get("text"):
        return [f"must be more than 0 characters [json-pointer:{at}/text]"]
    return _long(value["text"], most, f"{at}/text")


def _long(value: Any, most: int, at: str) -> list[str]:
    if len(str(value or "")) <= most:
        return []
    return [f"must be less than {most + 1} characters [json-pointer:{at}]"]
