"""What every node with a context looks like to the graph."""

from typing import Any, Protocol, TypeVar

from langgraph.runtime import Runtime

from graphs.state.context import TurnContext

StateT = TypeVar("StateT", contravariant=True)  # noqa: PLC0105 - reads better than StateT_contra


class Node(Protocol[StateT]):
    """A step of the graph; LangGraph passes the runtime by name."""

    async def __call__(self, state: StateT, *, runtime: Runtime[TurnContext]) -> Any:
        """Do the step and say where to go or what to change."""
        ...
