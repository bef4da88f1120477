"""Likeness: which lines of a file somebody meant who wrote them down not quite right."""

import difflib

_SHOWN_AT_MOST = 20
_SEARCHED_LINES = 5000
_COMPARED_LETTERS = 300
_NEAR_ENOUGH = 0.5


def nearest(lines: list[str], wanted: list[str]) -> tuple[int, list[str]] | None:
    """Return the lines of a file that are most like some others, and the first one's number.

    Args:
        lines: of the file; the first 5,000 are looked at.
        wanted: what is looked for; its first 20 lines count.

    Returns:
        None when nothing is like it.
    """
    wanted = wanted[:_SHOWN_AT_MOST]
    if not any(line.strip() for line in wanted):
        return None
    first = next(index for index, line in enumerate(wanted) if line.strip())
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted[first].strip()[:_COMPARED_LETTERS])
    best, at = _NEAR_ENOUGH, -1
    for index, line in enumerate(lines[:_SEARCHED_LINES]):
        matcher.set_seq1(line.strip()[:_COMPARED_LETTERS])
        if matcher.real_quick_ratio() <= best or matcher.quick_ratio() <= best:
            continue
        if (ratio := matcher.ratio()) > best:
            best, at = ratio, index
    if at < 0:
        return None
    start = max(0, at - first)
    return start + 1, lines[start : start + len(wanted)]
