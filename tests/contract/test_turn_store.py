import pytest

from noctule.core.errors import IllegalMoveError, NotFoundError, OurBugError
from noctule.core.ports.database import Database
from noctule.core.reports.answer_cost import RatedTurn
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Order, Rating
from noctule.core.settings.role import OnLimit
from tests.support.stored_records import NOON, a_session, a_turn, later, with_turns


async def test_a_turn_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field of a turn survives storing, a message of 2 MB included."""
    turn = a_turn(
        text="x" * 2_000_000,
        status=Status.PARKED,
        role="writer",
        model="haiku",
        private=True,
        on_limit=OnLimit.PARK,
        reply="so far",
        error="sleeps",
        verdict=Rating.GOOD,
        order=Order.CANCEL,
        started_at=later(1),
        ended_at=later(2),
        wake_at=later(3),
    )
    async with database.work() as work:
        await work.sessions.add(a_session())
        await work.turns.add(turn)
        await work.commit()
    async with database.read() as work:
        assert await work.turns.get("t") == turn


async def test_a_turn_belongs_to_a_session_that_exists(database: Database) -> None:
    """A turn of nowhere is our bug."""
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.turns.add(a_turn(session_id="nowhere"))


async def test_turns_of_a_session_are_listed_oldest_first(database: Database) -> None:
    """Other sessions' turns stay out."""
    async with database.work() as work:
        await work.sessions.add(a_session("s1"))
        await work.sessions.add(a_session("s2"))
        for name, session in (("3", "s1"), ("1", "s1"), ("2", "s2")):
            await work.turns.add(a_turn(name, session))
        assert [turn.id for turn in await work.turns.of_session("s1")] == ["1", "3"]
        assert await work.turns.of_session("s") == []


async def test_the_oldest_unfinished_turn_is_next(database: Database) -> None:
    """Finished turns are passed over; a session whose turns are all finished has none."""
    await with_turns(database, "1", "2")
    async with database.work() as work:
        for name in ("1", "2"):
            turn = await work.turns.oldest_unfinished("s1")
            assert turn is not None
            assert turn.id == name
            await work.turns.move(name, Status.CANCELLED, at=NOON)
        assert await work.turns.oldest_unfinished("s1") is None


async def test_unfinished_turns_of_everybody(database: Database) -> None:
    """The list is oldest first; parked turns are unfinished."""
    await with_turns(database, "1", "2", "3", "4")
    async with database.work() as work:
        for name in ("1", "3"):
            await work.turns.move(name, Status.RUNNING, at=NOON)
        await work.turns.move("3", Status.PARKED, at=NOON)
        await work.turns.move("1", Status.DONE, at=NOON, reply="yes")
        assert [turn.id for turn in await work.turns.unfinished()] == ["2", "3", "4"]
        assert await work.turns.count_unfinished() == 3


async def test_due_turns_of_everybody(database: Database) -> None:
    """Queued ones at once or at their time, resting ones only at their time, running ones never."""
    kinds = {
        "1": (Status.PARKED, later(9)),
        "2": (Status.QUEUED, None),
        "3": (Status.QUEUED, later(10)),
        "4": (Status.QUEUED, later(11)),
        "5": (Status.WAITING, later(10)),
        "6": (Status.WAITING, None),
        "7": (Status.PARKED, None),
        "8": (Status.RUNNING, later(1)),
        "9": (Status.DONE, later(1)),
    }
    async with database.work() as work:
        for name, (status, wake_at) in kinds.items():
            await work.sessions.add(a_session(f"of-{name}"))
            await work.turns.add(a_turn(name, f"of-{name}", status=status, wake_at=wake_at))
        assert [turn.id for turn in await work.turns.due(later(10))] == ["1", "2", "3", "5"]
        assert [turn.id for turn in await work.turns.running()] == ["8"]


async def test_only_the_first_turn_of_a_session_is_due(database: Database) -> None:
    """What was said later waits until everything before it has ended, whatever it waits for."""
    await with_turns(database, "1", "2", "3")
    async with database.work() as work:
        assert [turn.id for turn in await work.turns.due(NOON)] == ["1"]
        await work.turns.move("1", Status.RUNNING, at=NOON)
        assert await work.turns.due(NOON) == []
        await work.turns.move("1", Status.PARKED, at=NOON, wake_at=later(5))
        assert await work.turns.due(later(4)) == []
        assert [turn.id for turn in await work.turns.due(later(5))] == ["1"]
        await work.turns.move("1", Status.CANCELLED, at=NOON)
        assert [turn.id for turn in await work.turns.due(NOON)] == ["2"]


