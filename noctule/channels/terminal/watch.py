"""Watch: the events of a session as they come, shown until one turn of it rests."""

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from noctule.channels.terminal.screens.screen import Screen
from noctule.channels.terminal.screens.view import TurnView
from noctule.core.llm.events import Event, EventKind
from noctule.core.sessions.sessions import Turn

if TYPE_CHECKING:
    from noctule.sessions.turns.events import EventLog

_LOG = logging.getLogger(__name__)

_RESTS = frozenset({EventKind.TURN_ENDED, EventKind.PARKED})
_LAST_EVENTS_SECONDS = 2.0


class TurnWatch:
    """Shows one turn, and before it what is left of the session's earlier ones.

    Args:
        events: where they come from.
        screen: where they go.
        turn: the one somebody waits for.
        after: the last event of the session before it.
        tell_route: whether a line says who decided the route.
    """

    def __init__(
        self, events: "EventLog", screen: Screen, turn: Turn, after: int, *, tell_route: bool
    ) -> None:
        self._screen = screen
        self._turn = turn
        self._view = TurnView(screen, tell_route=tell_route)
        self._earlier: dict[str, TurnView] = {}
        self._task = asyncio.create_task(self._follow(events, after))

    async def finish(self, rested: Turn | None) -> None:
        """Show what is left and stop.

        Args:
            rested: the turn as it is stored; None stops at once, showing no more.
        """
        if rested is not None:
            # Its last event is stored in one transaction with its status: it comes at once.
            await asyncio.wait([self._task], timeout=_LAST_EVENTS_SECONDS)
        self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass
        except Exception:  # noqa: BLE001 - what cannot be shown is stored all the same
            _LOG.exception("the events of turn %s could not be shown", self._turn.id)
        self._view.finish(rested.reply if rested is not None else None)
        self._screen.close()

    async def _follow(self, events: "EventLog", after: int) -> None:
        async with aclosing(events.follow(self._turn.session_id, after)) as stream:
            async for event in stream:
                if event.turn_id != self._turn.id:
                    self._show_earlier(event)
                    continue
                self._view.show(event)
                if event.kind in _RESTS:
                    return

    def _show_earlier(self, event: Event) -> None:
        if event.turn_id > self._turn.id:
            return
        view = self._earlier.get(event.turn_id)
        if view is None:
            self._screen.note("Finishing an earlier message first:")
            view = TurnView(self._screen.aside(), tell_route=False)
            self._earlier[event.turn_id] = view
        view.show(event)
        if event.kind in _RESTS:
            view.finish(event.data.get("reply"))
            if why := event.data.get("sentence") or event.data.get("error"):
                self._screen.note(str(why))
