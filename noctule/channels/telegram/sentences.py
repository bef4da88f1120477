"""Sentences: what errors say, without what only helps at a terminal."""

import re

from noctule.core.errors import NoctuleError

_END = re.compile(r"(?<=[.!?])\s+")


def for_phones(error: NoctuleError) -> str:
    """Return what an error says, without its sentences about commands of the terminal."""
    sentences = _END.split(str(error))
    kept = [sentence for sentence in sentences if "`noctule" not in sentence]
    return " ".join(kept or sentences[:1])
