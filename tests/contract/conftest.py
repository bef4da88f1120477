"""Every database behind the ports, empty."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

import noctule  # noqa: F401 - first: it puts the role folders on the path
from noctule.core.clock import SystemClock
from noctule.core.ports.database import Database
from storage.open import open_database
from storage.tables import metadata
from tests.support.postgres import fresh_database
from tests.support.scratch import migrated_file

Opener = Callable[[], Awaitable[Database]]

SQLITE = pytest.param("sqlite")
POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


async def _made(url: str, folder: Path) -> None:
    database = await open_database(url, data_folder=folder, clock=SystemClock())
    await database.close()


@pytest.fixture(scope="session")
def migrated_postgres(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A PostgreSQL database at the newest version, to be emptied."""
    with fresh_database(postgres_server) as url:
        asyncio.run(_made(url, tmp_path_factory.mktemp("unused")))
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An empty SQLite database of the test's own."""
    copy = tmp_path / "noctule.db"
    shutil.copyfile(migrated_file(), copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def empty_postgres_url(migrated_postgres: str) -> str:
    """The shared PostgreSQL database, emptied."""
    names = ", ".join(f"noctule.{table.name}" for table in metadata.sorted_tables)
    with psycopg.connect(migrated_postgres, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {names}".encode())
    return migrated_postgres


@pytest.fixture(params=[SQLITE, POSTGRES])
def real_url(request: pytest.FixtureRequest) -> str:
    """Each database that several processes can open."""
    name = "sqlite_url" if request.param == "sqlite" else "empty_postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
async def open_again(real_url: str, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the same real database, as often as asked; closes them all."""
    async with AsyncExitStack() as stack:

        async def open_one() -> Database:
            database = await open_database(real_url, data_folder=tmp_path, clock=SystemClock())
            stack.push_async_callback(database.close)
            return database

        yield open_one


@pytest.fixture
async def database(real_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """Each database there is."""
    opened = await open_database(real_url, data_folder=tmp_path, clock=SystemClock())
    yield opened
    await opened.close()
