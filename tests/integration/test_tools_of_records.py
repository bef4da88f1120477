from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from noctule.core.base.roles import Role
from noctule.core.budgets.budget_scopes import RUN_BUDGET
from noctule.core.clock import ManualClock
from noctule.core.sessions.lifecycle import Status
from noctule.core.settings import Settings
from tests.support.scratch import scratch_database
from tests.support.stored_records import (
    NOON,
    a_note,
    a_parking,
    a_session,
    a_turn,
    an_attempt,
    later,
)
from tests.support.tool_calls import a_context, call
from tools.base.tool import ToolError
from tools.records.budgets_view import MyBudgetsTool
from tools.records.notes import ForgetTool, RecallTool, RememberTool
from tools.records.sessions_view import MySessionsTool, SessionDetailsTool

SETTINGS = Settings.model_validate(
    {
        "endpoints": {"near": {"kind": "scripted"}},
        "models": {"small": {"endpoint": "near", "name": "s"}},
        "roles": {role.value: {"primary": "small"} for role in Role},
        "budgets": {
            "daily": {
                "usd": 5,
                "scope": "global",
                "window": {"kind": "first_use", "length": "24h"},
            },
            "each": {"usd": 1, "scope": "owner", "window": {"kind": "first_use", "length": "24h"}},
        },
    }
)


@pytest.fixture
def database():
    return scratch_database()


async def stored(database, *, sessions=(), turns=(), attempts=(), parkings=(), notes=()):
    async with database.work() as work:
        for session in sessions:
            await work.sessions.add(session)
        for turn in turns:
            await work.turns.add(turn)
        for attempt in attempts:
            await work.attempts.add(attempt)
        for parking in parkings:
            await work.parkings.add(parking)
        for note in notes:
            await work.notes.put(note)
        await work.commit()


async def test_what_is_remembered_is_recalled_in_another_session(database):
    """By its words or by being the newest; the same title again replaces the text."""
    await stored(database, sessions=[a_session("s1"), a_session("s2")])
    clock = ManualClock(NOON)
    here = a_context(database=database, clock=clock)
    there = a_context(database=database, clock=clock, session_id="s2")
    done = await call(RememberTool(), {"title": " code style ", "text": "Prefers tabs."}, here)
    assert done.text == "Remembered as 'code style'."
    await call(RememberTool(), {"title": "code style", "text": "Prefers spaces."}, here)
    for words in ("spaces", ""):
        found = await call(RecallTool(), {"words": words}, there)
        assert found.text == "# code style (2026-11-22)\nPrefers spaces."
        assert not found.outside
    nothing = await call(RecallTool(), {"words": "tabs"}, there)
    assert "Nothing is remembered" in nothing.text


async def test_notes_are_their_owners_alone(database):
    """Somebody else neither finds nor forgets them."""
    await stored(database, sessions=[a_session("s1")], notes=[a_note("Bats", "By day.")])
    other = a_context(database=database, owner="42")
    assert "Nothing" in (await call(RecallTool(), {"words": "day"}, other)).text
    with pytest.raises(ToolError, match="no note 'Bats'"):
        await call(ForgetTool(), {"title": "Bats"}, other)


async def test_a_note_is_forgotten_once_and_a_crash_in_between_is_told(database):
    """What is gone is known to be gone; what is still there can be forgotten again."""
    await stored(database, sessions=[a_session("s1")], notes=[a_note("Bats")])
    forget, context = ForgetTool(), a_context(database=database)
    arguments = forget.arguments(title="Bats")
    assert await forget.happened(arguments, context, {}) is False
    done = await forget.run(arguments, context)
    assert await forget.happened(arguments, context, {}) == done
    remember = RememberTool()
    again = remember.arguments(title="Bats", text="x")
    assert await remember.happened(again, context, {}) is False


