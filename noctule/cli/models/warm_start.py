"""Warming beside the work: what people will ask first is loaded before they do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from noctule.cli.models.warming import warm_models
from noctule.core.base.roles import Role
from noctule.core.settings import EndpointKind, Settings

if TYPE_CHECKING:
    from noctule.bootstrap import Runtime

_GB = 1_000_000_000
_SHARE = 0.75
"""Of the machine's memory, as `noctule init` picks models by; contexts need the rest."""

_LOOK_S = 20.0
_SLEPT_S = 60.0
"""After a shorter suspension nothing was unloaded."""

_FIRST = (Role.ORCHESTRATOR, Role.CHAT, Role.ENGINEER, Role.RESEARCH, Role.WRITER, Role.UTILITY)
"""Whose model is loaded first: whoever decides comes before whoever answers."""


class WarmStart:
    """Loads the local primaries in the background, at the start and after the machine slept.

    Args:
        runtime: its models, as they are at that moment.
        say: is told what was loaded, in one line each.
        memory_bytes: this machine's memory; None when it cannot be told.
    """

    def __init__(
        self, runtime: "Runtime", say: Callable[[str], None], memory_bytes: int | None
    ) -> None:
        self._runtime = runtime
        self._say = say
        self._memory_bytes = memory_bytes

    @asynccontextmanager
    async def warming(self) -> AsyncIterator[None]:
        """Load beside the block; what is not loaded at its end is left."""
        task = asyncio.create_task(self._now_and_again(), name="warm models")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _now_and_again(self) -> None:
        clock = self._runtime.records.clock
        while True:
            slept_s = clock.suspended_s()
            await self._warm()
            while clock.suspended_s() - slept_s < _SLEPT_S:
                await clock.sleep(_LOOK_S)

    async def _warm(self) -> None:
        records = self._runtime.records
        names = worth_warming(records.settings, self._memory_bytes)
        for one in await warm_models(records, self._runtime.models, names):
            self._say(str(one))


def worth_warming(settings: Settings, memory_bytes: int | None) -> list[str]:
    """Return the models to load before anybody asks: primaries of Ollama that fit together.

    A model whose size is not known is loaded only as the first of its endpoint; one more could
    push out what is loaded already.

    Args:
        settings: who uses what.
        memory_bytes: the machine's memory; None when it cannot be told.
    """
    if not settings.warm_at_start:
        return []
    room: dict[str, float] = {}
    chosen: dict[tuple[str, str], str] = {}
    for name in _primaries(settings):
        model = settings.models[name]
        there = (model.endpoint, model.name)
        if there in chosen:
            continue
        whole = float("inf") if memory_bytes is None else memory_bytes * _SHARE
        is_first, left = model.endpoint not in room, room.get(model.endpoint, whole)
        size = (model.memory_gb or 0) * _GB
        if size > left or (not size and not is_first):
            continue
        room[model.endpoint] = left - size
        chosen[there] = name
    return list(chosen.values())


def _primaries(settings: Settings) -> Iterable[str]:
    for role in _FIRST:
        name = settings.roles[role].primary
        endpoint = settings.endpoint_of(name)
        stays = endpoint.keep_alive is None or bool(endpoint.keep_alive)
        if endpoint.kind is EndpointKind.OLLAMA and stays and settings.is_local(name):
            yield name
