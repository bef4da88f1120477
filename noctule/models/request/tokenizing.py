"""Tokenizing: servers that say how many tokens a prompt takes, before they are asked to answer."""

from typing import Protocol, runtime_checkable

from noctule.models.base.client import ModelRequest


@runtime_checkable
class CountsTokens(Protocol):
    """A client whose endpoint may have a tokenizer at hand."""

    async def count_tokens(self, request: ModelRequest) -> int | None:
        """Return the tokens of a request's prompt as the model gets it; None: it cannot tell.

        Raises whatever its library raises.
        """
        ...
