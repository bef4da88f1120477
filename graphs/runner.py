"""Runs a session's graph: start a turn, go on where it stopped, say where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command

from graphs.checkpointers import EPOCH, NoctuleSaver
from graphs.state.context import TurnContext
from graphs.state.state import AnswerState, new_turn
from graphs.turn import build_turn_graph
from noctule.core.workers.tenures import Tenure

_RECURSION_LIMIT = 10_000
"""LangGraph's own bound on steps; ours (``limits.max_steps``) ends in a state one resumes from."""

_INTERRUPTS = "__interrupt__"
"""Under which key LangGraph returns what a run waits for."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A branch that waits.

    Args:
        id: what the graph calls the interrupt.
        value: what it waits for: ``kind`` and its facts.
    """

    id: str
    value: Mapping[str, Any]

    @property
    def question(self) -> Mapping[str, Any] | None:
        """What it wants to hear; None when it waits for something else."""
        asked: Mapping[str, Any] | None = self.value.get("question")
        return asked

    @property
    def question_key(self) -> str | None:
        """Which call asks, and which of its questions; None when it wants to hear nothing."""
        return None if self.question is None else str(self.question["tool_call_id"])

    @property
    def wake(self) -> object:
        """What it is told when it may go on: for which question, else nothing in particular."""
        return self.question_key or True


@dataclass(frozen=True, slots=True)
class GraphPosition:
    """Where a session's graph stands.

    Args:
        turn_id: the last turn it took; None when it never took one.
        graph_version: the version that turn was taken under; None likewise.
        unfinished: whether steps of that turn are left.
        stops: the branches that wait; empty when none does.
        answer: what that turn has answered so far.
    """

    turn_id: str | None = None
    graph_version: int | None = None
    unfinished: bool = False
    stops: tuple[Stop, ...] = ()
    answer: AnswerState | None = None


class Drain:
    """Asks a run to end after the step it is in; the rest goes on at the next start."""

    def __init__(self) -> None:
        self._control = RunControl()

    @property
    def control(self) -> RunControl:
        """LangGraph's own handle."""
        return self._control

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self._control.drain_requested

    def request(self, reason: str) -> None:
        """Ask for it; may be called from anywhere."""
        self._control.request_drain(reason)


class TurnRunner:
    """The graph as the sessions see it.

    Args:
        saver: where its steps are kept.
    """

    def __init__(self, saver: NoctuleSaver) -> None:
        self._saver = saver
        self._graph = build_turn_graph(saver)

    async def take(self, tenure: Tenure) -> None:
        """Let nobody with an earlier tenure store another step of its session.

        Raises:
            SupersededError: somebody has taken it since.
        """
        await self._saver.atake(tenure.session_id, tenure.epoch)

    async def standing(self, session_id: str) -> GraphPosition:
        """Read where a session's graph stands.

        A turn is finished when it is the last one taken and no task is left. (An empty ``next``
        does not mean that: a kill between a task's writes and its checkpoint leaves it empty.)
        """
        snapshot = await self._graph.aget_state(_config(session_id))
        values = snapshot.values
        return GraphPosition(
            turn_id=values.get("turn_id"),
            graph_version=values.get("graph_version"),
            unfinished=bool(snapshot.tasks),
            stops=tuple(Stop(stop.id, stop.value) for stop in snapshot.interrupts),
            answer=values.get("answer"),
        )

    async def start(self, context: TurnContext, drain: Drain) -> GraphPosition:
        """Give a session's graph a new turn and run it until it ends, waits or is drained.

        Whatever an earlier turn left undone is dropped.
        """
        turn = context.turn
        given = new_turn(turn.id, turn.text, turn.attachments)
        return await self._run(given, context, drain)

    async def go_on(
        self, context: TurnContext, wake: Mapping[str, Any], drain: Drain
    ) -> GraphPosition:
        """Go on with the turn a session's graph is in, at the step where it stopped.

        Args:
            context: of the same turn, under the current configuration.
            wake: what each stop that may go on is told, by its id; the others keep waiting.
                Empty when it was cut off between two steps.
            drain: asks it to end early.
        """
        given: Command[Any] | None = Command(resume=dict(wake)) if wake else None
        return await self._run(given, context, drain)

    async def _run(self, given: Any, context: TurnContext, drain: Drain) -> GraphPosition:
        try:
            values = await self._graph.ainvoke(
                given,
                _config(context.session.id, context.epoch),
                context=context,
                durability="sync",
                control=drain.control,
            )
        except GraphDrained:
            return await self.standing(context.session.id)
        if values.get(_INTERRUPTS):
            return await self.standing(context.session.id)  # the other branches wait too
        return GraphPosition(
            turn_id=values["turn_id"],
            graph_version=values["graph_version"],
            unfinished=False,
            stops=(),
            answer=values["answer"],
        )


def _config(session_id: str, epoch: int | None = None) -> RunnableConfig:
    """Return the configuration of a run; the epoch goes with every step that is stored."""
    where: dict[str, Any] = {"thread_id": session_id}
    if epoch is not None:
        where[EPOCH] = epoch
    return {"configurable": where, "recursion_limit": _RECURSION_LIMIT}
