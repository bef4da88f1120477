"""The agent loop of one role: ``create_agent`` with our middleware around every step."""

from collections.abc import Callable
from contextvars import Context
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.graph.state import CompiledStateGraph
from langsmith import set_runtime_overrides

from agents.agent import Agent
from graphs.loop.step import ModelStep
from graphs.loop.tool_step import ToolStep
from graphs.state.context import TurnContext
from noctule.core.errors import OurBugError

Loop = CompiledStateGraph[Any, TurnContext, Any, Any]


class UnboundModel(BaseChatModel):
    """What a loop is compiled with; the binding takes its place before every call."""

    @property
    def _llm_type(self) -> str:
        return "unbound"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise OurBugError("A loop called its model without a binding; please report this.")


async def _at_once(
    _default: object,
    context: Context,
    function: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    return context.run(function, *args, **kwargs)


def build_loop(agent: Agent) -> Loop:
    """Return the compiled loop of one agent.

    Which tools it has is decided anew before every model call: the configuration may have
    changed, and MCP servers come and go.

    Args:
        agent: whose prompt it follows.
    """
    # LangChain wraps each hook for tracing and does the little there is to do for it in a thread,
    # twice: four trips there and back in every step, a third of what a step costs.
    set_runtime_overrides(aio_to_thread=_at_once)
    middleware: list[AgentMiddleware[Any, TurnContext, Any]] = [ModelStep(agent), ToolStep(agent)]
    return create_agent(
        UnboundModel(),
        [],
        middleware=middleware,
        context_schema=TurnContext,
        name=agent.role.value,
    )
