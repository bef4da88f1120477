"""A reply: what a model said, and its row in the ledger."""

from dataclasses import dataclass

from langchain_core.messages import AIMessage

from noctule.core.llm.attempts import Attempt


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Args:
        message: what the model said.
        attempt: the row in the ledger.
    """

    message: AIMessage
    attempt: Attempt
