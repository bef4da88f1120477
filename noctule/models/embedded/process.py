"""One run of the child process, from its start to its end."""

import asyncio
import contextlib
import json
import logging
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

from noctule.core.base.masking import without_secrets
from noctule.core.errors import EmbeddedModelError
from noctule.models.embedded.launch import ServeRequest

logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0
_CHUNK_BYTES = 4096
_QUOTED_LINES = 6


class ServerProcess:
    """One run of the child process; made by ``launch``, over when ``wait`` returns.

    Args:
        process: the process, its three standard streams being pipes.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._last_bytes = b""
        self._listener = asyncio.create_task(self._listen())
        self.url = ""
        """Where it listens, without ``/v1``."""

    @classmethod
    async def launch(
        cls, command: Sequence[str], order: ServeRequest, start_seconds: float
    ) -> "ServerProcess":
        """Run the child until it listens; when it does not, nothing is left of it.

        Raises:
            EmbeddedModelError: it ended, or was not ready in time.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is meant for us
            env=without_secrets(os.environ),
        )
        server = cls(process)
        try:
            async with asyncio.timeout(start_seconds):
                server.url = await server._ask(order)
                if not server.url:
                    await server.wait()
        except TimeoutError:
            await server.end(grace_seconds=0)
            raise EmbeddedModelError(
                server._sentence(f"was not ready after {start_seconds:g} s", order)
            ) from None
        except BaseException:
            await server.end(grace_seconds=0)
            raise
        if not server.url:
            raise EmbeddedModelError(server._sentence(f"ended with {server.ending}", order))
        return server

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether its end has not been noticed yet."""
        return self._process.returncode is None

    @property
    def ending(self) -> str:
        """How it ended, like ``exit code 1`` or ``signal 9``."""
        code = self._process.returncode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    @property
    def last_words(self) -> str:
        """What it wrote last, as a sentence with a blank after it; "" when it said nothing."""
        lines = self._last_bytes.decode(errors="replace").splitlines()
        said = " | ".join(line.strip() for line in lines[-_QUOTED_LINES:] if line.strip())
        return f"It said: {said}. " if said else ""

    async def wait(self) -> None:
        """Wait until it has ended and everything it wrote is read."""
        await self._process.wait()
        await asyncio.shield(self._listener)

    async def end(self, grace_seconds: float = _CLOSE_SECONDS) -> None:
        """Make it end, and wait until it has.

        Args:
            grace_seconds: how long it may take to notice that its input is closed, which takes
                it a few milliseconds; 0 kills it at once.
        """
        if self._process.stdin:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self.wait()

    async def _ask(self, order: ServeRequest) -> str:
        """Return the URL the child answers with; "" when it ends instead."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return ""
        # A child that is gone already shows on the other pipe as well.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(json.dumps(order).encode() + b"\n")
            await stdin.drain()
        line = await stdout.readline()
        try:
            return str(json.loads(line).get("url", ""))
        except ValueError:
            return ""

    async def _listen(self) -> None:
        """Read its log, so that it never blocks on a full pipe; keep the end of it."""
        stream = self._process.stderr
        while stream and (chunk := await stream.read(_CHUNK_BYTES)):
            self._last_bytes = (self._last_bytes + chunk)[-_CHUNK_BYTES:]
            logger.debug("%s", chunk.decode(errors="replace").rstrip())

    def _sentence(self, fate: str, order: ServeRequest) -> str:
        return (
            f"The embedded model server {fate} while loading {order['weights']}. "
            f"{self.last_words}Check that it is a model llama.cpp can serve and that it fits in "
            "memory, or leave `weights` out for the packaged one."
        )
