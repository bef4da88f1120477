import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from noctule.core.clock import SystemClock
from noctule.core.errors import StorageError
from storage.migrations import NEWEST
from storage.open import open_database
from storage.sqlite.backup import back_up
from tests.support import made_by_0_1 as old

FILES = ["checkpoints.db", "engine.db", "noctule.db"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder as 0.1 left it."""
    with tarfile.open(old.SQLITE) as archive:
        archive.extractall(tmp_path, filter="data")
    (found,) = tmp_path.rglob("noctule.db")
    return found.parent


def version(path: Path) -> str:
    """Return the version of a database's schema."""
    with closing(sqlite3.connect(path)) as connection:
        ((found,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(found)


async def opened(home: Path) -> None:
    """Open the database, which upgrades it, and close it."""
    database = await open_database("sqlite", data_folder=home, clock=SystemClock())
    await database.close()


async def test_an_older_folder_is_copied_before_it_is_upgraded(home: Path) -> None:
    """All three files as they were, sound, for their owner alone; opening again copies nothing."""
    before = version(home / "noctule.db")
    assert before != NEWEST
    with closing(sqlite3.connect(home / "noctule.db")) as connection:
        turns = connection.execute("SELECT * FROM turns ORDER BY id").fetchall()
    await opened(home)
    await opened(home)
    (made,) = (home / "backups").iterdir()
    assert made.name == f"0001-schema-{before}"
    assert sorted(path.name for path in made.iterdir()) == FILES
    assert [path.stat().st_mode & 0o777 for path in made.iterdir()] == [0o600] * 3
    assert {path.stat().st_mode & 0o777 for path in (made, made.parent)} == {0o700}
    for name in FILES:
        with closing(sqlite3.connect(made / name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert version(made / "noctule.db") == before
    assert version(home / "noctule.db") == NEWEST
    with closing(sqlite3.connect(made / "noctule.db")) as connection:
        assert connection.execute("SELECT * FROM turns ORDER BY id").fetchall() == turns


async def test_a_new_folder_is_not_copied(tmp_path: Path) -> None:
    """There is nothing to lose in a database that is made."""
    await opened(tmp_path)
    assert not (tmp_path / "backups").exists()


async def test_without_a_backup_nothing_is_upgraded(home: Path) -> None:
    """Where the copy cannot be written the database stays as it was, and it is said why."""
    before = version(home / "noctule.db")
    (home / "backups").write_text("in the way")
    with pytest.raises(StorageError, match="left as it is because no backup"):
        await opened(home)
    assert version(home / "noctule.db") == before
    (home / "backups").unlink()
    await opened(home)
    assert version(home / "noctule.db") == NEWEST


def test_the_last_three_are_kept(home: Path) -> None:
    """The oldest goes first, by its number; what else lies in the folder stays."""
    for number in range(5):
        back_up(home / "noctule.db", f"v{number}")
    (home / "backups" / "mine").mkdir()
    back_up(home / "noctule.db", "v5")
    left = sorted(path.name for path in (home / "backups").iterdir())
    assert left == ["0004-schema-v3", "0005-schema-v4", "0006-schema-v5", "mine"]


def test_a_file_that_is_no_database_is_kept_as_it_is(home: Path) -> None:
    """A damaged neighbour does not keep the rest from being copied and upgraded."""
    (home / "checkpoints.db-wal").unlink(missing_ok=True)
    (home / "checkpoints.db").write_bytes(b"this is not a database, and never was one" * 100)
    made = back_up(home / "noctule.db", "x")
    assert (made / "checkpoints.db").read_bytes() == (home / "checkpoints.db").read_bytes()
    assert version(made / "noctule.db")
