"""A model step: guarded, bound, and put to sleep when it may not be taken.

A step that is not taken ends with the reason in the state, and the next node sleeps on it.

The interrupt stands in a node of its own, is called exactly once, and the wake goes back to the
model. (An interrupt in a loop around the call would replay its earlier answers at every wake;
raised as an exception it would cancel the running siblings of a fan-out.)
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain.agents.middleware.types import (
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    PrivateStateAttr,
)
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from agents.agent import Agent
from graphs.loop.compaction import Digest, begin, compacted, shown
from graphs.loop.loop_limits import (
    LoopUsage,
    circle,
    seconds_since_model,
    tool_results_since_model,
    why_stop,
)
from graphs.loop.nudge import is_complete, nudge
from graphs.loop.prompt_budget import bound
from graphs.loop.steering import note_read, said_meanwhile
from graphs.prompts.loop_prompt import LoopPrompt, cuts_of
from graphs.prompts.pictures import with_pictures
from graphs.state.context import TurnContext
from graphs.state.limit import limit_state
from graphs.tools.model_calls import fit_calls
from graphs.tools.tool_call import NOTED
from graphs.tools.tool_selection import ToolSelection, offer
from graphs.tools.work_log import work_record
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import EventKind
from noctule.core.sessions.sessions import SessionKind

_STOP = (
    "You are going round in circles: {calls}, with the same results each time. Stop here, call "
    "nothing more, and report: what was achieved, what is left, and what is in the way."
)
_STOP_ID = "stop"


class ParkState(AgentState[Any]):
    """Adds what the loop waits for, and how far it has come since a person let it go on."""

    rest: NotRequired[Annotated[dict[str, Any] | None, PrivateStateAttr]]
    steps: NotRequired[Annotated[int, PrivateStateAttr]]
    calls: NotRequired[Annotated[int, PrivateStateAttr]]
    worked_s: NotRequired[Annotated[float, PrivateStateAttr]]
    forgiven: NotRequired[Annotated[int, PrivateStateAttr]]
    digest: NotRequired[Annotated[dict[str, Any] | None, PrivateStateAttr]]
    cuts: NotRequired[Annotated[dict[str, Any] | None, PrivateStateAttr]]
    nudged: NotRequired[Annotated[str | None, PrivateStateAttr]]


class ModelStep(AgentMiddleware[ParkState, TurnContext, Any]):
    """What stands around every model call of a loop.

    One middleware for all of it: LangChain hands each one's hook to a thread and back twice.

    Args:
        agent: whose loop it is.
    """

    state_schema = ParkState

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self._agent = agent

    async def awrap_model_call(
        self,
        request: ModelRequest[TurnContext],
        handler: Callable[[ModelRequest[TurnContext]], Awaitable[ModelResponse[Any]]],
    ) -> ExtendedModelResponse[Any]:
        """Take the step, or leave in the state what it waits for: a limit, or a person."""
        state: Any = request.state
        messages = state["messages"]
        context = request.runtime.context
        spent = LoopUsage(
            steps=state.get("steps", 0) + 1 + tool_results_since_model(messages),
            calls=state.get("calls", 0) + 1,
            worked_s=state.get("worked_s", 0.0) + seconds_since_model(messages),
        )
        since = messages[state.get("forgiven", 0) :]
        why = why_stop(since, spent=spent, caps=_caps(context))
        if why is not None:
            return _no_step({"kind": "cap", "reason": why})
        begun = context.clock.monotonic()
        steers = await said_meanwhile(messages, context)
        stuck = None if steers else circle(since)
        try:
            response, digest, prompt = await self._call(
                request, handler, [*messages, *steers], stuck
            )
        except LimitError as error:
            return _no_step({"kind": "limit", **limit_state(error)})
        worked_s = spent.worked_s + context.clock.monotonic() - begun
        update = {
            "steps": spent.steps,
            "calls": spent.calls,
            "worked_s": worked_s,
            "digest": digest.as_state(),
            "cuts": prompt.cuts_as_state(),
            "rest": None,
        }
        said = [self._fit(one, since, stuck) for one in response.result]
        said = [_standing(one, state.get("nudged"), context) for one in said]
        result: list[BaseMessage] = [*steers, *said]
        return ExtendedModelResponse(
            model_response=ModelResponse(result=result), command=Command(update=update)
        )

    async def _call(
        self,
        request: ModelRequest[TurnContext],
        handler: Callable[[ModelRequest[TurnContext]], Awaitable[ModelResponse[Any]]],
        messages: list[AnyMessage],
        stuck: str | None,
    ) -> tuple[ModelResponse[Any], Digest, LoopPrompt]:
        state: Any = request.state
        context, known = request.runtime.context, state.get("digest")
        digest = Digest(**known) if known else begin(messages)
        offered = ToolSelection() if stuck else await offer(self._agent, context)
        if not known:
            _tell_once(offered, context)
        call = context.call(self._agent.role, Purpose.ANSWER)
        reader = context.models.reader(call, tools=bool(offered.tools))
        prompt = LoopPrompt(
            self._agent, context, offered, messages, digest.task, cuts_of(state.get("cuts"))
        )
        digest = await compacted(prompt, digest, reader)
        seen = shown(messages, digest)
        if stuck is not None:
            seen.append(HumanMessage(_STOP.format(calls=stuck), id=_STOP_ID))
        prompt.messages = with_pictures(seen, self._agent.role, context)
        try:
            return await handler(bound(request, prompt, reader)), digest, prompt
        except (LimitError, NoModelError):
            if not offered.dispensable:
                raise
            prompt.offered = ToolSelection()
            return await handler(bound(request, prompt, reader)), digest, prompt

    def _fit(
        self, message: BaseMessage, since: Sequence[AnyMessage], stuck: str | None
    ) -> BaseMessage:
        if not isinstance(message, AIMessage):
            return message
        # Some servers give every answer the same id, and the state keeps one message of an id.
        attempt = message.response_metadata.get(NOTED, {}).get("attempt")
        message = message.model_copy(update={"id": attempt or message.id})
        if stuck is None:
            return fit_calls(message)
        # It was offered no tools: what it calls all the same is not done, and the loop ends.
        text = message.text or f"I stopped: I was repeating {stuck}.\n{work_record(since)}"
        return message.model_copy(update={"content": text, "tool_calls": []})

    @hook_config(can_jump_to=["model"])
    async def aafter_model(
        self, state: ParkState, runtime: Runtime[TurnContext]
    ) -> dict[str, Any] | None:
        """Sleep when the step was not taken, then try it again."""
        rest = state.get("rest")
        if not rest:
            heard = await _heard_out(state["messages"], runtime.context)
            return heard or self._nudged(state, runtime.context)
        interrupt(rest)
        again: dict[str, Any] = {"jump_to": "model", "rest": None}
        if rest["kind"] == "cap":
            again |= {"steps": 0, "calls": 0, "worked_s": 0.0, "forgiven": len(state["messages"])}
        return again

    def _nudged(self, state: ParkState, context: TurnContext) -> dict[str, Any] | None:
        """Ask once whether it is done, when the last reply ends a run in which nothing was."""
        messages = state["messages"]
        last = messages[-1]
        if not isinstance(last, AIMessage) or last.tool_calls or "nudged" in state:
            return None
        asked = None if circle(messages[:-1]) else nudge(self._agent, messages, context)
        if asked is None:
            return None
        return {"jump_to": "model", "messages": [asked], "nudged": last.text}


def _standing(said: BaseMessage, before: str | None, context: TurnContext) -> BaseMessage:
    """Return the answer that stands when a model says that it was complete before."""
    if before is None or not isinstance(said, AIMessage) or said.tool_calls:
        return said
    if not is_complete(said.text):
        return said
    attempt = said.response_metadata.get(NOTED, {}).get("attempt")
    reason = "the answer before stands"
    context.tagged_sink.emit(EventKind.ATTEMPT_DISCARDED, attempt=attempt, reason=reason)
    return said.model_copy(update={"content": before})


async def _heard_out(messages: Sequence[AnyMessage], context: TurnContext) -> dict[str, Any] | None:
    """Note what was read; go on when a person said something during the last answer."""
    await note_read(messages, context)
    last = messages[-1]
    if not isinstance(last, AIMessage) or last.tool_calls:
        return None
    return {"jump_to": "model"} if await said_meanwhile(messages, context) else None


def _tell_once(offered: ToolSelection, context: TurnContext) -> None:
    if offered.without is not None:
        context.tagged_sink.emit(EventKind.NOTICE, text=offered.without)


def _no_step(rest: dict[str, Any]) -> ExtendedModelResponse[Any]:
    return ExtendedModelResponse(
        model_response=ModelResponse(result=[]), command=Command(update={"rest": rest})
    )


def _caps(context: TurnContext) -> LoopUsage:
    limits = context.limits
    is_run = context.session.kind is SessionKind.RUN
    return LoopUsage(
        steps=limits.max_run_steps if is_run else limits.max_steps,
        calls=limits.max_model_calls,
        worked_s=limits.max_turn_time.total_seconds(),
    )
