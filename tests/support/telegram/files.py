"""Files in calls: those that come with them, and those they ask for."""

import struct
from typing import Any

from tests.support.telegram.params import Params
from tests.support.telegram.refusals import Refusal, bad_request
from tests.support.telegram.stored_files import StoredFile
from tests.support.telegram.world import World

MOST_DOWNLOAD_BYTES = 20 * 1024 * 1024
MOST_UPLOAD_BYTES = 50 * 1024 * 1024


def get_file(world: World, params: Params) -> dict[str, Any]:
    """``getFile``: files of more than 20 MB cannot be downloaded by bots."""
    stored = world.files.get(params.text("file_id"))
    if stored is None:
        raise bad_request("invalid file_id")
    if stored.size > MOST_DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    return stored.document | {"file_path": stored.path}


def sent_file(world: World, params: Params, value: str, name: str, kind: str) -> StoredFile:
    """Return the file a parameter means: a part of the request, or one that is known.

    Args:
        world: where files are kept.
        params: of the call.
        value: ``attach://PART``, an id, a URL, or "" for the part named as the parameter.
        name: of the parameter.
        kind: the folder for a new file.

    Raises:
        Refusal: there is no such file, it is empty or too big.
    """
    part = value.removeprefix("attach://") if value.startswith("attach://") else name
    upload = params.uploads.get(part)
    if upload is not None:
        if not upload.content:
            raise bad_request("file must be non-empty")
        if len(upload.content) > MOST_UPLOAD_BYTES:
            raise Refusal(413, "Request Entity Too Large")
        return world.files.add(kind, upload)
    if value.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")
    if not value or value.startswith("attach://"):
        raise bad_request(f"there is no {name} in the request")
    known = world.files.get(value)
    if known is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return known


def image_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, JPEG, GIF or WebP; None when it is no image."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return struct.unpack(">II", content[16:24])
    if content.startswith((b"GIF87a", b"GIF89a")) and len(content) >= 10:
        return struct.unpack("<HH", content[6:10])
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return 512, 512
    return _jpeg_size(content) if content.startswith(b"\xff\xd8") else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 < len(content) and content[position] == 0xFF:
        marker, length = content[position + 1], int.from_bytes(content[position + 2 : position + 4])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return width, height
        position += 2 + length
    return None
