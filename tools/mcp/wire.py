"""How bytes go to and from an MCP server, with bounds on what it may send.

The mcp package's own transport for programs passes on six variables of our environment and grows
its buffer as long as a line does; over HTTP it reads an answer whole, however long it is.
"""

import asyncio
import os
import shlex
import signal
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCMessage, JSONRPCRequest, JSONRPCResponse
from pydantic import ValidationError

from noctule.core.base.masking import Masker, is_secret
from noctule.core.base.private_files import make_folder, persons_umask
from tools.base.programs import persons_path, persons_program

MOST_ANSWER_BYTES = 4_000_000
"""The longest message of a server; a longer one ends the connection."""

_GRACE_S = 2.0
_LAST_WORDS_S = 0.5
_MOST_NOISE_LINES = 100
_MOST_REQUESTS = 100
"""How many requests of a server are looked at in one connection; all but a ping are refused."""
_LAST_WORDS_LINES = 3
_LAST_WORDS_CHARS = 300

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]


@dataclass
class Program:
    """A running MCP server.

    Args:
        incoming: what it says.
        outgoing: what it is told.
        over: done when it is gone, with the reason.
        stderr: its last lines there.
    """

    incoming: Incoming
    outgoing: Outgoing
    over: "asyncio.Future[str]"
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_WORDS_LINES))

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error; "" when it wrote nothing."""
        return " / ".join(self.stderr)[-_LAST_WORDS_CHARS:]


_SHOWN = (
    "to every user of this machine who lists its processes; give it by env (see the server's own "
    "help for the variable), or set arguments_may_show_secrets where nobody else uses the machine"
)


@asynccontextmanager
async def running(command: Sequence[str], env: Mapping[str, str]) -> AsyncIterator[Program]:
    """Run a server over standard input and output; it is gone when this ends.

    Args:
        command: the program and its arguments.
        env: what it gets besides PATH, HOME and where Python keeps its bytecode.

    Raises:
        OSError: it cannot be started.
    """
    passed = {"PATH": persons_path(), "PYTHONPYCACHEPREFIX": str(_bytecode_folder())}
    if "HOME" in os.environ:
        passed["HOME"] = os.environ["HOME"]
    process = await asyncio.create_subprocess_exec(
        *as_started(command),
        cwd=_neutral_folder(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**passed, **env},
        limit=MOST_ANSWER_BYTES,
        start_new_session=True,
        umask=persons_umask(),
    )
    asked: set[str | int] = set()
    said, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, told = anyio.create_memory_object_stream[SessionMessage](0)
    over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    program = Program(incoming, outgoing, over)
    tasks = [
        asyncio.create_task(_listen(process, said, program, asked)),
        asyncio.create_task(_speak(process, told, asked)),
        asyncio.create_task(_overhear(process, program.stderr)),
    ]
    try:
        yield program
    finally:
        for stream in (said, incoming, outgoing, told):
            stream.close()
        await _end(process)
        await asyncio.wait(tasks, timeout=_LAST_WORDS_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _close_pipes(process)
        if not over.done():
            over.set_result("it was closed")


def refuse_secrets(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Refuse a command line that shows a secret to whoever lists the processes of the machine.

    Args:
        command: the program and its arguments.
        environ: variables whose names speak of secrets have values that are.

    Raises:
        PermissionError: it shows one.
    """
    known = {value: name for name, value in environ.items() if is_secret(name, value)}
    for value, name in known.items():
        if any(value in word for word in command):
            raise PermissionError(f"its command would show the secret {name} {_SHOWN}")
    if Masker(known).hidden(shlex.join(command)):
        raise PermissionError(f"its command would show a key or password {_SHOWN}")


def as_started(command: Sequence[str]) -> list[str]:
    """Return a command that means the same in another folder, and whoever may write in this one.

    A bare name is never looked up where agents may write; files named from here get their full
    paths. The program is not started here: interpreters and package runners take modules,
    settings and programs (``node_modules/.bin``) from the folder they are started in.

    Raises:
        FileNotFoundError: there is no such program in a place of programs.
    """
    return [_program(command[0]), *map(_from_anywhere, command[1:])]


def _program(name: str) -> str:
    if "/" in name:
        return str(Path.cwd() / Path(name).expanduser())
    found = persons_program(name)
    if found is None:
        raise FileNotFoundError(
            f"there is no program {name!r} on PATH outside of projects, which agents may write "
            "to; write its full path"
        )
    return found


def _from_anywhere(word: str) -> str:
    path = Path.cwd() / word
    is_path = "/" in word or word.startswith(".") or bool(path.suffix)
    with suppress(OSError, ValueError):
        if is_path and path.exists():
            return str(path)
    return word


def _neutral_folder() -> Path:
    home = Path.home()
    return home if home.is_dir() else Path("/")


def _bytecode_folder() -> Path:
    """Return where servers in Python keep bytecode: what lies beside their files is not run.

    A repository can bring bytecode that does not fit the code somebody looked at. Where there can
    be no such folder, none is read and none kept.
    """
    from platformdirs import user_cache_path  # noqa: PLC0415 - only with programs

    folder = user_cache_path("noctule", appauthor=False) / "bytecode"
    try:
        make_folder(folder)
        if folder.stat().st_uid != os.getuid():
            return Path(os.devnull) / "none"
    except OSError:
        return Path(os.devnull) / "none"
    return folder


