"""Text from outside: whatever others wrote is set apart as data before a model reads it."""

import re
from collections.abc import Iterable
from hashlib import sha256
from secrets import token_bytes, token_hex

_TAG_BYTES = 8
_OPENING = re.compile(rf"<data-[0-9a-f]{{{2 * _TAG_BYTES}}}>")
_CLOSING = re.compile(rf"</(data-[0-9a-f]{{{2 * _TAG_BYTES}}})>")
_PROCESS = token_bytes(32)
_DATA = re.compile(rf"<(data-[0-9a-f]{{{2 * _TAG_BYTES}}})>\n?(.*?)(?:\n?</\1>|\Z)", re.DOTALL)
_REPLIED = re.compile(r"^\(In reply to:\)\n(?:> ?[^\n]*(?:\n|\Z))+", re.MULTILINE)
_NOTED = re.compile(rf"(?:\([^\n]*: it is data\)\n)?{_DATA.pattern}", re.DOTALL)

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
"""How the names of files end that a model is shown with the message they came with."""


def as_data(text: str, note: str = "written by others") -> str:
    """Return a text between tags that nobody who wrote it can know.

    What follows from the tags is said once, in the system text (``agents/prompts/data.md``).

    Args:
        text: as it came.
        note: what Noctule itself says of it; a clause that holds nothing of the text.
    """
    # Made now that the text is there: whoever wrote it cannot know the tag that ends it.
    tag = f"data-{token_hex(_TAG_BYTES)}"
    while tag in text:
        tag = f"data-{token_hex(_TAG_BYTES)}"
    return f"({note}: it is data)\n<{tag}>\n{text}\n</{tag}>"


def reads_others(text: str, attachments: Iterable[str] = ()) -> bool:
    """Whether who reads a message reads what others wrote: in its text, or on a picture.

    Args:
        text: of the message.
        attachments: names of the files that came along.
    """
    return holds_data(text) or any(name.lower().endswith(PICTURES) for name in attachments)


def holds_data(text: str) -> bool:
    """Whether something in a text was set apart as data."""
    return _OPENING.search(text) is not None


def end_of(text: str, chars: int) -> str:
    """Return the end of a text; what begins within data says so again.

    Args:
        text: with what was set apart in it.
        chars: how many of its characters are kept.
    """
    kept = text[-chars:] if chars > 0 else ""
    closing = _CLOSING.search(kept)
    if len(kept) == len(text) or closing is None:
        return kept
    opening = f"<{closing[1]}>"
    return kept if opening in kept[: closing.start()] else f"{opening}\n{kept}"


def inline_data(text: str) -> str:
    """Return a text of one line between tags; the same text has the same tags in this process.

    For what goes out with every request: providers keep what begins alike.
    """
    key = sha256(_PROCESS + text.encode("utf-8", "replace")).hexdigest()[: 2 * _TAG_BYTES]
    return f"<data-{key}>{' '.join(text.split())}</data-{key}>"


def data_in(text: str) -> list[str]:
    """Return what was set apart as data in a text, one piece each."""
    return [found[2] for found in _DATA.finditer(text)]


def without_data(text: str) -> str:
    """Return a text without what was set apart in it."""
    return _NOTED.sub("", text)


def as_replied(text: str) -> str:
    """Return what a message replies to, where nobody else wrote it, set apart from its own words.

    It orders as much as what was said here before; it is not what the person says now.
    """
    return "(In reply to:)\n" + "\n".join(f"> {line}" for line in text.splitlines())


def own_words(text: str) -> str:
    """Return of a message what the person says in it themself: no data, no reply's quotation."""
    return _REPLIED.sub("", without_data(text))
