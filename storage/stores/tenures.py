"""Taking a session, and comparing who had it with who has it."""

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite

from noctule.core.workers.tenures import Tenure
from storage.tables.tenures import session_tenures

_NEW = sqlite.insert(session_tenures)
_TAKE = _NEW.on_conflict_do_update(
    index_elements=[session_tenures.c.session_id],
    set_={"epoch": session_tenures.c.epoch + 1, "worker": _NEW.excluded.worker},
).returning(session_tenures.c.epoch)

# Shared, and held to the commit: whoever takes the session waits for it, or came before.
_EPOCH = (
    sa.select(session_tenures.c.epoch)
    .where(session_tenures.c.session_id == sa.bindparam("of_session"))
    .with_for_update(read=True)
)


def take(connection: Connection, session_id: str, worker: str) -> int:
    """Take a session in SQLite, where nobody else can have it; return its epoch."""
    values = {"session_id": session_id, "epoch": 1, "worker": worker}
    epoch: int = connection.execute(_TAKE, values).scalar_one()
    return epoch


def check(connection: Connection, tenure: Tenure) -> None:
    """Make sure that a tenure lasts until the end of the transaction.

    Raises:
        SupersededError: the session was taken since.
    """
    tenure.check(connection.execute(_EPOCH, {"of_session": tenure.session_id}).scalar())
