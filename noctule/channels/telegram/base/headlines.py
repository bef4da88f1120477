"""Headlines: the few words by which a phone shows which piece of work is meant."""

import re

from noctule.core.sessions.sessions import Turn

_CHARS = 60
_OF_OTHERS = re.compile(r"<(data-[0-9a-f]+)>\n.*?\n</\1>", re.DOTALL)


def headline(turn: Turn) -> str:
    """Return the beginning of what was asked for, on one line, without what came along with it."""
    lines = [line.strip() for line in _OF_OTHERS.sub("", turn.text).splitlines()]
    own = [line for line in lines if line and not line.startswith(("(", ">"))]
    line = " ".join((own or [line for line in lines if line] or ["(nothing written)"])[0].split())
    return line if len(line) <= _CHARS else f"{line[: _CHARS - 1].rstrip()}…"
