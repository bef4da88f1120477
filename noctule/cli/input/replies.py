"""Which turn a person means who names a turn, a session, or nothing."""

from noctule.core.errors import NotFoundError, UsageError
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.sessions import Session, Turn

_RECENT = 50


async def turn_named(work: UnitOfWork, name: str) -> Turn:
    """Return a turn by its id, or the newest one of a session that got a reply.

    A beginning that fits a session and a turn means the session: lists show those shortest.

    Args:
        work: where to look.
        name: an id or a unique beginning of one.

    Raises:
        NotFoundError: it is neither.
        UsageError: nothing was said in that session yet.
    """
    turn, session = await _turn(work, name), await _session(work, name)
    if turn is not None and (session is None or turn.id == name):
        return turn
    if session is None:
        raise NotFoundError("turn or session", name, "noctule sessions")
    turns = await work.turns.of_session(session.id)
    if not turns:
        raise UsageError(f"Nothing was said in session {session.id} yet.")
    finished = [turn for turn in turns if turn.status.finished]
    return (finished or turns)[-1]


async def newest_turn(work: UnitOfWork) -> Turn | None:
    """Return the turn that finished last, replied to or not, else the newest; None without any."""
    best = await work.turns.newest_finished()
    newest: Turn | None = None
    for attempt in await work.attempts.list(limit=_RECENT):
        if attempt.turn_id is None:
            continue
        turn = await work.turns.get(attempt.turn_id)
        newest = newest or turn
        if turn.ended_at is not None:
            is_later = best is None or best.ended_at is None or turn.ended_at > best.ended_at
            return turn if is_later else best
    return best or newest


async def _turn(work: UnitOfWork, name: str) -> Turn | None:
    try:
        return await work.turns.get(name)
    except NotFoundError:
        return None


async def _session(work: UnitOfWork, name: str) -> Session | None:
    try:
        return await work.sessions.get(name)
    except NotFoundError:
        return None
