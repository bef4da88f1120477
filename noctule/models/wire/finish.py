"""Why an answer ended, in OpenAI's words whoever says it."""

STOP = "stop"
LENGTH = "length"
TOOL_CALLS = "tool_calls"
CONTENT_FILTER = "content_filter"
MALFORMED = "malformed_tool_call"
"""The model tried to call a tool, and its server could not read the call (Gemini's word)."""
ERROR = "error"
"""The server failed over the answer and says so in place of a reason (OpenRouter)."""

_WORDS = {
    STOP: "stop end_turn stop_sequence eos eos_token complete completed",
    LENGTH: "length max_tokens max_output_tokens model_length model_context_window_exceeded",
    TOOL_CALLS: "tool_calls tool_use function_call",
    CONTENT_FILTER: "content_filter refusal safety recitation blocklist prohibited_content "
    "sensitive",
    MALFORMED: "malformed_function_call malformed_tool_call malformed_response "
    "unexpected_tool_call too_many_tool_calls",
    ERROR: "error",
}
_REASONS = {word: reason for reason, words in _WORDS.items() for word in words.split()}


def finish_reason(said: object) -> str | None:
    """Translate a provider's finish or stop reason.

    The words are those of OpenAI, Anthropic (``stop_reason``), Ollama (``done_reason``), Gemini,
    Mistral and Zhipu; checked 2026-11.

    Args:
        said: what the provider sent.

    Returns:
        OpenAI's word for it; an unknown word as it is, in lower case; None when it said nothing,
        which is how a torn stream shows.
    """
    if not isinstance(said, str) or not said:
        return None
    word = said.lower().rpartition(": ")[2]  # "function_call_filter: MALFORMED_FUNCTION_CALL"
    return _REASONS.get(word, word)
