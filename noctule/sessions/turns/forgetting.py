"""Forgetting: once a turn has ended, its secrets are replaced wherever it was kept.

While it runs or sleeps they stay, because its agents need them. What happened is kept with a
placeholder that is the same for the same secret. The state goes first, under the lock of the
session; the rows a little later, so that whoever follows the turn still reads how it ended. A
turn counts as done when nothing of it is left on the disk: a kill in between leaves it to the next
start.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from noctule.core.base.secrets import EndedTurn, Replacer
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.ports.database import Database
from noctule.core.sessions.sessions import Turn

_LOG = logging.getLogger(__name__)

AFTER_SECONDS = 3.0
"""How long the rows of an ended turn stay for followers that are a little behind."""

_LOOK_SECONDS = 15.0
_AT_ONCE = 100
_ROUNDS = 3
"""How often a turn is gone through for what was found on the way; each finds less than the last."""


_LONG = 64
_MOST_CLEAN = 200_000


class States(Protocol):
    """Where the state of sessions is kept."""

    async def arewrite(self, thread_id: str, mask: Callable[[str], str]) -> None:
        """Replace texts in everything stored of a session."""
        ...


class DataFiles(Protocol):
    """The files of a data folder."""

    async def overwrite(self, gone: Collection[str]) -> None:
        """Write over texts in logs, histories and backups."""
        ...

    async def wipe(self, gone: Collection[str], *, whole: bool) -> bool:
        """Leave nothing of texts on free pages of databases; False when that has to wait."""
        ...


class _CleanTexts:
    """Long texts in which nothing was found, so that a conversation is not gone through anew.

    Only their hashes are kept, and only as long as the same values are known to be secret.
    """

    def __init__(self) -> None:
        self._values: tuple[str, ...] = ()
        self._hashes: set[int] = set()

    def over(self, replacer: Replacer) -> Callable[[str], str]:
        """Return how a text is masked; what this turn has left is looked for in all of them."""
        values = tuple(replacer.values)
        if values != self._values or len(self._hashes) > _MOST_CLEAN:
            self._values, self._hashes = values, set()
        masker, hashes, trusted = replacer.masker, self._hashes, not replacer.gone

        def mask(text: str) -> str:
            if len(text) < _LONG:
                return masker.mask(text)
            number = hash(text)
            if trusted and number in hashes:
                return text
            after = masker.mask(text)
            if after == text:
                hashes.add(number)
            return after

        return mask


class Forgetting:
    """Replaces the secrets of turns that have ended.

    Args:
        database: the rows.
        states: the state of sessions.
        disk: the files.
        replacer: makes one that knows what is secret now.
        clock: the time.
    """

    def __init__(
        self,
        *,
        database: Database,
        states: States,
        disk: DataFiles,
        replacer: Callable[[], Replacer],
        clock: Clock,
    ) -> None:
        self._database = database
        self._states = states
        self._disk = disk
        self._replacer = replacer
        self._clock = clock
        self._later: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, tuple[EndedTurn, Replacer]] = {}
        self._unwiped: set[str] = set()
        self._unmarked: list[EndedTurn] = []
        self._one_at_a_time = asyncio.Lock()
        self._clean = _CleanTexts()
        self._taken_up = False
        self._left_behind: set[str] = set()

    async def before(self, session_id: str) -> None:
        """See to it that nothing of earlier turns is in a session's state when one begins.

        Whoever calls it holds the session's lock.
        """
        async with self._database.read() as work:
            due = await work.secrets.due(session_id=session_id)
        for ended in due:
            if ended.turn_id not in self._waiting:
                await self._quietly(lambda ended=ended: self._in_state(ended))  # type: ignore[misc]  # mypy cannot type a default

    async def ended(self, turn: Turn) -> None:
        """Take a turn that has just ended; whoever calls it holds its session's lock."""
        try:
            async with self._database.read() as work:
                due = await work.secrets.due(session_id=turn.session_id)
            ended = next((one for one in due if one.turn_id == turn.id), None)
            if ended is None or turn.id in self._waiting:
                return
            replacer = await self._in_state(ended)
        except Exception as error:  # noqa: BLE001 - no turn suffers for it
            _tell(error)
            return
        self._waiting[turn.id] = (ended, replacer)
        task = self._later[turn.id] = asyncio.create_task(self._rows_later(turn.id))
        task.add_done_callback(lambda _: self._later.pop(turn.id, None))

    async def take_up(self) -> None:
        """Do what processes that ended left behind, as far as nobody is at those sessions.

        Raises:
            NoctuleError: storage refuses.
        """
        async with self._database.read() as work:
            due = await work.secrets.due(limit=_AT_ONCE)
        known = {*self._waiting, *(ended.turn_id for ended in self._unmarked)}
        for ended in due:
            if ended.turn_id in known:
                continue
            if not await self._database.session_is_free(ended.session_id):
                continue
            self._left_behind.add(ended.turn_id)
            async with self._database.session_lock(ended.session_id):
                async with self._database.read() as work:
                    begun = await work.secrets.is_begun(ended.session_id)
                replacer = self._replacer() if begun else await self._in_state(ended)
            await self._in_rows(ended, replacer)
        if len(due) < _AT_ONCE:
            await self._wipe()

    async def left_behind(self) -> None:
        """Take up once what earlier processes left; by whoever may work on the data folder."""
        if not self._taken_up:
            self._taken_up = True
            await self._quietly(self.take_up)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look again and again for turns that ended without their worker, while the block runs."""
        task = asyncio.create_task(self._look_again())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """Replace at once what still waits; what cannot be is left to the next start."""
        for task in list(self._later.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for turn_id in list(self._waiting):
            await self._rows(turn_id)
        await self._quietly(self._wipe)

    async def _look_again(self) -> None:
        while True:
            await self._quietly(self.take_up)
            await self._clock.sleep(_LOOK_SECONDS)

    async def _rows_later(self, turn_id: str) -> None:
        await self._clock.sleep(AFTER_SECONDS)
        await self._rows(turn_id)

    async def _rows(self, turn_id: str) -> None:
        ended, replacer = self._waiting[turn_id]
        await self._quietly(lambda: self._in_rows(ended, replacer))
        self._waiting.pop(turn_id, None)
        await self._quietly(self._wipe)

    async def _in_state(self, ended: EndedTurn) -> Replacer:
        """Replace what is secret in the state of a session; return what knows it now."""
        replacer = self._replacer()
        async with self._database.read() as work:
            turn = await work.turns.get(ended.turn_id)
        for text in (turn.text, turn.reply or "", turn.error or ""):
            replacer.masker.mask(text)
        for _ in range(_ROUNDS):
            known = len(replacer.gone)
            await self._states.arewrite(ended.session_id, self._clean.over(replacer))
            if len(replacer.gone) == known:
                break
        return replacer

    async def _in_rows(self, ended: EndedTurn, replacer: Replacer) -> None:
        """Replace what is secret in the rows of a turn and in files beside the databases."""
        async with self._one_at_a_time, self._database.work() as work:
            for _ in range(_ROUNDS):
                known = len(replacer.gone)
                await work.secrets.replace(ended, replacer.masker)
                if len(replacer.gone) == known:
                    break
            await work.events.prune_deltas(ended.turn_id)
            # Before the commit: a kill in between finds all of it again.
            await self._disk.overwrite(replacer.gone)
            if replacer.gone or ended.turn_id in self._left_behind:
                self._unwiped |= replacer.gone
                self._unmarked.append(ended)
            else:
                await work.secrets.done(ended)
            await work.commit()

    async def _wipe(self) -> None:
        """Leave nothing of it on free pages, and note of whose turns that is true."""
        async with self._one_at_a_time:
            if not self._unmarked:
                return
            # What a killed process had replaced in rows is known to nobody.
            whole = any(ended.turn_id in self._left_behind for ended in self._unmarked)
            if not await self._disk.wipe(self._unwiped, whole=whole):
                return  # readers are in the way: the next look tries again
            wiped, self._unmarked, self._unwiped = self._unmarked, [], set()
            self._left_behind -= {ended.turn_id for ended in wiped}
            async with self._database.work() as work:
                for ended in wiped:
                    await work.secrets.done(ended)
                await work.commit()

    async def _quietly(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - no turn suffers for it
            _tell(error)


def _tell(error: Exception) -> None:
    """Log what kept secrets where they are; the next look, or the next start, tries again."""
    said = None if isinstance(error, NoctuleError) else error
    _LOG.warning("Secrets of turns that ended stay for now: %s", error, exc_info=said)
