"""One MCP server: connected when it is needed, given up when it does not answer, tried again."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from noctule.core.clock import Clock
from noctule.core.settings import McpServerSettings
from tools.base.threads import in_thread
from tools.base.tool import ToolError
from tools.mcp.listing import Listed, greet

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult
    from mcp.types import Tool as OfferedTool

    from tools.mcp.wire import Program

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 300.0
_LEAVING_S = 8.0
_MOST_REASON_CHARS = 400
_SHORTEST_SECRET = 4


class McpServer:
    """One server of ``tools.mcp``.

    Args:
        name: in the configuration.
        settings: how to reach it.
        clock: the time, for the pauses between two tries.
        vet: says why it may not be started now, by its name; None lets it start.
    """

    def __init__(
        self,
        name: str,
        settings: McpServerSettings,
        clock: Clock,
        vet: Callable[[str], str | None] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.offered: tuple[OfferedTool, ...] = ()
        """The tools it offered when it was last reached, as many as are kept."""
        self.unreadable: tuple[tuple[str, str], ...] = ()
        """What it offered then that is no tool: its name, and why, as a clause."""
        self.problem: str | None = None
        """Why it cannot be reached, a sentence; None while nothing is known to be wrong."""
        self._clock = clock
        self._vet = vet
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._failures = 0
        self._not_before = 0.0
        self._tried = False
        self._background: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Begin to connect in the background, unless it is connected or was tried just now."""
        alive = self._connection is not None and self._connection.alive
        trying = self._background is not None and not self._background.done()
        if not alive and not trying and self._clock.monotonic() >= self._not_before:
            self._background = asyncio.create_task(self._try())

    async def ready(self, *, patience_s: float | None = None) -> None:
        """Wait until it is connected or has failed, the first time; later it does not wait.

        Args:
            patience_s: the longest to wait; None waits for its timeout.
        """
        self.begin()
        if not self._tried and self._background is not None:
            await asyncio.wait({self._background}, timeout=patience_s)

    async def vetted(self) -> None:
        """See to it that its program may be started now.

        Raises:
            PermissionError: it may not, and why, as a clause.
        """
        vet = self._vet
        if vet is not None and (why := await in_thread(lambda: vet(self.name), name="vet")):
            raise PermissionError(why)

    async def connect(self) -> None:
        """Connect unless it is connected; at most its timeout.

        Raises:
            ToolError: it cannot be used, or was tried just now.
        """
        await self._connected()

    async def _try(self) -> None:
        try:
            await self._connected()
        except ToolError:
            return  # ``problem`` says why
        finally:
            self._tried = True

    async def close(self) -> None:
        """Let go of it; a program is ended, within seconds even when it does not want to."""
        if self._background is not None:
            self._background.cancel()
        self._drop()
        leaving = [*self._leaving, *filter(None, [self._background])]
        if leaving:
            await asyncio.wait(leaving, timeout=_LEAVING_S)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> "CallToolResult":
        """Call a tool, by the server's own name for it.

        Raises:
            ToolError: it cannot be reached, refuses, does not answer in time or is gone.
        """
        connection = await self._connected()
        seconds = self.settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await connection.call(tool, arguments)
        except TimeoutError as error:
            self._lose(connection, f"it did not answer {tool!r} within {seconds:g} s")
            raise ToolError(
                f"The MCP server {self.name!r} did not answer within {seconds:g} s. Nobody knows "
                "whether it did what was asked: look before you ask again."
            ) from error
        except _RefusedError as error:
            said = f"{self.name} refuses: {self._masked(str(error))}"
            raise ToolError(said, outside=True) from error
        except ToolError:
            raise
        except Exception as error:
            reason = self._masked(connection.reason() or _reason(error))
            self._lose(connection, reason)
            raise ToolError(
                f"The MCP server {self.name!r} failed during the call: {reason}. Nobody knows "
                "whether it did what was asked: look before you ask again.",
                outside=True,
            ) from error

    async def _connected(self) -> "_Connection":
        async with self._connecting:
            if self._connection is not None and self._connection.alive:
                return self._connection
            if self._connection is not None:
                self._lose(self._connection, self._connection.reason() or "the connection ended")
            pause = self._not_before - self._clock.monotonic()
            if pause > 0:
                raise ToolError(
                    f"{self.problem} It is tried again in {pause:.0f} s at the earliest; go on "
                    "without it.",
                    outside=True,
                )
            return await self._connect()

    async def _connect(self) -> "_Connection":
        connection = _Connection(self)
        task = asyncio.create_task(connection.keep())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        seconds = self.settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                listed = await asyncio.shield(connection.listed)
        except TimeoutError as error:
            connection.stop()
            raise self._failed(f"it did not answer within {seconds:g} s", connection) from error
        except asyncio.CancelledError:
            connection.stop()
            raise
        except Exception as error:
            connection.stop()
            raise self._failed(connection.reason() or _reason(error), connection) from error
        self._connection, self.offered = connection, tuple(listed.tools)
        self.unreadable = tuple(listed.unreadable)
        self._failures, self.problem = 0, None
        return connection

    def _failed(self, reason: str, connection: "_Connection") -> ToolError:
        words = connection.last_words()
        said = self._masked(f"{reason}; it said: {words}" if words else reason)
        self._failures += 1
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self._failures - 1))
        self._not_before = self._clock.monotonic() + pause
        self.problem = f"The MCP server {self.name!r} cannot be used: {said}."
        _LOG.warning("%s", self.problem)
        return ToolError(f"{self.problem} Go on without it, and tell the person.", outside=True)

    def _lose(self, connection: "_Connection", reason: str) -> None:
        """Give a connection up; the next use makes a new one."""
        if self._connection is connection:
            _LOG.warning("The MCP server %r is gone: %s.", self.name, self._masked(reason))
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.stop()
            self._connection = None

    def _masked(self, text: str) -> str:
        """Return a text without the secrets this server was given, short and on one line."""
        line = " ".join(text.split())
        given = (*self.settings.env.values(), *self.settings.headers.values())
        for secret in sorted((one.get_secret_value() for one in given), key=len, reverse=True):
            for part in {secret, secret.removeprefix("Bearer ")}:
                if len(part) >= _SHORTEST_SECRET:
                    line = line.replace(part, "***")
        return line.rstrip(". ")[:_MOST_REASON_CHARS]


