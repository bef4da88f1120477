"""What databases and drivers raise, read into our errors: a sentence each, with what to do.

What each driver means is in ``storage.sqlite.faults`` and ``storage.postgres.faults``.
"""

import sqlalchemy as sa

from noctule.core.errors import (
    DatabaseBusyError,
    OurBugError,
    StorageError,
    StorageUnavailableError,
)


def driver_error(error: Exception) -> Exception:
    """Return what the driver raised under SQLAlchemy's wrapping."""
    if isinstance(error, sa.exc.StatementError) and isinstance(error.orig, Exception):
        return error.orig
    return error


def one_line(error: Exception) -> str:
    """Return the first line of an error's words."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def locked(place: str) -> DatabaseBusyError:
    """Return the error for a database that another process holds for longer than we wait."""
    return DatabaseBusyError(
        f"{place} is locked by another process for longer than we wait. End that process (a "
        "backup, another noctule), or try again."
    )


def damaged(place: str, words: str) -> StorageError:
    """Return the error for a file that is no sound database."""
    return StorageError(
        f"{place} is damaged or not a database ({words}). Put a backup in its place, or move it "
        "away and start anew."
    )


def unwritable(place: str, words: str) -> StorageUnavailableError:
    """Return the error for a file or folder that cannot be written."""
    return StorageUnavailableError(
        f"{place} cannot be opened for writing ({words}). Make the folder writable, or name "
        "another one with NOCTULE_HOME.",
        needs_person=True,
    )


def disk_full(place: str) -> StorageUnavailableError:
    """Return the error for a full disk."""
    return StorageUnavailableError(
        f"The disk that holds {place} is full; what was stored before is safe. Free some space "
        "and try again."
    )


def undone(place: str) -> OurBugError:
    """Return the error for a commit after a failure that had undone everything."""
    return OurBugError(
        f"{place} had undone a transaction after an error, and was asked to commit it. Nothing of "
        "it was stored. Please report this."
    )


def closed_already() -> OurBugError:
    """Return the error for a database that was closed."""
    return OurBugError("The database was closed and is still asked. Please report this.")


def unexpected(place: str, error: Exception) -> OurBugError:
    """Return the error for what should not be possible."""
    return OurBugError(
        f"{place} could not do what it was asked ({type(error).__name__}: {one_line(error)}). "
        "Please report this."
    )
