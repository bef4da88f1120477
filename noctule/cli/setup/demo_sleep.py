"""The demo's acts of sleep: a provider refuses, a budget is used up; both times it wakes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import yaml

from noctule.bootstrap import run_reports
from noctule.channels.terminal.turn_result import TurnResult
from noctule.channels.terminal.watch import TurnWatch
from noctule.cli.setup.refusing_gate import RefusingGate
from noctule.config import load
from noctule.core.base.private_files import write_private
from noctule.core.base.roles import Role
from noctule.core.errors import OurBugError
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind, Turn
from noctule.models.clients.embedded import EmbeddedClient
from noctule.sessions.service.service import Request, SessionService

if TYPE_CHECKING:
    from rich.console import Console

    from noctule.bootstrap import Runtime
    from noctule.channels.terminal.screens.screen import Screen
    from noctule.config import Loaded

_PRICE = {"input": "0.10", "output": "10"}
_USD = "0.0006"
_WINDOW_S = 6
_MOST_TOKENS = 40
REFUSED = (
    "A small server on this machine plays a provider with a rate limit: it answers the first "
    "request with a real 429 and Retry-After, and passes the next one on to the model. The work "
    "is done by `noctule worker`, in a process of its own."
)
UNPAID = (
    f"The same model, with a price: ${_PRICE['input']} for a million tokens sent and "
    f"${_PRICE['output']} for a million received, as really counted. A budget pays "
    f"${_USD} in any {_WINDOW_S} s: that is one step of a plan, not two. No step starts before it "
    "is paid for."
)
_REFUSED_TEXT = "Write two sentences about a bat that waits for the night."
_UNPAID_TEXT = "@research @writer Describe how a bat spends the night."
_RETRY_AFTER_S = 8
_LOOK_SECONDS = 0.2
_MOST_SECONDS = 300.0
_STOP_SECONDS = 20.0


class Night:
    """Where the acts are played: a worker of its own, and a provider that refuses once.

    Args:
        runtime: of the demo.
        console: where what is said about the acts goes.
        screen: where the acts themselves go.
    """

    def __init__(self, runtime: "Runtime", console: "Console", screen: "Screen") -> None:
        self._runtime = runtime
        self._records = runtime.records
        self._console = console
        self._screen = screen
        self._open = AsyncExitStack()
        self._service = runtime.records.service

    async def __aenter__(self) -> Self:
        client = self._runtime.models.client("embedded")
        if not isinstance(client, EmbeddedClient):
            raise OurBugError("The demo's endpoint is not the embedded one; please report this.")
        async with AsyncExitStack() as opening:
            gate = await opening.enter_async_context(
                RefusingGate(client.address, refusals=1, retry_after_s=_RETRY_AFTER_S)
            )
            loaded = load(self._write_config(gate), environ=self._environ())
            await opening.enter_async_context(self._worker(loaded))
            self._service = SessionService(
                loaded.settings, self._records.database, self._records.clock
            )
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def refused(self) -> TurnResult:
        """Play work that a provider refuses at first, and return what came of it.

        Raises:
            OurBugError: the worker did not do it in five minutes.
        """
        return await self._play(Request(text=_REFUSED_TEXT, role=Role.WRITER.value))

    async def unpaid(self) -> TurnResult:
        """Play work whose second step the budget does not pay for at first.

        Raises:
            OurBugError: the worker did not do it in five minutes.
        """
        return await self._play(Request(text=_UNPAID_TEXT, model="priced"))

    async def _play(self, request: Request) -> TurnResult:
        turn = await self._service.submit(replace(request, kind=SessionKind.RUN))
        turn = await self._watch_until(turn, after=0, sleeping=True)
        if turn.status is Status.PARKED:
            after = await self._count_down(turn)
            turn = await self._watch_until(turn, after=after, sleeping=False)
        report = await run_reports(self._records).of(turn)
        self._console.print(report.sentence(self._records.zone), soft_wrap=True, markup=False)
        return await TurnResult.read(self._records.database, turn.id)

    async def _watch_until(self, turn: Turn, *, after: int, sleeping: bool) -> Turn:
        """Show a turn until it rests; return it as it then is."""
        watch = TurnWatch(self._records.events, self._screen, turn, after, tell_route=True)
        rests = {Status.DONE, Status.FAILED, Status.CANCELLED, Status.WAITING}
        if sleeping:
            rests.add(Status.PARKED)
        rested: Turn | None = None
        try:
            rested = await self._until(turn, rests)
        finally:
            await watch.finish(rested)
        return rested

    async def _until(self, turn: Turn, rests: set[Status]) -> Turn:
        waited = 0.0
        while True:
            async with self._records.database.read() as work:
                now = await work.turns.get(turn.id)
            if now.status in rests:
                return now
            if waited > _MOST_SECONDS:
                raise OurBugError(
                    "The demo's worker did not finish. Its log is in "
                    f"{self._records.home}; please report this."
                )
            await self._records.clock.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS

    async def _count_down(self, turn: Turn) -> int:
        """Show how long it still sleeps; return the last event seen."""
        clock = self._records.clock
        self._console.print(turn.error or "", markup=False, soft_wrap=True)
        async with self._records.database.read() as work:
            seen = await work.events.last_seq(turn.session_id)
        wake_at = turn.wake_at or clock.now()
        with self._console.status("parked") as status:
            while (left := (wake_at - clock.now()).total_seconds()) > 0:
                status.update(f"parked, wakes by itself in {left:.0f} s")
                await clock.sleep(min(1.0, left))
        return seen

    @asynccontextmanager
    async def _worker(self, loaded: "Loaded") -> AsyncIterator[None]:
        """Run ``noctule worker`` on the demo's data, with every role behind the gate."""
        path = loaded.path
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-P",
                "-m",
                "noctule",
                "--config",
                str(path),
                "worker",
                "--until-eof",
            ),
            stdin=asyncio.subprocess.PIPE,  # closes with this process, however it ends
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environ(),
            start_new_session=True,  # Ctrl-C is for the demo, which then ends it
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "NOCTULE_HOME": str(self._records.home)}

    def _write_config(self, gate: RefusingGate) -> Path:
        settings = self._records.settings
        role = {"primary": "guarded", "max_tokens": _MOST_TOKENS, "temperature": 0, "tools": []}
        model = {"endpoint": "gate", "name": "smollm2-135m-instruct", "context": 4096}
        document = {
            "endpoints": {"gate": {"kind": "openai", "url": gate.url, "local": True}},
            "models": {
                "guarded": {**model, "price": {"input": 0, "output": 0}},
                "priced": {**model, "price": _PRICE},
            },
            "roles": {name.value: role for name in Role},
            "budgets": {
                "tiny": {
                    "scope": "model",
                    "of": "priced",
                    "usd": _USD,
                    # Rolling: what a step costs counts from its end, however long it took.
                    "window": {"kind": "rolling", "length": f"{_WINDOW_S}s"},
                    "on_exhausted": "park",
                }
            },
            # A wait that fits the patience of the queue would be waited out without a park.
            "limits": {"queue_timeout": "1s"},
            "storage": {"url": settings.storage.url.get_secret_value()},
        }
        path = self._records.home / "sleep-act.yaml"
        write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
        return path
