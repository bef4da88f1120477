"""One call: knows when a stream has brought the one call that is taken of it.

Small models repeat a call ten to twenty-six times in one reply, and llama.cpp ignores
``parallel_tool_calls: false`` (tried 2026-11): what comes after the first call is time for nothing.
"""

from collections.abc import Collection

from langchain_core.messages import AIMessageChunk

from noctule.models.tool_calls.manner import Manner
from noctule.models.tool_calls.quotations import IsQuoted, never_quoted
from noctule.models.tool_calls.text_tool_calls import find_imitation
from noctule.models.tool_calls.thinking import split_thinking
from noctule.models.wire.texts import text_of

_FENCE = "```"


class OneCall:
    """Watches the pieces of one answer.

    Args:
        manner: how the model was asked.
        offered: the names of the tools; with none nothing is ever over.
        quoted: knows what stands in what was read: a call repeated from there ends nothing.

    Attributes:
        is_complete: whether the call has come and something else had begun.
    """

    def __init__(
        self, manner: Manner, offered: Collection[str], quoted: IsQuoted = never_quoted
    ) -> None:
        self._manner = manner
        self._quoted = quoted
        self._offered = offered
        self._calls: set[object] = set()
        self._text = ""
        self.is_complete = False

    def take(self, piece: AIMessageChunk) -> bool:
        """Look at the next piece; True when it is still of use, False when it is all too much."""
        if self._manner.several or not self._offered or self.is_complete:
            return True
        if self._manner.by_text:
            self._take_text(text_of(piece.content))
            return True
        before = set(self._calls)
        keys = [_key(chunk) for chunk in piece.tool_call_chunks]
        self._calls.update(key for key in keys if key is not None)
        self.is_complete = len(self._calls) > 1
        return not (self.is_complete and before and before.isdisjoint(keys))

    def _take_text(self, text: str) -> None:
        self._text += text
        if "`" in text and self._text.count(_FENCE) > 1:
            end = self._text.rindex(_FENCE) + len(_FENCE)
            answer, _ = split_thinking(self._text[:end])  # a call thought about is not made
            found = find_imitation(answer, self._offered, self._quoted)
            self.is_complete = found is not None and found.calls[0].arguments is not None


def _key(chunk: object) -> object:
    """Return what tells the pieces of one call from those of the next; None for neither."""
    if not isinstance(chunk, dict):
        return None
    index = chunk.get("index")
    return chunk.get("id") if index is None else index
