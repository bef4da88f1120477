"""What the tokens sent were, in words."""

from noctule.core.llm.token_parts import TokenParts


def parts_in_words(parts: TokenParts, *, unsplit: int = 0, shares: bool = False) -> str:
    """Return the parts that are not 0, like ``300 prompt and tool schemas, 40 new text``.

    Args:
        parts: what is known.
        unsplit: tokens of which nobody knows what they were.
        shares: True writes each part's share of all beside it.
    """
    named = {
        "prompt and tool schemas": parts.prompt_tokens,
        "re-sent context": parts.resent_tokens,
        "tool output": parts.tool_tokens,
        "new text": parts.text_tokens,
        "not known": unsplit,
    }
    total = parts.total + unsplit
    return ", ".join(
        f"{tokens} {what}" + (f" ({tokens / total:.0%})" if shares else "")
        for what, tokens in named.items()
        if tokens
    )
