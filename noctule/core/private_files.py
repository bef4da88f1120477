"""Private files: databases are for their owner alone, whoever makes them."""

import os
from contextlib import suppress
from pathlib import Path

_BESIDE = ("-wal", "-shm", "-journal")


def keep_private(path: Path) -> None:
    """Make a database file for its owner alone (0600), or narrow the one that is there.

    SQLite gives what it makes beside a database the database's own mode (os_unix.c,
    findCreateFileMode); what older versions made is narrowed, too.

    Args:
        path: of the database; its folder exists.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for file in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
        with suppress(OSError):  # gone, or another's
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
