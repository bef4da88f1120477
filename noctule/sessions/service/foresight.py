"""Foresight: what a piece of work would stop and ask for, told before it is submitted."""

import asyncio
from typing import TYPE_CHECKING

from noctule.core.base.roles import ANSWERING
from noctule.core.sessions.sessions import Session
from noctule.core.settings import Settings
from noctule.core.tools.foreseen import Foreseen, foresee

if TYPE_CHECKING:
    from pathlib import Path

    from noctule.core.clock import Clock
    from noctule.core.ports.database import Database
    from noctule.sessions.service.service import Request


async def foreseen(
    request: "Request", settings: Settings, database: "Database", clock: "Clock", home: "Path"
) -> list[Foreseen]:
    """Return what would be asked about, as far as that is known beforehand, each once.

    Args:
        request: not submitted yet; its role is checked later.
        settings: the configuration.
        database: knows what its session was allowed before.
        clock: the time.
        home: the data folder, which no command sees.
    """
    session, given = await _standing(request, database)
    reads_private = request.workspace is not None
    private = request.private
    if session is not None:
        reads_private |= session.workspace is not None or session.private_since is not None
        private |= session.private

    def look() -> list[Foreseen]:
        return _foreseen(
            request,
            settings,
            clock,
            home,
            private=private,
            reads_private=reads_private,
            allowed=given,
        )

    return await asyncio.to_thread(look)


def _foreseen(
    request: "Request",
    settings: Settings,
    clock: "Clock",
    home: "Path",
    *,
    private: bool,
    reads_private: bool,
    allowed: tuple[str, ...],
) -> list[Foreseen]:
    from graphs.tools.foresight import acts_of  # noqa: PLC0415 - loads the prompts
    from tools.registry import Toolbox  # noqa: PLC0415 - loads the tools
    from tools.sandbox.sandbox import Sandbox  # noqa: PLC0415 - likewise

    unrun = settings.tools.model_copy(update={"folder": None})  # nobody's code to look ahead
    bare = settings.model_copy(update={"tools": unrun})
    toolbox = Toolbox(bare, clock=clock, hidden=[home])
    flaw = Sandbox(settings.tools, [home]).flaw
    found: dict[str, Foreseen] = {}
    for role in (one for one in ANSWERING if request.role in {None, one.value}):
        acts = acts_of(
            role,
            toolbox,
            settings,
            flaw=flaw,
            private=private,
            reads_private=reads_private,
        )
        items = foresee(
            acts,
            rules=settings.tools.permissions,
            role_rules=settings.roles[role].permissions,
            allowed=allowed,
            asks_after_outside=settings.tools.ask_after_outside,
        )
        found = {item.rule: item for item in items} | found
    return list(found.values())


async def _standing(
    request: "Request", database: "Database"
) -> tuple[Session | None, tuple[str, ...]]:
    """Return the session a request goes on with, if any, and the rules it was allowed."""
    if request.session_id is None:
        return None, request.allow
    async with database.read() as work:
        session = await work.sessions.get(request.session_id)
        grants = await work.grants.of(session.owner, session.id)
    return session, (*request.allow, *(grant.rule for grant in grants if grant.is_rule))
