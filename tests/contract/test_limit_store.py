from noctule.core.llm.limits import LimitKey
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from tests.support.stored_records import KEY, a_limit, later

WHOLE = LimitKey("cloud", "f1", None)
KEYLESS = LimitKey("Local", "", "qwen")


async def test_limits_come_back_in_order(database: Database) -> None:
    """Of endpoint, key and model, the whole key first; a limit without a time stays one."""
    limits = [a_limit(KEYLESS), a_limit(WHOLE), a_limit(KEY, not_before=None, evidence=None)]
    async with database.work() as work:
        for limit in reversed(limits):
            await work.limits.put(limit)
        await work.commit()
    async with database.read() as work:
        assert await work.limits.list() == limits


async def test_a_later_limit_replaces_that_of_its_key(database: Database) -> None:
    """One key has one limit."""
    harder = a_limit(outcome=Outcome.QUOTA_EXHAUSTED, not_before=later(900), windows=2)
    async with database.work() as work:
        await work.limits.put(a_limit())
        await work.limits.put(harder)
        assert await work.limits.list() == [harder]


async def test_clearing_counts_what_was_there(database: Database) -> None:
    """One key, a key that is not there, and all of them."""
    async with database.work() as work:
        for key in (KEY, WHOLE, KEYLESS):
            await work.limits.put(a_limit(key))
        assert await work.limits.clear(WHOLE) == 1
        assert await work.limits.clear(WHOLE) == 0
        assert [limit.key for limit in await work.limits.list()] == [KEYLESS, KEY]
        assert await work.limits.clear() == 2
        assert await work.limits.clear() == 0
