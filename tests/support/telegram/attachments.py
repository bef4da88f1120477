"""What people attach to their messages, as fields of the ``Message`` object."""

from itertools import count
from typing import Any

from tests.support.telegram.files import image_size
from tests.support.telegram.params import Upload
from tests.support.telegram.world import World

THUMBNAIL_PIXELS = 90


class Attachments:
    """Puts files on Telegram's servers for people.

    Args:
        world: where they are kept.
    """

    _albums = count(12_000_000_001)

    def __init__(self, world: World) -> None:
        self._files = world.files

    def album_id(self) -> str:
        """Return the id that the messages of one album share."""
        return str(next(self._albums))

    def photo(self, content: bytes) -> dict[str, Any]:
        """Return a photo in two sizes, the small one first, as Telegram makes them.

        Raises:
            ValueError: it is no image.
        """
        size = image_size(content)
        if size is None:
            raise ValueError("a photo has to be a PNG, JPEG, GIF or WebP: no size can be read")
        upload = Upload("", content, "image/jpeg")
        width, height = size
        large = self._files.add("photos", upload).document | {"width": width, "height": height}
        small = self._files.add("thumbnails", upload).document
        small |= {
            "width": min(width, THUMBNAIL_PIXELS),
            "height": min(height, THUMBNAIL_PIXELS),
        }
        return {"photo": [small, large]}

    def document(
        self, name: str, content: bytes, media_type: str, size: int | None
    ) -> dict[str, Any]:
        """Return a document; None for the size it has."""
        stored = self._files.add("documents", Upload(name, content, media_type), size=size)
        return {"document": stored.document | {"file_name": name, "mime_type": media_type}}

    def voice(self, seconds: int) -> dict[str, Any]:
        """Return a voice message of a length in seconds."""
        stored = self._files.add("voice", Upload("", b"OggS" + bytes(60), "audio/ogg"))
        return {"voice": stored.document | {"duration": seconds, "mime_type": "audio/ogg"}}

    def sticker(self, emoji: str) -> dict[str, Any]:
        """Return a sticker that stands for an emoji."""
        stored = self._files.add("stickers", Upload("", b"RIFF\x00\x00\x00\x00WEBP", "image/webp"))
        kind = {"type": "regular", "is_animated": False, "is_video": False}
        size = {"width": 512, "height": 512, "emoji": emoji}
        return {"sticker": stored.document | kind | size}
