"""Reload: a running program takes over its changed configuration."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from noctule.bootstrap import Runtime, build_models, equipment_of
from noctule.config import Loaded
from noctule.config.changes import Change, change
from noctule.config.watching import WatchedFile
from noctule.core.budgets.budget_scopes import BudgetScopes
from noctule.core.errors import ConfigError, NoctuleError
from noctule.core.settings import Settings
from noctule.sessions.service.budget_changes import wake_raised

if TYPE_CHECKING:
    from noctule.models.binding.models import Models
    from noctule.sessions.workers.worker import Worker

_LOOK_S = 2.0
"""How often the file is looked at; what is written is taken over at the look after next."""


class Reload:
    """Looks at the configuration's file and takes over what can change while running.

    Turns that are under way finish their step with what they began with; every turn that begins,
    wakes or goes on afterwards has the new configuration.

    Args:
        loaded: what was read at the start.
        runtime: what works with it.
        say: is told of each change, in one line.
    """

    def __init__(self, loaded: Loaded, runtime: Runtime, say: Callable[[str], None]) -> None:
        self._file = WatchedFile(loaded, os.environ)
        self._path = loaded.path
        self._runtime = runtime
        self._say = say
        self._worker: Worker | None = None
        self._built: list[Models] = []
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def watching(self, worker: "Worker") -> AsyncIterator[None]:
        """Look from time to time while the block runs.

        Args:
            worker: is held to the bounds of what is taken over.
        """
        self._worker = worker
        self._runtime.contexts.look_with(self._look_at_once)
        task = asyncio.create_task(self._watch(), name="watch the configuration")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Let go of what was built for changed configurations, once no turn uses it any more."""
        while self._built:
            await self._built.pop().close()

    async def look(self, *, at_once: bool = False) -> None:
        """Look at the file, take over what it says now, and say so.

        Args:
            at_once: True takes over what was written just now, too.
        """
        async with self._one_at_a_time:
            found = await asyncio.to_thread(self._file.look, at_once=at_once)
            if isinstance(found, str):
                self._say(found)
            elif found is not None:
                await self._take(found.settings)

    async def _look_at_once(self) -> None:
        await self.look(at_once=True)

    async def _watch(self) -> None:
        while True:
            await self._runtime.records.clock.sleep(_LOOK_S)
            await self.look()

    async def _take(self, new: Settings) -> None:
        found = change(self._runtime.records.settings, new)
        if found is None:
            return
        if found.taken:
            try:
                await self._use(found)
            except ConfigError as error:
                self._say(
                    f"{self._path} has changed and cannot be used: {error} Until then, the "
                    "previous configuration is used."
                )
                return
        self._say(f"{self._path} has changed: {found}")
        await self._wake()

    async def _use(self, found: Change) -> None:
        runtime, records = self._runtime, self._runtime.records
        models = build_models(replace(records, settings=found.settings), instead_of=runtime.models)
        self._built.append(models)
        records.settings, runtime.models = found.settings, models
        records.service.use(found.settings)
        runtime.toolbox.use(found.settings)
        runtime.rest.use(found.settings.parking)
        if self._worker is not None:
            self._worker.use(found.settings.parking)
        runtime.contexts.use(found.settings, models, equipment_of(records, runtime.toolbox))

    async def _wake(self) -> None:
        """Wake who slept on a budget that was raised."""
        records = self._runtime.records
        try:
            await wake_raised(records.database, BudgetScopes(records.settings), records.clock)
        except NoctuleError as error:
            self._say(f"Sessions parked on a raised budget could not be woken: {error}")
