from datetime import datetime, timedelta, timezone

import pytest

from noctule.core.errors import NotFoundError, OurBugError
from noctule.core.llm.events import EventKind
from noctule.core.messaging.chats import Chat
from noctule.core.ports.database import Database
from noctule.core.sessions.sessions import SessionKind
from tests.support.stored_records import (
    NOON,
    a_parking,
    a_question,
    a_session,
    a_turn,
    an_attempt,
)


async def test_a_session_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field of a session survives storing."""
    session = a_session(
        kind=SessionKind.RUN, title="Vögel · 鳥", private=True, chat_model="qwen", owner="tg:7"
    )
    async with database.work() as work:
        await work.sessions.add(session)
        await work.commit()
    async with database.read() as work:
        assert await work.sessions.get("s1") == session


async def test_times_come_back_in_utc_whatever_zone_they_came_in(database: Database) -> None:
    """A stored moment is the same moment, to the microsecond, in UTC."""
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    async with database.work() as work:
        await work.sessions.add(a_session(created_at=elsewhere))
        await work.commit()
    async with database.read() as work:
        created_at = (await work.sessions.get("s1")).created_at
    assert created_at == NOON
    assert created_at.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    """Nobody can say which moment a naive time is."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the point of the test
    async with database.work() as work:
        with pytest.raises(OurBugError, match="time zone"):
            await work.sessions.add(a_session(created_at=naive))


async def test_text_no_database_takes_is_made_storable(database: Database) -> None:
    """NUL characters and half surrogates become replacement characters."""
    async with database.work() as work:
        await work.sessions.add(a_session(title="a\0b\udcffc"))
        await work.commit()
    async with database.read() as work:
        assert (await work.sessions.get("s1")).title == "a\ufffdb\ufffdc"


async def test_a_unique_beginning_of_an_id_is_enough(database: Database) -> None:
    """An exact id wins, then the only one that begins alike."""
    async with database.work() as work:
        for name in ("abc", "abcd", "xyz"):
            await work.sessions.add(a_session(name))
        assert (await work.sessions.get("abc")).id == "abc"
        assert (await work.sessions.get("x")).id == "xyz"


@pytest.mark.parametrize("name", ["ab", "", "q", "%", "x\0", "xyzz"])
async def test_what_names_no_single_session_is_not_found(database: Database, name: str) -> None:
    """An ambiguous, empty or foreign beginning is an error that names the listing."""
    async with database.work() as work:
        for known in ("abc", "abd", "xyz"):
            await work.sessions.add(a_session(known))
        with pytest.raises(NotFoundError, match="noctule sessions"):
            await work.sessions.get(name)


async def test_sessions_are_listed_newest_first(database: Database) -> None:
    """The list can be narrowed to an owner and cut short."""
    async with database.work() as work:
        for name, owner in (("1", "local"), ("3", "tg:7"), ("2", "local")):
            await work.sessions.add(a_session(name, owner=owner))
        await work.commit()
    async with database.read() as work:
        everybody = await work.sessions.list()
        mine = await work.sessions.list(owner="local")
        newest = await work.sessions.list(limit=1)
    assert [session.id for session in everybody] == ["3", "2", "1"]
    assert [session.id for session in mine] == ["2", "1"]
    assert [session.id for session in newest] == ["3"]


async def test_title_and_chat_model_can_be_changed(database: Database) -> None:
    """Both are replaced, and the model can be forgotten."""
    async with database.work() as work:
        await work.sessions.add(a_session())
        await work.sessions.set_title("s1", "Bats")
        await work.sessions.set_chat_model("s1", "qwen")
        session = await work.sessions.get("s1")
        await work.sessions.set_chat_model("s1", None)
        forgotten = await work.sessions.get("s1")
    assert (session.title, session.chat_model) == ("Bats", "qwen")
    assert forgotten.chat_model is None


async def test_changing_a_session_that_is_not_there_is_an_error(database: Database) -> None:
    """Nothing is changed silently."""
    async with database.work() as work:
        with pytest.raises(NotFoundError):
            await work.sessions.set_title("s1", "Bats")
        with pytest.raises(NotFoundError):
            await work.sessions.set_chat_model("s1", None)


async def test_an_id_is_given_once(database: Database) -> None:
    """A second session of the same id is our bug, not an overwritten one."""
    async with database.work() as work:
        await work.sessions.add(a_session())
        with pytest.raises(OurBugError):
            await work.sessions.add(a_session(title="another"))


async def test_the_first_mark_of_text_from_outside_stays(database: Database) -> None:
    """Marking a session again changes nothing; one that is not there is an error."""
    async with database.work() as work:
        await work.sessions.add(a_session(workspace="/home/me/project"))
        await work.sessions.mark_outside("s1", NOON)
        await work.sessions.mark_outside("s1", NOON + timedelta(hours=1))
        with pytest.raises(NotFoundError):
            await work.sessions.mark_outside("s2", NOON)
        await work.commit()
    async with database.read() as work:
        found = await work.sessions.get("s1")
    assert found == a_session(workspace="/home/me/project", outside_since=NOON)


async def test_a_removed_session_takes_everything_but_its_cost_with_it(database: Database) -> None:
    """Turns, questions, parkings and events go; another session and the ledger stay."""
    async with database.work() as work:
        for name in ("s1", "s2"):
            await work.sessions.add(a_session(name))
            await work.turns.add(a_turn(f"t-{name}", session_id=name))
            await work.parkings.add(a_parking(f"p-{name}", turn_id=f"t-{name}", session_id=name))
            await work.questions.add(a_question(f"q-{name}", turn_id=f"t-{name}", session_id=name))
            await work.events.append(name, f"t-{name}", [(EventKind.NOTICE, {})], at=NOON)
            await work.attempts.add(an_attempt(f"a-{name}", session_id=name, turn_id=f"t-{name}"))
        await work.chats.put(Chat("telegram", "7", "local", session_id="s1"))
        await work.commit()
    async with database.work() as work:
        await work.sessions.remove("s1")
        await work.commit()
    async with database.read() as work:
        assert [session.id for session in await work.sessions.list()] == ["s2"]
        assert [turn.id for turn in await work.turns.of_session("s1")] == []
        assert [turn.id for turn in await work.turns.of_session("s2")] == ["t-s2"]
        assert [question.id for question in await work.questions.open()] == ["q-s2"]
        assert [parking.id for parking in await work.parkings.all_open()] == ["p-s2"]
        assert await work.events.last_seq("s2") == 1
        assert {attempt.id for attempt in await work.attempts.list()} == {"a-s1", "a-s2"}
        chats = await work.chats.everywhere("telegram")
        assert [chat.session_id for chat in chats] == [None]
    async with database.work() as work:
        with pytest.raises(NotFoundError):
            await work.sessions.remove("s1")
