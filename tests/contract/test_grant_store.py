import pytest

from noctule.core.errors import OurBugError
from noctule.core.ports.database import Database
from noctule.core.sessions.grants import Grant
from tests.support.stored_records import NOON, a_grant, a_session


async def test_what_holds_for_a_session(database: Database) -> None:
    """Its own grants and its owner's lasting ones, oldest first; nobody else's."""
    grants = [
        a_grant("g1"),
        a_grant("g2", session_id="s1", rule="web"),
        a_grant("g3", session_id="s2"),
        a_grant("g4", owner="tg:7"),
    ]
    async with database.work() as work:
        for name in ("s1", "s2"):
            await work.sessions.add(a_session(name))
        for grant in reversed(grants):
            await work.grants.add(grant)
        await work.commit()
    async with database.read() as work:
        assert await work.grants.of("local", "s1") == grants[:2]
        assert await work.grants.of("local", "s3") == grants[:1]
        assert await work.grants.list() == grants
        assert await work.grants.list("tg:7") == grants[3:]


async def test_a_grant_can_be_taken_back(database: Database) -> None:
    """Once; what is not there cannot."""
    async with database.work() as work:
        await work.grants.add(a_grant())
        assert not await work.grants.revoke("g")
        assert await work.grants.revoke("g1")
        assert not await work.grants.revoke("g1")
        assert await work.grants.list() == []


async def test_a_grant_of_a_session_belongs_to_one_that_exists(database: Database) -> None:
    """A grant for nowhere, or one twice, is our bug."""
    async with database.work() as work:
        with pytest.raises(OurBugError):
            await work.grants.add(a_grant(session_id="s1"))
    async with database.work() as work:
        await work.grants.add(a_grant())
        with pytest.raises(OurBugError):
            await work.grants.add(a_grant())


async def test_what_a_grant_is_bound_to_comes_back(database: Database) -> None:
    """Tool, server, folder, every part of the seal; and a rule given by hand has none of them."""
    sealed = a_grant(
        "g1",
        session_id="s1",
        rule="tickets_close",
        tool="tickets_close",
        server="tickets",
        seal={"its name": "a" * 64, "its description": "\N{LATIN SMALL LETTER E WITH ACUTE}"},
    )
    by_hand = Grant("g2", "local", "shell", NOON, "s1", despite_outside=True)
    async with database.work() as work:
        await work.sessions.add(a_session())
        for grant in (sealed, by_hand):
            await work.grants.add(grant)
        await work.commit()
    async with database.read() as work:
        assert await work.grants.of("local", "s1") == [sealed, by_hand]
    assert (sealed.is_rule, by_hand.is_rule, Grant("g3", "local", "web", NOON).is_spent) == (
        False,
        True,
        True,
    )
