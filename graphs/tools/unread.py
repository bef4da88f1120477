"""Unread: a file is not replaced as a whole by an agent that has not seen what it holds.

A small model overwrites tests it never opened and reports success; a large one may, after its work
was summed up. The call is refused once, with what the file holds; called again it is carried out.
Only tools can be guarded like this: what a command line writes, moves or deletes cannot.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from graphs.tools.permission import may_unasked
from graphs.tools.tool_call import ToolCall, read_arguments
from graphs.tools.tool_result import ToolOutcome
from graphs.tools.work_log import recorded_paths
from noctule.core.tools.effects import EffectState
from tools.base.tool import ToolError, ToolResult
from tools.base.workspace import PathError, readable_size
from tools.registry import AnyTool

_SHOWN_LINES = 20
_READER = "read_file"
_SHOWS_LITTLE = frozenset({"list_files", "search_files"})
"""File tools after which nobody knows what a file holds; what they did show counts as shown."""

_NUMBERED = re.compile(r"^(?:\s*\d+\t|.{0,300}?:\d+: ?)")
"""What read_file and search_files put before a line."""

_NOTHING_WRITTEN = "Nothing was written:"


async def unread(call: ToolCall, messages: Sequence[AnyMessage]) -> ToolOutcome | None:
    """Return what the agent is told instead of a call that would replace a file unseen.

    Args:
        call: any call.
        messages: of the loop so far.

    Returns:
        None when the call may go on: it replaces nothing, the agent has seen the file or wrote it
        itself, or was refused for it before.
    """
    path = call.tool.replaces(call.arguments)
    if path is None:
        return None
    try:
        name, size, held = await asyncio.to_thread(_held, call, path)
    except (PathError, OSError):
        return None  # the tool says better what is wrong with it
    if not size or held == call.tool.replacement(call.arguments):
        return None
    if _has_seen(call, name, held, messages) or await _is_own(call, path):
        return None
    return await _refusal(call, name, _sized(size, held))


def _held(call: ToolCall, path: str) -> tuple[str, int, bytes | None]:
    """Return a file's name, its size (0 for none) and what it holds; None when that is too much."""
    workspace = call.context.workspace
    name, size = workspace.relative(workspace.resolve(path)), workspace.size(path) or 0
    try:
        return name, size, workspace.content(path)
    except PathError:
        return name, size, None


def _has_seen(
    call: ToolCall, name: str, held: bytes | None, messages: Sequence[AnyMessage]
) -> bool:
    shown: set[str] = set()
    tools = {tool.name: tool for tool in call.equipment.toolbox.tools}
    results = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    for message in messages:
        if isinstance(message, HumanMessage | ToolMessage):
            shown.update(_lines_in(message.text))
        if not isinstance(message, AIMessage):
            continue
        if name in recorded_paths(message, besides=_SHOWS_LITTLE):
            return True
        for made in message.tool_calls:
            result = results.get(str(made["id"]))
            if result is None or not _names(call, tools.get(made["name"]), made["args"], name):
                continue
            if result.status != "error" or _NOTHING_WRITTEN in result.text:
                return True
    lines = _lines_in((held or b"").decode("utf-8", "replace"))
    return bool(lines) and lines <= shown


def _names(call: ToolCall, tool: AnyTool | None, given: object, name: str) -> bool:
    """Whether a call was one of a file tool on this very file."""
    if tool is None or tool.family != "files" or tool.name in _SHOWS_LITTLE:
        return False
    arguments = read_arguments(tool, given) if isinstance(given, dict) else ""
    if isinstance(arguments, str):
        return False
    subject = tool.subject_in(arguments, call.context)
    return subject is not None and name in subject.split("\n")


def _lines_in(text: str) -> set[str]:
    """Return the lines of a text as they are compared: without numbers, spaces, empty ones."""
    bare = (_NUMBERED.sub("", line, count=1).strip() for line in text.splitlines())
    return {line for line in bare if line}


async def _is_own(call: ToolCall, path: str) -> bool:
    """Whether the journal knows the call, or that this session wrote what the file holds."""
    context = call.context
    async with call.turn.database.read() as work:
        if await work.effects.get(context.session_id, call.id) is not None:
            return True  # it began before a crash: the journal decides
        effects = await work.effects.of_session(context.session_id)
    now = await asyncio.to_thread(context.workspace.digest, path)
    return any(
        effect.state is EffectState.DONE and not effect.failed and _wrote(effect.before, now)
        for effect in effects
    )


def _wrote(before: object, digest: str | None) -> bool:
    states = before.values() if isinstance(before, dict) else ()
    return any(isinstance(two, list | tuple) and digest in two[1:] for two in states)


def _sized(size: int, held: bytes | None) -> str:
    if held is None:
        return readable_size(size)
    lines = held.count(b"\n") + (not held.endswith(b"\n"))
    return f"{lines:,} {'line' if lines == 1 else 'lines'}, {readable_size(size)}"


async def _refusal(call: ToolCall, name: str, size: str) -> ToolOutcome:
    said = f"{_NOTHING_WRITTEN} {name} exists and you have not read it ({size})."
    todo = (
        f"To change a part of it use edit_file. If all of it shall go, call {call.tool.name} again."
    )
    head = await _head(call, name)
    if head is None:
        return ToolOutcome("", failed=True, notice=f"{said} {todo}")
    return ToolOutcome(
        head.text,
        failed=True,
        outside=head.outside,
        private=head.private,
        notice=f"{said} {todo} It begins:",
    )


async def _head(call: ToolCall, name: str) -> ToolResult | None:
    """Return how a file begins; None when the agent may not read it."""
    reader = call.equipment.toolbox.find(_READER)
    if reader is None:
        return None
    given = {"path": name, "lines": _SHOWN_LINES}
    arguments = read_arguments(reader, given)
    if isinstance(arguments, str):
        return None
    reading = replace(call, tool=reader, arguments=arguments, given=given)
    if not await may_unasked(reading):
        return None
    try:
        return await reader.run(arguments, call.context)
    except ToolError:
        return None
