"""Flaws: what is wrong with an answer that came back without an error."""

import json

from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall
from langchain_core.messages.tool import invalid_tool_call

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.base.client import Conclusion
from noctule.models.wire.finish import CONTENT_FILTER, ERROR, LENGTH, MALFORMED
from noctule.models.wire.texts import text_of

_BROKE_OFF = Refusal(
    Outcome.UNAVAILABLE, "the stream broke off before the answer was finished", torn=True
)
_VERDICTS = {
    CONTENT_FILTER: Refusal(Outcome.CONTENT_FILTERED, "the provider's content filter held it back"),
    ERROR: Refusal(Outcome.UNAVAILABLE, "the server ended the answer with an error", torn=True),
    MALFORMED: Refusal(Outcome.MALFORMED_TOOL_CALL, "its server could not read its tool call"),
}
"""What a finish reason alone says of an answer, whatever else is in it."""


def find_flaw(message: AIMessage, conclusion: Conclusion, *, streamed: bool) -> Refusal | None:
    """Return why an answer cannot be used; None when it can.

    An answer with calls that can be read is used, whatever its other calls are like: what is
    whole is carried out, and the model is told of the rest.

    Args:
        message: the whole answer.
        conclusion: what it says about itself.
        streamed: True when it came in pieces. A stream without a finish reason was torn, though
            most clients raise nothing; a plain answer that parsed is whole.
    """
    reason = conclusion.finish_reason
    if reason in _VERDICTS:
        return _VERDICTS[reason]
    if streamed and reason is None:
        return _BROKE_OFF
    if message.tool_calls or (not message.invalid_tool_calls and text_of(message.content).strip()):
        return None
    cut = reason == LENGTH
    if message.invalid_tool_calls:
        why = _malformed(message.invalid_tool_calls[0], cut=cut)
        return Refusal(Outcome.MALFORMED_TOOL_CALL, why)
    why = "nothing but thinking before max_tokens was used up" if cut else "neither text nor tools"
    return Refusal(Outcome.EMPTY_REPLY, f"the answer was empty: {why}")


def with_reasons(message: AIMessage, *, cut: bool) -> AIMessage:
    """Say of each call that cannot be made why, and count those without a name among them.

    Args:
        message: the whole answer.
        cut: whether it ended at the bound of its length, so that its last call is not whole.
    """
    whole = [call for call in message.tool_calls if call["name"]]
    unmade = [call for call in message.tool_calls if not call["name"]]
    if cut and whole and not message.invalid_tool_calls and not whole[-1]["args"]:
        unmade.append(whole.pop())  # it ended before the arguments began
    lost = [*message.invalid_tool_calls, *map(_unmade, unmade)]
    if not lost:
        return message
    why = "the reply was cut off at max_tokens: write less at once" if cut else "no JSON object"
    return message.model_copy(
        update={
            "tool_calls": whole,
            "invalid_tool_calls": [
                invalid_tool_call(name=c["name"], args=c["args"], id=c["id"], error=why)
                for c in lost
            ],
        }
    )


def lost_calls(message: AIMessage, *, cut: bool) -> str | None:
    """Return what to say of calls that an answer loses though it is used; None when it does not."""
    if not message.tool_calls or not message.invalid_tool_calls:
        return None
    made = " and ".join(dict.fromkeys(call["name"] for call in message.tool_calls))
    return f"{_malformed(message.invalid_tool_calls[0], cut=cut)}; its call of {made} is made"


def _unmade(call: ToolCall) -> InvalidToolCall:
    arguments = json.dumps(call["args"])
    return invalid_tool_call(name=call["name"] or None, args=arguments, id=call["id"], error=None)


def _malformed(call: InvalidToolCall, *, cut: bool) -> str:
    which = f"the call of {call['name']}" if call["name"] else "a tool call"
    why = "was cut off at max_tokens" if cut else "has arguments that cannot be read"
    return f"{which} {why}" if call["name"] or cut else f"{which} names no tool"
