"""The end of a turn: the answer joins the conversation."""

from typing import Any

from langchain_core.messages import AIMessage

from graphs.state.state import TurnState
from graphs.tools.work_log import with_record
from noctule.core.errors import OurBugError


async def finish(state: TurnState) -> dict[str, Any]:
    """Add the answer to the conversation.

    Raises:
        OurBugError: no node left an answer.
    """
    answer = state["answer"]
    if answer is None:
        raise OurBugError("A turn reached its end without an answer; please report this.")
    message = AIMessage(answer["text"], id=f"{state['turn_id']}-reply", name=answer["role"])
    return {"messages": [with_record(message, answer.get("work", ""))]}
