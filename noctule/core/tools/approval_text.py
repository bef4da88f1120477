"""Plain sight: what an agent wants to act on, written so that who is asked sees all of it.

A command or a document is shown to be judged, so nothing in it may hide the rest: characters that
turn text around or take no room are spelled out, gaps that push something out of sight are
counted, and where it is too long, that is said where it is cut.
"""

import json
import re
import unicodedata
from collections.abc import Iterator

_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_BLANK_LETTERS = "\u2800"
_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Default_Ignorable_Code_Point: what fonts show as nothing (Unicode 15, DerivedCoreProperties)."""

_QUOTE = "\u2502 "
_MOST_MARKS = 2
_MOST_NAMED = 5
_BEYOND_ASCII = re.compile(r"[^\n\x20-\x7e]")
_GAP = re.compile(r"[ \t]{33,}|(?:[ \t]*\n){6,}")
_HEAD_SHARE = 0.7
_WHOLE_WORD = re.compile(r"[\w.~+/=:%@,-]*")


def reveal_hidden(text: str, *, most: int) -> str:
    """Return a text as people are shown it.

    Args:
        text: masked.
        most: how many characters of it are shown, its beginning and its end.
    """
    shown = _GAP.sub(_counted, "".join(_letters(text)))
    if len(shown) <= most:
        return shown
    head = int(most * _HEAD_SHARE)
    tail = most - head
    return (
        f"{shown[:head]}\n[... {len(shown) - most:,} characters are not shown here: say no unless "
        f"you would allow whatever they are ...]\n{shown[-tail:]}"
    )


def only_seen(text: str) -> str:
    """Return a text without what shows as nothing: no model reads what no person can see."""
    return "".join(
        letter if letter in "\n\t " or not _is_unseen(letter) else " " * letter.isspace()
        for letter in text
    )


def on_one_line(text: str, *, most: int) -> str:
    """Return a name as people are shown it: line ends and tabs in it are spelt out as well."""
    return reveal_hidden(text.replace("\n", "\\n").replace("\t", "\\t"), most=most)


def quoted(text: str) -> str:
    """Return a text with a mark before each line: nobody takes one of them for a line of ours.

    Args:
        text: in plain sight.
    """
    return "\n".join(f"{_QUOTE}{line}" for line in text.split("\n"))


def hides_more_than_words(hidden: list[str]) -> bool:
    """Say whether what was masked may be more than a key or password: spaces, signs, a command.

    Args:
        hidden: what stood where the mask stands now.
    """
    return not all(_WHOLE_WORD.fullmatch(text) for text in hidden)


def unseen_escaped(document: str) -> str:
    """Return a JSON document that means the same, with what cannot be seen in it written out.

    Args:
        document: as ``json.dumps`` writes it.
    """
    return _BEYOND_ASCII.sub(_escaped, document)


def odd_letters(text: str) -> str | None:
    """Return a sentence about the characters of a command that are not ASCII; None: all are.

    Letters of other scripts look like ours (``\u0430`` like ``a``), and quotation marks like those
    of a shell.
    """
    odd = [letter for letter in text if not letter.isascii()]
    if not odd:
        return None
    kinds = list(dict.fromkeys(odd))
    named = ", ".join(
        f"U+{ord(kind):04X} {unicodedata.name(kind, 'without a name')}"
        for kind in kinds[:_MOST_NAMED]
    )
    more = f" and {len(kinds) - _MOST_NAMED} more kinds" if len(kinds) > _MOST_NAMED else ""
    count = "1 character is" if len(odd) == 1 else f"{len(odd):,} characters are"
    return f"{count} not ASCII: {named}{more}."


def _letters(text: str) -> Iterator[str]:
    """Yield each character as it is shown; marks on nothing or in heaps cover what is near."""
    marks = _MOST_MARKS
    for letter in text:
        if unicodedata.category(letter) in {"Mn", "Me"}:
            marks += 1
            yield _code(letter) if marks > _MOST_MARKS or _is_unseen(letter) else letter
            continue
        marks = _MOST_MARKS if letter in "\n\t " else 0
        yield _code(letter) if letter not in "\n\t " and _is_unseen(letter) else letter


def _is_unseen(letter: str) -> bool:
    code = ord(letter)
    return (
        unicodedata.category(letter) in _UNSEEN
        or letter in _BLANK_LETTERS
        or any(first <= code <= last for first, last in _IGNORABLE)
    )


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if _is_unseen(found[0]) else found[0]


def _code(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - as Python writes it


def _counted(gap: re.Match[str]) -> str:
    lines = gap[0].count("\n")
    what = f"{lines:,} empty lines" if lines else f"{len(gap[0]):,} spaces"
    return f" [... {what} ...] " if not lines else f"\n[... {what} ...]\n"
