"""A tool step: one call, known, valid, permitted, and done once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from agents.agent import Agent
from graphs.state.context import TurnContext
from graphs.state.tool_env import ToolEnvironment
from graphs.tools.call_ordering import CallOrdering
from graphs.tools.human_input import HumanQuestion, ask_human
from graphs.tools.model_calls import refused_call
from graphs.tools.permission import CallDenied, may_follow, permitted
from graphs.tools.tool_call import ToldResult, ToolCall, read_arguments
from graphs.tools.tool_hints import with_lesson
from graphs.tools.tool_journal import run_once
from graphs.tools.tool_result import ToolOutcome, tool_result
from graphs.tools.tool_selection import known_tools, look_again
from graphs.tools.unread import unread
from graphs.tools.ways_out import leaving
from noctule.core.llm.events import EventKind
from noctule.core.sessions.questions import QuestionKind
from noctule.core.tools.approval_text import reveal_hidden
from noctule.core.tools.effects import EffectClass
from tools.base.tool import ToolContext, ToolError
from tools.base.workspace import PathError
from tools.shell.command_words import COMMANDS

_LOG = logging.getLogger(__name__)

_LONGEST_QUESTION = 4000  # its characters spelt out
_OURS = frozenset({"ask", "notes", "sessions"})
_SHELL = "shell"
_SHELLS = frozenset({"terminal", "command", "cmd", "run_command", "execute_command", "run_shell"})

Messages = list[AnyMessage]


class ToolStep(AgentMiddleware[AgentState[Any], TurnContext, Any]):
    """What stands around every tool call of a loop.

    Args:
        agent: whose loop it is.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self._agent = agent
        self._sequence = CallOrdering()

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """Take the step; what comes of it is told to the agent, whatever it is."""
        del handler  # LangChain's way to run a tool: ours are run here
        asked = request.tool_call
        context: Any = request.runtime.context
        await look_again(asked["name"], self._agent, context)
        call = self._prepared(asked["name"], str(asked["id"]), asked["args"], context)
        if isinstance(call, ToldResult):
            said = call
        else:
            reply, number = _place(request.state, call.id)
            changes = call.effect is not EffectClass.READ
            async with self._sequence.turn(reply, number, changes=changes, clock=context.clock):
                said = await self._take(call, request.state["messages"])
        said = with_lesson(said, asked, request.state["messages"])
        return said.message(call_id=str(asked["id"]), tool=asked["name"])

    async def _take(self, call: ToolCall, messages: Messages) -> ToldResult:
        if call.tool.asks_person:
            return await _ask(call)
        blind = await unread(call, messages)
        if blind is not None:
            return await tool_result(call, blind, entry=None)
        permission = await permitted(replace(call, leaves=await leaving(call, messages)))
        if isinstance(permission, CallDenied):
            return ToldResult(call.mask(permission.text), failed=True)
        call = _wary(permission)
        return await run_once(call, lambda: _perform(call))

    def _prepared(
        self, name: str, id_: str, given: Any, context: TurnContext
    ) -> ToolCall | ToldResult:
        unfit = refused_call(given)
        if unfit is not None:
            return ToldResult(unfit, failed=True)
        equipment = context.equipment
        offered = {tool.name: tool for tool in known_tools(self._agent, context)}
        if equipment is None or name not in offered:
            return ToldResult(_unknown(name, list(offered)), failed=True)
        tool = offered[name]
        arguments = read_arguments(tool, given)
        if isinstance(arguments, str):
            return ToldResult(equipment.masker.mask(arguments), failed=True)
        try:
            circumstances = self._circumstances(id_, context, equipment)
        except PathError as error:
            return ToldResult(str(error), failed=True)
        return ToolCall(id_, tool, arguments, given, circumstances, context, equipment)

    def _circumstances(
        self, id_: str, context: TurnContext, equipment: ToolEnvironment
    ) -> ToolContext:
        session, turn = context.session, context.turn
        return ToolContext(
            session_id=session.id,
            turn_id=turn.id,
            owner=session.owner,
            call_id=id_,
            role=self._agent.role,
            workspace=equipment.workspace(session),
            database=context.database,
            clock=context.clock,
            sink=context.tagged_sink,
            private=turn.private or session.private,
        )


