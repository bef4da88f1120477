"""Says in a sentence why a checkpoint file could not be used."""

import sqlite3
from pathlib import Path

from noctule.core.errors import (
    DatabaseBusyError,
    NoctuleError,
    OurBugError,
    StorageError,
    StorageUnavailableError,
)

_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


def is_busy(error: BaseException) -> bool:
    """Return whether another process held the file for too long."""
    return _code(error) in _BUSY


def explain(error: BaseException, path: Path) -> BaseException:
    """Return the error to raise in place of what SQLite raised.

    Result codes: sqlite.org/rescode.html, checked 2026-11.
    """
    if not isinstance(error, sqlite3.Error):
        return error if isinstance(error, NoctuleError) else _unexpected(error, path)
    explained = _sentence(_code(error), str(error), path)
    explained.__cause__ = error
    return explained


def _sentence(code: int | None, words: str, path: Path) -> NoctuleError:
    if code in _BUSY:
        return DatabaseBusyError(
            f"{path} was held by another process for 30 seconds. End that process or wait for "
            "it; then `noctule sessions resume` goes on from the last stored step."
        )
    if code in _FULL:
        return StorageUnavailableError(
            f"{path} could not be written ({words}). Free some space and see that its disk is "
            "sound; then `noctule sessions resume` goes on from the last stored step."
        )
    if code in _DAMAGED:
        return StorageError(
            f"{path} is damaged ({words}). Put back a copy of the data folder, or move the file "
            "away: sessions that were finished stay readable, unfinished ones start anew."
        )
    if code in _UNWRITABLE:
        return StorageUnavailableError(
            f"{path} cannot be opened for writing ({words}). Check that its folder exists and "
            "that you may write there.",
            needs_person=True,
        )
    return StorageError(f"{path} could not be used ({words}). `noctule doctor` checks the disk.")


def _code(error: BaseException) -> int | None:
    # Errors of Python's own module, such as a closed connection, carry no code.
    extended = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def _unexpected(error: BaseException, path: Path) -> NoctuleError:
    bug = OurBugError(f"{path} could not be used ({error!r}); please report this.")
    bug.__cause__ = error
    return bug