async def test_notes_of_private_sessions_stay_in_private_sessions(database):
    """They could otherwise reach a model that is not local."""
    await stored(
        database,
        sessions=[a_session("s1", private=True), a_session("s2")],
        notes=[
            a_note("illness", "flu", private=True),
            a_note("hobby", "flu songs", session_id="s2"),
        ],
    )
    here = a_context(database=database, session_id="s2")
    assert "illness" not in (await call(RecallTool(), {"words": "flu"}, here)).text
    assert "# hobby" in (await call(RecallTool(), {"words": "flu"}, here)).text
    private = await call(RecallTool(), {"words": "flu"}, a_context(database=database, private=True))
    assert "# illness" in private.text


async def test_a_note_stays_private_when_its_session_is_deleted(database):
    """Nothing tells that it is there: not its words, not how many hold a beginning of a word."""
    await stored(database, sessions=[a_session("s1", private=True), a_session("s2")])
    own = a_context(database=database, session_id="s1", private=True)
    await call(RememberTool(), {"title": "illness", "text": "flu, pin 4711"}, own)
    here = a_context(database=database, session_id="s2")
    there = [(await call(RecallTool(), {"words": words}, here)).text for words in ("pin 47", "xyz")]
    async with database.work() as work:
        await work.sessions.remove("s1")
        await work.commit()
    gone = [(await call(RecallTool(), {"words": words}, here)).text for words in ("", "flu", "xyz")]
    assert len({*there, *gone}) == 1
    assert "Nothing is remembered" in gone[0]
    again = a_context(database=database, session_id="s2", private=True)
    assert "4711" in (await call(RecallTool(), {"words": "flu"}, again)).text


async def test_an_open_session_neither_replaces_nor_forgets_a_private_note(database):
    """What it writes under that title stands beside it."""
    await stored(
        database,
        sessions=[a_session("s1", private=True), a_session("s2")],
        notes=[a_note("illness", "flu", private=True)],
    )
    here = a_context(database=database, session_id="s2")
    told = await call(RememberTool(), {"title": "illness", "text": "none"}, here)
    assert "(from a session that is not private)" in told.text
    with pytest.raises(ToolError, match="no note 'illness'"):
        await call(ForgetTool(), {"title": "illness"}, here)
    private = a_context(database=database, private=True)
    assert "flu" in (await call(RecallTool(), {"words": "flu"}, private)).text


async def test_a_private_message_of_an_open_session_is_not_noted(database):
    """The note would not say that it is private."""
    await stored(database, sessions=[a_session("s1"), a_session("s2", private=True)])
    note = {"title": "illness", "text": "flu"}
    with pytest.raises(ToolError, match="private session"):
        await call(RememberTool(), note, a_context(database=database, private=True))
    own = a_context(database=database, session_id="s2", private=True)
    assert (await call(RememberTool(), note, own)).text == "Remembered as 'illness'."


async def test_a_note_from_a_session_that_read_the_web_is_from_outside(database):
    """Words of others do not become the agent's own by being remembered."""
    await stored(
        database,
        sessions=[a_session("s1", outside_since=NOON), a_session("s2", outside_since=later(60))],
        notes=[
            a_note("after", "A page said so.", session_id="s1"),
            a_note("before", "The person told me.", session_id="s2"),
        ],
    )
    context = a_context(database=database)
    assert (await call(RecallTool(), {"words": "page"}, context)).outside
    assert not (await call(RecallTool(), {"words": "person"}, context)).outside


async def some_sessions(database):
    await stored(
        database,
        sessions=[
            a_session("s1", title="Bat report"),
            a_session("s2", title="Diagnosis", private=True, created_at=later(60)),
            a_session("s3", title="Not yours", owner="42", created_at=later(120)),
        ],
        turns=[
            a_turn("t1", text="Write about bats", status=Status.DONE, reply="Bats " * 400),
            a_turn(
                "t2",
                text="And now moths",
                status=Status.PARKED,
                wake_at=later(3600),
                error="haiku is refused until 14:00.",
            ),
            a_turn("t3", "s2", text="It hurts", status=Status.DONE, reply="Rest."),
            a_turn("t4", "s3", text="Theirs", status=Status.DONE, reply="Theirs too."),
        ],
        attempts=[
            an_attempt("a1", session_id="s1", cost_usd=Decimal("0.25")),
            an_attempt("a2", session_id="s3", turn_id="t4", cost_usd=Decimal(2)),
        ],
        parkings=[a_parking("p1", "t2", wake_at=later(3600))],
    )


