import errno
import sqlite3
from pathlib import Path

from graphs.checkpointers.failures import explain as explain_checkpoint
from noctule.core.errors import DatabaseBusyError, OurBugError, StorageError
from noctule.core.errors import StorageUnavailableError as Away
from storage.sqlite.faults import explain

PASSING = (
    "SQLITE_BUSY",
    "SQLITE_BUSY_SNAPSHOT",
    "SQLITE_BUSY_RECOVERY",
    "SQLITE_BUSY_TIMEOUT",
    "SQLITE_LOCKED",
    "SQLITE_LOCKED_SHAREDCACHE",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_FSYNC",
    "SQLITE_IOERR_SHMMAP",
    "SQLITE_READONLY",
    "SQLITE_READONLY_DBMOVED",
    "SQLITE_READONLY_DIRECTORY",
    "SQLITE_PERM",
    "SQLITE_CANTOPEN",
    "SQLITE_CANTOPEN_FULLPATH",
)
DAMAGED = ("SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_NOTADB")


def failed(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(name.lower())
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error


def both(name: str) -> tuple[BaseException, BaseException]:
    return explain(failed(name), "it"), explain_checkpoint(failed(name), Path("it"))


def test_what_a_file_says_for_a_while_is_no_verdict_and_damage_is_said():
    """Locks, full disks, lost permissions and mounts pass, in both files; damage does not."""
    passing = [(name, said) for name in PASSING for said in both(name)]
    damaged = [(name, said) for name in DAMAGED for said in both(name)]
    wrong = [one for one in passing if not isinstance(one[1], Away | DatabaseBusyError)]
    wrong += [one for one in damaged if isinstance(one[1], Away)]
    wrong += [one for one in damaged if not isinstance(one[1], StorageError)]
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES):
        said = explain(OSError(number, "no"), "it")
        if not isinstance(said, Away):
            wrong.append((str(number), said))
    assert wrong == []
    assert isinstance(explain(ValueError("ours"), "it"), OurBugError)