async def _listen(
    process: asyncio.subprocess.Process,
    said: MemoryObjectSendStream[SessionMessage | Exception],
    program: Program,
    asked: set[str | int],
) -> None:
    """Pass on every message that matters; lines that are none are skipped: greetings are common."""
    if process.stdout is None:  # it is a pipe, as asked for
        return
    noise, requests, reason = 0, 0, "it has ended"
    with said, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        while noise < _MOST_NOISE_LINES:
            try:
                line = await process.stdout.readline()
            except ValueError:
                reason = f"it sent a message of more than {MOST_ANSWER_BYTES:,} bytes"
                break
            if not line:
                break
            try:
                message = JSONRPCMessage.model_validate_json(line)
            except ValidationError:
                noise += 1
                reason = "it does not speak MCP on its standard output"
                continue
            noise, reason = 0, "it has ended"
            requested = isinstance(message.root, JSONRPCRequest)
            requests += requested
            if (requested and requests <= _MOST_REQUESTS) or _was_asked(message, asked):
                await said.send(SessionMessage(message))
    if not program.over.done():
        program.over.set_result(reason)


def _was_asked(message: JSONRPCMessage, asked: set[str | int]) -> bool:
    """Whether a message is the answer to something that was asked, the first one.

    Of notifications we use none: their storms would be read, judged and logged for nothing. An
    answer that nobody asked for, or a second one, would end the session.
    """
    inner = message.root
    if not isinstance(inner, JSONRPCResponse | JSONRPCError):
        return False
    known = inner.id in asked
    asked.discard(inner.id)
    return known


async def _speak(
    process: asyncio.subprocess.Process,
    told: MemoryObjectReceiveStream[SessionMessage],
    asked: set[str | int],
) -> None:
    if process.stdin is None:  # it is a pipe, as asked for
        return
    with told, suppress(ConnectionError):
        async for message in told:
            text = message.message.model_dump_json(by_alias=True, exclude_none=True)
            if isinstance(message.message.root, JSONRPCRequest):
                asked.add(message.message.root.id)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _overhear(process: asyncio.subprocess.Process, lines: deque[str]) -> None:
    """Keep its last words; what nobody reads would fill the pipe and stop it."""
    if process.stderr is None:  # it is a pipe, as asked for
        return
    while piece := await process.stderr.read(65_536):
        for line in piece.decode(errors="replace").splitlines():
            if line.strip():
                lines.append(line.strip()[:_LAST_WORDS_CHARS])


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a server and everything it started: politely, then not."""
    if process.stdin is not None:
        process.stdin.close()
    for order in (None, signal.SIGTERM, signal.SIGKILL):
        if order is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, order)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
                break
    with suppress(ProcessLookupError, PermissionError):  # children that outlived it
        os.killpg(process.pid, signal.SIGKILL)


def _close_pipes(process: asyncio.subprocess.Process) -> None:
    """Close what nobody will read to its end; asyncio has no public way to."""
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - as said above


def http_client(
    headers: dict[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
    auth: httpx.Auth | None = None,
    *,
    broken: Callable[[str], None],
) -> httpx.AsyncClient:
    """Return a client whose answers are bounded; all but ``broken`` is as mcp calls it.

    Proxies of the environment are not used: the headers may carry secrets.

    Args:
        headers: sent with every request.
        timeout: of httpx.
        auth: of httpx.
        broken: told why an answer came to nothing; mcp itself would wait for it for ever.
    """
    return httpx.AsyncClient(
        headers={**(headers or {}), "Accept-Encoding": "identity"},
        timeout=timeout,
        auth=auth,
        trust_env=False,
        transport=_Bounded(httpx.AsyncHTTPTransport(trust_env=False), broken),
    )


class _Bounded(httpx.AsyncBaseTransport):
    """Ends answers that are longer than a message may be."""

    def __init__(self, inner: httpx.AsyncBaseTransport, broken: Callable[[str], None]) -> None:
        self._inner = inner
        self._broken = broken

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx.DecodingError("it packs its answers, which was not asked for")
        if isinstance(response.stream, httpx.AsyncByteStream):
            events = "event-stream" in response.headers.get("content-type", "")
            # A GET only listens for news, and ends when there are none for a while.
            broken = self._broken if request.method == "POST" else _ignored
            response.stream = _BoundedStream(response.stream, broken, events=events)
        return response

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._inner.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    """A body that raises when it, or one event of it, grows too long."""

    def __init__(
        self, inner: httpx.AsyncByteStream, broken: Callable[[str], None], *, events: bool
    ) -> None:
        self._inner = inner
        self._broken = broken
        self._events = events

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in self._bounded():
                yield chunk
        except httpx.HTTPError as error:
            self._broken(str(error) or type(error).__name__)
            raise

    async def _bounded(self) -> AsyncGenerator[bytes, None]:
        length = 0
        async for chunk in self._inner:
            end = max(chunk.rfind(b"\n\n"), chunk.rfind(b"\r\n\r\n")) if self._events else -1
            length = length + len(chunk) if end < 0 else len(chunk) - end
            if length > MOST_ANSWER_BYTES:
                raise httpx.ReadError(f"it sent a message of more than {MOST_ANSWER_BYTES:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _ignored(reason: str) -> None:
    del reason
