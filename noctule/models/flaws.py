"""Flaws: what is wrong with an answer that came back without an error."""

from langchain_core.messages import AIMessage

from noctule.core.outcomes import Outcome
from noctule.core.refusals import Refusal
from noctule.models.client import Conclusion
from noctule.models.clients.finish import CONTENT_FILTER, LENGTH
from noctule.models.clients.texts import text_of


def find_flaw(message: AIMessage, conclusion: Conclusion, *, streamed: bool) -> Refusal | None:
    """Return why an answer cannot be used; None when it can.

    Args:
        message: the whole answer.
        conclusion: what it says about itself.
        streamed: True when it came in pieces. A stream without a finish reason was torn, though
            most clients raise nothing; a plain answer that parsed is whole.
    """
    if streamed and conclusion.finish_reason is None:
        return Refusal(Outcome.UNAVAILABLE, "the stream broke off before the answer was finished")
    if conclusion.finish_reason == CONTENT_FILTER:
        return Refusal(Outcome.CONTENT_FILTERED, "the provider's content filter held it back")
    cut = conclusion.finish_reason == LENGTH
    if message.invalid_tool_calls or any(not call["name"] for call in message.tool_calls):
        return Refusal(Outcome.MALFORMED_TOOL_CALL, _malformed(message, cut=cut))
    if message.tool_calls or text_of(message.content).strip():
        return None
    why = "nothing but thinking before max_tokens was used up" if cut else "neither text nor tools"
    return Refusal(Outcome.EMPTY_REPLY, f"the answer was empty: {why}")


def _malformed(message: AIMessage, *, cut: bool) -> str:
    names = [call["name"] for call in message.invalid_tool_calls if call["name"]]
    which = f"the call of {names[0]}" if names else "a tool call"
    why = "was cut off at max_tokens" if cut else "has arguments that cannot be read"
    return f"{which} {why}"
