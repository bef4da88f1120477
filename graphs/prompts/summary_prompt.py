"""The prompt of a summary: as much of the newest work as the model that reads it holds."""

from dataclasses import dataclass

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

from noctule.core.ports.prompts import Fitted, NoRoomError, Reader, TooLong
from noctule.core.tools.outside_text import end_of

_LEAST_CHARS = 200


@dataclass(frozen=True, slots=True)
class SummaryPrompt:
    """Makes the prompt for whichever model sums up; satisfies ``Fit``.

    Args:
        system: what the model is told first.
        script: the work, oldest first.
    """

    system: str
    script: str

    def whole(self, reader: Reader) -> Fitted:
        """Return the prompt with all of the work."""
        del reader
        return Fitted(self._messages(len(self.script)))

    def fitted(self, reader: Reader) -> Fitted:
        """Return the prompt with the end of the work that fits.

        Raises:
            NoRoomError: not even a little of it does.
        """
        room, chars = reader.prompt_tokens, len(self.script)
        while room is not None and reader.counter.count(self._messages(chars)) > room:
            if chars <= _LEAST_CHARS:
                raise NoRoomError(
                    TooLong.TASK,
                    why=f"holds {reader.window_tokens} tokens, too few for a summary",
                    cure="Bind a model with a larger context to roles.utility.",
                )
            chars = chars * 3 // 4
        return Fitted(self._messages(chars))

    def _messages(self, chars: int) -> list[AnyMessage]:
        return [SystemMessage(self.system), HumanMessage(end_of(self.script, chars))]
