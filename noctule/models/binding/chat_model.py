"""A binding as LangChain sees it: a chat model of which only ``_agenerate`` is ours.

Agents, summaries and every ``response_format`` strategy go through it. It does not stream to
LangChain: what a LangChain stream has yielded cannot be taken back, so text reaches watchers
through the call's own sink, tagged with the attempt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, PrivateAttr

from noctule.core.errors import OurBugError
from noctule.core.llm.calls import CallContext
from noctule.core.ports.prompts import Fit
from noctule.models.binding.binding import Binding
from noctule.models.binding.structured import (
    UnfitAnswerError,
    ask_structured,
    json_schema_of,
    read_object,
    reader_of,
)
from noctule.models.request.chat_request import ChatRequest

Schema = dict[str, Any] | type
_OWN_WORDS = frozenset({"tools", "tool_choice", "max_tokens", "temperature", "thinking"})
_TRACING_ONLY = frozenset({"ls_structured_output_format"})


class RoleChatModel(BaseChatModel):
    """A role's models as one.

    Its answers carry ``response_metadata["noctule"]``: the model used, the attempt, the call.
    """

    role: str
    """Whose binding it is."""

    cache: bool | None = False
    """Never: an answer out of LangChain's cache would miss the ledger."""

    _binding: Binding = PrivateAttr()
    _context: CallContext = PrivateAttr()
    _fit: Fit | None = PrivateAttr(default=None)

    @classmethod
    def over(cls, binding: Binding, context: CallContext, fit: Fit | None = None) -> Self:
        """Return a chat model that calls a binding under some circumstances.

        Args:
            binding: of the role.
            context: for whom, and how.
            fit: makes the prompt for whichever model is asked; None sends what it is called with.
        """
        model = cls(role=context.role.value)
        model._binding = binding
        model._context = context
        model._fit = fit
        return model

    @property
    def _llm_type(self) -> str:
        return "noctule"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"role": self.role}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools; each candidate gets them in its own provider's form."""
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=list(tools), **kwargs)

    def with_structured_output(
        self, schema: Schema, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Have answers fit a schema; what does not fit is asked for once more.

        Args:
            schema: a pydantic model, a TypedDict, or a JSON schema.
            include_raw: True returns ``raw``, ``parsed`` and ``parsing_error`` and raises nothing
                for an answer that does not fit.
            kwargs: arguments of the call, like ``max_tokens``; ``method`` and ``strict`` are
                accepted and mean nothing here: each client knows its provider's way.
        """
        kwargs = {name: value for name, value in kwargs.items() if name not in {"method", "strict"}}
        json_schema, read = _reading(schema)

        async def ask(given: LanguageModelInput) -> Any:
            call = _call(_messages(given), None, {**kwargs, "json_schema": json_schema})
            found = await ask_structured(self._binding, call, self._context, read)
            error = None if found.problem is None else UnfitAnswerError(found.problem)
            if include_raw:
                return {"raw": found.message, "parsed": found.value, "parsing_error": error}
            if error is not None:
                raise error
            return found.value

        return RunnableLambda(ask, name=f"{self.role}_structured")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del run_manager
        call = replace(_call(messages, stop, kwargs), fit=self._fit)
        reply = await self._binding.call(call, self._context)
        return ChatResult(generations=[ChatGeneration(message=reply.message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise OurBugError("A role's model was called without await. Use ainvoke; please report it.")


def _reading(schema: Schema) -> tuple[Mapping[str, Any], Callable[[str], Any]]:
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return json_schema_of(schema), reader_of(schema)
    return convert_to_json_schema(schema), read_object


def _call(
    messages: Sequence[BaseMessage], stop: Sequence[str] | None, bound: Mapping[str, Any]
) -> ChatRequest:
    schema = bound.get("json_schema") or _schema_of(bound.get("response_format"))
    spent = _OWN_WORDS | _TRACING_ONLY | {"json_schema"}
    if schema is not None:
        spent |= {"response_format"}
    return ChatRequest(
        messages=messages,
        json_schema=schema,
        stop=stop,
        extra={name: value for name, value in bound.items() if name not in spent},
        **{name: bound[name] for name in _OWN_WORDS if bound.get(name) is not None},
    )


def _schema_of(response_format: object) -> Mapping[str, Any] | None:
    """Return the schema out of OpenAI's way of asking for one; None for anything else."""
    if not isinstance(response_format, Mapping) or response_format.get("type") != "json_schema":
        return None
    asked = response_format["json_schema"]
    return {"title": asked.get("name", "answer"), **asked["schema"]}


def _messages(given: LanguageModelInput) -> list[BaseMessage]:
    if isinstance(given, PromptValue):
        return given.to_messages()
    return convert_to_messages([given] if isinstance(given, str) else given)
