"""What PostgreSQL raises, read into our errors."""

from collections.abc import Callable
from typing import Final

import psycopg
import sqlalchemy as sa

from noctule.core.errors import DatabaseBusyError, NoctuleError, StorageUnavailableError
from storage.base.faults import damaged, disk_full, driver_error, one_line, unexpected

# https://www.postgresql.org/docs/current/errcodes-appendix.html
# 25P03 and 25P04 end connections that were idle in a transaction, or in one for too long; 58 is
# the server's own trouble with its machine, 53 with its memory and disk.
_GONE: Final = ("08", "57P", "25P03", "25P04", "53", "58")
_MEND: Final = {
    "28": "refuses the login ({words}). Mend user and password in storage.url.",
    "3D000": "is not there ({words}). Create it with createdb, or mend storage.url.",
    "42501": "does not let us in ({words}). Grant the user CREATE on the database.",
}
_WAIT: Final = {
    "40001": "had two writers meet ({words}). Try again.",
    "40P01": "had two writers meet ({words}). Try again.",
    "57014": "was too busy to answer in time ({words}). Try again.",
    "55P03": "is locked by somebody else ({words}). Try again.",
    "53300": "takes no more connections ({words}). End other clients, or raise max_connections.",
}
# A connection that was refused carries no code, only the server's words (psycopg 3.3).
_IN_WORDS: Final = (
    ("the database system is", "57P03"),  # starting up, shutting down, in recovery mode
    ("terminating connection", "57P01"),
    ("authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("pg_hba.conf", "28000"),
    ('role "', "28000"),
    ('database "', "3D000"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
)


def explain(error: Exception, place: str) -> NoctuleError:
    """Return what a failure means.

    Args:
        error: what psycopg or SQLAlchemy raised.
        place: host and database, for people; without the password.
    """
    cause = driver_error(error)
    if isinstance(cause, NoctuleError):
        return cause
    if isinstance(cause, sa.exc.TimeoutError):
        return DatabaseBusyError(
            f"{place} has every connection of ours in use. Try again, or run fewer sessions."
        )
    if isinstance(cause, OSError):
        return unreachable(place, cause.strerror or type(cause).__name__)
    if not isinstance(cause, psycopg.Error):
        return unexpected(place, cause)
    return _explain(cause, place)


def unreachable(place: str, words: str) -> StorageUnavailableError:
    """Return the error for a server that does not answer."""
    return StorageUnavailableError(
        f"{place} does not answer ({words}). Start it, or mend storage.url."
    )


def read_only(place: str, words: str) -> StorageUnavailableError:
    """Return the error for a server that only reads: a standby, or after a failover the old one."""
    return StorageUnavailableError(
        f"{place} takes no writes at present ({words}): it is a standby, or was made read only. "
        "Point storage.url to the primary (target_session_attrs=read-write finds it)."
    )


_SAID: Final[dict[str, Callable[[str, str], NoctuleError]]] = {
    "53100": lambda place, _: disk_full(place),
    "25006": read_only,
    "XX001": damaged,
    "XX002": damaged,
}


def _explain(error: psycopg.Error, place: str) -> NoctuleError:
    words = one_line(error)
    state = error.sqlstate or _state_in_words(error)
    if state in _SAID:
        return _SAID[state](place, words)
    for prefix, advice in _MEND.items():
        if state.startswith(prefix):
            return StorageUnavailableError(
                f"{place} {advice.format(words=words)}", needs_person=True
            )
    if state in _WAIT:
        return DatabaseBusyError(f"{place} {_WAIT[state].format(words=words)}")
    if state.startswith(_GONE) or (not state and isinstance(error, psycopg.OperationalError)):
        return unreachable(place, words)
    return unexpected(place, error)


def _state_in_words(error: psycopg.Error) -> str:
    message = str(error).lower()
    if "fatal" not in message:
        return ""
    return next((state for words, state in _IN_WORDS if words in message), "")
