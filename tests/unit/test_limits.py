import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.clock import ManualClock
from noctule.core.llm.limits import Limit
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.models.base.fingerprint import Fingerprints
from noctule.models.base.ledger import Ledger
from noctule.models.capacity.limits import Limits
from storage.sqlite.database import SqliteDatabase
from tests.support.scratch import scratch_database
from tests.support.stage import make_settings, settle

PRINTS = Fingerprints(b"salt")


class Shelf:
    """Limits over a database in memory, and what it takes to look behind them."""

    def __init__(self, database: SqliteDatabase | None = None) -> None:
        self.clock = ManualClock()
        self.database = database or scratch_database()
        self.ledger = Ledger(self.database)
        endpoints = {"here": {"key": "sk-secret"}}
        settings = make_settings(endpoints=endpoints)
        self.limits = Limits(settings, self.database, self.ledger, self.clock, PRINTS)

    def refuse(
        self, seconds: float | None, model: str = "first", **changes: object
    ) -> Limit | None:
        retry_at = None if seconds is None else self.clock.now() + timedelta(seconds=seconds)
        evidence = None if seconds is None else Evidence.HEADER
        values: dict[str, Any] = {"retry_at": retry_at, "evidence": evidence, **changes}
        return self.limits.learn(model, Refusal(Outcome.RATE_LIMITED, "not now", **values))

    async def stored(self) -> list[Limit]:
        await self.ledger.close()
        async with self.database.read() as work:
            return await work.limits.list()


async def test_a_refusal_is_in_force_until_its_time_and_a_margin() -> None:
    """The margin is 5 % of the wait, 1 s to 60 s; then the model may be asked again."""
    shelf = Shelf()
    shelf.refuse(200)
    limit = shelf.limits.in_force("first")
    assert limit is not None
    assert limit.not_before == shelf.clock.now() + timedelta(seconds=210)
    assert (limit.evidence, limit.reason, limit.windows) == (Evidence.HEADER, "not now", 1)
    assert shelf.limits.in_force("third") is None
    await shelf.clock.advance(210)
    assert shelf.limits.in_force("first") is None
    assert [known.key for known in await shelf.stored()] == [limit.key]


async def test_an_account_wide_refusal_concerns_every_model_of_the_key() -> None:
    """Models of the same endpoint share it, others do not."""
    shelf = Shelf()
    limit = shelf.refuse(100, account_wide=True)
    assert limit is not None
    assert limit.key.model is None
    assert shelf.limits.in_force("first") == shelf.limits.in_force("third") == limit
    assert shelf.limits.in_force("second") is None


async def test_what_needs_a_person_has_no_time() -> None:
    """Nobody knows when, so it stays in force until it is cleared or a call succeeds."""
    shelf = Shelf()
    limit = shelf.refuse(100, needs_person=True)
    assert limit is not None
    assert (limit.not_before, limit.evidence) == (None, None)
    await shelf.clock.advance(10**6)
    assert shelf.limits.in_force("first") == limit


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.AUTH, Outcome.EMPTY_REPLY])
async def test_what_is_no_limit_is_not_remembered(outcome: Outcome) -> None:
    """An outage, a wrong key or a bad reply says nothing about when to come back."""
    shelf = Shelf()
    assert shelf.limits.learn("first", Refusal(outcome, "x")) is None
    assert await shelf.stored() == []


async def test_an_outage_that_says_until_when_is_a_limit() -> None:
    """A 503 with Retry-After is believed; a guess about one is not kept."""
    shelf = Shelf()
    until = shelf.clock.now() + timedelta(seconds=60)
    told = Refusal(Outcome.UNAVAILABLE, "back soon", until, Evidence.HEADER)
    guessed = Refusal(Outcome.UNAVAILABLE, "gone", until, Evidence.GUESS)
    assert shelf.limits.learn("second", guessed) is None
    assert shelf.limits.learn("first", told) is not None


