"""Repair: what becomes of an answer in which a model wrote a tool call as text."""

from langchain_core.messages import AIMessage
from langchain_core.messages.tool import tool_call

from noctule.core.outcomes import Outcome
from noctule.core.refusals import Refusal
from noctule.models.client import ModelRequest
from noctule.models.clients.texts import text_of
from noctule.models.imitation import find_imitation
from noctule.models.offered import NO_CALLS, names_of, schemas_of


def offered_names(request: ModelRequest) -> frozenset[str]:
    """Return the tools an answer may call; none where the request forbids or wants JSON."""
    forbidden = isinstance(request.tool_choice, str) and request.tool_choice in NO_CALLS
    if forbidden or request.json_schema is not None:
        return frozenset()
    return names_of(request.tools)


def repair(request: ModelRequest, message: AIMessage) -> AIMessage | Refusal | None:
    """Make the call that was written, where it can only mean one thing.

    Args:
        request: the tools that were offered.
        message: the whole answer.

    Returns:
        None when nothing was written as text; the message with the call made; or why that would
        be guessing.
    """
    offered = offered_names(request)
    if not offered or message.tool_calls:
        return None
    imitation = find_imitation(text_of(message.content), offered)
    if imitation is None:
        return None
    if not imitation.is_clear(schemas_of(request.tools)):
        why = f"it wrote the call of {imitation.names} as text instead of making it"
        return Refusal(Outcome.MALFORMED_TOOL_CALL, why)
    calls = [
        tool_call(name=call.name, args=dict(call.arguments or {}), id=f"written_{number}")
        for number, call in enumerate(imitation.calls)
    ]
    return message.model_copy(update={"content": "", "tool_calls": calls})
