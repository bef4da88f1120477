"""Answering: a person's answer is stored once, and the branch that waits for it goes on."""

from dataclasses import replace

from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.errors import UsageError
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.choices import granted_rule, read_answer
from noctule.core.sessions.grants import Grant
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Approval, Question, QuestionKind
from noctule.core.sessions.sessions import LOCAL_OWNER, Session, Turn

_RESTS = frozenset({Status.PARKED, Status.WAITING})
_SHOWN_ANSWER = 200


async def answer(
    work: UnitOfWork, clock: Clock, question_id: str, said: str, *, by: str
) -> Question:
    """Store an answer, what it grants, and let its branch go on now; return the question.

    Args:
        work: committed by the caller.
        clock: the time.
        question_id: which, or a unique beginning of its id.
        said: a choice, its number, or free text where the question takes it.
        by: who answers.

    Raises:
        NotFoundError: there is no such question.
        UsageError: it is not theirs to answer, was answered before, is over, or takes no such
            answer.
    """
    question = await work.questions.get(question_id)
    session = await work.sessions.get(question.session_id)
    turn = await work.turns.get(question.turn_id)
    check_owner(session, by)
    _check_open(question, turn)
    value, now = read_answer(question, said), clock.now()
    if not await work.questions.answer(question.id, value, by=by, at=now):
        _check_open(await work.questions.get(question.id), turn)
    await _grant(work, clock, question, session, value)
    waiting = [
        parking.id
        for parking in await work.parkings.open_of_turn(turn.id)
        if parking.tool_call_id == question.tool_call_id
    ]
    await work.parkings.reschedule(waiting, now)
    if turn.status in _RESTS:
        await work.turns.wake_at(turn.id, now)
    shown = value if len(value) <= _SHOWN_ANSWER else f"{value[:_SHOWN_ANSWER]} …"
    data = {"text": f"Answered: {shown}", "question": question.id, "by": by}
    await work.events.append(session.id, turn.id, [(EventKind.NOTICE, data)], at=now)
    return await work.questions.get(question.id)


def check_owner(session: Session, by: str) -> None:
    """Refuse somebody whose session it is not; ``local`` may speak for everybody.

    Raises:
        UsageError: it is somebody else's.
    """
    if by not in {session.owner, LOCAL_OWNER}:
        raise UsageError(
            f"Session {session.id} is somebody else's, and only they may answer or steer it. "
            "Nothing was changed."
        )


def _check_open(question: Question, turn: Turn) -> None:
    if question.answered_at is not None:
        if not question.answer:
            raise UsageError(
                "The session was sent on without an answer, so this one comes too late. "
                f"`noctule sessions show {question.session_id}` tells how far it is."
            )
        raise UsageError(
            f"This question was answered before ({question.answer!r}), and an answer is not "
            f"changed. `noctule sessions show {question.session_id}` tells how far it is."
        )
    if turn.status.finished:
        raise UsageError(
            f"This question is no longer asked: its turn is {turn.status.value}. "
            f"`noctule chat --session {question.session_id}` says something new."
        )


async def _grant(
    work: UnitOfWork, clock: Clock, question: Question, session: Session, value: str
) -> None:
    lasting = {Approval.SESSION.value, Approval.ALWAYS.value, Approval.ALL.value}
    if question.kind is not QuestionKind.APPROVAL or value not in lasting:
        return
    grant = Grant(
        id=new_id(clock),
        owner=session.owner,
        rule=granted_rule(question, value),
        granted_at=clock.now(),
        session_id=session.id,
    )
    if value != Approval.ALL and question.seal is not None:
        grant = replace(
            grant,
            session_id=None if value == Approval.ALWAYS else session.id,
            tool=question.tool,
            server=question.server,
            workspace=question.workspace,
            seal=question.seal,
        )
    await work.grants.add(grant)
