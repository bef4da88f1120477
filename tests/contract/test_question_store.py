import pytest

from noctule.core.errors import NotFoundError, OurBugError
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import QuestionKind
from tests.support.stored_records import NOON, a_question, a_session, a_turn, later, with_turns


async def test_a_question_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field survives, of an approval and of a question that takes any text."""
    asked = a_question("q2", kind=QuestionKind.QUESTION, choices=(), tool=None, subject=None)
    await with_turns(database, "t1")
    async with database.work() as work:
        for question in (a_question(), asked):
            await work.questions.add(question)
        await work.commit()
    async with database.read() as work:
        assert await work.questions.get("q1") == a_question()
        assert await work.questions.of_call("s1", "call of q2") == asked
        assert await work.questions.of_call("s1", "nothing") is None
        assert await work.questions.open() == [a_question(), asked]


async def test_one_call_asks_once(database: Database) -> None:
    """Asking again for the same call changes nothing."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.questions.add(a_question())
        await work.questions.add(a_question("q2", tool_call_id="call of q1", text="Again?"))
        assert await work.questions.open() == [a_question()]


async def test_a_question_is_answered_once(database: Database) -> None:
    """A second answer changes nothing and says so."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.questions.add(a_question())
        assert await work.questions.answer("q1", "once", by="tg:7", at=later(5))
        assert not await work.questions.answer("q1", "no", by="local", at=later(6))
        answered = a_question(answer="once", answered_by="tg:7", answered_at=later(5))
        assert await work.questions.get("q") == answered
        assert await work.questions.open() == []


async def test_open_questions_are_those_of_turns_that_go_on(database: Database) -> None:
    """By session, by owner, oldest first; a finished turn waits for nothing."""
    await with_turns(database, "t1", "t2")
    async with database.work() as work:
        await work.sessions.add(a_session("s2", owner="tg:7"))
        await work.turns.add(a_turn("t3", "s2"))
        for name, session, turn in (("q3", "s2", "t3"), ("q1", "s1", "t1"), ("q2", "s1", "t2")):
            await work.questions.add(a_question(name, session_id=session, turn_id=turn))
        await work.turns.move("t2", Status.CANCELLED, at=NOON)
        assert [q.id for q in await work.questions.open()] == ["q1", "q3"]
        assert [q.id for q in await work.questions.open(session_id="s1")] == ["q1"]
        assert [q.id for q in await work.questions.open(owner="tg:7")] == ["q3"]
        assert await work.questions.open(owner="tg:7", session_id="s1") == []


async def test_a_question_that_is_not_there_is_an_error(database: Database) -> None:
    """Neither read nor answered; a beginning that several share is none."""
    await with_turns(database, "t1")
    async with database.work() as work:
        for name in ("q1", "q2"):
            await work.questions.add(a_question(name))
        for name in ("x", "q", ""):
            with pytest.raises(NotFoundError):
                await work.questions.get(name)
            with pytest.raises(NotFoundError):
                await work.questions.answer(name, "no", by="local", at=NOON)


async def test_a_question_belongs_to_a_turn_that_exists(database: Database) -> None:
    """A question of nobody is our bug."""
    await with_turns(database)
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.questions.add(a_question())
