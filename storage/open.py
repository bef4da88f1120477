"""The way in: one URL, one database."""

from pathlib import Path
from typing import TYPE_CHECKING

from noctule.core.clock import Clock
from noctule.core.errors import UsageError

if TYPE_CHECKING:
    from noctule.core.ports.database import Database

_FILE = "noctule.db"
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql:", "postgres:", "postgresql+")


async def open_database(url: str, *, data_folder: Path, clock: Clock) -> "Database":
    """Open the database that a URL names, at the newest version of the schema.

    Args:
        url: ``sqlite`` (``noctule.db`` in the data folder), ``sqlite:///path`` or
            ``postgresql://user:password@host/database``.
        data_folder: made when missing; not used with a path or PostgreSQL.
        clock: paces what is tried again, like a lost connection that listened.

    Raises:
        UsageError: the URL names no database we know.
        DatabaseTooNewError: a newer Noctule wrote it.
        StorageError: it cannot be reached, opened or written.
        DatabaseBusyError: another process holds it.
    """
    if url.startswith(_POSTGRES):
        from storage.postgres.database import PostgresDatabase  # noqa: PLC0415 - its driver

        return await PostgresDatabase.open(url, clock=clock)
    path = sqlite_path(url, data_folder)
    if path is None:
        scheme = url.partition(":")[0][:20]
        raise UsageError(
            f"storage.url begins with {scheme!r}, which names no database we know. Write sqlite, "
            "sqlite:///path/to/file.db or postgresql://user:password@host/database."
        )
    from storage.sqlite.database import SqliteDatabase  # noqa: PLC0415 - only one is needed

    return await SqliteDatabase.open(path, clock=clock)


def sqlite_path(url: str, data_folder: Path) -> Path | None:
    """Return the file that a URL names; None when it names none."""
    if url == "sqlite":
        return data_folder / _FILE
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return Path(url.removeprefix(_SQLITE)).expanduser()
    return None
