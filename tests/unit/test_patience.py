import asyncio

import pytest

from noctule.core.clock import ManualClock
from noctule.core.errors import DatabaseBusyError, StorageError, StorageUnavailableError
from noctule.core.workers.patience import LONGEST_WAIT_S, Patience
from tests.support.stage import settle


class Storage:
    """Something that refuses until it is mended."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return "stored"


async def test_work_waits_for_storage_that_does_not_answer_and_people_are_told_once():
    """A day away costs a question every few seconds, and two lines."""
    clock, storage, said = ManualClock(), Storage(StorageUnavailableError("It is away.")), []
    patience = Patience(clock)
    patience.tells(said.append)
    with patience.lasting():
        tasks = [asyncio.create_task(patience.keep_trying(storage)) for _ in range(3)]
        await settle()
        for _ in range(240):
            await clock.advance(0.5)
            await settle(2)
        assert patience.is_out
        assert len(said) == 1
        assert storage.asked <= 3 * (120 / LONGEST_WAIT_S + 8)
        storage.error = None
        for _ in range(12):
            await clock.advance(0.5)
            await settle(2)
        assert [await task for task in tasks] == ["stored"] * 3
    assert not patience.is_out
    assert [line[:20] for line in said] == ["It is away. What is ", "Storage answers agai"]


async def test_without_work_whoever_asks_is_told_at_once():
    """A command says what is wrong; writers that met are tried again a few times."""
    clock = ManualClock()
    away, busy = Storage(StorageUnavailableError("away")), Storage(DatabaseBusyError("busy"))
    with pytest.raises(StorageUnavailableError):
        await Patience(clock).keep_trying(away)
    task = asyncio.create_task(Patience(clock).keep_trying(busy))
    for _ in range(20):
        await settle(2)
        await clock.advance(0.5)
    with pytest.raises(DatabaseBusyError):
        await task
    assert (away.asked, busy.asked) == (1, 4)


async def test_damage_is_said_and_not_tried_again():
    """No wait mends a file that is damaged."""
    storage = Storage(StorageError("It is damaged."))
    patience = Patience(ManualClock())
    with patience.lasting(), pytest.raises(StorageError, match="damaged"):
        await patience.keep_trying(storage)
    assert storage.asked == 1


async def test_a_process_that_ends_waits_no_longer():
    """Whoever waits is told why within a second."""
    clock, storage = ManualClock(), Storage(StorageUnavailableError("It is away."))
    patience = Patience(clock)
    with patience.lasting():
        task = asyncio.create_task(patience.keep_trying(storage))
        for _ in range(40):
            await settle(2)
            await clock.advance(0.5)
        patience.give_up()
        await clock.advance(1)
        await settle(5)
        with pytest.raises(StorageUnavailableError):
            await task


async def test_a_worker_without_work_hears_that_storage_answers_again():
    """What is read ends an outage nobody waits in; it does not while somebody waits to write."""
    clock, said = ManualClock(), []
    patience = Patience(clock)
    patience.tells(said.append)
    patience.refused(StorageUnavailableError("It is away."))
    patience.looked()
    assert not patience.is_out
    assert len(said) == 2
    storage = Storage(StorageUnavailableError("The disk is full."))
    with patience.lasting():
        task = asyncio.create_task(patience.keep_trying(storage))
        await settle()
        patience.looked()
        assert patience.is_out
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
