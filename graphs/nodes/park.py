"""Sleep for nodes outside a loop: the limit goes into the state, the next node sleeps on it."""

from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from graphs.nodes.node import Node
from graphs.state.context import TurnContext
from graphs.state.limit import limit_state
from graphs.state.state import TurnState
from noctule.core.errors import LimitError


def parkable(name: str, node: Node[TurnState]) -> Node[TurnState]:
    """Return a node that goes to sleep at a limit instead of failing.

    Args:
        name: what the graph calls it, so that the wake comes back to it.
        node: does its work; a limit leaves it before anything was changed.
    """

    async def guarded(state: TurnState, *, runtime: Runtime[TurnContext]) -> Any:
        try:
            return await node(state, runtime=runtime)
        except LimitError as error:
            return Command(goto="park", update={"limit": limit_state(error), "parked_from": name})

    return guarded


async def park(state: TurnState) -> Command[Any]:
    """Sleep exactly once, then go back."""
    interrupt({"kind": "limit", **(state["limit"] or {})})
    return Command(goto=str(state["parked_from"]), update={"limit": None, "parked_from": None})
