from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agents.roster import ROSTER
from graphs.loop.loop import build_loop
from graphs.state.context import TurnContext
from graphs.state.tool_env import ToolEnvironment
from noctule.core.base.masking import Masker
from noctule.core.base.roles import Role
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import LOCAL_OWNER, Session, SessionKind, Turn
from tests.support.stage import Stage
from tests.support.toolkit import Board, calls
from tools.registry import Toolbox

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def context_of(stage: Stage, board: Board, folder: Path) -> TurnContext:
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
        equipment=ToolEnvironment(
            toolbox=Toolbox(stage.settings, clock=stage.clock, tools=board.tools()),
            settings=stage.settings,
            masker=Masker(),
            home=folder,
        ),
    )


async def test_a_capped_loop_waits_and_goes_on_from_its_step(tmp_path):
    """At its cap a loop with tools stops before the next call; resumed it repeats nothing."""
    board = Board(shown={str(number): "nothing" for number in range(4)})
    tooled = {"engineer": {"tools": ["look"]}}
    async with Stage(limits={"max_steps": 4}, roles=tooled) as stage:
        stage.will("first", *(calls(("look", {"where": str(number)})) for number in range(4)))
        stage.will("first", "Done.")
        # The loop stands alone here; in a turn it inherits the turn's checkpoints.
        loop = build_loop(ROSTER[Role.ENGINEER]).copy(update={"checkpointer": InMemorySaver()})
        config: Any = {"configurable": {"thread_id": "1"}}
        context = context_of(stage, board, tmp_path)
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
