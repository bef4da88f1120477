from dataclasses import replace

import sqlalchemy as sa

from noctule.core.base.roles import Role
from noctule.core.base.secrets import EndedTurn, Replacer
from noctule.core.llm.events import EventKind
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.messaging.messages import InboxUpdate, OutboxMessage, OutgoingKind
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from storage.tables import metadata
from tests.support.stored_records import (
    a_grant,
    a_note,
    a_parking,
    a_question,
    a_session,
    a_steer,
    a_turn,
    an_attempt,
    an_effect,
    later,
)

S = "h7Jq-92kdLw0Zx4m"
SAID = f"API_TOKEN={S}"


async def everything(database: Database) -> str:
    """Return all rows of all tables as one text."""
    async with database.read() as work:
        rows = await work.secrets._transaction.run(  # type: ignore[attr-defined]
            lambda connection: [
                str(tuple(row))
                for table in metadata.sorted_tables
                for row in connection.execute(sa.select(table))
            ]
        )
    return "\n".join(rows)


async def fill(database: Database) -> None:
    """Store a turn that left a secret in every place there is, and one that is under way."""
    async with database.work() as work:
        await work.sessions.add(a_session(title=f"use {SAID}"))
        await work.turns.add(a_turn(text=SAID))
        await work.turns.move("t1", Status.RUNNING, at=later(1))
        await work.events.append("s1", "t1", [(EventKind.TURN_QUEUED, {"text": SAID})], at=later(1))
        await work.steers.add(a_steer(text=f"no, {SAID}"))
        await work.questions.add(
            a_question(text=SAID, choices=(SAID, "no"), subject=f"curl {S} {SAID}")
        )
        await work.effects.start(an_effect(arguments={"a": [{"env": SAID}]}, before={"x": SAID}))
        await work.effects.finish("s1", "c1", result=SAID, failed=False, at=later(2))
        await work.parkings.add(a_parking(reason=SAID))
        await work.routes.put("t1", Route((Role.CHAT,), Complexity.SIMPLE, DecidedBy.RULE, SAID))
        await work.attempts.add(an_attempt(message=SAID))
        await work.notes.put(a_note(f"the {SAID}", f"it is {S}, {SAID}", id="n1"))
        await work.grants.add(a_grant("g1", rule=f"shell:deploy {SAID}", session_id="s1"))
        await work.grants.add(a_grant("g2", rule="shell:ls", session_id="s1"))
        await work.inbox.add([InboxUpdate("telegram", 1, "p", {"text": SAID}, later(0))])
        await work.inbox.handled("telegram", 1, at=later(1), error=SAID)
        for key, turn in (("k1", "t1"), ("k2", None)):
            await work.outbox.add(
                OutboxMessage(
                    id=key,
                    channel="telegram",
                    place="p",
                    key=key,
                    kind=OutgoingKind.TEXT,
                    purpose="answer",
                    body={"text": SAID},
                    created_at=later(2),
                    session_id="s1",
                    turn_id=turn,
                )
            )
        await work.turns.move("t1", Status.FAILED, at=later(3), reply=SAID, error=SAID)
        await work.turns.add(a_turn("t2", text=f"later: {SAID}"))
        await work.commit()


async def test_a_secret_of_a_turn_that_ended_is_replaced_in_every_row_of_it(
    database: Database,
) -> None:
    """Also where it stands alone; the text of a turn that has not ended stays as it was said."""
    await fill(database)
    ended = EndedTurn("t1", "s1", later(3))
    replacer = Replacer(b"key", ())
    async with database.work() as work:
        assert await work.secrets.due() == [ended]
        assert await work.secrets.due(session_id="s2") == []
        assert not await work.secrets.is_begun("s1")
        for _ in range(2):
            await work.secrets.replace(ended, replacer.masker)
        await work.secrets.done(ended)
        await work.commit()
    assert replacer.gone == {S}
    left = await everything(database)
    assert [row for row in left.splitlines() if S in row and "later" not in row] == []
    assert left.count(S) == 1
    assert f"later: {SAID}" in left
    async with database.read() as work:
        turn = await work.turns.get("t1")
        assert turn.text == f"API_TOKEN={replacer.mark(S)}"
        assert await work.secrets.due() == []
        found = await work.notes.search("local", S)
        assert found == []
        assert [grant.id for grant in await work.grants.list()] == ["g2"]


async def test_a_turn_that_goes_on_and_ends_again_is_due_again(database: Database) -> None:
    """What it said the second time has not been looked at; removing a session forgets it."""
    await fill(database)
    async with database.work() as work:
        await work.secrets.done(EndedTurn("t1", "s1", later(3)))
        assert await work.secrets.due() == []
        await work.turns.move("t1", Status.QUEUED, at=later(4))
        await work.turns.move("t1", Status.RUNNING, at=later(5))
        assert await work.secrets.due() == []
        assert await work.secrets.is_begun("s1")
        await work.turns.move("t1", Status.DONE, at=later(6), reply="ok")
        assert await work.secrets.due() == [EndedTurn("t1", "s1", later(6))]
        await work.secrets.done(EndedTurn("t1", "s1", later(6)))
        await work.turns.move("t2", Status.CANCELLED, at=later(7))
        await work.sessions.remove("s1")
        assert await work.secrets.due() == []
        await work.commit()


def test_the_same_secret_has_the_same_placeholder_and_nobody_can_guess_it() -> None:
    """In one data folder; with another key it is another."""
    one, other = Replacer(b"key"), Replacer(b"other")
    first = one.masker.mask(SAID)
    assert first == one.masker.mask(first) == replace(one).masker.mask(SAID)
    assert other.masker.mask(SAID) != first
