"""Text of models and providers as a terminal may be given it."""

import re

STEERING = re.compile(
    r"\x1b(?:[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?|\[[0-?]{0,32}[ -/]{0,4}[@-~])"
    r"|[\x9d\x90\x98\x9e\x9f][^\x07\x9c\x1b\n]{0,4096}[\x07\x9c]|\x9b[0-?]{0,32}[ -/]{0,4}[@-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""What steers a terminal or turns the direction of writing: whole sequences, then characters."""


def printable(text: str) -> str:
    """Return text without control characters: what a model says must not steer the terminal.

    Line ends and tabs stay. What turns the direction of writing goes, so that nothing is read in
    another order than it stands; lone surrogates, which no terminal can be sent, go as well. Of a
    sequence nothing stays, neither its parameters nor the title it would set.
    """
    return STEERING.sub("", text)


def spelt_out(text: str) -> str:
    """Return text in which such characters are spelt out as Python writes them, for documents.

    A document is kept and looked at by other programs: it holds everything, and steers none.
    """
    return _CHARACTER.sub(lambda found: _code(found[0]), text)


def escaped_in_json(text: str) -> str:
    """Return a JSON document with what steers a terminal as escapes: it means the same."""
    return _CHARACTER.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_CHARACTER = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def _code(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - as Python writes it
