"""What SQLite raises, read into our errors."""

import errno
import sqlite3

from noctule.core.errors import NoctuleError, StorageUnavailableError
from storage.base.faults import damaged, disk_full, driver_error, locked, unexpected, unwritable

# https://www.sqlite.org/rescode.html; the low byte of an extended code is its primary code.
_PRIMARY_CODE = 0xFF
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# A quota is a full disk with another name; a file that may not grow says EFBIG.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNWRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN})


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 when the driver itself complained."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY_CODE


def explain(error: Exception, place: str) -> NoctuleError:
    """Return what a failure means.

    Args:
        error: what SQLite, SQLAlchemy or the operating system raised.
        place: the file, for people.
    """
    cause = driver_error(error)
    if isinstance(cause, NoctuleError):
        return cause
    if isinstance(cause, OSError) and cause.errno in _FULL:
        return disk_full(place)
    if isinstance(cause, OSError):
        return unwritable(place, cause.strerror or str(cause))
    if not isinstance(cause, sqlite3.Error):
        return unexpected(place, cause)
    return _explain(cause, primary_code(cause), place)


def _explain(error: sqlite3.Error, code: int, place: str) -> NoctuleError:
    if code in _BUSY:
        return locked(place)
    if code in _DAMAGED:
        return damaged(place, str(error))
    if code in _UNWRITABLE:
        return unwritable(place, str(error))
    if code == sqlite3.SQLITE_FULL:
        return disk_full(place)
    if code == sqlite3.SQLITE_IOERR:
        return StorageUnavailableError(
            f"{place} could not be read or written ({error}). Look after the disk it is on."
        )
    return unexpected(place, error)
