"""The seam to models: where the graph gets the chat model of a role, the only way to reach one.

What is behind it lives in ``noctule.models``. Everything is async.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from noctule.core.base.roles import Role
from noctule.core.llm.calls import CallContext, EventSink
from noctule.core.llm.selection import ModelFacts
from noctule.core.ports.prompts import Fit, Reader

AnswerT = TypeVar("AnswerT", bound=BaseModel)
ChatModelT = TypeVar("ChatModelT", covariant=True)  # noqa: PLC0105 - reads better than T_co


class ToolAbility(Protocol):
    """Whether a candidate of a role calls tools."""

    @property
    def model(self) -> str:
        """Its configured name."""
        ...

    @property
    def able(self) -> bool | None:
        """True proven, False shown or said not to, None unknown."""
        ...

    @property
    def evidence(self) -> str | None:
        """Why not, or why it is unknown, as one clause; None when it is proven."""
        ...


class ChatModels(Protocol[ChatModelT]):
    """Where the graph gets the model of a role; the only way to reach one."""

    def bind(self, context: CallContext, fit: Fit | None = None) -> ChatModelT:
        """Return a chat model that serves one role under these circumstances.

        With ``fit`` the prompt is made anew for each model that is asked, and what the chat model
        is called with says only what the call is about.
        Calling it raises ``LimitError`` (park), ``NoModelError`` (a person must act), and
        nothing of any library.
        """
        ...

    async def ask_json(
        self, context: CallContext, messages: Sequence[Any], answer: type[AnswerT]
    ) -> AnswerT | None:
        """Ask for an answer that fits a schema; what does not fit is asked once more.

        Args:
            context: whose call it is.
            messages: system message first.
            answer: the pydantic model it must fit.

        Returns:
            The answer, or None when the model gave nothing that fits.
        """
        ...

    def reader(self, context: CallContext, *, tools: bool = False) -> Reader:
        """Return the model whose window a conversation is kept for.

        The larger of the first in line, refused or not, and the one that would be asked now.

        Args:
            context: for whom the call would be, and how.
            tools: whether it would offer any.
        """
        ...

    async def tools_of(
        self, role: Role, *, prove: bool = False, sink: EventSink | None = None
    ) -> Sequence[ToolAbility]:
        """Return which candidates of a role call tools, in the order in which they are asked.

        Args:
            role: whose.
            prove: True probes those of which it is not known, until one is proven.
            sink: is told when a model has to be asked first; None tells nobody.
        """
        ...

    def facts(self) -> Mapping[str, ModelFacts]:
        """Return what is known of every model at this moment, by name."""
        ...
