"""Sentences: what errors say, without what only helps at a terminal."""

import re

_FLAG = re.compile(r"--(at|budget|allow|role|model)\b")
_END = re.compile(r"(?<=[.!?])\s+")


def error_text(said: object) -> str:
    """Return what an error says, without its sentences about commands of the terminal.

    Args:
        said: the error, or its sentence.
    """
    sentences = _END.split(str(said))
    kept = [sentence for sentence in sentences if "`noctule" not in sentence]
    return _FLAG.sub(r"\1", " ".join(kept or sentences[:1]))
