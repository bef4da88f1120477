"""A web site on loopback that answers well or badly on purpose, and the circumstances of a call."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class WebSite:
    """Pages by path; each request's head is kept."""

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    sent: int = 0
    _serving: set[asyncio.Future[None]] = field(default_factory=set)

    def page(self, path: str, body: bytes | str, *, status: int = 200, **headers: str) -> None:
        """Put a page up; header names are written with underscores."""
        data = body.encode() if isinstance(body, str) else body

        async def answer(writer: asyncio.StreamWriter) -> None:
            given = {"content_type": "text/html; charset=utf-8", **headers}
            lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in given.items())
            phrase = HTTPStatus(status).phrase
            writer.write(f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode() + data)

        self.pages[path] = answer

    def flood(
        self, path: str, piece: bytes, times: int, *, first: bytes = b"", **headers: str
    ) -> None:
        """Put up a page that goes on and on."""

        async def answer(writer: asyncio.StreamWriter) -> None:
            lines = "".join(
                f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items()
            )
            writer.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + first)
            for _ in range(times):
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)

        self.pages[path] = answer

    def asked(self, path: str) -> list[str]:
        """Return the heads of the requests for a path."""
        return [head for head in self.heads if head.split(" ", 2)[1] == path]

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, in a task that ends with the site."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """Hang up on whoever is still reading."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            answer = self.pages.get(head.split(" ", 2)[1].partition("?")[0])
            if answer is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            else:
                await answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client hung up, as it should when it has read enough
        finally:
            writer.close()


@asynccontextmanager
async def web_site(tls: ssl.SSLContext | None = None) -> AsyncIterator[WebSite]:
    """Run a site on a free port of loopback."""
    site = WebSite()
    server = await asyncio.start_server(site.accept, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield site
        finally:
            await site.close()
