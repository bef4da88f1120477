"""Lessons: what a model is told of a reply that could not be used, when it is asked anew.

Without a word it would often do the same again: local servers are asked with a low temperature.
What it is told stands behind the conversation in that one request and is kept nowhere.
"""

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.wire.texts import text_of

_EMPTY = "Your last reply was empty. Answer now."
_CUT = (
    "Your last reply was cut off before you had said anything: it was all thinking. "
    "Think briefly and answer now."
)
_UNREADABLE = (
    "Your last tool call could not be read. Make it again: the name of one tool, and its "
    "arguments as one JSON object."
)
_WRITTEN = (
    "You wrote a tool call as text, so nothing was carried out. Do not write it: make the call "
    "itself. If you need no tool, answer in plain words."
)
_NO_TOOLS = (
    "You wrote a tool call as text, and you have no tools here: nothing was carried out. Answer "
    "in plain words, and say what you cannot do."
)
_SPOILT = frozenset({Outcome.EMPTY_REPLY, Outcome.MALFORMED_TOOL_CALL})


def is_spoilt(refusal: Refusal) -> bool:
    """Whether a model did reply and only that one reply is of no use: a fresh one may be right."""
    return refusal.outcome in _SPOILT or refusal.torn


def lesson(
    refusal: Refusal, said: AIMessage | None, *, written: bool, cut: bool, offered: bool = True
) -> list[BaseMessage]:
    """Return what to put behind the conversation; nothing where no word helps.

    Args:
        refusal: why the reply could not be used.
        said: the reply; None when the server kept it to itself.
        written: whether it wrote a tool call as text.
        cut: whether it ended at the bound of its length.
        offered: whether it was offered any tools.
    """
    if refusal.outcome is Outcome.EMPTY_REPLY:
        return [HumanMessage(_CUT if cut else _EMPTY)]
    if refusal.outcome is not Outcome.MALFORMED_TOOL_CALL:
        return []
    text = "" if said is None else text_of(said.content)
    if said is not None and any(call["name"] for call in said.invalid_tool_calls):
        return [AIMessage(text, invalid_tool_calls=said.invalid_tool_calls)]
    words = _UNREADABLE if not written else _WRITTEN if offered else _NO_TOOLS
    before: list[BaseMessage] = [AIMessage(text)] if text.strip() else []
    return [*before, HumanMessage(words)]
