"""Uploaded files: multipart in, an id out; the bytes come back only with a token."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from ..http import Request
from .errors import invalid

MEGABYTE = 1_048_576
LIMITS = {
    "image/jpeg": 5 * MEGABYTE,
    "image/png": 5 * MEGABYTE,
    "image/webp": 500 * 1024,
    "audio": 16 * MEGABYTE,
    "video/mp4": 16 * MEGABYTE,
    "video/3gpp": 16 * MEGABYTE,
    "text/plain": 100 * MEGABYTE,
    "application": 100 * MEGABYTE,
}
"""Bytes by MIME type, or by the first half of it."""


@dataclass(frozen=True, slots=True)
class Media:
    """One uploaded file."""

    id: str
    mime: str
    name: str
    data: bytes

    def document(self, base_url: str) -> dict[str, Any]:
        """What asking for the id answers; the size comes as text."""
        return {
            "messaging_product": "whatsapp",
            "url": f"{base_url}/whatsapp_business/attachments/{self.id}",
            "mime_type": self.mime,
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "file_size": str(len(self.data)),
            "id": self.id,
        }


def read_upload(request: Request, media_id: str) -> Media:
    """The file of an upload (RFC 7578). Raises Answered."""
    found = re.match(r'multipart/form-data;.*boundary="?([^";]+)"?',
                     request.headers.get("content-type", ""))  # fmt: skip
    if found is None:
        raise invalid("The parameter file is required.")
    parts: dict[str, tuple[dict[str, str], bytes]] = {}
    for piece in request.body.split(b"--" + found[1].encode())[1:-1]:
        head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.decode().split("\r\n"))
        }
        name = re.search(r'[; ]name="([^"]*)"', headers.get("content-disposition", ""))
        if name:
            parts[name[1]] = (headers, data.removesuffix(b"\r\n"))
    if "messaging_product" not in parts or parts["messaging_product"][1] != b"whatsapp":
        raise invalid("The parameter messaging_product is required.")
    if "file" not in parts:
        raise invalid("The parameter file is required.")
    headers, data = parts["file"]
    mime = headers.get("content-type", "").partition(";")[0].strip()
    limit = LIMITS.get(mime) or LIMITS.get(mime.partition("/")[0])
    if limit is None:
        raise invalid(f"Param file must be a file of a supported type. Received {mime or 'none'}.")
    if len(data) > limit:
        raise invalid(f"File size of {len(data)} exceeds the limit of {limit} for {mime}")
    name = re.search(r'filename="([^"]*)"', headers.get("content-disposition", ""))
    return Media(media_id, mime, name[1] if name else "", data)
