"""Parts: what the tokens of a call were, told from its messages alone.

So it is the same after a wake, in another process and for every model that is tried.
"""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage

from noctule.core.llm.attempts import Purpose
from noctule.core.llm.calls import CallContext
from noctule.core.llm.token_parts import TokenParts
from noctule.models.request.chat_request import TOKENS_PER_PICTURE, ChatRequest, weigh, weigh_tools

_BYTES_PER_TOKEN = 4


def parts_of(
    call: ChatRequest, context: CallContext, input_tokens: int | None
) -> TokenParts | None:
    """Return what the tokens of a call were; None when nobody counted them.

    Args:
        call: what was sent.
        context: its turn tells the person's new message from earlier ones.
        input_tokens: as the provider counted them; the parts sum to exactly this.
    """
    if input_tokens is None:
        return None
    return _estimate(call, context).scaled_to(input_tokens)


def _estimate(call: ChatRequest, context: CallContext) -> TokenParts:
    prompt = weigh_tools(call.tools)
    if call.json_schema is not None:
        prompt += len(json.dumps(call.json_schema, default=str)) // _BYTES_PER_TOKEN
    text = resent = tool = 0
    sent = _sent_before(call.messages, context)
    for index, message in enumerate(call.messages):
        size = _tokens(message)
        if isinstance(message, SystemMessage):
            prompt += size
        elif index < sent:
            resent += size
        elif isinstance(message, ToolMessage):
            tool += size
        else:
            text += size
    return TokenParts(prompt, text, resent, tool)


def _sent_before(messages: Sequence[BaseMessage], context: CallContext) -> int:
    """Return how many messages had been part of an earlier call when this one was made.

    Whatever a model has answered had been sent to it. What stands before the turn's own message
    belongs to earlier turns, answered or not. Summaries are made of nothing else.
    """
    if context.purpose is Purpose.SUMMARY:
        return len(messages)
    sent = 0
    for index, message in enumerate(messages):
        if isinstance(message, AIMessage):
            sent = index + 1
        elif message.id is not None and message.id == context.turn_id:
            sent = max(sent, index)
    return sent


def _tokens(message: BaseMessage) -> int:
    tokens, pictures = weigh([message])
    return tokens + pictures * TOKENS_PER_PICTURE
