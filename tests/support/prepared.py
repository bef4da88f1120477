"""A Python that has imported what others wrote, and makes a process of itself for each command.

Most of what a short command takes is the import of LangGraph, SQLAlchemy, pydantic and their like:
a second and more, hundreds of times in one run of the tests. Here it is done once. Each command is
a process of its own all the same, with its own streams, folder and variables, and imports every
module of Noctule anew; it can be sent signals, and what ends it tells how it ended.

What is about the start itself (which modules are imported, what stands on the command line, a
missing package) starts a Python of its own.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_IMPORTED = (
    "alembic.command",
    "alembic.migration",
    "asyncio",
    "click",
    "httpx",
    "jsonschema",
    "langchain.agents",
    "langchain_core.messages",
    "langchain_openai",
    "langgraph.graph",
    "langgraph.types",
    "langsmith",
    "pydantic",
    "requests",
    "rich.console",
    "rich.live",
    "rich.table",
    "sqlalchemy.dialects.sqlite",
    "yaml",
)
_ROOT = Path(__file__).resolve().parents[2]
_STREAMS = 3
_REQUEST_BYTES = 1 << 20


class Process:
    """A command that runs, or has run.

    Args:
        pid: its process.
        ending: says how it ended, once it has.
    """

    def __init__(self, pid: int, ending: socket.socket) -> None:
        self.pid = pid
        self._ending = ending

    def wait(self, seconds: float) -> int:
        """Return its exit code, negative for a signal, as ``subprocess`` has it.

        Raises:
            TimeoutError: it has not ended by then.
        """
        self._ending.settimeout(seconds)
        told = self._ending.recv(64)
        self._ending.close()
        return int(told)

    def kill(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def can(env: Mapping[str, str]) -> bool:
    """Whether a command with such variables may be made of a prepared Python.

    Those that Python and LangChain read while they start mean nothing to it any more.
    """
    early = ("PYTHON", "LC_", "LANG", "NO_COLOR", "SSL_", "REQUESTS_")
    mine = {name: os.environ.get(name) for name in env}
    changed = (name for name, value in env.items() if value != mine[name])
    return hasattr(os, "pidfd_open") and not any(name.startswith(early) for name in changed)


def run(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], said: bytes, seconds: float
) -> "subprocess.CompletedProcess[bytes]":
    """Run ``noctule`` with arguments to its end.

    Args:
        arguments: what stands behind ``noctule``.
        folder: where it runs.
        env: its variables, all of them.
        said: what it is sent.
        seconds: how long it may take.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    pipes = [os.pipe() for _ in range(_STREAMS)]
    (its_input, input_), (output, its_output), (error, its_error) = pipes
    process = start(arguments, folder, env, (its_input, its_output, its_error))
    for theirs in (its_input, its_output, its_error):
        os.close(theirs)
    with ThreadPoolExecutor(_STREAMS) as threads:
        writing = threads.submit(_write, input_, said)
        reading = [threads.submit(_read, stream) for stream in (output, error)]
        try:
            code = process.wait(seconds)
        except TimeoutError:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), seconds) from None
        writing.result()
        stdout, stderr = (each.result() for each in reading)
    return subprocess.CompletedProcess(["noctule", *arguments], code, stdout, stderr)


def _write(stream: int, said: bytes) -> None:
    with suppress(BrokenPipeError), open(stream, "wb") as file:
        file.write(said)


def _read(stream: int) -> bytes:
    with open(stream, "rb") as file:
        return file.read()


def start(
    arguments: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    streams: tuple[int, int, int],
) -> Process:
    """Start ``noctule`` with arguments.

    Args:
        arguments: what stands behind ``noctule``.
        folder: where it runs.
        env: its variables, all of them.
        streams: the numbers of what becomes its standard input, output and error.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(_server())
    request = json.dumps({"argv": list(arguments), "folder": str(folder), "env": dict(env)})
    socket.send_fds(connection, [request.encode()], list(streams))
    return Process(int(connection.recv(64)), connection)


@cache
def _server() -> str:
    """Return where the prepared Python listens; it ends when this process does."""
    folder = Path(tempfile.mkdtemp(prefix="noctule-prepared-"))
    address = str(folder / "socket")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(address)
    listening.listen(64)
    ours, theirs = os.pipe()
    words = [sys.executable, "-m", "tests.support.prepared", str(listening.fileno()), str(ours)]
    server = subprocess.Popen(
        words, pass_fds=[listening.fileno(), ours], stdin=subprocess.DEVNULL, cwd=_ROOT
    )
    os.close(ours)
    listening.close()

    def end() -> None:
        os.close(theirs)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return address


@dataclass(frozen=True, slots=True)
class _Request:
    """What one of the processes is to run.

    Args:
        argv: the arguments of ``noctule``.
        folder: where it runs.
        env: its variables.
        streams: its standard input, output and error.
    """

    argv: list[str]
    folder: str
    env: dict[str, str]
    streams: list[int]


def _serve(listening: socket.socket, alive: int) -> _Request | None:
    """Make a process for each request.

    Returns:
        In each of those, its request; in the server None, once the pipe's other end is closed.
    """
    with selectors.DefaultSelector() as waiting:
        waiting.register(listening, selectors.EVENT_READ)
        waiting.register(alive, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj == alive:
                    return None
                if key.fileobj is not listening:
                    waiting.unregister(key.fileobj)
                    _tell(int(key.fd), *key.data)
                elif (request := _begin(listening, waiting)) is not None:
                    return request


def _begin(listening: socket.socket, waiting: selectors.BaseSelector) -> _Request | None:
    """Make a process of the next request; return it in that process, None in the server."""
    connection, _ = listening.accept()
    told, streams, _, _ = socket.recv_fds(connection, _REQUEST_BYTES, _STREAMS)
    pid = os.fork()
    if pid == 0:
        return _Request(streams=streams, **json.loads(told))
    for stream in streams:
        os.close(stream)
    connection.send(str(pid).encode())
    waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
    return None


def _tell(descriptor: int, pid: int, connection: socket.socket) -> None:
    """Say how a process ended."""
    _, status = os.waitpid(pid, 0)
    os.close(descriptor)
    with suppress(OSError):
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    connection.close()


def _become(request: _Request) -> None:
    """Be ``python -m noctule``, as far as anybody can see."""
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
    os.closerange(_STREAMS, 1024)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    os.chdir(request.folder)
    sys.argv = ["noctule", *request.argv]
    sys.path[0] = request.folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    runpy.run_module("noctule", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for module in _IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    if (wanted := _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))) is not None:
        _become(wanted)
