"""Bringing a database to the newest version of the schema."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.errors import DatabaseTooNewError
from storage.migrations import NEWEST, REVISIONS

_FOLDER = Path(__file__).parent / "migrations"
_VERSION = sa.text("SELECT version_num FROM alembic_version")


def is_newest(connection: Connection, place: str) -> bool:
    """Whether there is nothing to migrate.

    Raises:
        DatabaseTooNewError: a newer Noctule wrote it.
    """
    version = version_of(connection)
    if version is not None and version not in REVISIONS:
        raise DatabaseTooNewError(
            f"{place} was written by a newer Noctule (its version is {version}, this one knows "
            f"{NEWEST}). Upgrade Noctule, or let storage.url or NOCTULE_HOME name another database."
        )
    return version == NEWEST


def upgrade(connection: Connection, place: str) -> None:
    """Bring the schema to the newest version within the connection's transaction.

    The caller holds a lock that keeps other processes from doing the same.

    Raises:
        DatabaseTooNewError: a newer Noctule wrote it.
    """
    if is_newest(connection, place):  # another process did it while we waited for the lock
        return
    from alembic import command  # noqa: PLC0415 - 0.2 s that only the first open pays
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def version_of(connection: Connection) -> str | None:
    """Return the version of the schema; None when there is none yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(_VERSION).scalar_one_or_none()
    return version
