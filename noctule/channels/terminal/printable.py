"""Text of models and providers as a terminal may be given it."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return text without control characters: what a model says must not steer the terminal.

    Line ends and tabs stay. What turns the direction of writing goes, so that nothing is read in
    another order than it stands; lone surrogates, which no terminal can be sent, go as well.
    """
    return _CONTROL.sub("", text)


def shown(text: str) -> str:
    """Return text of records and conversations as a terminal is shown it, without secrets."""
    from noctule.channels.discretion import masked  # noqa: PLC0415 - not for --help

    return printable(masked(text))
