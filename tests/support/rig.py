"""A data folder, its configuration, and real workers on it.

In a test::

    async with Provider(decide=...) as provider, Rig(tmp_path, provider.openai_url) as rig:
        turn = await rig.say("hello")
        async with rig.serving() as serve:
            await rig.until(turn, Status.DONE)
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from noctule.bootstrap import Records, open_records
from noctule.config import load
from noctule.core.clock import SystemClock
from noctule.core.llm.events import Event
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind, Turn
from noctule.sessions.service.service import Request
from tests.support.command_line import ROLES, CommandLine
from tests.support.json_documents import check_document

CLOCK = SystemClock()
_PATIENCE = 90.0


@dataclass
class Command:
    """A ``noctule`` that is running; what it printed for ``--json`` must fit its schema.

    Args:
        process: it.
        words: what stands behind ``noctule``.
        lines: what was read of stderr.
    """

    process: asyncio.subprocess.Process
    words: Sequence[str] = ()
    lines: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    async def says(self, words: str) -> str:
        """Return the next line on stderr that holds some words.

        Raises:
            AssertionError: it ended without saying them.
        """
        assert self.process.stderr is not None
        async with asyncio.timeout(_PATIENCE):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                if words in line:
                    return line
        raise AssertionError(f"it ended without saying {words!r}:\n{''.join(self.lines)}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def kill(self) -> datetime:
        """Send SIGKILL; return when."""
        at = CLOCK.now()
        self.process.kill()
        await self.ended()
        return at

    async def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return (await self.ended())[0]

    async def ended(self) -> tuple[int, str]:
        """Return the exit code and everything on stdout."""
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            err = asyncio.create_task(self.process.stderr.read())
            out = await self.process.stdout.read()
            self.lines.append((await err).decode())
            code = await self.process.wait()
        if code >= 0:  # no signal ended it in the middle of a line
            check_document(self.words, out.decode())
        return code, out.decode()


class Rig:
    """A data folder and what runs on it.

    Args:
        folder: an empty one.
        url: of a provider that speaks like OpenAI, without a limit on what it is asked at once.
        config: further sections of the configuration; ``models`` replaces the only model.
    """

    def __init__(self, folder: Path, url: str, **config: Any) -> None:
        self.command_line = CommandLine(folder)
        self.home = self.command_line.home
        self._open = AsyncExitStack()
        self._records: Records | None = None
        self.path = self.command_line.configure(
            {
                "endpoints": {"shop": {"kind": "openai", "url": url, "local": True}},
                "models": {"loop": {"endpoint": "shop", "name": "loop", "context": 32000}},
                "roles": {role: {"primary": "loop"} for role in ROLES},
                "limits": {"queue_timeout": "0s"},
                **config,
            }
        )

    async def __aenter__(self) -> Self:
        loaded = load(self.path, environ=self.command_line.env)
        self._records = await self._open.enter_async_context(open_records(loaded))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    @property
    def records(self) -> Records:
        """The database, in this process."""
        assert self._records is not None
        return self._records

    async def start(self, *words: str) -> Command:
        """Start a command and leave it running; the caller ends it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "noctule", *words),
            cwd=self.command_line.folder,
            env=self.command_line.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=1 << 20,
        )
        return Command(process, words)

    async def serve(self, what: str = "serve") -> Command:
        """Start a worker and wait until it works; the caller ends it."""
        command = await self.start(what)
        await command.says("Serving")
        return command

    @asynccontextmanager
    async def serving(self, what: str = "serve") -> AsyncIterator[Command]:
        """Have a worker while the block runs; it is ended with SIGTERM, or killed if that fails."""
        command = await self.serve(what)
        try:
            yield command
            if command.process.returncode is None:
                assert await command.stop() == 0, command.lines
        finally:
            if command.process.returncode is None:
                os.kill(command.pid, signal.SIGKILL)
                await command.ended()

    async def say(self, text: str, session_id: str | None = None, **wanted: Any) -> Turn:
        """Submit a message for background work."""
        wanted.setdefault("kind", SessionKind.RUN)
        return await self.records.service.submit(Request(text, session_id=session_id, **wanted))

    async def turn(self, turn: Turn) -> Turn:
        """Return a turn as it now is."""
        async with self.records.database.read() as work:
            return await work.turns.get(turn.id)

    async def until(self, turn: Turn | Sequence[Turn], *statuses: Status) -> Turn:
        """Wait until turns have one of some statuses; return the last of them."""
        turns = [turn] if isinstance(turn, Turn) else turn
        now: list[Turn] = []
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    async with self.records.database.read() as work:
                        now = [await work.turns.get(one.id) for one in turns]
                    if all(one.status in statuses for one in now):
                        return now[-1]
                    await CLOCK.sleep(0.05)
        except TimeoutError:
            others = [one for one in now if one.status not in statuses]
            raise AssertionError(
                f"{len(others)} turns never came to {statuses}: {others}"
            ) from None

    async def events(self, session_id: str) -> list[Event]:
        """Return what happened in a session."""
        async with self.records.database.read() as work:
            return await work.events.after(session_id, 0)
