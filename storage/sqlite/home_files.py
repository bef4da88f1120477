"""The files of a data folder: nothing of what was replaced stays in them."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from noctule.core.base.plain_files import overwrite
from noctule.core.base.secrets import Replacer
from noctule.core.errors import StorageError
from storage.sqlite.wiping import wipe_all

T = TypeVar("T")


class HomeFiles:
    """The files of one data folder.

    Args:
        home: the data folder.
        databases: SQLite files, in it or elsewhere; those that are not there are clean.
        replacer: says what stands for a secret.
    """

    def __init__(
        self, home: Path, databases: Sequence[Path], replacer: Callable[[], Replacer]
    ) -> None:
        self._home = home
        self._databases = tuple(databases)
        self._replacer = replacer

    async def overwrite(self, gone: Collection[str]) -> None:
        """Write over texts in logs, histories and backups."""
        if gone:
            mark = self._replacer().mark
            await self._blocking(lambda: overwrite(self._home, gone, mark))

    async def wipe(self, gone: Collection[str], *, whole: bool) -> bool:
        """Leave nothing of texts on free pages of databases; False when that has to wait.

        Raises:
            StorageError: a file is damaged or its disk full.
        """
        return await self._blocking(lambda: wipe_all(self._databases, gone, whole=whole))

    async def _blocking(self, work: Callable[[], T]) -> T:
        """Do blocking work in a thread of its own: the loop's executor ends before the engine."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(outcome: T | None, error: Exception | None) -> None:
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(outcome)  # type: ignore[arg-type]  # there is one without an error

        def run() -> None:
            try:
                outcome, error = work(), None
            except Exception as failed:  # noqa: BLE001 - handed to whoever waits
                outcome, error = None, failed
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, outcome, error)

        threading.Thread(target=run, name="noctule-wipe", daemon=True).start()
        try:
            return await done
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"Secrets of turns that ended could not be taken off the disk ({error}). Make "
                "room, or mend the data folder; it is tried again."
            ) from error