class _RefusedError(Exception):
    """The server answered with an error of the protocol."""


class _Connection:
    """One connection; everything of it lives and ends in one task, as anyio wants it."""

    def __init__(self, server: McpServer) -> None:
        loop = asyncio.get_running_loop()
        self._server = server
        self._stop = asyncio.Event()
        self._session: ClientSession | None = None
        self._reason: str | None = None
        self._program: Program | None = None
        self.listed: asyncio.Future[Listed] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()

    @property
    def alive(self) -> bool:
        """Whether it can be used."""
        return self._session is not None and not self._over.done() and not self._stop.is_set()

    def reason(self) -> str | None:
        """Return why it ended, a clause; None when nobody knows."""
        return self._reason

    def last_words(self) -> str:
        """Return what the program wrote to standard error last; "" when it is none."""
        return "" if self._program is None else self._program.last_words()

    def stop(self, reason: str | None = None) -> None:
        """End it, soon."""
        self._reason = self._reason or reason
        self._stop.set()

    async def keep(self) -> None:
        """Connect, list the tools, and hold the connection until it is stopped or breaks."""
        try:
            async with self._open() as session:
                await self._hold(session)
        except Exception as error:  # noqa: BLE001 - a server can fail in every way there is
            self._reason = self._reason or _reason(error)
        finally:
            if not self.listed.done():
                self.listed.set_exception(ConnectionError(self._reason or "it was closed"))
                self.listed.exception()  # whoever waits has gone when it timed out
            if not self._over.done():
                self._over.set_result(None)

    async def _hold(self, session: "ClientSession") -> None:
        greeting = asyncio.ensure_future(greet(session))
        stopped = asyncio.ensure_future(self._stop.wait())
        both: set[asyncio.Future[Any]] = {greeting, stopped}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if greeting.done():
                offered = greeting.result()
                self._session = session
                self.listed.set_result(offered)
                await stopped
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> "CallToolResult":
        """Call a tool.

        Raises:
            ConnectionError: the connection broke meanwhile.
            Exception: what the transport raises.
        """
        session = self._session
        if session is None:
            raise ConnectionError("it is not connected")
        asking = asyncio.ensure_future(_ask(session, tool, arguments))
        try:
            both: set[asyncio.Future[Any]] = {asking, self._over}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise ConnectionError(self._reason or "the connection ended")
            return asking.result()
        finally:
            asking.cancel()

    @asynccontextmanager
    async def _open(self) -> "AsyncIterator[ClientSession]":
        settings = self._server.settings
        opened = self._open_program(settings) if settings.command else self._open_url(settings)
        async with opened as session:
            yield session

    @asynccontextmanager
    async def _open_program(self, settings: McpServerSettings) -> "AsyncIterator[ClientSession]":
        from mcp import ClientSession  # noqa: PLC0415 - 0.5 s, only with MCP servers

        from tools.mcp.wire import refuse_secrets, running  # noqa: PLC0415 - likewise

        env = {name: value.get_secret_value() for name, value in settings.env.items()}
        await self._server.vetted()
        if not settings.arguments_may_show_secrets:
            refuse_secrets(settings.command, {**os.environ, **env})
        async with running(settings.command, env) as program:
            program.over.add_done_callback(lambda over: self.stop(over.result()))
            self._program = program
            async with ClientSession(
                program.incoming, program.outgoing, message_handler=self._notice
            ) as session:
                yield session

    @asynccontextmanager
    async def _open_url(self, settings: McpServerSettings) -> "AsyncIterator[ClientSession]":
        from langchain_mcp_adapters.sessions import create_session  # noqa: PLC0415 - as above

        from tools.mcp.wire import http_client  # noqa: PLC0415 - likewise

        async with create_session(
            {
                "transport": "streamable_http",
                "url": settings.url or "",
                "headers": {k: v.get_secret_value() for k, v in settings.headers.items()},
                "timeout": settings.timeout,
                "sse_read_timeout": settings.timeout,
                "terminate_on_close": True,
                "httpx_client_factory": partial(http_client, broken=self.stop),
                "session_kwargs": {"message_handler": self._notice},
            }
        ) as session:
            yield session

    async def _notice(self, message: object) -> None:
        """End the connection when it brings something that is no message."""
        if isinstance(message, Exception):
            self.stop(f"it answers with something else than MCP ({type(message).__name__})")


async def _ask(
    session: "ClientSession", tool: str, arguments: Mapping[str, Any]
) -> "CallToolResult":
    """Send one call.

    ``session.call_tool`` would also hold the answer against the server's own schema, expressions
    of others included, and refuse one that does not fit; we read its text.
    """
    from mcp import McpError  # noqa: PLC0415 - loaded with the session
    from mcp.types import (  # noqa: PLC0415 - likewise
        CONNECTION_CLOSED,
        CallToolRequest,
        CallToolRequestParams,
        CallToolResult,
        ClientRequest,
    )

    params = CallToolRequestParams(name=tool, arguments=dict(arguments))
    try:
        return await session.send_request(
            ClientRequest(CallToolRequest(method="tools/call", params=params)), CallToolResult
        )
    except McpError as error:
        if error.error.code == CONNECTION_CLOSED or "Session terminated" in error.error.message:
            raise ConnectionError("it ended the connection") from error
        raise _RefusedError(error.error.message) from error


def _reason(error: BaseException) -> str:
    """Return why something failed, a clause; of a group the first error that is none itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
