"""What a night of work brought, for the first message of a day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from noctule.core.llm.attempts import Attempt, Purpose, Usage
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.daily_digest import MorningReport, is_new_day, morning_report
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Session, SessionKind, Turn

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


def a_session(name: str, kind: SessionKind = SessionKind.RUN) -> Session:
    return Session(name, "local", kind, name, EVENING)


def a_turn(name: str, status: Status, ended_at: datetime | None = None) -> Turn:
    return Turn(f"t-{name}", name, "do it", status, EVENING, ended_at=ended_at)


def an_attempt(session: str, usd: str | None) -> Attempt:
    return Attempt(
        id=f"a-{session}",
        call_id="c",
        session_id=session,
        turn_id=f"t-{session}",
        role="engineer",
        purpose=Purpose.ANSWER,
        model="m",
        endpoint="e",
        outcome=Outcome.SUCCESS,
        started_at=EVENING + timedelta(hours=2),
        wait_s=0.0,
        first_token_s=None,
        duration_s=1.0,
        usage=Usage(1, 1),
        cost_usd=None if usd is None else Decimal(usd),
        cost_source=None,
    )


def report(*pairs: tuple[Session, Turn], **changes: Any) -> MorningReport | None:
    given = {
        "heard_at": EVENING,
        "now": MORNING,
        "zone": BERLIN,
        "sessions": [session for session, _ in pairs],
        "turns": {session.id: [turn] for session, turn in pairs},
        "attempts": [],
        **changes,
    }
    return morning_report(**given)


DONE = (a_session("run"), a_turn("run", Status.DONE, EVENING + timedelta(hours=4)))
ASLEEP = (a_session("nap"), a_turn("nap", Status.PARKED))
ASKS = (a_session("ask"), a_turn("ask", Status.WAITING))


def test_what_needs_the_person_comes_first_then_what_sleeps_then_what_is_done() -> None:
    """And what all of it cost."""
    told = report(
        DONE, ASLEEP, ASKS, attempts=[an_attempt("run", "0.5"), an_attempt("nap", "0.25")]
    )
    assert told is not None
    assert [work.session.id for work in told.works] == ["ask", "nap", "run"]
    assert told.cost_usd == Decimal("0.75")
    assert [work.cost_usd for work in told.works] == [Decimal(0), Decimal("0.25"), Decimal("0.5")]


def test_one_unknown_cost_makes_all_of_it_unknown() -> None:
    """None is not 0."""
    told = report(DONE, attempts=[an_attempt("run", None)])
    assert told is not None
    assert told.cost_usd is None


@pytest.mark.parametrize(
    "changes",
    [
        {"heard_at": None},
        {"heard_at": MORNING - timedelta(minutes=20)},
        {"sessions": []},
    ],
)
def test_there_is_no_report_without_a_night_of_work(changes: dict[str, Any]) -> None:
    """Nobody heard before, the same day, nothing worked on."""
    assert report(DONE, **changes) is None


def test_the_answer_to_the_last_message_of_an_evening_is_no_work_of_the_night() -> None:
    """A conversation that slept until three is."""
    chat = a_session("chat", SessionKind.CHAT)
    assert report((chat, a_turn("chat", Status.DONE, EVENING + timedelta(minutes=1)))) is None
    assert report((chat, a_turn("chat", Status.DONE, EVENING + timedelta(hours=5)))) is not None


def test_a_day_begins_at_four_in_the_morning_of_the_person() -> None:
    """Who writes after midnight has not slept yet."""
    midnight = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
    assert not is_new_day(EVENING, midnight + timedelta(hours=2), BERLIN)
    assert is_new_day(EVENING, midnight + timedelta(hours=4), BERLIN)
    assert is_new_day(EVENING, EVENING + timedelta(days=3), BERLIN)