def _wary(call: ToolCall) -> ToolCall:
    """Return a call whose tool asks before it goes where a page sends it on to."""
    context = replace(call.context, may_follow=partial(may_follow, call))
    return replace(call, context=context)


def _place(state: Any, call_id: str) -> tuple[str, int]:
    """Return the reply a call stands in, and its place there."""
    for message in reversed(state["messages"]):
        if isinstance(message, AIMessage):
            ids = [call["id"] for call in message.tool_calls]
            if call_id in ids:
                return str(message.id), ids.index(call_id)
    return call_id, 0


async def _ask(call: ToolCall) -> ToldResult:
    """Ask the person what the agent wants to know."""
    arguments: Any = call.arguments
    asking: Any = call.tool
    answer = await ask_human(
        HumanQuestion(
            key=call.id,
            kind=QuestionKind.QUESTION,
            text=_plainly(call, arguments.question),
            choices=tuple(_plainly(call, choice) for choice in arguments.choices),
        ),
        call.turn,
    )
    return await tool_result(call, ToolOutcome(asking.answered(answer).text), entry=None)


def _plainly(call: ToolCall, text: str) -> str:
    return reveal_hidden(call.mask(text), most=_LONGEST_QUESTION)


async def _perform(call: ToolCall) -> ToolOutcome:
    """Run the tool and tell watchers; whatever it raises becomes what the agent is told."""
    sink, clock = call.context.sink, call.context.clock
    named = {"call": call.id, "tool": call.tool.name}
    subject = None if call.subject is None else call.mask(call.subject)[:500]
    role, effect = call.context.role.value, call.effect.value
    sink.emit(EventKind.TOOL_STARTED, **named, subject=subject, effect=effect, role=role)
    begun = clock.monotonic()
    outcome = ToolOutcome("", failed=True)
    try:
        outcome = await _run(call)
    finally:  # also when it is cancelled
        duration_s = clock.monotonic() - begun
        sink.emit(
            EventKind.TOOL_ENDED,
            **named,
            failed=outcome.failed,
            duration_s=round(duration_s, 3),
            files=[call.mask(file) for file in outcome.files],
        )
    return replace(outcome, duration_s=duration_s)


async def _run(call: ToolCall) -> ToolOutcome:
    try:
        # Only tools that act on our own records meet storage that does not answer; they may run
        # again.
        result = await call.turn.database.patience.keep_trying(
            lambda: call.tool.run(call.arguments, call.context)
        )
    except ToolError as error:
        return ToolOutcome(str(error), failed=True, outside=error.outside, private=error.private)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a tool does, its siblings go on
        _LOG.error("%s broke: %s", call.tool.name, call.mask(f"{type(error).__name__}: {error}"))
        return ToolOutcome(
            f"{type(error).__name__}: {error}",
            failed=True,
            outside=call.tool.family not in _OURS,  # what it says of it may be anybody's words
            notice=f"{call.tool.name} broke. It may have done part of its work: look before you "
            "call it again. What it says:",
        )
    return ToolOutcome(
        result.text,
        outside=result.outside,
        private=result.private,
        files=result.files,
        notice=result.notice,
    )


def _unknown(name: str, offered: list[str]) -> str:
    if not offered:
        return f"There is no tool {name[:100]!r}: you have no tools here. Answer with text."
    words = name.split()
    if words and words[0] in _SHELLS | COMMANDS and _SHELL in offered:
        return f"There is no tool {name[:100]!r}: this is a command line, use {_SHELL}."
    return f"There is no tool {name[:100]!r}. You have: {', '.join(offered)}."