async def test_refusals_count_once_per_window_until_a_success() -> None:
    """Ten calls refused together are one window; the next refusal after its end is the second."""
    shelf = Shelf()
    for _ in range(10):
        shelf.refuse(100)
    assert shelf.limits.refusals("first") == 0
    await shelf.clock.advance(106)
    assert shelf.limits.refusals("first") == 1
    limit = shelf.refuse(100)
    assert limit is not None
    assert limit.windows == 2
    await shelf.clock.advance(106)
    shelf.limits.forget("first", asked_at=shelf.clock.now())
    limit = shelf.refuse(100)
    assert limit is not None
    assert limit.windows == 1


async def test_knowledge_outdoes_a_guess_and_the_later_end_the_earlier() -> None:
    """Of refusals in one window the one that says most stays."""
    shelf = Shelf()
    guess = {"evidence": Evidence.GUESS}
    shelf.refuse(1800, **guess)
    known = shelf.refuse(100)
    assert shelf.limits.in_force("first") == known
    assert shelf.refuse(3600, **guess) == known
    assert shelf.refuse(50) == known
    later = shelf.refuse(300)
    assert shelf.limits.in_force("first") == later != known
    assert await shelf.stored() == [later]


async def test_an_answer_already_on_its_way_does_not_clear_a_later_refusal() -> None:
    """Only a request sent after the refusal proves that it is over."""
    shelf = Shelf()
    sent = shelf.clock.now()
    await shelf.clock.advance(1)
    shelf.refuse(100)
    shelf.limits.forget("first", asked_at=sent)
    assert shelf.limits.in_force("first") is not None
    shelf.limits.forget("first", asked_at=shelf.clock.now())
    assert shelf.limits.in_force("first") is None
    assert await shelf.stored() == []


async def test_what_another_process_learned_is_read_within_a_second() -> None:
    """The memory is read again when it is older than asked for."""
    ours = Shelf()
    theirs = Shelf(ours.database)
    await ours.limits.read(after=ours.clock.monotonic() - 1)
    theirs.refuse(100)
    await theirs.ledger.close()
    await ours.limits.read(after=ours.clock.monotonic() - 1)
    assert ours.limits.in_force("first") is None
    await ours.clock.advance(1)
    await ours.limits.read(after=ours.clock.monotonic() - 1)
    assert ours.limits.in_force("first") is not None


async def test_a_read_under_way_does_not_undo_what_is_learned_meanwhile() -> None:
    """A refusal learned while the table is read, or not yet written, stays known."""
    shelf = Shelf()
    reading = asyncio.create_task(shelf.limits.read(after=0))
    await settle(1)
    shelf.refuse(100)
    await reading
    assert shelf.limits.in_force("first") is not None
    await settle()
    await shelf.limits.read(after=shelf.clock.monotonic())
    assert shelf.limits.in_force("first") is not None


async def test_limits_are_cleared_by_hand_one_or_all() -> None:
    """Clearing says how many there were and holds at once."""
    shelf = Shelf()
    shelf.refuse(100)
    shelf.refuse(100, model="second")
    assert await shelf.limits.clear(shelf.limits.key("first")) == 1
    assert shelf.limits.in_force("first") is None
    assert await shelf.limits.clear() == 1
    assert await shelf.limits.clear() == 0
    assert shelf.limits.in_force("second") is None


async def test_the_key_itself_is_nowhere() -> None:
    """A limit carries a fingerprint: another for another key, "" where there is none."""
    shelf = Shelf()
    limit = shelf.refuse(100)
    assert limit is not None
    assert "secret" not in repr(limit)
    assert limit.key.key_fingerprint == PRINTS.of("sk-secret") != PRINTS.of("sk-other")
    assert shelf.limits.key("second").key_fingerprint == ""


@given(waits=st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_no_refusal_ever_shortens_a_known_limit(waits: list[int]) -> None:
    """Whatever order refusals come back in, the latest reset wins."""

    async def scenario() -> None:
        shelf = Shelf()
        ends = []
        for wait in waits:
            limit = shelf.refuse(wait)
            assert limit is not None
            assert limit.not_before is not None
            ends.append(limit.not_before)
        assert ends == sorted(ends)
        await shelf.ledger.close()

    asyncio.run(scenario())
