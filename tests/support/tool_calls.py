"""The circumstances of a tool call, for tests of tools."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noctule.core.base.roles import Role
from noctule.core.clock import Clock, ManualClock
from noctule.core.llm.calls import NoSink
from noctule.core.ports.database import Database
from tests.support.scratch import scratch_database
from tools.base.tool import Tool, ToolContext, ToolResult
from tools.base.workspace import Workspace


def a_context(
    *,
    session_id: str = "s1",
    owner: str = "local",
    database: Database | None = None,
    clock: Clock | None = None,
    private: bool = False,
) -> ToolContext:
    """Return the context of a call in a session of the data folder's owner."""
    return ToolContext(
        session_id=session_id,
        turn_id="t1",
        owner=owner,
        call_id="c1",
        role=Role.RESEARCH,
        workspace=Workspace(Path("/nowhere"), 0),
        database=database or scratch_database(),
        clock=clock or ManualClock(),
        sink=NoSink(),
        private=private,
    )


async def call(
    tool: Tool[Any], arguments: Mapping[str, Any], context: ToolContext | None = None
) -> ToolResult:
    """Call a tool as the loop does, with arguments as a model writes them."""
    return await tool.run(tool.arguments.model_validate(arguments), context or a_context())
