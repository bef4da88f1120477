import asyncio
from dataclasses import dataclass, field
from typing import Any, Self, cast

import pytest

from noctule.core.clock import SystemClock
from noctule.core.errors import DatabaseBusyError, StorageUnavailableError
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.workers.patience import Patience
from noctule.models.base.ledger import MOST_WAITING, Entry, Ledger
from tests.support.stage import settle


@dataclass
class Page:
    """A database that keeps words; a transaction may be held up, and words may be refused."""

    words: list[str] = field(default_factory=list)
    commits: int = 0
    gate: asyncio.Event | None = None
    locked: bool = False
    patience: Patience = field(default_factory=lambda: Patience(SystemClock()))

    def work(self, *, durable: bool = True) -> Any:
        return PageWork(self)


@dataclass
class PageWork:
    page: Page
    drafted: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        if self.page.gate is not None:
            await self.page.gate.wait()
        if self.page.locked:
            raise DatabaseBusyError("locked")
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def commit(self) -> None:
        self.page.words += self.drafted
        self.page.commits += 1


def word(text: str) -> Entry:
    async def write(work: UnitOfWork) -> None:
        if text == "bad":
            raise ValueError(text)
        work.drafted.append(text)  # type: ignore[attr-defined]  # it is a PageWork

    return write


async def test_an_entry_is_stored_when_write_returns() -> None:
    """Whoever awaited a write may rely on it."""
    page = Page()
    await Ledger(cast("Database", page)).write(word("a"))
    assert page.words == ["a"]


async def test_many_entries_at_once_share_one_commit_and_keep_their_order() -> None:
    """Entries that wait while a transaction runs go into the next one together."""
    page = Page()
    ledger = Ledger(cast("Database", page))
    await asyncio.gather(*(ledger.write(word(str(number))) for number in range(50)))
    assert page.words == [str(number) for number in range(50)]
    assert page.commits <= 2


async def test_being_cancelled_loses_nothing() -> None:
    """A caller that is cancelled while it waits leaves its entry behind to be stored."""
    page = Page(gate=asyncio.Event())
    ledger = Ledger(cast("Database", page))
    writing = asyncio.create_task(ledger.write(word("paid for")))
    await settle()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert writing.cancelled()
    assert page.gate is not None
    page.gate.set()
    await ledger.close()
    assert page.words == ["paid for"]


async def test_one_bad_entry_does_not_take_the_others_with_it() -> None:
    """Each entry is told what became of it."""
    page = Page()
    ledger = Ledger(cast("Database", page))
    results = await asyncio.gather(
        *(ledger.write(word(text)) for text in ("a", "bad", "c")), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), ValueError, type(None)]
    assert page.words == ["a", "c"]


async def test_a_locked_database_is_reported_and_the_ledger_goes_on() -> None:
    """After a failure the next entry is tried anew."""
    page = Page(locked=True)
    ledger = Ledger(cast("Database", page))
    with pytest.raises(DatabaseBusyError):
        await ledger.write(word("a"))
    page.locked = False
    await ledger.write(word("b"))
    assert page.words == ["b"]


async def test_closing_waits_for_everything_handed_over() -> None:
    """Nobody needs to await an entry for it to be stored."""
    page = Page()
    ledger = Ledger(cast("Database", page))
    ledger.enter(word("a"))
    ledger.enter(word("b"))
    await ledger.close()
    assert page.words == ["a", "b"]


async def test_what_waits_for_storage_that_is_away_is_bounded_and_written_afterwards() -> None:
    """Entries are kept in memory until storage answers; one too many is refused at once."""
    page = Page(locked=True)
    ledger = Ledger(cast("Database", page))
    with page.patience.lasting():
        kept = [ledger.enter(word(str(number))) for number in range(MOST_WAITING)]
        await SystemClock().sleep(0.05)  # the first batch is under way
        more = [ledger.enter(word("more")) for _ in range(MOST_WAITING)]
        with pytest.raises(StorageUnavailableError, match="wait for storage"):
            await ledger.enter(word("too many"))
        page.locked = False
        await asyncio.gather(*kept, *more)
    assert page.words == [*map(str, range(MOST_WAITING)), *["more"] * MOST_WAITING]
