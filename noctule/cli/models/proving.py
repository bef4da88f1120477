"""Proving beside the work: roles that declare tools have their models asked by a worker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from noctule.cli.models.probing import ProbeRequest, shortfalls
from noctule.core.base.roles import Role
from noctule.core.errors import NoctuleError
from noctule.core.settings import Settings

if TYPE_CHECKING:
    from noctule.bootstrap import Runtime


@asynccontextmanager
async def proving(runtime: "Runtime", say: Callable[[str], None]) -> AsyncIterator[None]:
    """Probe in the background while the block runs, within the budgets; what is left is dropped.

    Models of roles whose configuration names tools, and local ones of chat, which never waits for
    a probe; all others are asked before they are first offered any.

    Args:
        runtime: its models.
        say: is told of each model that was asked, and of each role that is left without one.
    """
    wanted = _declared(runtime.records.settings)
    if not wanted.models:
        yield
        return
    task = asyncio.create_task(_prove(runtime, wanted, say), name="prove models")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _declared(settings: Settings) -> ProbeRequest:
    """Return the models to be asked, and the roles that name tools."""
    roles = tuple(role for role, own in settings.roles.items() if own.tools)
    models = [m for role in roles for m in settings.roles[role].models]
    if settings.roles[Role.CHAT].tools is None:
        models += [m for m in settings.roles[Role.CHAT].models if settings.is_local(m)]
    return ProbeRequest(tuple(dict.fromkeys(models)), (), roles)


async def _prove(runtime: "Runtime", wanted: ProbeRequest, say: Callable[[str], None]) -> None:
    try:
        found = await runtime.models.prove(wanted.models)
    except NoctuleError as error:
        say(f"Could not check whether models call tools: {error}")
        return
    for proved in found:
        if proved.asked:
            words = proved.note if proved.proof is None else proved.proof.words
            say(f"{proved.model}: {words}.")
    by_model = {proved.model: proved for proved in found}
    for sentence in shortfalls(runtime.records.settings, wanted, by_model):
        say(sentence)
