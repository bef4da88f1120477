"""Words to search by, the same for every database.

The databases' own parsers differ over paths, addresses, numbers and endings; they are given what
this makes of a text, and keep the index.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_LONGEST: Final = 40
_MOST: Final = 5000  # times the longest stays under the megabyte PostgreSQL allows one row
_SHORT: Final = 3
_LONG: Final = 6  # a shorter word loses too much with its e: note, not


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text: lower case, without accents and plain English endings.

    Args:
        text: whatever people or agents write; 5,000 words of it count.
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    found = _WORD.findall(bare.casefold())
    return tuple(_stem(word)[:_LONGEST] for word in found[:_MOST])


def holds_all(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether each wanted word is the beginning of one there is."""
    return all(any(word.startswith(begin) for word in words) for begin in wanted)


def closeness(title: str, text: str, wanted: Sequence[str]) -> float:
    """Return how well a text fits the words it was found by; more is better.

    A word in the title counts ten times; in a short text a word counts more than in a long one.
    """
    return 10 * _share(words_of(title), wanted) + _share(words_of(text), wanted)


def _share(words: Sequence[str], wanted: Sequence[str]) -> float:
    begins = tuple(wanted)
    return sum(word.startswith(begins) for word in words) / (len(words) + 10)


def _stem(word: str) -> str:
    stem = _without_plural(word)
    for ending in ("ing", "ed"):
        rest = stem.removesuffix(ending)
        if rest != stem and len(rest) > _SHORT and rest[-1] != "e":
            return _single(rest)
    return stem.removesuffix("e") if len(stem) > _LONG else stem


def _without_plural(word: str) -> str:
    if len(word) <= _SHORT or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word.removesuffix("ies") + "y"
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word.removesuffix("es")
    return word.removesuffix("s")


def _single(stem: str) -> str:
    doubled = stem[-1] == stem[-2] and stem[-1] not in "lsz"
    return stem[:-1] if doubled else stem
