"""Text of models and providers as a terminal may be given it."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """Return text without control characters: what a model says must not steer the terminal.

    Line ends and tabs stay; lone surrogates, which no terminal can be sent, go as well.
    """
    return _CONTROL.sub("", text)
