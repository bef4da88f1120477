"""Records for the tests of the stores: valid, plain, and each with an id of its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from noctule.core.attempts import Attempt, CostSource, Purpose, SkippedModel, Usage
from noctule.core.lifecycle import Status
from noctule.core.limits import Limit, LimitKey
from noctule.core.outcomes import Outcome
from noctule.core.parkings import Parking, ParkingKind
from noctule.core.ports import Database
from noctule.core.refusals import Evidence
from noctule.core.sessions import Session, SessionKind, Turn
from noctule.core.token_parts import TokenParts

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
KEY = LimitKey("cloud", "f1", "haiku")


def later(seconds: float) -> datetime:
    """Return a moment after NOON."""
    return NOON + timedelta(seconds=seconds)


def a_session(name: str = "s1", **changes: Any) -> Session:
    """Return a session of the data folder's owner."""
    return replace(Session(name, "local", SessionKind.CHAT, None, NOON), **changes)


def a_turn(name: str = "t1", session_id: str = "s1", **changes: Any) -> Turn:
    """Return a queued turn."""
    return replace(Turn(name, session_id, "hello", Status.QUEUED, NOON), **changes)


def an_attempt(name: str = "a1", **changes: Any) -> Attempt:
    """Return an attempt with every field filled."""
    attempt = Attempt(
        id=name,
        call_id="c1",
        session_id="s1",
        turn_id="t1",
        role="writer",
        purpose=Purpose.ANSWER,
        model="haiku",
        endpoint="cloud",
        outcome=Outcome.SUCCESS,
        started_at=NOON,
        wait_s=0.25,
        first_token_s=0.5,
        duration_s=1.75,
        usage=Usage(100, 20, 80, 10, 5, Decimal("0.000123")),
        cost_usd=Decimal("0.000123456"),
        cost_source=CostSource.PROVIDER,
        fallback_from="opus",
        skipped=(SkippedModel("coder", "busy 2 s"),),
        message=None,
        discarded=True,
        tier="mid",
        local=False,
        parts=TokenParts(50, 10, 30, 10),
    )
    return replace(attempt, **changes)


def a_limit(key: LimitKey = KEY, **changes: Any) -> Limit:
    """Return a limit that the provider timed in a header."""
    limit = Limit(key, Outcome.RATE_LIMITED, "slow down", later(60), Evidence.HEADER, NOON)
    return replace(limit, **changes)


def a_parking(name: str = "p1", turn_id: str = "t1", **changes: Any) -> Parking:
    """Return a parking on a limit, due in a minute."""
    parking = Parking(
        id=name,
        turn_id=turn_id,
        session_id="s1",
        kind=ParkingKind.LIMIT,
        reason="slow down",
        parked_at=NOON,
        wake_at=later(60),
        evidence=Evidence.HEADER,
        key=KEY,
        model="haiku",
        tried=("haiku: rate_limited", "qwen: cannot call tools"),
        interrupt_id="i1",
        lap=2,
    )
    return replace(parking, **changes)


async def with_turns(database: Database, *names: str) -> None:
    """Store session s1 and queued turns in it."""
    async with database.work() as work:
        await work.sessions.add(a_session())
        for name in names:
            await work.turns.add(a_turn(name))
        await work.commit()
