"""Telling: the text of a reply is shown as it comes, without thinking and without written calls."""

from collections.abc import Callable, Collection

from langchain_core.messages import AIMessage, AIMessageChunk

from noctule.models.tool_calls.stream_buffer import HeldText
from noctule.models.tool_calls.thinking import ThoughtSplitter, split_thinking
from noctule.models.wire.texts import text_of, thought_of

_THOUGHT = "reasoning_content"


class ReplyStream:
    """Shows one reply.

    Args:
        tell: is handed the text.
        take_back: is called when what was shown turned out to be thinking; what is handed on
            after that is the answer from its beginning.
        offered: the names of the tools; what may be a written call of one waits.
        unseen: whether the model's replies begin inside the thinking.

    Attributes:
        told: whether any text was shown.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        take_back: Callable[[], None],
        offered: Collection[str],
        *,
        unseen: bool = False,
    ) -> None:
        self.told = False
        self._tell = tell
        self._take_back = take_back
        self._offered = offered
        self._splitter = ThoughtSplitter(unseen=unseen)
        self._held = HeldText(self._hand_on, offered)

    @property
    def began_inside(self) -> bool:
        """Whether the reply began inside thinking whose beginning was not marked."""
        return self._splitter.began_inside

    def add(self, piece: AIMessageChunk) -> None:
        """Take the next piece of the reply."""
        if piece.additional_kwargs.get(_THOUGHT) or thought_of(piece.content):
            self._show(self._splitter.sees())
        if text := text_of(piece.content):
            self._show(self._splitter.feed(text))

    def say(self, text: str) -> None:
        """Show a text that did not come as one."""
        self._hand_on(text)

    def release(self) -> None:
        """Show what waits: the reply is over, and it is an answer."""
        self._show(self._splitter.finish())
        self._held.release()

    def _hand_on(self, text: str) -> None:
        self.told = True
        self._tell(text)

    def _show(self, text: str) -> None:
        if self._splitter.took_back:
            self._splitter.took_back = False
            self._held = HeldText(self._hand_on, self._offered)
            self._take_back()
        if text:
            self._held.add(text)


def apart(message: AIMessage) -> AIMessage:
    """Return a reply whose thinking stands beside its text, wherever its server left it."""
    text = text_of(message.content)
    answer, thought = split_thinking(text)
    if answer == text:
        return message
    content: list[str | dict[str, object]] | str = answer
    if isinstance(message.content, list):
        others = [block for block in message.content if not text_of([block])]
        content = [*others, {"type": "text", "text": answer}] if answer else others
    beside = [message.additional_kwargs.get(_THOUGHT), thought.strip()]
    known = {_THOUGHT: "\n".join(part for part in beside if part)}
    kwargs = {**message.additional_kwargs, **{k: v for k, v in known.items() if v}}
    return message.model_copy(update={"content": content, "additional_kwargs": kwargs})
