"""Reading a web page."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field

from noctule.core.sessions.grants import HOST_PART, Seal, digest_of
from noctule.core.settings import ToolsSettings
from noctule.core.tools.effects import EffectClass
from tools.base.threads import in_thread
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult
from tools.web.addresses import AddressPolicy, parse_url
from tools.web.html_to_text import Readable, readable
from tools.web.http_fetcher import Page, PageReader

_FRESH_S = 3600.0
_KEPT_CHARS = 20_000_000


class FetchArguments(BaseModel):
    """What to read."""

    url: str = Field(max_length=4000, description="The whole address, with http:// or https://.")


class FetchTool(Tool[FetchArguments]):
    """Reads a page and returns its text.

    Args:
        reader: reads addresses.
    """

    name: ClassVar[str] = "fetch"
    family: ClassVar[str] = "web"
    description: ClassVar[str] = (
        "Read a public web page as Markdown, with title, date and address. Use it on addresses "
        "from web_search or from the person; cite what you used. Text only: no PDF, images or "
        "pages behind a login."
    )
    arguments = FetchArguments
    effect = EffectClass.READ

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._seen = _Cache()

    def subject(self, arguments: FetchArguments) -> str | None:
        """Return the address as it is read, however it was written."""
        try:
            url = parse_url(arguments.url)
            return str(url.copy_with(host=url.host.rstrip(".")))
        except (ToolError, httpx.InvalidURL):
            return arguments.url.strip()

    def needs_person(self, arguments: FetchArguments, context: ToolContext) -> str | None:
        """Say that the address leaves the machine when the session is private."""
        if not context.private:
            return None
        return "the session is private, and the address would be sent to the site it names"

    async def seal(self, arguments: FetchArguments, context: ToolContext) -> Seal:
        """Return the host: an answer for longer is about all of its addresses."""
        try:
            host = parse_url(arguments.url).host.lower().rstrip(".")
        except (ToolError, httpx.InvalidURL):
            return {}  # it is read from nowhere
        return {f"{HOST_PART}{host}": digest_of(host)}

    async def run(self, arguments: FetchArguments, context: ToolContext) -> ToolResult:
        """Read a page, or return what was read of it within the last hour of this session.

        Raises:
            ToolError: it may not be read, does not answer or says nothing.
        """
        url = str(parse_url(arguments.url))
        key, now = (context.session_id, url), context.clock.monotonic()
        text = self._seen.get(key, now)
        if text is None:
            try:
                page = await self._reader.read(url, context.may_follow)
                text = _shown(page, await self._read_out(page))
            except ToolError as error:  # it may name where a page redirects to, in the page's words
                raise ToolError(str(error), outside=True) from error
            self._seen.put(key, text, now)
        return ToolResult(text, outside=True)

    async def _read_out(self, page: Page) -> Readable:
        seconds = self._reader.timeout_s
        try:
            async with asyncio.timeout(seconds):
                return await in_thread(_safely(page), name="noctule-page")
        except TimeoutError as error:
            raise ToolError(
                f"{page.url} is so large or so oddly made that its text was not found within "
                f"{seconds:g} s. Try another source."
            ) from error


def web_fetch(settings: ToolsSettings, *, policy: AddressPolicy | None = None) -> FetchTool:
    """Return the tool as configured.

    Args:
        settings: bounds.
        policy: what may be connected to; None means public addresses on ``fetch_ports``.
    """
    return FetchTool(
        PageReader(
            policy or AddressPolicy(ports=frozenset(settings.fetch_ports)),
            most_bytes=settings.fetch_bytes,
            timeout=settings.fetch_timeout,
        )
    )


def _safely(page: Page) -> Callable[[], Readable]:
    """Return the reading of a page; whatever the parser stumbles over is the page's fault."""

    def read() -> Readable:
        try:
            return readable(page)
        except ToolError:
            raise
        except Exception as error:
            raise ToolError(
                f"{page.url} is so malformed that it cannot be read ({type(error).__name__}). Try "
                "another source."
            ) from error

    return read


def _shown(page: Page, found: Readable) -> str:
    head = [
        f"Title: {found.title}" if found.title else None,
        f"URL: {page.url}",
        f"Date: {found.date}" if found.date else None,
        f"Only its first {len(page.body):,} bytes were read." if page.cut else None,
    ]
    return "\n".join(line for line in head if line) + "\n\n" + found.text


@dataclass(frozen=True, slots=True)
class _Kept:
    text: str
    until: float


class _Cache:
    """What was read, by session and address; the oldest give way when it grows too large."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._chars = 0

    def get(self, key: tuple[str, str], now: float) -> str | None:
        kept = self._pages.get(key)
        return kept.text if kept is not None and kept.until > now else None

    def put(self, key: tuple[str, str], text: str, now: float) -> None:
        old = self._pages.pop(key, None)
        self._chars += len(text) - (len(old.text) if old else 0)
        self._pages[key] = _Kept(text, now + _FRESH_S)
        while self._chars > _KEPT_CHARS:
            _, oldest = self._pages.popitem(last=False)
            self._chars -= len(oldest.text)
