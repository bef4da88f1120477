"""Just enough HTTP/1.1 for a provider that answers well or badly on purpose."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from noctule.core.clock import Clock

_SLICE_SECONDS = 0.02


@dataclass(frozen=True)
class Asked:
    """A request as it was read from the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body's object; empty when it is none."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}


class Wire:
    """One connection of a client."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._chunked = False
        self.keep_open = True

    @property
    def gone(self) -> bool:
        """Whether the client has hung up."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def read(self) -> Asked | None:
        """Return the next request; None when the client has no more."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = start.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines if ":" in line)
        headers = {name.lower(): value.strip() for name, value in pairs}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await self._read_chunks()
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Asked(method, target.split("?", 1)[0], headers, body)

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int((await self._reader.readline()).split(b";")[0], 16):
            body += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return body

    async def open_stream(
        self, status: int, headers: Mapping[str, str], *, framed: bool = True
    ) -> None:
        """Send the head of an answer whose length nobody knows yet."""
        self._chunked = framed
        self.keep_open = framed
        framing = {"Transfer-Encoding": "chunked"} if framed else {"Connection": "close"}
        await self._send(_head(status, {**framing, **headers}))

    async def send(self, data: bytes) -> None:
        """Send one piece of the stream."""
        await self._send(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    async def end_stream(self) -> None:
        """Send what says that a chunked answer is complete."""
        if self._chunked:
            await self._send(b"0\r\n\r\n")

    async def send_half_a_chunk(self, data: bytes) -> None:
        """Promise more than what comes."""
        await self._send(b"%x\r\n%s" % (len(data) + 100, data) if self._chunked else data)

    async def send_whole(
        self, status: int, headers: Mapping[str, str], body: bytes, *, promised: int | None = None
    ) -> None:
        """Send an answer with its length; ``promised`` may be more than comes."""
        length = len(body) if promised is None else promised
        await self._send(_head(status, {"Content-Length": str(length), **headers}) + body)

    async def pause(self, seconds: float) -> None:
        """Wait, but not for a client that has hung up.

        Raises:
            ConnectionResetError: it has.
        """
        while seconds > 0:
            step = min(seconds, _SLICE_SECONDS)
            await self._clock.sleep(step)
            seconds -= step
            if self.gone:
                raise ConnectionResetError("the client hung up")

    async def _send(self, data: bytes) -> None:
        if self.gone:
            raise ConnectionResetError("the client hung up")
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Odd"
    usual = {"Content-Type": "application/json"}
    given = {name.lower() for name in headers}
    lines = {**{n: v for n, v in usual.items() if n.lower() not in given}, **headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{text}\r\n".encode("latin-1")
