"""A gate before a model: a loopback server that says 429 with Retry-After, then lets through."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from noctule.models.embedded.server import ServerAddress

_HEAD_BYTES = 65_536
_CHUNK_BYTES = 65_536


class RefusingGate:
    """Refuses the first requests for an answer and passes the later ones on, byte for byte.

    Args:
        address: where the model's own server listens.
        refusals: how many requests it refuses.
        retry_after_s: what it says to wait.
    """

    def __init__(
        self,
        address: Callable[[], Awaitable[ServerAddress]],
        *,
        refusals: int,
        retry_after_s: int,
    ) -> None:
        self._address = address
        self._left = refusals
        self._retry_after_s = retry_after_s
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD_BYTES)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head, body = await _request(reader)
            if b"/chat/completions" in head.split(b"\r\n", 1)[0] and self._left > 0:
                self._left -= 1
                writer.write(self._refusal())
            else:
                await self._pass_on(head, body, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    def _refusal(self) -> bytes:
        words = "Rate limit reached for this model."
        body = json.dumps({"error": {"message": words, "code": "rate_limit_exceeded"}}).encode()
        head = (
            "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
            f"Retry-After: {self._retry_after_s}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body

    async def _pass_on(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        address = await self._address()
        place = urlsplit(address.url)
        there, sender = await asyncio.open_connection(place.hostname, place.port)
        try:
            sender.write(_readdressed(head, f"{place.netloc}", address.api_key) + body)
            await sender.drain()
            while chunk := await there.read(_CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
        finally:
            sender.close()


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    return head, await reader.readexactly(length)


def _readdressed(head: bytes, host: str, key: str) -> bytes:
    """Return a request's head for another server, which closes the connection after it."""
    first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    ours = {b"host", b"authorization", b"connection"}
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in ours]
    added = [f"Host: {host}", f"Authorization: Bearer {key}", "Connection: close"]
    return b"\r\n".join([first, *kept, *(line.encode() for line in added)]) + b"\r\n\r\n"
