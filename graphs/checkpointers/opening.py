"""From a URL to a saver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from graphs.checkpointers.sqlite import SqliteSaver
from noctule.core.workers.patience import Patience

if TYPE_CHECKING:
    from graphs.checkpointers.postgres import PostgresSaver

NoctuleSaver: TypeAlias = "SqliteSaver | PostgresSaver"
"""Either saver; both have ``adelete_thread``, ``adelete_namespaces`` and ``arewrite``."""

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")


@asynccontextmanager
async def open_saver(
    url: str | Path, *, schema: str = "checkpoints", patience: Patience | None = None
) -> AsyncIterator[NoctuleSaver]:
    """Open the checkpoints of an installation, and close them at the end.

    Args:
        url: the path of a SQLite file, ``sqlite:///relative``, ``sqlite:////absolute`` or
            ``postgresql://...``.
        schema: the PostgreSQL schema to use, made when it does not exist; SQLite has none.
        patience: waits for storage that does not answer; None raises what it raises.

    Raises:
        DatabaseTooNewError: a newer Noctule wrote the SQLite file.
        DatabaseBusyError: another process held the SQLite file for 30 seconds.
        StorageError: the file or the server cannot be reached.
    """
    text = str(url)
    if text.startswith(_POSTGRES):
        # psycopg takes a while to import and needs libpq: only who uses it pays.
        from graphs.checkpointers.postgres import PostgresSaver  # noqa: PLC0415 - see above

        async with PostgresSaver.open(text, schema=schema, patience=patience) as postgres:
            yield postgres
    else:
        async with SqliteSaver.open(Path(text.removeprefix(_SQLITE)), patience=patience) as sqlite:
            yield sqlite
