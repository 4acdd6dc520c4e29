"""The kinds of messages and what they are made of.

Sources: Meta's documentation of the Cloud API, one page a message type; facebook/openapi, v23.0,
for lengths (ActionObject, SectionObject).
"""

from __future__ import annotations

from lumio_cli.providers.contract.fields import Field
from lumio_cli.providers.contract.messages import MessageKind

TO = "phone number with its country code (+5511987654321), or a business-scoped user id"
MEDIA = ("image", "video", "audio", "document", "sticker")
CAPTIONED = ("image", "video", "document")

_REPLY = Field("reply_to", "id of the message that this one answers (wamid...)", default="")
_HEADER = Field("header", "line above the text, at most 60 characters", default="")
_FOOTER = Field("footer", "line below the text, at most 60 characters", default="")


def _media(name: str, title: str, what: str) -> MessageKind:
    fields = [
        Field("file", f"a file to upload: {what}", kind="file", default=""),
        Field("link", "address that WhatsApp fetches it from, instead of a file", default=""),
        Field("media_id", "id of a file that was uploaded before, instead of a file", default=""),
    ]
    if name in CAPTIONED:
        fields.append(Field("caption", "text below it, at most 1024 characters", default=""))
    if name == "document":
        fields.append(Field("filename", "name that the recipient sees", default=""))
    return MessageKind(name, title, (*fields, _REPLY), to=TO, bulk=True)


KINDS = (
    MessageKind(
        "template",
        "Approved template",
        (
            Field("template", "name of the template"),
            Field("language", "its language", default="en_US", pattern=r"[a-z]{2,3}(_[A-Za-z]+)?"),
            Field(
                "body",
                "parameters of its body, by their numbers from 1, or as name=VALUE",
                kind="list",
                default="",
            ),
            Field("header", "parameter of its header, where that is text", default=""),
            Field("header_link", "address of its header's image, video or document", default=""),
            Field("header_file", "the same, as a file to upload", kind="file", default=""),
            Field("header_type", "image, video or document, as the template has it", default="",
                  pattern="image|video|document|"),
            Field("buttons", "parameters of its buttons, JSON: "
                  '[{"type": "url", "index": 0, "value": "abc"}]', default=""),
            Field("components", "all of its components as JSON, instead of the above", default=""),
            _REPLY,
        ),
        to=TO,
        bulk=True,
    ),
    MessageKind(
        "text",
        "Text",
        (
            Field("text", "at most 4096 characters"),
            Field("preview", "show a preview of its first link", kind="boolean", default=False),
            _REPLY,
        ),
        to=TO,
        bulk=True,
    ),
    _media("image", "Image", "JPEG or PNG, at most 5 MB"),
    _media("video", "Video", "MP4 or 3GPP, at most 16 MB"),
    _media("audio", "Audio", "AAC, AMR, MP3, M4A or OGG (Opus), at most 16 MB"),
    _media("document", "Document", "any file, at most 100 MB"),
    _media("sticker", "Sticker", "WebP, at most 500 KB"),
    MessageKind(
        "buttons",
        "Text with reply buttons",
        (
            Field("text", "at most 1024 characters"),
            Field("buttons", "one to three titles of at most 20 characters; id=TITLE names one",
                  kind="list"),
            _HEADER,
            _FOOTER,
            _REPLY,
        ),
        to=TO,
        bulk=True,
    ),
    MessageKind(
        "list",
        "Text with a list to choose from",
        (
            Field("text", "at most 4096 characters"),
            Field("button", "what opens the list, at most 20 characters"),
            Field("sections", 'JSON: [{"title": "T", "rows": [{"id": "1", "title": "R", '
                  '"description": "D"}]}], at most 10 rows in all'),
            _HEADER,
            _FOOTER,
            _REPLY,
        ),
        to=TO,
        bulk=True,
    ),
    MessageKind(
        "location",
        "Location",
        (
            Field("latitude", "degrees, -90 to 90", kind="number"),
            Field("longitude", "degrees, -180 to 180", kind="number"),
            Field("name", "name of the place", default=""),
            Field("address", "its address", default=""),
            _REPLY,
        ),
        to=TO,
    ),
    MessageKind(
        "contacts",
        "Contact cards",
        (
            Field("contacts", 'JSON: [{"name": {"formatted_name": "Ada L", "first_name": "Ada"}, '
                  '"phones": [{"phone": "+551140000000"}]}]'),
            _REPLY,
        ),
        to=TO,
    ),
    MessageKind(
        "reaction",
        "Reaction to a message",
        (
            Field("message", "id of the message (wamid...)"),
            Field("emoji", "one emoji; empty takes the reaction back", default=""),
        ),
        to=TO,
    ),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}
