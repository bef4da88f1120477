"""One role answers: its loop runs as a sub-graph, so that each of its steps is stored."""

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.agent import hand_over_reason
from graphs.loop.loop import Loop
from graphs.nodes.node import Node
from graphs.state.context import TurnContext
from graphs.state.state import AnswerState, TurnState
from graphs.tools.work_log import work_record
from noctule.core.base.roles import Role
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity
from noctule.core.tools.outside_text import as_data

Destination = Literal["orchestrator", "utility", "finish"]


def answer_node(role: Role, loop: Loop) -> Node[TurnState]:
    """Return the node in which a role answers the turn.

    Args:
        role: who answers.
        loop: its compiled loop.
    """

    async def answer(state: TurnState, *, runtime: Runtime[TurnContext]) -> Command[Destination]:
        # Nothing with a consequence may stand before the loop: a wake runs this node again.
        given = state["answer"]
        may_hand_over = (
            state["handed_over_by"] is None
            and runtime.context.turn.role is None
            and given is None
            and runtime.context.asks_for_route  # else nobody would decide to whom
        )
        context = runtime.context.branch(
            complexity=_complexity(state), hand_over_allowed=may_hand_over
        )
        prompt = _prompt(state)
        output = await loop.ainvoke({"messages": prompt}, context=context)
        message = last_answer(output["messages"])
        text = message.text
        reason = hand_over_reason(text) if may_hand_over else None
        if reason is not None:
            return _hand_over(role, reason, message, runtime.context)
        result: AnswerState = {
            "role": role.value,
            "text": text,
            "model": model_of(message),
            "work": work_record(output["messages"][len(prompt) :])
            or ("" if given is None else given.get("work", "")),
        }
        return Command(goto=_next(state, role), update={"answer": result})

    return answer


def last_answer(messages: Sequence[AnyMessage]) -> AIMessage:
    """Return what a loop said last.

    Raises:
        LookupError: it said nothing; the binding never lets an empty answer pass.
    """
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            return message
    raise LookupError("a loop ended without an answer")


def model_of(message: AIMessage) -> str | None:
    """Return the model that gave an answer, by its configured name; None when it is not noted."""
    noted: dict[str, Any] = message.response_metadata.get("noctule", {})
    return noted.get("model")


def _complexity(state: TurnState) -> Complexity:
    route = state["route"] or {}
    return Complexity(route.get("complexity", Complexity.SIMPLE))


def _prompt(state: TurnState) -> list[AnyMessage]:
    given = state["answer"]
    if given is None:
        return state["messages"]
    answered = as_data(given["text"], "This is to be brought into the form asked for")
    return [HumanMessage(f"Asked for:\n{state['text']}\n\n{answered}")]


def _next(state: TurnState, role: Role) -> Destination:
    roles = (state["route"] or {}).get("roles", [])
    wants_utility = roles[1:] == [Role.UTILITY.value] and role.value == roles[0]
    return "utility" if wants_utility else "finish"


def _hand_over(
    role: Role, reason: str, message: AIMessage, context: TurnContext
) -> Command[Destination]:
    attempt = message.response_metadata.get("noctule", {}).get("attempt")
    context.sink.emit(EventKind.ATTEMPT_DISCARDED, attempt=attempt, reason=f"handed over: {reason}")
    return Command(
        goto="orchestrator", update={"handed_over_by": role.value, "handed_over_why": reason}
    )