async def test_a_person_sees_their_own_sessions(database):
    """Status, wake, cost; nothing of others, nothing private outside of private sessions."""
    await some_sessions(database)
    sessions = MySessionsTool(UTC)
    wakes = "wakes 2026-11-22 13:00, this session"
    all_of_them = (await call(sessions, {}, a_context(database=database))).text
    assert all_of_them.splitlines() == [
        's3, done, "Not yours", begun 2026-11-22 12:02, 1 turns, cost $2.00, of 42',
        's2, done, "(private)", begun 2026-11-22 12:01, 1 turns, cost $0.00',
        f's1, parked, "Bat report", begun 2026-11-22 12:00, 2 turns, cost $0.25, {wakes}',
    ]
    theirs = (await call(sessions, {}, a_context(database=database, owner="42"))).text
    assert theirs.startswith("s3, done")
    assert "s1" not in theirs
    parked = await call(sessions, {"only": "parked"}, a_context(database=database))
    assert parked.text.startswith("s1, parked")
    assert "none" in (await call(sessions, {"only": "failed"}, a_context(database=database))).text
    newest = (await call(sessions, {"limit": 1}, a_context(database=database))).text
    assert newest.endswith("2 older ones are not shown.")
    private = await call(sessions, {}, a_context(database=database, private=True))
    assert '"Diagnosis"' in private.text


async def test_a_look_into_a_session(database):
    """What was asked and answered, what it waits for; long answers are cut."""
    await some_sessions(database)
    details = SessionDetailsTool(UTC)
    text = (await call(details, {"session": "s1"}, a_context(database=database))).text
    assert "Status: parked. Cost so far: $0.25." in text
    assert "It goes on 2026-11-22 13:00." in text
    assert "haiku is refused until 14:00." in text
    assert "It waits for the model haiku." in text
    assert "Asked: And now moths" in text
    assert "… (2000 characters)" in text
    hidden = (await call(details, {"session": "s2"}, a_context(database=database))).text
    assert "It hurts" not in hidden
    assert "(private)" in hidden
    for session_id, owner in (("s1", "42"), ("s9", "local")):
        with pytest.raises(ToolError, match="has no session"):
            await call(details, {"session": session_id}, a_context(database=database, owner=owner))


async def test_what_was_spent_and_what_is_left(database):
    """By model and session; others see their own share and their own budgets."""
    await some_sessions(database)
    async with database.work() as work:
        await work.sessions.set_budget("s1", Decimal(3))
        await work.commit()
    budgets, clock = MyBudgetsTool(SETTINGS, UTC), ManualClock(later(3600))
    mine = (await call(budgets, {"days": 1}, a_context(database=database, clock=clock))).text
    lines = mine.splitlines()
    assert lines[0] == "Spent in the last day: $2.25 for 2 answers"
    assert '- s3 "Not yours": $2.00 for 1 answers' in lines
    assert any(line.startswith("Budget daily: $0.00 of $5.00 spent, $5.00 left") for line in lines)
    assert any(line.startswith(f"Budget {RUN_BUDGET} (s1): $0.00 of $3.00") for line in lines)
    other = a_context(database=database, clock=clock, owner="42")
    theirs = (await call(budgets, {}, other)).text
    assert theirs.startswith("Spent in the last 7 days: $2.00 for 1 answers")
    assert theirs.endswith("No budget is set.")
    await clock.advance(timedelta(days=10).total_seconds())
    later_on = (await call(budgets, {}, a_context(database=database, clock=clock))).text
    assert later_on.startswith("Spent in the last 7 days: $0.00 for 0 answers")
