"""Where the branches of a plan come together: the next wave, one more round, or the end."""

from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.orchestrator import ReviewAnswer, ReviewVerdict, review_messages
from graphs.nodes.plan import sends
from graphs.prompts.cut import clipped
from graphs.state.context import TurnContext
from graphs.state.state import AnswerState, AssignmentState, ResultState, TurnState
from noctule.core.base.roles import Role
from noctule.core.errors import NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.routes import DecidedBy
from noctule.core.sessions.plans import last_ones

_CHARS_PER_TOKEN = 2
"""Of what a review reads; rather too few than too many."""

MOST_ROUNDS = 2
"""How often a review may ask for more; a further one only accepts."""


async def review(state: TurnState, runtime: Runtime[TurnContext]) -> Command[Any]:
    """Send the next wave off; when there is none, accept or ask for one more piece of work."""
    waiting = sends(state["plan"], state["results"], state)
    if waiting:
        return Command(goto=waiting)
    failed = [r for r in state["results"].values() if r["error"] is not None]
    if failed and len(failed) == len(state["results"]):
        raise NoModelError(
            role="plan",
            reasons=[str(result["error"]) for result in failed],
            advice="`noctule sessions resume` tries again.",
        )
    # A plan in an order the person gave is theirs; a model's own plan is looked at again.
    if (state["route"] or {}).get("by") == DecidedBy.MODEL.value and state["rounds"] < MOST_ROUNDS:
        more = await _one_more(state, runtime.context)
        if more is not None:
            return _again(state, more)
    return Command(goto="finish", update={"answer": _together(state)})


async def _one_more(state: TurnState, context: TurnContext) -> AssignmentState | None:
    call = context.call(Role.ORCHESTRATOR, Purpose.REVIEW)
    room = context.models.reader(call).prompt_tokens
    most = None if room is None else room * _CHARS_PER_TOKEN // (len(state["results"]) + 1)
    results = [
        (name, result["role"], _shown(result, most)) for name, result in state["results"].items()
    ]
    try:
        answer = await context.models.ask_json(
            call,
            review_messages(state["text"], results),
            ReviewAnswer,
        )
    except NoModelError:
        return None
    if answer is None or answer.verdict is ReviewVerdict.ACCEPT or not answer.task.strip():
        return None
    number = state["rounds"] + 1
    if answer.verdict is ReviewVerdict.REVISE and answer.assignment in state["results"]:
        old = next(item for item in state["plan"] if item["id"] == answer.assignment)
        return {
            "id": f"{old['id']}-again-{number}",
            "role": old["role"],
            "task": f"{answer.task}\n\nIt was: {old['task']}",
            "needs": [old["id"]],
        }
    return {
        "id": f"added-{number}",
        "role": answer.role.value,
        "task": answer.task,
        "needs": last_ones({item["id"]: item["needs"] for item in state["plan"]}),
    }


def _shown(result: ResultState, most_chars: int | None) -> str:
    """Return a result as a review reads it: of a long one the beginning and the end."""
    text = result["text"] or f"(failed: {result['error']})"
    return text if most_chars is None else clipped(text, most_chars)


def _again(state: TurnState, more: AssignmentState) -> Command[Any]:
    plan = [*state["plan"], more]
    return Command(
        goto=sends(plan, state["results"], state),
        update={"plan": plan, "rounds": state["rounds"] + 1},
    )


def _together(state: TurnState) -> AnswerState:
    last = last_ones({item["id"]: item["needs"] for item in state["plan"]})
    results = [state["results"][name] for name in last]
    good = [result for result in results if result["error"] is None]
    if len(results) == 1 and good:
        return {"role": good[0]["role"], "text": good[0]["text"], "model": None}
    done = good or [r for r in state["results"].values() if r["error"] is None]
    parts = [f"**{result['role']}**\n\n{result['text']}" for result in done]
    parts += [
        f"**{result['role']}** could not do its part: {result['error']}"
        for result in state["results"].values()
        if result["error"] is not None
    ]
    return {"role": "plan", "text": "\n\n".join(parts), "model": None}
