"""Files that messages carry: what WhatsApp takes, and how they are uploaded.

Sources: Meta's documentation, "Media" (supported types and sizes); RFC 7578 (multipart/form-data).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from lumio_cli.core.errors import UsageError
from lumio_cli.providers.contract.call import Call

MB = 1_048_576
TYPES: dict[str, tuple[tuple[str, ...], int]] = {
    "image": (("image/jpeg", "image/png"), 5 * MB),
    "video": (("video/mp4", "video/3gpp"), 16 * MB),
    "audio": (
        ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"),
        16 * MB,
    ),
    "sticker": (("image/webp",), 500 * 1024),
    "document": ((), 100 * MB),
}
"""By kind of message: the MIME types that are taken (none named: any) and the most bytes."""


def check(kind: str, file: Any) -> Mapping[str, Any]:
    """The file, if WhatsApp takes it in such a message. Raises `UsageError`."""
    if not isinstance(file, Mapping) or not isinstance(file.get("data"), bytes):
        raise UsageError(f"{kind}: not a file")
    types, most = TYPES[kind]
    name, mime, data = str(file.get("name") or "file"), str(file.get("type") or ""), file["data"]
    mime = mime.partition(";")[0].strip().lower()
    if types and mime not in types:
        raise UsageError(
            f"{name} is {mime or 'of an unknown type'}, which WhatsApp does not take as {kind}",
            hint=f"it takes {', '.join(types)}",
        )
    if not data:
        raise UsageError(f"{name} is empty")
    if len(data) > most:
        raise UsageError(
            f"{name} has {len(data):,} bytes; WhatsApp takes at most {most:,} as {kind}"
        )
    return {"name": name, "type": mime or "application/octet-stream", "data": data}


def upload(path: str, file: Mapping[str, Any], keys: Mapping[str, str]) -> Call:
    """The request that uploads it. Uploading twice leaves one file more, and does no harm."""
    data = bytes(file["data"])
    # Named by the content, so that the same file makes the same request, and it cannot occur in
    # it: what would have to contain its own digest does not exist.
    boundary = f"lumio-{blake2b(data, digest_size=16).hexdigest()}"
    name = re.sub(r'["\r\n\\]', "_", str(file["name"]))
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in (("messaging_product", "whatsapp"), ("type", file["type"]))
    )
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {file['type']}\r\n\r\n"
    )
    return Call(
        "POST",
        path,
        route="/{phone_number_id}/media",
        content=head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
        safe=True,
        keys=keys,
        # WhatsApp keeps it for 30 days: a file for many is uploaded once, not for each of them.
        cache_for=86_400.0,
    )
