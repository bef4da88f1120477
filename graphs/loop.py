"""The agent loop of one role: ``create_agent`` with our middleware around every step."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.graph.state import CompiledStateGraph

from agents.agent import Agent
from graphs.context import TurnContext
from graphs.middleware.step import ModelStep
from graphs.middleware.tool_step import ToolStep
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


def build_loop(agent: Agent) -> Loop:
    """Return the compiled loop of one agent.

    Which tools it has is decided anew before every model call: the configuration may have
    changed, and MCP servers come and go.

    Args:
        agent: whose prompt it follows.
    """
    middleware: list[AgentMiddleware[Any, TurnContext, Any]] = [ModelStep(agent), ToolStep(agent)]
    return create_agent(
        UnboundModel(),
        [],
        middleware=middleware,
        context_schema=TurnContext,
        name=agent.role.value,
    )
