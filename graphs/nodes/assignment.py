"""One branch of a plan: a role does its assignment with the results it was waiting for."""

from collections.abc import Mapping

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.runtime import Runtime

from graphs.loop.loop import Loop
from graphs.nodes.answer import last_answer
from graphs.nodes.node import Node
from graphs.state.context import TurnContext
from graphs.state.state import NOTES, AssignmentInput, ResultState
from noctule.core.base.roles import Role
from noctule.core.errors import NoModelError
from noctule.core.llm.routes import Complexity
from noctule.core.tools.outside_text import as_data


def assignment_node(loops: Mapping[Role, Loop]) -> Node[AssignmentInput]:
    """Return the node that runs one assignment.

    Args:
        loops: the compiled loop of each role.
    """

    async def assignment(
        state: AssignmentInput, *, runtime: Runtime[TurnContext]
    ) -> dict[str, dict[str, ResultState]]:
        task = state["assignment"]
        context = runtime.context.branch(
            complexity=Complexity(state["complexity"]),
            part=task["task"],
            tags={"assignment": task["id"]},
        )
        try:
            output = await loops[Role(task["role"])].ainvoke(
                {"messages": _request(state)}, context=context
            )
        except NoModelError as error:
            # Raising would cancel the branches that are still at work.
            return {"results": {task["id"]: _result(task["role"], "", str(error))}}
        text = last_answer(output["messages"]).text
        return {"results": {task["id"]: _result(task["role"], text, None)}}

    return assignment


def _result(role: str, text: str, error: str | None) -> ResultState:
    return {"role": role, "text": text, "error": error}


def _request(given: AssignmentInput) -> list[AnyMessage]:
    """Return the request, and behind it what others did: that may be shortened, the request not."""
    notes: list[AnyMessage] = []
    for id_, result in (given.get("inputs") or {}).items():
        done = result["text"] if result["error"] is None else f"(not done: {result['error']})"
        text = as_data(done, f"Notes from the {result['role']}")
        notes.append(HumanMessage(text, id=f"notes-{id_}", additional_kwargs={NOTES: True}))
    return [HumanMessage(given["text"]), *notes]
