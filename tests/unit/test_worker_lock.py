import asyncio
import os

import pytest

from noctule.core.clock import ManualClock
from noctule.core.errors import DatabaseBusyError
from noctule.sessions.workers.lock import WorkerLock
from tests.support.stage import settle


def lock(folder, clock=None) -> WorkerLock:
    return WorkerLock(folder, clock or ManualClock())


def test_one_at_a_time_has_the_lock_and_others_see_who(tmp_path):
    """The second is told no, sees process and command, and gets it once it was let go of."""
    one, two = lock(tmp_path), lock(tmp_path)
    assert two.worker() is None
    assert one.take("chat")
    assert not two.take("run")
    assert (two.worker().what, two.worker().pid) == ("chat", os.getpid())
    assert one.worker().what == "chat"
    one.release()
    assert two.worker() is None
    assert two.take("run")
    two.release()


async def test_a_worker_asks_a_command_to_give_way_and_takes_over(tmp_path):
    """While it waits the holder sees that it is asked; afterwards nobody is asked any more."""
    clock = ManualClock()
    command, worker = lock(tmp_path, clock), lock(tmp_path, clock)
    assert command.take("chat")
    assert not command.asked()

    async def work() -> None:
        async with worker.held("serve"):
            assert command.worker().what == "serve"

    task = asyncio.create_task(work())
    await settle(1)
    assert command.asked()
    command.release()
    await clock.advance(1)
    await task
    assert not command.asked()
    assert command.take("chat")
    command.release()


@pytest.mark.parametrize("holder", ["serve", "worker"])
async def test_a_worker_does_not_wait_for_another(tmp_path, holder):
    """Workers keep the lock: a second one ends with a sentence, and asks for nothing."""
    one, two = lock(tmp_path), lock(tmp_path)
    assert one.take(holder)
    with pytest.raises(DatabaseBusyError, match=f"Another `noctule {holder}`"):
        async with two.held("serve"):
            pass
    assert not one.asked()
    one.release()


async def test_a_worker_takes_over_from_one_that_is_stopping(tmp_path):
    """While the old one finishes its steps the new one waits and says for whom, once."""
    clock = ManualClock()
    old, new = lock(tmp_path, clock), lock(tmp_path, clock)
    assert old.take("serve")
    assert old.worker().is_worker
    old.stopping()
    assert not new.worker().is_worker
    told = []

    async def work() -> None:
        async with new.held("serve", tell=lambda holder: told.append(holder.in_the_way)):
            assert old.worker().is_worker

    task = asyncio.create_task(work())
    await settle(1)
    await clock.advance(5)
    assert not task.done()
    assert told == ["`noctule serve` is stopping; this one takes over as soon as it has ended."]
    old.release()
    await clock.advance(1)
    await task


def test_who_has_no_lock_notes_nothing(tmp_path):
    """Stopping without it leaves the note of whoever has it."""
    one, two = lock(tmp_path), lock(tmp_path)
    assert one.take("serve")
    two.stopping()
    assert two.worker().is_worker
    one.release()


async def test_nobody_is_asked_by_a_worker_that_gave_up_waiting(tmp_path):
    """The question falls with whoever asked; a command is not stopped by a ghost."""
    clock = ManualClock()
    command, worker = lock(tmp_path, clock), lock(tmp_path, clock)
    assert command.take("chat")
    task = asyncio.create_task(worker.held("serve").__aenter__())
    await settle(1)
    assert command.asked()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not command.asked()
    command.release()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    """A file in the place of the data folder is a sentence, not a traceback."""
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(DatabaseBusyError, match="cannot be written"):
        lock(tmp_path / "home" / "data").take("chat")
