"""A real MCP server, well or badly behaved: a program of its own, over stdio or HTTP.

``python mcp_program.py stdio``, ``python mcp_program.py http PORT``; ``silent``, ``dies``,
``babbles``, ``chatty``, ``floods`` and ``stubborn`` behave as they are called. ``offers FILE`` is a
server that offers what stands in a file, whatever it is.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path


def serve(transport: str, port: int = 0) -> None:
    """Serve a handful of tools."""
    from mcp.server.fastmcp import FastMCP, Image  # noqa: PLC0415 - not for those that never serve

    server = FastMCP("bats", port=port, log_level="ERROR")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two whole numbers."""
        return a + b

    @server.tool()
    def environment() -> str:
        """Return the names of the environment's variables."""
        return " ".join(sorted(os.environ))

    @server.tool()
    def configure(config: str, runtime: str, run_manager: str) -> str:
        """Take arguments whose names mean something to LangChain."""
        return f"{config} {runtime} {run_manager}"

    @server.tool()
    def big(megabytes: int) -> str:
        """Return very much."""
        return "x" * (megabytes * 1_000_000)

    @server.tool()
    def doze(seconds: float) -> str:
        """Take its time."""
        time.sleep(seconds)
        return "awake"

    @server.tool()
    def die() -> str:
        """End the server."""
        os._exit(3)

    @server.tool()
    def fail(reason: str) -> str:
        """Fail."""
        raise ValueError(reason)

    @server.tool()
    def picture() -> Image:
        """Return an image."""
        return Image(data=b"\x89PNG", format="png")

    @server.tool(name="odd.name/with spaces")
    def odd() -> str:
        """Be called something no provider takes."""
        return "odd"

    server.run("stdio" if transport == "stdio" else "streamable-http")


def offer(file: str) -> None:
    """Offer the tools of a file as they stand there; each answers with its own name."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        answers = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "offers", "version": "1"},
            },
            "tools/list": {"tools": json.loads(Path(file).read_text())},
            "tools/call": {
                "content": [{"type": "text", "text": asked.get("params", {}).get("name", "")}]
            },
        }
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": answers[asked["method"]]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def serve_the_second_time(marker: str) -> None:
    """End at once when started for the first time."""
    if not Path(marker).exists():
        Path(marker).touch()
        sys.exit("not yet")
    serve("stdio")


def die() -> None:
    """End with a word on standard error that holds a secret."""
    sys.stderr.write(f"cannot log in with {os.environ.get('TOKEN')}\n")
    sys.exit(3)


def babble() -> None:
    """Say much that is no message."""
    sys.stdout.write("Welcome to the best server there is!\n" * 10_000)
    sys.stdout.flush()
    sys.stdin.read()


def chat() -> None:
    """Say a little that is no message, then serve."""
    sys.stdout.write("Starting ...\n\n\x1b[1mReady\x1b[0m\n")
    sys.stdout.flush()
    serve("stdio")


def flood() -> None:
    """Write one line without end."""
    while True:
        sys.stdout.write("x" * 1_000_000)


def be_stubborn(pid_file: str) -> None:
    """Ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(pid_file).write_text(str(os.getpid()))
    be_silent()


def be_silent() -> None:
    """Say nothing."""
    while True:
        time.sleep(60)


BEHAVIOURS: dict[str, Callable[..., object]] = {
    "stdio": lambda: serve("stdio"),
    "http": lambda port: serve("http", int(port)),
    "offers": offer,
    "once": serve_the_second_time,
    "dies": die,
    "babbles": babble,
    "chatty": chat,
    "floods": flood,
    "stubborn": be_stubborn,
    "silent": be_silent,
}

if __name__ == "__main__":
    BEHAVIOURS[sys.argv[1]](*sys.argv[2:])
