import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from noctule.core.clock import SystemClock
from noctule.core.errors import DatabaseTooNewError, NoctuleError, StorageError, UsageError
from storage.migrations import NEWEST
from storage.open import open_database
from tests.support.stored_records import a_session

_OPENER = """
import asyncio, sys
from pathlib import Path
import noctule
from noctule.core.clock import SystemClock
from storage.open import open_database

async def main() -> None:
    database = await open_database(sys.argv[1], data_folder=Path(sys.argv[2]), clock=SystemClock())
    async with database.read() as work:
        assert await work.sessions.list() == []
    await database.close()

asyncio.run(main())
"""


async def _refused(url: str, folder: Path, kind: type[NoctuleError]) -> str:
    with pytest.raises(kind) as caught:
        await open_database(url, data_folder=folder, clock=SystemClock())
    return str(caught.value)


async def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Folder and file are readable by nobody else: they hold conversations."""
    folder = tmp_path / "deep" / "home"
    database = await open_database("sqlite", data_folder=folder, clock=SystemClock())
    await database.close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "noctule.db").stat().st_mode & 0o777 == 0o600


async def test_a_path_can_be_named(tmp_path: Path) -> None:
    """sqlite:///path opens that file, wherever the data folder is."""
    path = tmp_path / "other.db"
    url = f"sqlite:///{path}"
    database = await open_database(url, data_folder=tmp_path / "unused", clock=SystemClock())
    await database.close()
    assert path.exists()
    assert not (tmp_path / "unused").exists()


async def test_what_was_stored_is_there_after_reopening(real_url: str, tmp_path: Path) -> None:
    """Closing and opening again changes nothing, and leaves no write-ahead log behind."""
    for opened in range(2):
        database = await open_database(real_url, data_folder=tmp_path, clock=SystemClock())
        async with database.work() as work:
            await work.sessions.add(a_session(f"s{opened}"))
            await work.commit()
        async with database.read() as work:
            assert len(await work.sessions.list()) == opened + 1
        await database.close()
    assert not (tmp_path / "noctule.db-wal").exists()


@pytest.mark.parametrize("url", ["", "mysql://u:secret@h/d", "sqlite://", "sqlite:///", "SQLITE"])
async def test_an_unknown_url_is_a_usage_error(url: str, tmp_path: Path) -> None:
    """The sentence says what to write, and keeps the password to itself."""
    message = await _refused(url, tmp_path, UsageError)
    assert "sqlite:///path" in message
    assert "secret" not in message


@pytest.mark.parametrize("url", ["postgresql://u:sec[ret@h:port/d", "postgresql://u:secret@h:x/d"])
async def test_a_malformed_postgres_url_is_a_usage_error(url: str, tmp_path: Path) -> None:
    """Whatever the parser quotes, the password stays out, of the chain of causes too."""
    with pytest.raises(UsageError) as caught:
        await open_database(url, data_folder=tmp_path, clock=SystemClock())
    assert "postgresql://user:password@host/database" in str(caught.value)
    assert caught.value.__context__ is None


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()
    message = await _refused("sqlite", tmp_path / "file" / "home", StorageError)
    assert str(tmp_path / "file" / "home" / "noctule.db") in message
    assert "NOCTULE_HOME" in message


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """It is left as it is."""
    path = tmp_path / "noctule.db"
    path.write_bytes(b"not a database, " * 1000)
    message = await _refused("sqlite", tmp_path, StorageError)
    assert str(path) in message
    assert "backup" in message
    assert path.read_bytes().startswith(b"not a database")


async def test_a_damaged_page_is_an_error_of_what_reads_it(sqlite_url: str, tmp_path: Path) -> None:
    """A database damaged in the middle says so when the damage is met."""
    path = tmp_path / "noctule.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    message = await _refused_at_any_step(sqlite_url, tmp_path)
    assert "damaged" in message


async def _refused_at_any_step(url: str, folder: Path) -> str:
    with pytest.raises(StorageError) as caught:  # noqa: PT012 - where it is met is SQLite's choice
        database = await open_database(url, data_folder=folder, clock=SystemClock())
        try:
            async with database.read() as work:
                await work.sessions.list()
        finally:
            await database.close()
    return str(caught.value)


async def test_a_database_of_a_newer_noctule_is_left_alone(real_url: str, tmp_path: Path) -> None:
    """The sentence says which version it is and what to do."""
    _set_version(real_url, "9999")
    try:
        message = await _refused(real_url, tmp_path, DatabaseTooNewError)
    finally:
        _set_version(real_url, NEWEST)
    assert "9999" in message
    assert "Upgrade Noctule" in message


def _set_version(url: str, version: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        return
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("UPDATE noctule.alembic_version SET version_num = %s", (version,))


@pytest.mark.process
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_many_processes_may_open_first(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Six processes that open an empty database at once all find it migrated."""
    url = "sqlite" if kind == "sqlite" else await asyncio.to_thread(_fresh_postgres, request)
    command = (sys.executable, "-c", _OPENER, url, str(tmp_path / "home"))
    openers = [await asyncio.create_subprocess_exec(*command) for _ in range(6)]
    assert [await opener.wait() for opener in openers] == [0] * 6


def _fresh_postgres(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("postgres_url")
    return url


async def test_a_postgres_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """Host and port are in the sentence, the password is not."""
    url = "postgresql://me:geheim@127.0.0.1:1/noctule"
    message = await _refused(url, tmp_path, StorageError)
    assert "127.0.0.1:1/noctule does not answer" in message
    assert "geheim" not in message


@pytest.mark.postgres
async def test_a_postgres_without_that_database_is_named(
    postgres_server: str, tmp_path: Path
) -> None:
    """The sentence says to create it."""
    url = sa.make_url(postgres_server).set(database="nobody_made_this")
    assert "createdb" in await _refused(str(url), tmp_path, StorageError)


async def test_a_wrong_password_is_said_without_the_password(tmp_path: Path) -> None:
    """A server that refuses the login, as PostgreSQL words it."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8192)
        fields = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "me"\0\0'
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://me:geheim@127.0.0.1:{port}/noctule?sslmode=disable&gssencmode=disable"
        message = await _refused(url, tmp_path, StorageError)
    assert "refuses the login" in message
    assert "storage.url" in message
    assert "geheim" not in message
