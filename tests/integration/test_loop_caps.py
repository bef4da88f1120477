from datetime import UTC, datetime

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agents.roster import ROSTER
from graphs.context import TurnContext
from graphs.loop import build_loop
from noctule.core.lifecycle import Status
from noctule.core.roles import Role
from noctule.core.sessions import LOCAL_OWNER, Session, SessionKind, Turn
from tests.support.stage import Act, Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CALL = Act(text="", tool=("look", '{"where": "here"}'), finish="tool_calls")


@tool
async def look(where: str) -> str:
    """Look somewhere."""
    return f"nothing {where}"


def context_of(stage: Stage) -> TurnContext:
    session = Session("s", LOCAL_OWNER, SessionKind.CHAT, None, NOW)
    return TurnContext(
        turn=Turn("t", "s", "look around", Status.RUNNING, NOW),
        session=session,
        models=stage.models,
        database=stage.database,
        sink=stage.sink,
        default_role=Role.CHAT,
        limits=stage.settings.limits,
        clock=stage.clock,
    )


async def test_a_capped_loop_waits_and_goes_on_from_its_step():
    """At its cap a loop with tools stops before the next call; resumed it repeats nothing."""
    async with Stage(limits={"max_steps": 4}) as stage:
        stage.will("first", CALL, CALL, CALL, CALL, "Done.")
        # The loop stands alone here; in a turn it inherits the turn's checkpoints.
        loop = build_loop(ROSTER[Role.ENGINEER], [look]).copy(
            update={"checkpointer": InMemorySaver()}
        )
        config = {"configurable": {"thread_id": "1"}}
        context = context_of(stage)
        await loop.ainvoke(
            {"messages": [HumanMessage("look around")]}, config, context=context, durability="sync"
        )
        state = await loop.aget_state(config)
        (stop,) = state.interrupts
        assert (stop.value["kind"], "4 steps" in stop.value["reason"]) == ("cap", True)
        assert len(stage.client.requests) == 2

        while (state := await loop.aget_state(config)).tasks:
            (stop,) = state.interrupts
            await loop.ainvoke(
                Command(resume={stop.id: True}), config, context=context, durability="sync"
            )
        messages = state.values["messages"]
        assert messages[-1].text == "Done."
        assert len([m for m in messages if isinstance(m, ToolMessage)]) == 4
        assert len(stage.client.requests) == 5
