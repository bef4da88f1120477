"""The orchestrator's first duty: who answers this turn, and why."""

from dataclasses import asdict
from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.orchestrator import RouteAnswer, route_messages
from agents.rules import route_by_rules
from graphs.state.context import TurnContext
from graphs.state.state import TurnState
from noctule.core.base.roles import Role
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.workers.patience import carry_out

Destination = Literal["chat", "engineer", "research", "writer", "utility", "plan"]


async def orchestrator(state: TurnState, runtime: Runtime[TurnContext]) -> Command[Destination]:
    """Decide the route, store it, and go there."""
    context = runtime.context
    route = await _decide(state, context)
    # The checkpoint that follows waits for the disk, and the route comes again without it.
    turn_id = context.turn.id
    await carry_out(context.database, lambda work: work.routes.put(turn_id, route), durable=False)
    shown = route_state(route)
    context.sink.emit(EventKind.ROUTE, **shown)
    target: Any = "plan" if route.is_plan else route.role.value
    return Command(goto=target, update={"route": shown})


def route_state(route: Route) -> dict[str, Any]:
    """Return a route as plain JSON values."""
    return {
        **asdict(route),
        "roles": [role.value for role in route.roles],
        "complexity": route.complexity.value,
        "by": route.by.value,
    }


async def _decide(state: TurnState, context: TurnContext) -> Route:
    turn = context.turn
    if turn.role is not None:
        return Route((Role(turn.role),), Complexity.SIMPLE, DecidedBy.FORCED, "chosen by hand", 1.0)
    handed_over_by = Role(state["handed_over_by"]) if state["handed_over_by"] else None
    if handed_over_by is None:
        ruled = route_by_rules(state["text"])
        if ruled is not None:
            return ruled
    if not context.asks_for_route:
        return _default(context, handed_over_by, "no rule fits")
    return await _ask_model(state, context, handed_over_by)


async def _ask_model(state: TurnState, context: TurnContext, not_role: Role | None) -> Route:
    messages = route_messages(state["text"], not_role=not_role, reason=state["handed_over_why"])
    try:
        answer = await context.models.ask_json(
            context.call(Role.ORCHESTRATOR, Purpose.ROUTE), messages, RouteAnswer
        )
    except (LimitError, NoModelError) as error:
        # Routing is not worth sleeping for: the role that answers sleeps if it has to.
        return _default(context, not_role, f"the orchestrator could not be asked ({error})")
    if answer is None:
        return _default(context, not_role, "the orchestrator's answer was no usable decision")
    route = answer.to_route()
    if route.role is not_role:
        return _default(context, not_role, "the orchestrator named the role that handed over")
    return route


def _default(context: TurnContext, not_role: Role | None, reason: str) -> Route:
    role = context.default_role if context.default_role is not not_role else Role.CHAT
    return Route((role,), Complexity.SIMPLE, DecidedBy.DEFAULT, reason)
