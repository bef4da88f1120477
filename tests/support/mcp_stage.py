"""MCP servers for tests: the program of ``mcp_program.py`` over stdio and over HTTP."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from noctule.core.clock import Clock, ManualClock, SystemClock
from noctule.core.settings import McpServerSettings
from tools.mcp.adapters import McpHub, McpTool

PROGRAM = Path(__file__).with_name("mcp_program.py")


def a_program(*words: str, seconds: float = 20, **settings: Any) -> McpServerSettings:
    """Return the settings of a server over standard input and output."""
    return McpServerSettings.model_validate(
        {
            "command": (sys.executable, str(PROGRAM), *words),
            "timeout": timedelta(seconds=seconds),
            **settings,
        }
    )


def a_url(port: int, *, seconds: float = 20, **settings: Any) -> McpServerSettings:
    """Return the settings of a server over HTTP."""
    url = f"http://127.0.0.1:{port}/mcp"
    return McpServerSettings.model_validate(
        {"url": url, "timeout": timedelta(seconds=seconds), **settings}
    )


@asynccontextmanager
async def a_hub(clock: Clock | None = None, **servers: McpServerSettings) -> AsyncIterator[McpHub]:
    """Run a hub with some servers, and wait until each is there or has failed."""
    hub = McpHub(servers, clock or ManualClock())
    try:
        hub.begin()
        await hub.ready(list(servers))
        yield hub
    finally:
        await hub.close()


def tool_called(hub: McpHub, name: str) -> McpTool:
    """Return one tool."""
    return cast("McpTool", {tool.name: tool for tool in hub.tools()}[name])


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def http_program(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program over HTTP, and wait until it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), "http", str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        for _ in range(400):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                break
            await SystemClock().sleep(0.05)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