async def test_the_newest_finished_turn_is_the_last_that_got_a_reply(database: Database) -> None:
    """Order is that of the replies, not of the questions; failures do not count."""
    await with_turns(database, "1", "2", "3")
    async with database.work() as work:
        await work.sessions.add(a_session("s9", owner="tg:7"))
        await work.turns.add(a_turn("9", "s9"))
        assert await work.turns.newest_finished() is None
        for name, second in (("2", 1), ("1", 2), ("9", 3)):
            await work.turns.move(name, Status.RUNNING, at=NOON)
            await work.turns.move(name, Status.DONE, at=later(second), reply="yes")
        await work.turns.move("3", Status.CANCELLED, at=later(4))
        newest = await work.turns.newest_finished()
        mine = await work.turns.newest_finished(owner="local")
    assert newest is not None
    assert newest.id == "9"
    assert mine is not None
    assert mine.id == "1"


async def test_a_move_sets_what_belongs_to_it(database: Database) -> None:
    """The first start stays, the end is that of the last end, reply is kept, the rest replaced."""
    await with_turns(database, "t1")
    async with database.work() as work:
        running = await work.turns.move("t1", Status.RUNNING, at=later(1))
        parked = await work.turns.move(
            "t1", Status.PARKED, at=later(2), error="sleeps", wake_at=later(60), reply="half"
        )
        again = await work.turns.move("t1", Status.RUNNING, at=later(61))
        failed = await work.turns.move("t1", Status.FAILED, at=later(62), error="broke")
        queued = await work.turns.move("t1", Status.QUEUED, at=later(63))
        await work.commit()
    assert (running.started_at, running.ended_at) == (later(1), None)
    assert (parked.error, parked.wake_at, parked.reply) == ("sleeps", later(60), "half")
    assert (again.error, again.wake_at, again.reply) == (None, None, "half")
    assert (again.started_at, failed.ended_at, failed.error) == (later(1), later(62), "broke")
    assert (queued.ended_at, queued.error, queued.reply) == (None, None, "half")
    async with database.read() as work:
        assert await work.turns.get("t1") == queued


async def test_an_illegal_move_changes_nothing(database: Database) -> None:
    """The table of moves is checked within the transaction, which goes on."""
    await with_turns(database, "t1")
    async with database.work() as work:
        with pytest.raises(IllegalMoveError, match="queued and cannot become done"):
            await work.turns.move("t1", Status.DONE, at=NOON, reply="no")
        await work.turns.move("t1", Status.CANCELLED, at=NOON)
        await work.commit()
    async with database.read() as work:
        turn = await work.turns.get("t1")
    assert (turn.status, turn.reply) == (Status.CANCELLED, None)


async def test_orders_of_several_turns_are_read_at_once(database: Database) -> None:
    """Turns without an order are missing; an order can be taken back; lists may be long."""
    await with_turns(database, "1", "2", "3")
    async with database.work() as work:
        await work.turns.order("1", Order.CANCEL)
        await work.turns.order("2", Order.PARK)
        await work.turns.order("3", Order.PARK)
        await work.turns.order("3", None)
        many = [*(f"none{n}" for n in range(1200)), "1", "2", "3"]
        assert await work.turns.orders(many) == {"1": Order.CANCEL, "2": Order.PARK}
        assert await work.turns.orders([]) == {}


async def test_verdict_model_and_wake_time_can_be_changed(database: Database) -> None:
    """Each is set and taken back without touching the status."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.turns.rate("t1", Rating.BAD)
        await work.turns.choose_model("t1", "gemma")
        await work.turns.wake_at("t1", later(5))
        turn = await work.turns.get("t1")
        await work.turns.rate("t1", None)
        await work.turns.choose_model("t1", None)
        await work.turns.wake_at("t1", None)
        assert await work.turns.get("t1") == a_turn()
    assert (turn.verdict, turn.model, turn.wake_at) == (Rating.BAD, "gemma", later(5))
    assert turn.status is Status.QUEUED


async def test_changing_a_turn_that_is_not_there_is_an_error(database: Database) -> None:
    """Only whole ids change anything."""
    await with_turns(database, "t1")
    async with database.work() as work:
        with pytest.raises(NotFoundError):
            await work.turns.move("t", Status.RUNNING, at=NOON)
        with pytest.raises(NotFoundError):
            await work.turns.order("t", None)
        with pytest.raises(NotFoundError):
            await work.turns.rate("t", None)
        with pytest.raises(NotFoundError):
            await work.turns.choose_model("t", None)
        with pytest.raises(NotFoundError):
            await work.turns.wake_at("t", None)


async def test_standings_are_those_of_all_turns(database: Database) -> None:
    """Status and verdict of each, finished or not, by id."""
    await with_turns(database, "t1", "t2", "t3")
    async with database.work() as work:
        assert set((await work.turns.standings()).values()) == {RatedTurn(Status.QUEUED)}
        for status in (Status.RUNNING, Status.DONE):
            await work.turns.move("t1", status, at=NOON, reply="Bats.")
        await work.turns.rate("t1", Rating.AGAIN)
        await work.turns.move("t2", Status.CANCELLED, at=NOON)
        standings = await work.turns.standings()
    assert standings == {
        "t1": RatedTurn(Status.DONE, Rating.AGAIN),
        "t2": RatedTurn(Status.CANCELLED),
        "t3": RatedTurn(Status.QUEUED),
    }
