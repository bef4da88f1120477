"""Steering: what a person says to a turn while it works; its loop reads it before its next step."""

from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.errors import NotFoundError, UsageError
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.sessions import Turn
from noctule.core.sessions.steers import Steer
from noctule.sessions.service.answers import check_owner

_SHOWN_TEXT = 200


async def steer(work: UnitOfWork, clock: Clock, name: str, text: str, *, by: str) -> Steer:
    """Store a remark for a turn that has not ended; return it.

    Args:
        work: committed by the caller.
        clock: the time.
        name: a turn, or a session, whose oldest unfinished turn is meant; a unique beginning of an
            id is enough.
        text: what is said; checked by the caller.
        by: who says it.

    Raises:
        NotFoundError: there is neither.
        UsageError: it is not theirs, or nothing of it is unfinished.
    """
    turn = await _meant(work, name)
    check_owner(await work.sessions.get(turn.session_id), by)
    if turn.status.finished:
        raise _over(turn.session_id, turn.status.value)
    remark = Steer(new_id(clock), turn.id, text, clock.now())
    await work.steers.add(remark)
    shown = text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]} …"
    data = {"text": f"Told meanwhile: {shown}", "steer": remark.id, "by": by}
    await work.events.append(turn.session_id, turn.id, [(EventKind.NOTICE, data)], at=clock.now())
    return remark


async def _meant(work: UnitOfWork, name: str) -> Turn:
    try:
        turn = await work.turns.get(name)
    except NotFoundError:
        turn = None
    if turn is not None and turn.id == name:
        return turn
    try:
        session = await work.sessions.get(name)
    except NotFoundError:
        if turn is None:
            raise NotFoundError("turn or session", name, "noctule sessions") from None
        return turn
    oldest = await work.turns.oldest_unfinished(session.id)
    if oldest is None:
        raise _over(session.id, "finished")
    return oldest


def _over(session_id: str, status: str) -> UsageError:
    return UsageError(
        f"Nothing of session {session_id} can be steered: it is {status}. "
        f"`noctule chat --session {session_id}` says something new."
    )
