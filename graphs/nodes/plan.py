"""Several roles share a turn: who does what, after whom."""

from collections.abc import Sequence
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from agents.orchestrator import PlanAnswer, plan_messages
from agents.roster import ROSTER
from graphs.state.context import TurnContext
from graphs.state.state import AssignmentInput, AssignmentState, ResultState, TurnState
from noctule.core.base.roles import Role
from noctule.core.errors import NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import DecidedBy
from noctule.core.sessions.plans import ready, sound


async def plan(state: TurnState, runtime: Runtime[TurnContext]) -> Command[Any]:
    """Write the assignments and send the first wave off."""
    context = runtime.context
    route = state["route"] or {}
    roles = [Role(name) for name in route.get("roles", [])]
    # An order the person gave is kept as it is; nobody is asked to improve on it.
    written = (
        await _write(state["text"], roles, context)
        if route.get("by") == DecidedBy.MODEL.value
        else None
    )
    assignments = written or in_sequence(roles)
    context.sink.emit(
        EventKind.PLAN, assignments=assignments, by="model" if written else "order of roles"
    )
    return Command(
        goto=sends(assignments, {}, state),
        update={"plan": assignments},
    )


def sends(
    assignments: Sequence[AssignmentState], results: dict[str, ResultState], state: TurnState
) -> list[Send]:
    """Return one branch for every assignment that nothing holds up any more."""
    route = state["route"] or {}
    waves = ready({item["id"]: item["needs"] for item in assignments}, results)
    by_id = {item["id"]: item for item in assignments}
    return [
        Send(
            "assignment",
            AssignmentInput(
                assignment=by_id[name],
                text=state["text"],
                turn_id=state["turn_id"],
                complexity=route.get("complexity", "simple"),
                inputs={need: results[need] for need in by_id[name]["needs"]},
            ),
        )
        for name in waves
    ]


def in_sequence(roles: Sequence[Role]) -> list[AssignmentState]:
    """Return a plan in which each role goes on from the one before it."""
    return [
        {
            "id": f"{number}-{role.value}",
            "role": role.value,
            "task": ROSTER[role].part,
            "needs": [f"{number - 1}-{roles[number - 2].value}"] if number > 1 else [],
        }
        for number, role in enumerate(roles, start=1)
    ]


async def _write(
    text: str, roles: Sequence[Role], context: TurnContext
) -> list[AssignmentState] | None:
    try:
        answer = await context.models.ask_json(
            context.call(Role.ORCHESTRATOR, Purpose.PLAN), plan_messages(text, roles), PlanAnswer
        )
    except NoModelError:
        return None
    if answer is None:
        return None
    assignments: list[AssignmentState] = [
        {"id": item.id, "role": item.role.value, "task": item.task, "needs": list(item.needs)}
        for item in answer.assignments
    ]
    return assignments if sound([(a["id"], a["needs"]) for a in assignments]) else None
