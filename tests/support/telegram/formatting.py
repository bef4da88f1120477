"""Formatted text as the Bot API takes it: entities or a parse mode, trimmed, links found."""

import re
from typing import Any

from tests.support.telegram.html_mode import parse_html
from tests.support.telegram.markdown_mode import parse_markdown
from tests.support.telegram.marks import checked_url, units
from tests.support.telegram.messages import Entities
from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request

MOST_TEXT_UNITS = 4096
MOST_CAPTION_UNITS = 1024
MOST_ENTITIES = 100

_GIVEN = frozenset(
    {
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "date_time",
    }
)
_FOUND = {
    "mention": re.compile(r"(?<![\w@/])@[A-Za-z]\w{3,31}\b", re.ASCII),
    "hashtag": re.compile(r"(?<![\w#&])#(?=\w*[^\W\d])\w+"),
    "bot_command": re.compile(r"(?<![\w/<>])/\w{1,64}(?:@\w{3,32})?(?![\w/<>])", re.ASCII),
    "url": re.compile(r"(?<![\w@])(?:https?|ftp)://[^\s<>\"]*[^\s<>\".,;:!?')\]]"),
    "email": re.compile(r"(?<![\w.@/])[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", re.ASCII),
}
# Nothing is looked for inside these: they are what somebody said they are.
_CLOSED = frozenset({"code", "pre", "text_link", "text_mention"})


def read_formatted(
    params: Params, name: str = "text", entities_name: str = "entities"
) -> tuple[str, Entities]:
    """Return a text parameter without its markup, trimmed, and its entities.

    Raises:
        Refusal: it cannot be parsed, or an entity is not within the text.
    """
    return formatted(
        params.text(name),
        params.text("parse_mode"),
        params.structure(entities_name, "entities") or [],
    )


def formatted(text: str, mode: str, given: Entities) -> tuple[str, Entities]:
    """Return a text without its markup, trimmed, and its entities.

    Raises:
        Refusal: it cannot be parsed, or an entity is not within the text.
    """
    if mode.lower() == "html":
        text, entities = parse_html(text)
    elif mode.lower() == "markdownv2":
        text, entities = parse_markdown(text)
    elif mode:
        raise bad_request("unsupported parse_mode")
    else:
        entities = _checked(text, given)
    text, entities = _trimmed(text, entities)
    entities += [found for found in find_entities(text) if not _inside(found, entities)]
    return text, sorted(entities, key=lambda e: (e["offset"], -e["length"]))[:MOST_ENTITIES]


def find_entities(text: str) -> Entities:
    """Return commands, mentions, hashtags, URLs and addresses, which Telegram finds by itself."""
    entities: Entities = []
    for kind, pattern in _FOUND.items():
        for match in pattern.finditer(text):
            offset = units(text[: match.start()])
            entities.append({"type": kind, "offset": offset, "length": units(match[0])})
    return sorted(entities, key=lambda entity: int(entity["offset"]))


def _checked(text: str, given: Entities) -> Entities:
    kept = []
    encoded = text.encode("utf-16-le")
    for entity in given:
        kind = entity.get("type")
        if kind not in _GIVEN | _FOUND.keys() | {"cashtag", "phone_number"}:
            raise bad_request("can't parse MessageEntity: Unsupported type specified")
        offset, end = entity["offset"], entity["offset"] + entity["length"]
        if offset < 0:
            raise bad_request(f"receive an entity with incorrect offset {offset}")
        if end < offset:
            raise bad_request(f"receive an entity with incorrect length {entity['length']}")
        if 2 * end > len(encoded):
            raise bad_request(
                f"entity beginning at UTF-16 offset {offset} ends after the end of the text at "
                f"UTF-16 offset {end}"
            )
        for border, verb in ((offset, "begins"), (end, "ends")):
            if _splits_a_character(encoded, border):
                where = f"in a middle of a UTF-16 symbol at UTF-16 offset {border}"
                raise bad_request(f"entity beginning at UTF-16 offset {offset} {verb} {where}")
        if kind in _GIVEN and end > offset:
            kept.append(_with_checked_url(entity))
    return kept


def _with_checked_url(entity: dict[str, Any]) -> dict[str, Any]:
    if entity["type"] != "text_link":
        return dict(entity)
    url = checked_url(entity.get("url", ""))
    if not url:
        raise bad_request(f"entity URL '{entity.get('url', '')}' is invalid: Wrong HTTP URL")
    return entity | {"url": url}


def _splits_a_character(encoded: bytes, border: int) -> bool:
    following = encoded[2 * border : 2 * border + 2]
    return bool(following) and 0xDC00 <= int.from_bytes(following, "little") <= 0xDFFF


def _trimmed(text: str, entities: Entities) -> tuple[str, Entities]:
    """Cut white space at the end, and at the beginning before the first entity."""
    text = text.rstrip(" \n")
    end = units(text)
    first = min((entity["offset"] for entity in entities), default=end)
    blank = len(text) - len(text.lstrip(" \n"))
    cut = min(blank, first)
    kept = []
    for entity in entities:
        length = min(entity["length"], end - entity["offset"])
        if length > 0:
            kept.append(entity | {"offset": entity["offset"] - cut, "length": length})
    return text[cut:], kept


def _inside(found: dict[str, Any], entities: Entities) -> bool:
    begin, end = found["offset"], found["offset"] + found["length"]
    return any(
        entity["type"] in _CLOSED
        and entity["offset"] < end
        and begin < entity["offset"] + entity["length"]
        for entity in entities
    )
