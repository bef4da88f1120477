"""Methods that send files: documents, photos, and several of them as an album."""

from typing import Any

from tests.support.telegram.envelopes import read_envelope, read_markup
from tests.support.telegram.files import image_size, sent_file
from tests.support.telegram.formatting import MOST_CAPTION_UNITS, formatted, read_formatted
from tests.support.telegram.marks import units
from tests.support.telegram.messages import Entities
from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.stored_files import StoredFile
from tests.support.telegram.texts import change, own_message
from tests.support.telegram.world import World

MOST_PHOTO_BYTES = 10 * 1024 * 1024
MOST_IN_AN_ALBUM = 10


def send_document(world: World, params: Params) -> dict[str, Any]:
    """``sendDocument``."""
    envelope = read_envelope(world, params)
    caption = read_caption(params)
    stored = sent_file(world, params, params.text("document"), "document", "documents")
    return envelope.post(world, document_content(stored) | caption).document()


def send_photo(world: World, params: Params) -> dict[str, Any]:
    """``sendPhoto``: at most 10 MB, and an image."""
    envelope = read_envelope(world, params)
    caption = read_caption(params)
    stored = sent_file(world, params, params.text("photo"), "photo", "photos")
    return envelope.post(world, photo_content(stored) | caption).document()


def send_media_group(world: World, params: Params) -> list[dict[str, Any]]:
    """``sendMediaGroup``: up to ten photos, or up to ten documents."""
    envelope = read_envelope(world, params)
    media = params.structure("media", "media")
    if not media:
        raise bad_request("there are no media to send")
    if len(media) > MOST_IN_AN_ALBUM:
        raise bad_request("too many messages to send as an album")
    kinds = {item.get("type") for item in media}
    if len(kinds) > 1 or not kinds <= {"photo", "document"}:
        raise bad_request("can't use the media of the specified type in the album")
    contents = [_album_item(world, params, item) for item in media]
    album = str(13_000_000_000 + len(world.calls))
    posted = [envelope.post(world, content, media_group_id=album) for content in contents]
    return [message.document() for message in posted]


def edit_message_caption(world: World, params: Params) -> dict[str, Any]:
    """``editMessageCaption``."""
    message = own_message(world, params, "edit")
    if "text" in message.content:
        raise bad_request("there is no caption in the message to edit")
    caption = read_caption(params)
    kept = {k: v for k, v in message.content.items() if not k.startswith("caption")}
    return change(world, message, kept | caption, read_markup(params, inline=True))


def document_content(stored: StoredFile) -> dict[str, Any]:
    """Return the fields of a message that carries a document."""
    names = {"file_name": stored.name, "mime_type": stored.media_type}
    return {"document": stored.document | names}


def photo_content(stored: StoredFile) -> dict[str, Any]:
    """Return the fields of a message that carries a photo.

    Raises:
        Refusal: it is too big, or no image.
    """
    if stored.size > MOST_PHOTO_BYTES:
        raise bad_request(f"file of size {stored.size} bytes is too big for a photo")
    size = image_size(stored.content)
    if size is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = size
    if width + height > 10_000 or max(size) > 20 * min(size):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return {"photo": [stored.document | {"width": width, "height": height}]}


def read_caption(params: Params) -> dict[str, Any]:
    """Return the fields of a caption; {} for none.

    Raises:
        Refusal: it cannot be parsed or is too long.
    """
    return _caption_fields(*read_formatted(params, "caption", "caption_entities"))


def _caption_fields(text: str, entities: Entities) -> dict[str, Any]:
    if units(text) > MOST_CAPTION_UNITS:
        raise bad_request("message caption is too long")
    fields = {"caption": text, "caption_entities": entities}
    return {name: value for name, value in fields.items() if value}


def _album_item(world: World, params: Params, item: dict[str, Any]) -> dict[str, Any]:
    kind = item["type"]
    stored = sent_file(world, params, item.get("media", ""), "media", f"{kind}s")
    content = photo_content(stored) if kind == "photo" else document_content(stored)
    given = item.get("caption_entities") or []
    caption = formatted(item.get("caption", ""), item.get("parse_mode", ""), given)
    return content | _caption_fields(*caption)
