import psycopg
import pytest

from noctule.core.errors import DatabaseBusyError, NoctuleError, StorageError
from noctule.core.errors import StorageUnavailableError as Away
from storage.postgres.faults import explain

pytestmark = pytest.mark.postgres

CONNECT = 'connection failed: connection to server at "10.0.0.5", port 5432 failed: '
PASSING = {
    "08006": "server closed the connection unexpectedly",
    "57P01": "terminating connection due to administrator command",
    "57P02": "terminating connection because of crash of another server process",
    "57P03": "the database system is starting up",
    "57P05": "terminating connection due to idle-session timeout",
    "25P03": "terminating connection due to idle-in-transaction timeout",
    "25P04": "terminating connection due to transaction timeout",
    "25006": "cannot execute INSERT in a read-only transaction",
    "53100": 'could not extend file "base/16384/16397": No space left on device',
    "53200": "out of memory",
    "53300": "sorry, too many clients already",
    "58030": 'could not fsync file "base/1/2": Input/output error',
    "28P01": 'password authentication failed for user "noctule"',
    "42501": "permission denied for table turns",
    "40001": "could not serialize access due to concurrent update",
    "40P01": "deadlock detected",
    "55P03": "canceling statement due to lock timeout",
    "57014": "canceling statement due to statement timeout",
}
CONNECTING = (
    "FATAL:  the database system is starting up",
    "FATAL:  the database system is shutting down",
    "FATAL:  the database system is not yet accepting connections",
    "FATAL:  the database system is in recovery mode",
    "FATAL:  sorry, too many clients already",
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
    "timeout expired",
    "could not translate host name: Temporary failure in name resolution",
    "SSL SYSCALL error: EOF detected",
)


def test_what_a_server_says_while_it_is_away_is_no_verdict():
    """Restarts, standbys, full disks, time-outs and lost names pass; damage and bugs do not."""
    wrong = []
    for state, words in PASSING.items():
        said = explain(psycopg.errors.lookup(state)(words), "PostgreSQL h/d")
        if not isinstance(said, Away | DatabaseBusyError):
            wrong.append((state, said))
    for words in CONNECTING:
        said = explain(psycopg.OperationalError(CONNECT + words), "PostgreSQL h/d")
        if not isinstance(said, Away | DatabaseBusyError) or getattr(said, "needs_person", False):
            wrong.append((words, said))
    assert wrong == []


def test_damage_and_bugs_are_said():
    """A corrupted page is named as damage, a violated constraint as our bug; neither passes."""
    damage: NoctuleError = explain(psycopg.errors.lookup("XX001")("invalid page in block 7"), "it")
    assert isinstance(damage, StorageError)
    assert not isinstance(damage, Away)
    assert "damaged" in str(damage)
    bug = explain(psycopg.errors.lookup("23505")("duplicate key"), "it")
    assert not isinstance(bug, StorageError | DatabaseBusyError)


def test_a_login_that_is_refused_needs_a_person_at_the_start():
    """A worker that starts says so; one that was under way waits for it to be mended."""
    said = explain(psycopg.OperationalError(CONNECT + 'FATAL:  role "x" does not exist'), "it")
    assert isinstance(said, Away)
    assert said.needs_person
