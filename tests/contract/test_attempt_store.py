from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noctule.core.errors import OurBugError
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.llm.token_parts import TokenParts
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from tests.support.fuzzing import examples
from tests.support.stored_records import an_attempt, later


async def test_an_attempt_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field of an attempt survives storing."""
    async with database.work() as work:
        await work.attempts.add(an_attempt())
        await work.commit()
    async with database.read() as work:
        assert await work.attempts.list() == [an_attempt()]


async def test_unknown_stays_unknown(database: Database) -> None:
    """None comes back as None and zero as zero, in tokens, times and money."""
    unknown = an_attempt(
        "1",
        session_id=None,
        turn_id=None,
        first_token_s=None,
        usage=Usage(),
        cost_usd=None,
        cost_source=None,
        fallback_from=None,
        skipped=(),
        outcome=Outcome.RATE_LIMITED,
        message="slow down",
        parts=None,
    )
    free = an_attempt(
        "2",
        usage=Usage(0, 0, 0, 0, 0, Decimal(0)),
        cost_usd=Decimal(0),
        cost_source=CostSource.LOCAL,
        parts=TokenParts(),
    )
    async with database.work() as work:
        await work.attempts.add(unknown)
        await work.attempts.add(free)
        stored_free, stored_unknown = await work.attempts.list()
    assert stored_unknown == unknown
    assert stored_free == free


@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(nanos=st.integers(0, 9 * 10**18))
async def test_money_is_exact(database: Database, nanos: int) -> None:
    """Any number of nano-dollars comes back as the same amount, beyond what a float can hold."""
    cost = Decimal(nanos) / 10**9
    async with database.work() as work:  # undone at its end
        await work.attempts.add(an_attempt(cost_usd=cost))
        (stored,) = await work.attempts.list()
    assert stored.cost_usd == cost


async def test_less_than_a_nano_dollar_is_rounded_up(database: Database) -> None:
    """A cost is never understated."""
    async with database.work() as work:
        await work.attempts.add(an_attempt(cost_usd=Decimal("0.0000000001")))
        (stored,) = await work.attempts.list()
    assert stored.cost_usd == Decimal("0.000000001")


async def test_attempts_are_listed_newest_first_and_narrowed(database: Database) -> None:
    """Session, turn, time and number narrow the list, together too."""
    async with database.work() as work:
        for number in range(6):
            await work.attempts.add(
                an_attempt(
                    f"a{number}",
                    session_id="s1" if number < 4 else "s2",
                    turn_id=f"t{number // 2}",
                    started_at=later(number),
                )
            )
        await work.commit()
    async with database.read() as work:
        wanted = {
            "all": await work.attempts.list(),
            "session": await work.attempts.list(session_id="s1"),
            "turn": await work.attempts.list(turn_id="t1"),
            "since": await work.attempts.list(since=later(4)),
            "limit": await work.attempts.list(limit=2),
            "together": await work.attempts.list(session_id="s1", since=later(1), limit=2),
            "none": await work.attempts.list(session_id="s"),
        }
    numbers = {what: "".join(a.id[1:] for a in found) for what, found in wanted.items()}
    assert numbers == {
        "all": "543210",
        "session": "3210",
        "turn": "32",
        "since": "54",
        "limit": "54",
        "together": "32",
        "none": "",
    }


async def test_an_attempt_is_written_once(database: Database) -> None:
    """The ledger does not overwrite; the same attempt written again is the same attempt."""
    async with database.work() as work:
        await work.attempts.add(an_attempt())
        await work.attempts.add(an_attempt())
        assert await work.attempts.list() == [an_attempt()]
        with pytest.raises(OurBugError):
            await work.attempts.add(replace(an_attempt(), call_id="another"))
