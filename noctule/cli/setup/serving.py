"""Serving: a worker in the foreground until a signal, with a line for what happens in it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import click

from noctule.channels.terminal.screens.printable import shown
from noctule.cli.frame.invocation import Invocation
from noctule.cli.models.proving import proving
from noctule.core.errors import StorageError, StorageUnavailableError
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Turn
from noctule.core.sessions.suspensions import Suspension
from noctule.core.times.durations import show_duration
from noctule.heap import settle_heap

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.config import Loaded
    from noctule.sessions.workers.lock import Holder
    from noctule.sessions.workers.worker import TakenUp, Worker

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LEFT_AT_ONCE = 1
_LOOK_SECONDS = 2.0
"""How often a database that did not answer at the start is asked again."""

_WORDS = {
    Status.DONE: "done",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.PARKED: "parked",
    Status.WAITING: "waits for you",
}


async def serve(
    invocation: Invocation, *, what: str, channels: bool, until_eof: bool = False
) -> int:
    """Work until a signal, then drain.

    Args:
        invocation: whose configuration.
        what: the command, for whoever asks who works on the data folder.
        channels: whether configured channels are started too.
        until_eof: whether the end of standard input stops it like a signal.

    Raises:
        DatabaseBusyError: another worker has the data folder.
    """
    from noctule.bootstrap import open_runtime, open_worker  # noqa: PLC0415 - heavy
    from noctule.cli.models.warm_start import WarmStart  # noqa: PLC0415 - likewise
    from noctule.reload import Reload  # noqa: PLC0415 - likewise
    from noctule.setup.discover import memory_bytes  # noqa: PLC0415 - likewise

    loaded = invocation.load()
    stop = asyncio.Event()
    with _signals(stop), _end_of_input(stop if until_eof else None):
        async with AsyncExitStack() as stack:
            records = await _answering(stack, loaded, stop)
            if records is None:
                return 0
            records.database.patience.tells(_say)
            runtime = await stack.enter_async_context(open_runtime(records))
            reload = Reload(loaded, runtime, _say)
            stack.push_async_callback(reload.close)
            async with open_worker(runtime, what=what, reporter=Lines(records)) as worker:
                async with (
                    _channels(records, wanted=channels),
                    proving(runtime, _say),
                    reload.watching(worker),
                    WarmStart(runtime, _say, memory_bytes()).warming(),
                ):
                    settle_heap()
                    damage = await _until(stop, worker)
                if damage is not None:
                    raise damage
                _say("Stopping after the current steps; send the signal again to stop at once.")
            _say("Stopped. Unfinished work resumes at the next start.")
    return 0


async def _until(stop: asyncio.Event, worker: "Worker") -> StorageError | None:
    """Wait until it is told to stop; return what is wrong when it cannot go on."""
    told, broken = asyncio.create_task(stop.wait()), asyncio.create_task(worker.damage())
    try:
        await asyncio.wait({told, broken}, return_when=asyncio.FIRST_COMPLETED)
        return broken.result() if broken.done() else None
    finally:
        told.cancel()
        broken.cancel()


async def _answering(
    stack: AsyncExitStack, loaded: "Loaded", stop: asyncio.Event
) -> "Records | None":
    """Open the database once it answers; None when it was told to stop before."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - heavy

    told = False
    while not stop.is_set():
        try:
            return await stack.enter_async_context(open_records(loaded))
        except StorageUnavailableError as error:
            if error.needs_person:
                raise
            if not told:
                _say(f"{error} Waiting until it answers; press Ctrl-C to stop.")
                told = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await stop.wait()
    return None


@asynccontextmanager
async def _channels(records: "Records", *, wanted: bool) -> AsyncIterator[None]:
    """Run the configured channels while the block runs."""
    if not wanted or records.settings.telegram.token is None:
        yield
        return
    from noctule.channels.telegram.channel import open_telegram  # noqa: PLC0415 - only with a token

    async with open_telegram(records, _say):
        yield


class Lines:
    """Tells on stderr what begins, sleeps and ends.

    Args:
        records: the zone and the time.
    """

    def __init__(self, records: "Records") -> None:
        self._clock = records.clock
        self._zone = records.zone
        is_postgres = records.settings.storage.is_postgres
        self._where = "a PostgreSQL database" if is_postgres else str(records.home)

    def waits(self, holder: "Holder") -> None:
        """Tell that another worker is still stopping."""
        _say(holder.in_the_way)

    def ready(self, found: "TakenUp") -> None:
        """Tell what is worked on, and what was found there."""
        counts = [
            f"{found.begun} running",
            f"{found.queued} queued",
            f"{found.asleep} parked",
            f"{found.waiting} waiting for you",
        ]
        _say(
            f"Serving {self._where}: {', '.join(counts)}. Press Ctrl-C to stop after the current "
            "steps."
        )

    def begins(self, turn: Turn) -> None:
        """Tell that a turn wakes, or is gone on with after its process ended."""
        match turn.status:
            case Status.PARKED | Status.WAITING:
                self._line("woke", turn, "")
            case Status.RUNNING:
                self._line("resumed", turn, "its process ended while it was running")
            case _:
                self._line("started", turn, "")

    def rests(self, turn: Turn) -> None:
        """Tell where a turn came to rest."""
        word = _WORDS.get(turn.status)
        if word is not None:
            self._line(word, turn, turn.error or "")

    def ends(self, sentence: str) -> None:
        """Tell that a plan or a trial comes to its end."""
        _say(sentence)

    def slept(self, suspension: Suspension) -> None:
        """Tell that the machine slept, and for how long nothing was done."""
        began = suspension.began_at.astimezone(self._zone).strftime("%H:%M")
        ended = suspension.ended_at.astimezone(self._zone).strftime("%H:%M")
        lasted = show_duration(suspension.lasted.total_seconds())
        _say(
            f"This machine slept from {began} to {ended}: no work was done for {lasted}. Turn off "
            "automatic sleep, or leave it open and plugged in while sessions work."
        )

    def _line(self, word: str, turn: Turn, why: str) -> None:
        time = self._clock.now().astimezone(self._zone).strftime("%H:%M:%S")
        said = f": {' '.join(why.split())}" if why else ""
        _say(f"{time} {turn.session_id} {word}{said}")


def _say(text: str) -> None:
    try:
        click.echo(shown(text), err=True)
    except OSError:  # nobody reads it any more: the sessions go on all the same
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the rest of the process


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    told: Callable[[], None] = lambda: _told(stop)  # noqa: E731 - one object for both signals
    for number in _SIGNALS:
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


@contextmanager
def _end_of_input(stop: asyncio.Event | None) -> Iterator[None]:
    """Set an event when standard input ends; None watches nothing."""
    if stop is None:
        yield
        return
    loop, source = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        if not os.read(source, 4096):
            loop.remove_reader(source)
            stop.set()

    loop.add_reader(source, read)
    try:
        yield
    finally:
        loop.remove_reader(source)


def _told(stop: asyncio.Event) -> None:
    if stop.is_set():
        _say("Interrupted. Unfinished work resumes at the next start.")
        os._exit(_LEFT_AT_ONCE)
    stop.set()
