"""Messages in the order that strict chat templates accept.

Templates of small models (SmolLM2, Gemma, Mistral and others) expect one system message, at the
start, and then user and assistant in turns, the user first; some stop with an error at anything
else, some silently drop it.
"""

from collections.abc import Iterable, Sequence

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from noctule.models.clients.texts import plain, text_of

_OPENING = "(The conversation goes on.)"


def orderly(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the same conversation with its system texts in front and its speakers in turns."""
    plainly = plain(messages)
    system = [text for m in plainly if isinstance(m, SystemMessage) if (text := text_of(m.content))]
    turns = _in_turns(m for m in plainly if not isinstance(m, SystemMessage))
    if turns and not isinstance(turns[0], HumanMessage):
        turns.insert(0, HumanMessage(_OPENING))
    if not system:
        return turns
    return [SystemMessage("\n\n".join(system)), *turns]


def _in_turns(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    turns: list[BaseMessage] = []
    for message in messages:
        if turns and _same_speaker(turns[-1], message):
            before = turns.pop()
            both = f"{before.content}\n\n{message.content}"
            turns.append(before.model_copy(update={"content": both}))
        else:
            turns.append(message)
    return turns


def _same_speaker(before: BaseMessage, after: BaseMessage) -> bool:
    """Whether two neighbours may be said as one: both text, and neither part of a tool call."""
    if isinstance(before, ToolMessage) or not (
        isinstance(before.content, str) and isinstance(after.content, str)
    ):
        return False
    if isinstance(before, AIMessage) and isinstance(after, AIMessage):
        return not (before.tool_calls or after.tool_calls)
    return isinstance(before, HumanMessage) and isinstance(after, HumanMessage)
