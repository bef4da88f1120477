"""The agent loop of one role: ``create_agent`` with our middleware around every model call."""

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph

from agents.agent import Agent
from graphs.context import TurnContext
from graphs.middleware.step import ModelStep
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


def build_loop(agent: Agent, tools: Sequence[BaseTool] = ()) -> Loop:
    """Return the compiled loop of one agent.

    Args:
        agent: whose prompt it follows.
        tools: what it may call; empty makes it a pure generator of text.
    """
    return create_agent(
        UnboundModel(),
        list(tools),
        middleware=[ModelStep(agent)],
        context_schema=TurnContext,
        name=agent.role.value,
    )
