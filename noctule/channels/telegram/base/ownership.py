"""Ownership: a person only orders about their own sessions; the owner of the data folder, all."""

from noctule.channels.telegram.base.context import BotContext
from noctule.core.errors import UsageError
from noctule.core.sessions.sessions import LOCAL_OWNER, Session


async def own_session(bot: BotContext, name: str, owner: str) -> Session:
    """Return a session that a person may order about.

    Args:
        bot: what everybody works with.
        name: its id or a unique beginning of it.
        owner: whose sessions the person's are.

    Raises:
        NotFoundError: there is none of that name.
        UsageError: it is somebody else's.
    """
    async with bot.records.database.read() as work:
        session = await work.sessions.get(name)
    if owner not in {session.owner, LOCAL_OWNER}:
        raise UsageError("That session belongs to someone else.")
    return session
