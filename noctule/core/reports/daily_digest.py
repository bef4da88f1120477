"""Morning: what a night of work brought, for the first message of a day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from noctule.core.llm.attempts import Attempt
from noctule.core.llm.spending import total_usd
from noctule.core.reports.overview import standing_turn
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import Session, SessionKind, Turn
from noctule.core.sessions.suspensions import Suspension

_DAY_BEGINS = timedelta(hours=4)
"""Who writes at half past midnight has not slept yet."""

_ANSWERED_AT_ONCE = timedelta(minutes=30)
"""The answer to the last message of an evening is no work of the night."""


@dataclass(frozen=True, slots=True)
class NightWork:
    """What became of one session meanwhile.

    Args:
        session: which.
        turn: the turn whose status is the session's.
        cost_usd: of its requests since then; None when one of them is unknown.
        questions: what it waits to hear, oldest first.
    """

    session: Session
    turn: Turn
    cost_usd: Decimal | None
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class MorningReport:
    """What happened since a person was last heard.

    Args:
        since: when that was.
        works: what needs the person first, then what sleeps, what runs, what ended.
        cost_usd: of all of it; None when some of it is unknown.
        slept: when machines slept although there was work, oldest first.
    """

    since: datetime
    works: tuple[NightWork, ...]
    cost_usd: Decimal | None
    slept: tuple[Suspension, ...] = ()


_ORDER = (
    Status.WAITING,
    Status.FAILED,
    Status.PARKED,
    Status.RUNNING,
    Status.QUEUED,
    Status.DONE,
    Status.CANCELLED,
)


def is_new_day(heard_at: datetime, now: datetime, zone: tzinfo) -> bool:
    """Whether a day has begun since a person was last heard; days begin at four in the morning."""
    return _day(heard_at, zone) < _day(now, zone)


def morning_report(
    *,
    heard_at: datetime | None,
    now: datetime,
    zone: tzinfo,
    sessions: Iterable[Session],
    turns: Mapping[str, Sequence[Turn]],
    attempts: Sequence[Attempt],
    questions: Sequence[Question] = (),
) -> MorningReport | None:
    """Return what a person is told before the first answer of the day; None when nothing is.

    Args:
        heard_at: when they last said something; None when they never did.
        now: aware.
        zone: where their days begin.
        sessions: theirs, in which something is unfinished or was asked of a model since then.
        turns: of these sessions, oldest first.
        attempts: since then.
        questions: open ones.
    """
    if heard_at is None or not is_new_day(heard_at, now, zone):
        return None
    works = []
    for session in sessions:
        turn = standing_turn(turns.get(session.id, ()))
        if turn is None or not _worked_at_night(session, turn, heard_at):
            continue
        spent = [attempt for attempt in attempts if attempt.session_id == session.id]
        asked = tuple(question for question in questions if question.session_id == session.id)
        works.append(NightWork(session, turn, total_usd(spent), asked))
    if not works:
        return None
    works.sort(key=lambda work: (_ORDER.index(work.turn.status), work.turn.id))
    ids = {work.session.id for work in works}
    cost = total_usd(attempt for attempt in attempts if attempt.session_id in ids)
    return MorningReport(heard_at, tuple(works), cost)


def _worked_at_night(session: Session, turn: Turn, heard_at: datetime) -> bool:
    if turn.ended_at is None:
        return True
    if session.kind is SessionKind.RUN:
        return turn.ended_at > heard_at
    return turn.ended_at > heard_at + _ANSWERED_AT_ONCE


def _day(moment: datetime, zone: tzinfo) -> date:
    return (moment.astimezone(zone) - _DAY_BEGINS).date()
