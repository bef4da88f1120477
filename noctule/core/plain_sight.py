"""Plain sight: what an agent wants to act on, written so that who is asked sees all of it.

A command or a document is shown to be judged, so nothing in it may hide the rest: characters that
turn text around or take no room are spelled out, gaps that push something out of sight are
counted, and where it is too long, that is said where it is cut.
"""

import re
import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
_GAP = re.compile(r"[ \t]{33,}|(?:[ \t]*\n){6,}")
_HEAD_SHARE = 0.7
_WHOLE_WORD = re.compile(r"[\w.~+/=:%@,-]*")


def in_plain_sight(text: str, *, most: int) -> str:
    """Return a text as people are shown it.

    Args:
        text: masked.
        most: how many characters of it are shown, its beginning and its end.
    """
    shown = _GAP.sub(_counted, "".join(map(_spelled, text)))
    if len(shown) <= most:
        return shown
    head = int(most * _HEAD_SHARE)
    tail = most - head
    return (
        f"{shown[:head]}\n[... {len(shown) - most:,} characters are not shown here: say no unless "
        f"you would allow whatever they are ...]\n{shown[-tail:]}"
    )


def hides_more_than_words(hidden: list[str]) -> bool:
    """Say whether what was masked may be more than a key or password: spaces, signs, a command.

    Args:
        hidden: what stood where the mask stands now.
    """
    return not all(_WHOLE_WORD.fullmatch(text) for text in hidden)


def _spelled(letter: str) -> str:
    if letter in "\n\t " or not (
        unicodedata.category(letter) in _UNSEEN or letter in _BLANK_LETTERS
    ):
        return letter
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - as Python writes it


def _counted(gap: re.Match[str]) -> str:
    lines = gap[0].count("\n")
    what = f"{lines:,} empty lines" if lines else f"{len(gap[0]):,} spaces"
    return f" [... {what} ...] " if not lines else f"\n[... {what} ...]\n"
