"""Formatted text as the Bot API takes it: counted in UTF-16 units, entities or a parse mode."""

from tests.support.telegram.messages import Entities
from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request

MOST_TEXT_UNITS = 4096
MOST_CAPTION_UNITS = 1024


def units(text: str) -> int:
    """Return the length in UTF-16 code units, in which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def read_formatted(params: Params, name: str, entities_name: str) -> tuple[str, Entities]:
    """Return a text parameter and its entities.

    Raises:
        Refusal: it cannot be parsed, or an entity is out of bounds.
    """
    text = params.text(name)
    entities: Entities = params.structure(entities_name, "entities") or []
    for entity in entities:
        end = entity["offset"] + entity["length"]
        if end > units(text):
            raise bad_request(
                f"entity beginning at UTF-16 offset {entity['offset']} ends after the end "
                f"of the text at UTF-16 offset {end}"
            )
    return text, entities
