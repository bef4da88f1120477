"""What a test of tools needs around a call: a workspace and the circumstances."""

from pathlib import Path

from noctule.core.base.roles import Role
from noctule.core.clock import Clock, SystemClock
from noctule.core.llm.calls import NoSink
from tests.support.scratch import scratch_database
from tools.base.tool import ToolContext
from tools.base.workspace import Workspace

MOST_BYTES = 8 * 1024 * 1024


def a_workspace(folder: Path, *, most_bytes: int = MOST_BYTES, own: bool = True) -> Workspace:
    """A workspace in a folder that exists."""
    return Workspace(folder.resolve(), most_bytes, own=own)


def a_context(
    workspace: Workspace,
    *,
    call_id: str = "call_1",
    approved: bool = False,
    clock: Clock | None = None,
) -> ToolContext:
    """The circumstances of a call of the engineer."""
    clock = clock or SystemClock()
    return ToolContext(
        session_id="s1",
        turn_id="t1",
        owner="local",
        call_id=call_id,
        role=Role.ENGINEER,
        workspace=workspace,
        database=scratch_database(),
        clock=clock,
        sink=NoSink(),
        approved=approved,
    )
