"""What may be meant by the beginning of a word: sessions by id or title, names by their start."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from noctule.channels.terminal.screens.printable import printable
from noctule.core.base.short_ids import short_ids

_TITLE_CHARS = 60
LOOKED_THROUGH = 200
"""How many of the newest sessions are suggested."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way to go on with what was typed.

    Args:
        value: what takes the place of it.
        says: a few words about it; "" says nothing.
    """

    value: str
    says: str = ""


def session_suggestions(
    sessions: Sequence[tuple[str, str]], typed: str, *, last: bool = True
) -> Iterator[Suggestion]:
    """Yield sessions whose id begins or ends so, or whose title has a word that begins so.

    Args:
        sessions: id and title of each, newest first.
        typed: what was typed so far; "" fits all.
        last: whether ``last`` names one, too.
    """
    if last and sessions and typed and "last".startswith(typed):
        yield Suggestion("last", "the newest session")
    short = short_ids([name for name, _ in sessions])
    for name, title in sessions:
        if short[name].startswith(typed) or name.startswith(typed) or _has_word(title, typed):
            yield Suggestion(short[name], one_line(title))


def name_suggestions(names: Iterable[str], typed: str) -> Iterator[Suggestion]:
    """Yield the names that begin so."""
    yield from (Suggestion(name) for name in names if name.startswith(typed))


def one_line(title: str) -> str:
    """Return a title as it may stand behind an id: one line, not long, nothing that steers."""
    words = " ".join(printable(title).split())
    return words if len(words) <= _TITLE_CHARS else f"{words[: _TITLE_CHARS - 2]} …"


def _has_word(title: str, typed: str) -> bool:
    begins = typed.casefold()
    return any(word.casefold().startswith(begins) for word in title.split())
