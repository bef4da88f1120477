"""Carries one turn as far as it goes now: to its reply, to sleep, to a question, or to an error.

``advance`` never raises for anything a turn or a provider does: whatever happens becomes the
turn's stored status, so that no engine above it can lose a turn to an exception. It may be called
at any moment, any number of times, after any crash; what is done stays done. Storage that does not
answer is no verdict on a turn: the turn is left as it is, and tried again until storage answers.
"""

import asyncio
import logging
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from graphs.runner import Drain, GraphPosition, TurnRunner
from graphs.state.context import TurnContext
from graphs.state.state import GRAPH_VERSION
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError, SupersededError
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking
from noctule.core.sessions.sessions import Order, Session, SessionKind, Turn
from noctule.core.workers.patience import PASSING
from noctule.core.workers.tenures import Tenure, TenuredDatabase
from noctule.sessions.turns.contexts import Contexts
from noctule.sessions.turns.events import EventLog, TurnSink
from noctule.sessions.turns.forgetting import Forgetting
from noctule.sessions.turns.orders import Orders
from noctule.sessions.turns.progress import Progress
from noctule.sessions.turns.transitions import TurnTransitions

_LOG = logging.getLogger(__name__)


class TurnExecutor:
    """Advances turns in this process.

    Args:
        database: the truth of every turn's status.
        runner: the graph.
        events: what watchers see.
        orders: what people order meanwhile.
        rest: puts turns to sleep and ends them.
        contexts: makes the nodes' context under the current configuration.
        clock: the time.
        forgetting: replaces the secrets of turns that have ended; None leaves them.
    """

    def __init__(  # noqa: PLR0913 - the parts a turn is carried with
        self,
        *,
        database: Database,
        runner: TurnRunner,
        events: EventLog,
        orders: Orders,
        rest: TurnTransitions,
        contexts: Contexts,
        clock: Clock,
        forgetting: Forgetting | None = None,
    ) -> None:
        self._database = database
        self._runner = runner
        self._events = events
        self._orders = orders
        self._rest = rest
        self._contexts = contexts
        self._clock = clock
        self._forgetting = forgetting
        self._tenure: Tenure | None = None

    async def advance(
        self, turn_id: str, drain: Drain | None = None, tenure: Tenure | None = None
    ) -> Progress:
        """Carry a turn as far as it goes now.

        Args:
            turn_id: which.
            drain: asks to stop after the current step; None never does.
            tenure: the right to advance its session, under which everything is stored; None
                where nobody else can have it.
        """
        drain, view = drain or Drain(), self._under(tenure)
        progress = await self._database.patience.keep_trying(lambda: view._try(turn_id, drain))  # noqa: SLF001 - its own kind
        if self._forgetting is not None and progress.turn.status.finished:
            await self._forgetting.ended(progress.turn)
        return progress

    def _under(self, tenure: Tenure | None) -> "TurnExecutor":
        """Return the same, writing under a tenure."""
        if tenure is None:
            return self
        view = copy(self)
        view._tenure = tenure  # noqa: SLF001 - its own kind
        view._database = TenuredDatabase(self._database, tenure)  # noqa: SLF001 - likewise
        view._rest = self._rest.on(view._database)  # noqa: SLF001 - likewise
        return view

    async def _try(self, turn_id: str, drain: Drain) -> Progress:
        """Carry a turn on.

        Args:
            turn_id: which.
            drain: asks to stop after the current step.

        Raises:
            StorageUnavailableError: what came of it cannot be stored now.
            DatabaseBusyError: likewise, because two writers met.
        """
        async with self._database.read() as work:
            turn = await work.turns.get(turn_id)
            session = await work.sessions.get(turn.session_id)
            next_one = await work.turns.oldest_unfinished(turn.session_id)
        if turn.status.finished or next_one is None or next_one.id != turn.id:
            return Progress(turn)
        if turn.order is Order.CANCEL:
            return Progress(await self._rest.cancelled(turn))
        if turn.status is not Status.RUNNING and not turn.due(self._clock.now()):
            return Progress(turn, turn.wake_at)
        sink = self._events.sink(session.id, turn.id, self._database)
        try:
            due = await self._waking(turn)
            return await self._advance(turn, session, sink, due, drain)
        except PASSING:
            raise
        except SupersededError as error:
            _LOG.warning("%s", error)
            return Progress(turn)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes the turn's status
            return await self._failed(turn, sink, error)
        finally:
            await _close(sink)

    async def _waking(self, turn: Turn) -> list[Parking]:
        if turn.started_at is None:  # it never slept
            return []
        async with self._database.read() as work:
            parkings = await work.parkings.open_of_turn(turn.id)
        return [parking for parking in parkings if parking.due(self._clock.now())]

    async def _failed(self, turn: Turn, sink: TurnSink, error: Exception) -> Progress:
        if isinstance(error, NoctuleError):
            sentence = str(error)
        else:
            _LOG.error("turn %s broke", turn.id, exc_info=error)
            sentence = (
                f"Something in Noctule broke ({type(error).__name__}). The log has the details; "
                f"please report it. `noctule sessions resume {turn.session_id}` tries again."
            )
        try:
            return Progress(await self._rest.failed(turn, sink, sentence))
        except (*PASSING, SupersededError):
            raise
        except NoctuleError as unwritten:
            # The database refuses even that: the row still says what it said, and is tried again.
            _LOG.error("turn %s failed (%s), unwritten: %s", turn.id, sentence, unwritten)
            return Progress(turn, unstored=unwritten)

    async def _advance(
        self, turn: Turn, session: Session, sink: TurnSink, due: Sequence[Parking], drain: Drain
    ) -> Progress:
        if self._tenure is not None:
            await self._runner.take(self._tenure)
        standing = await self._standing(turn)
        unable = await self._contexts.unable(turn) or _outdated(turn, standing)
        if unable is not None:
            return Progress(await self._rest.asks(turn, sink, unable))
        if self._forgetting is not None and turn.started_at is None:
            await self._forgetting.before(session.id)
        awaited = session.kind is SessionKind.CHAT and turn.status is Status.QUEUED
        awaited_since = self._clock.now() if awaited else None
        turn = await self._rest.begun(turn, sink, due)
        context = self._contexts.of(turn, session, sink, awaited_since=awaited_since)
        if self._tenure is not None:
            epoch = self._tenure.epoch
            context = replace(context, database=self._database, epoch=epoch)
        with self._orders.of(turn.id) as order:
            rested = await self._run(context, standing, due, drain, order)
        if rested is Order.CANCEL:
            return Progress(await self._rest.cancelled(turn, sink))
        if rested is Order.PARK:
            return Progress(await self._rest.parked_by_hand(turn, sink))
        standing = rested
        if standing.stops:
            return await self._rest.sleeps(turn, session, sink, standing.stops)
        if standing.unfinished:  # drained: the next start goes on from here
            return Progress(turn)
        return Progress(await self._rest.done(turn, session, sink, standing.answer))

    async def _standing(self, turn: Turn) -> GraphPosition:
        if turn.started_at is None:  # its graph was never given it: nothing of it is stored
            return GraphPosition()
        return await self._runner.standing(turn.session_id)

    async def _run(
        self,
        context: TurnContext,
        standing: GraphPosition,
        due: Sequence[Parking],
        drain: Drain,
        order: asyncio.Future[Order],
    ) -> GraphPosition | Order:
        """Run the graph until it rests; return where it stands, or the order that cut it short.

        Raises:
            SupersededError: another worker has taken the session.
        """
        running = asyncio.ensure_future(self._graph(context, standing, due, drain))
        lost = asyncio.ensure_future(self._lost())
        try:
            ends: set[asyncio.Future[Any]] = {running, order, lost}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return await running
            if lost.done():
                raise SupersededError(context.session.id)
            return order.result()
        finally:
            lost.cancel()
            await _ended(running)

    async def _lost(self) -> None:
        """Return when the session was taken by another worker; mostly never."""
        await (self._tenure.lost if self._tenure is not None else asyncio.Event()).wait()

    async def _graph(
        self, context: TurnContext, standing: GraphPosition, due: Sequence[Parking], drain: Drain
    ) -> GraphPosition:
        if standing.turn_id != context.turn.id:
            return await self._runner.start(context, drain)
        if not standing.unfinished:
            return standing  # a kill came between its end and the turn's row
        woken = {parking.interrupt_id for parking in due}
        wake = {stop.id: stop.wake for stop in standing.stops if stop.id in woken}
        return await self._runner.go_on(context, wake, drain)


def _outdated(turn: Turn, standing: GraphPosition) -> str | None:
    begun = standing.turn_id == turn.id and standing.unfinished
    if not begun or standing.graph_version == GRAPH_VERSION:
        return None
    return (
        "This turn was begun under another version of Noctule and cannot be gone on from its "
        f"step. `noctule sessions cancel {turn.session_id}` ends it; say it again to begin anew."
    )


async def _close(sink: TurnSink) -> None:
    try:
        await sink.close()  # waits for storage
    except SupersededError:
        pass  # what the turn still had to tell is told by whoever carries it on
    except NoctuleError as error:
        _LOG.warning("the last events of a turn could not be stored: %s", error)


async def _ended(task: "asyncio.Future[GraphPosition]") -> None:
    """Cancel a task that still runs and wait until it really has let go of everything."""
    if task.done():
        return
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and task.exception() is not None:
        _LOG.info("a cancelled turn ended with %r", task.exception())
