"""What the tokens sent were: prompt and tool schemas, new text, re-sent context, tool output."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenParts:
    """The tokens sent by one call, by what they were; together they are its ``input_tokens``.

    The whole is what the provider counted; the parts are in the proportion of our own estimate.

    Args:
        prompt_tokens: system prompt, tool schemas and the schema of the answer.
        text_tokens: what is new: what the person said, and what others wrote for this call.
        resent_tokens: messages that an earlier call of the session or loop had sent or answered.
        tool_tokens: output of tools that no earlier call has sent.
    """

    prompt_tokens: int = 0
    text_tokens: int = 0
    resent_tokens: int = 0
    tool_tokens: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.prompt_tokens + self.text_tokens + self.resent_tokens + self.tool_tokens

    @classmethod
    def sum_of(cls, several: Iterable["TokenParts"]) -> "TokenParts":
        """Add the parts of several calls up."""
        prompt = text = resent = tool = 0
        for parts in several:
            prompt += parts.prompt_tokens
            text += parts.text_tokens
            resent += parts.resent_tokens
            tool += parts.tool_tokens
        return cls(prompt, text, resent, tool)

    def scaled_to(self, total: int) -> "TokenParts":
        """Return parts in the same proportion that sum to exactly a total.

        Args:
            total: tokens as they were counted, 0 or more; where nothing was estimated all of
                them are new text.
        """
        weights = (self.prompt_tokens, self.text_tokens, self.resent_tokens, self.tool_tokens)
        estimated = sum(weights)
        if not estimated:
            return TokenParts(text_tokens=total)
        shares = [divmod(weight * total, estimated) for weight in weights]
        left = total - sum(whole for whole, _ in shares)
        largest = sorted(range(len(shares)), key=lambda index: -shares[index][1])[:left]
        return TokenParts(*(whole + (i in largest) for i, (whole, _) in enumerate(shares)))
