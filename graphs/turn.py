"""The state machine of a turn.

::

                           ┌──────────────► chat ───────────────┐
    START ─► orchestrator ─┼─► engineer | research | writer ─► (utility?) ─► finish ─► END
                 ▲         └─► plan ─► assignments (in waves) ─► review ─┘
                 └── hand over, once ──┘       ▲───── next wave ──┘
"""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.roster import ROSTER
from graphs.loop.loop import build_loop
from graphs.nodes.answer import answer_node
from graphs.nodes.assignment import assignment_node
from graphs.nodes.finish import finish
from graphs.nodes.park import park, parkable
from graphs.nodes.plan import plan
from graphs.nodes.review import review
from graphs.nodes.route import orchestrator
from graphs.state.context import TurnContext
from graphs.state.state import AssignmentInput, TurnState
from noctule.core.base.roles import ANSWERING

TurnGraph = CompiledStateGraph[TurnState, TurnContext, Any, Any]


def build_turn_graph(saver: BaseCheckpointSaver[Any] | None) -> TurnGraph:
    """Return the compiled graph.

    Args:
        saver: where checkpoints go; None keeps nothing (a drawing, a benchmark).
    """
    loops = {role: build_loop(ROSTER[role]) for role in ANSWERING}
    graph: StateGraph[TurnState, TurnContext, Any, Any] = StateGraph(
        TurnState, context_schema=TurnContext
    )
    graph.add_node("orchestrator", orchestrator)
    for role in ANSWERING:
        graph.add_node(
            role.value,
            answer_node(role, loops[role]),
            destinations=("orchestrator", "utility", "finish"),
        )
    graph.add_node("plan", parkable("plan", plan), destinations=("assignment", "park"))
    graph.add_node("assignment", assignment_node(loops), input_schema=AssignmentInput)
    graph.add_node(
        "review", parkable("review", review), destinations=("assignment", "finish", "park")
    )
    graph.add_node("park", park, destinations=("plan", "review"))
    graph.add_node("finish", finish)
    graph.add_edge(START, "orchestrator")
    # A plain edge: a conditional one on the target of Send would run once per branch.
    graph.add_edge("assignment", "review")
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=saver, name="noctule")
