"""Searching the web: with public engines through ddgs, or with a SearXNG instance of one's own."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import httpx
from pydantic import BaseModel, Field, ValidationError

from noctule.core.settings import SearchEngine, SearchSettings
from noctule.core.tools.effects import EffectClass
from tools.base.threads import in_thread
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult

_LOG = logging.getLogger(__name__)

_ENGINE_S = 8
"""How long one engine may take, in seconds."""
_SEARCH_S = 25.0
"""How long a search may take in all, in seconds."""
_AT_ONCE = 3
_MOST_ANSWER_BYTES = 2_000_000
_MOST_SNIPPET_CHARS = 400


class WebSearchArguments(BaseModel):
    """What to look for."""

    query: str = Field(min_length=1, max_length=400, description="A few words.")
    max_results: int = Field(default=6, ge=1, le=20, description="How many results.")


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One result.

    Args:
        title: of the page.
        url: where it is.
        snippet: some words of it; "" when the engine gave none.
    """

    title: str
    url: str
    snippet: str


class Searcher(Protocol):
    """Who searches."""

    name: str

    async def search(self, query: str, most: int) -> Sequence[SearchHit]:
        """Return what was found, the best first; [] when nothing was.

        Raises:
            ToolError: it refuses or cannot be reached.
        """
        ...


class SearchTool(Tool[WebSearchArguments]):
    """Searches the web.

    Args:
        searcher: who does.
    """

    name: ClassVar[str] = "web_search"
    family: ClassVar[str] = "web"
    description: ClassVar[str] = (
        "Search the web. Returns titles, addresses and a few words of each page; read a page "
        "with fetch before you rely on it."
    )
    arguments = WebSearchArguments
    effect = EffectClass.READ

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def subject(self, arguments: WebSearchArguments) -> str | None:
        """Return the query."""
        return arguments.query

    def needs_person(self, arguments: WebSearchArguments, context: ToolContext) -> str | None:
        """Say that the query leaves the machine when the session is private."""
        if not context.private:
            return None
        return f"the session is private, and the words would be sent to {self._searcher.name}"

    async def run(self, arguments: WebSearchArguments, context: ToolContext) -> ToolResult:
        """Search.

        Raises:
            ToolError: nobody could be asked, or not in time.
        """
        try:
            async with asyncio.timeout(_SEARCH_S), self._turns:
                found = await self._searcher.search(arguments.query, arguments.max_results)
        except TimeoutError as error:
            raise ToolError(
                f"{self._searcher.name} did not answer within {_SEARCH_S:g} s. Try again later, or "
                "fetch an address you know."
            ) from error
        if not found:
            return ToolResult(
                f"Nothing was found for {arguments.query!r}. Try other words; "
                "if that never helps, the engines may be refusing for a while."
            )
        return ToolResult(_shown(found[: arguments.max_results]), outside=True)


class PublicEngines:
    """Public search engines, asked through ddgs; no key is needed.

    It reads their pages as a browser would, so that any of them may refuse for a while.
    """

    name = "public search engines"

    async def search(self, query: str, most: int) -> Sequence[SearchHit]:
        """Return what was found, the best first; [] when nothing was.

        Raises:
            ToolError: all of them refuse or none can be reached.
        """
        rows = await in_thread(lambda: _ask_engines(query, most), name="noctule-search")
        return [
            SearchHit(str(row.get("title", "")), str(row.get("href", "")), str(row.get("body", "")))
            for row in rows
            if row.get("href")
        ]


class SearxNG:
    """A SearXNG instance; ``json`` must stand under ``search.formats`` of its settings.

    Args:
        url: its address; it is the owner's choice, so it may be on a private network.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/search"
        self.name = f"the SearXNG instance at {httpx.URL(url).host}"

    async def search(self, query: str, most: int) -> Sequence[SearchHit]:
        """Return what was found, the best first; [] when nothing was.

        Raises:
            ToolError: it cannot be reached or answers with something else.
        """
        try:
            body = await self._ask(query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ToolError(f"{self.name} cannot be reached: {reason}. Tell the person.") from error
        try:
            rows = _Answer.model_validate_json(body).results
            return [SearchHit(row.title, row.url, row.content or "") for row in rows[:most]]
        except ValidationError as error:
            raise ToolError(
                f"{self.name} did not answer with results as JSON. Tell the person: its settings "
                "need `json` under search.formats."
            ) from error

    async def _ask(self, query: str) -> bytes:
        body = bytearray()
        async with (
            httpx.AsyncClient(timeout=_ENGINE_S, trust_env=False) as client,
            client.stream(
                "GET",
                self._url,
                params={"q": query, "format": "json"},
                headers={"Accept-Encoding": "identity"},
            ) as response,
        ):
            if response.is_error:
                raise ToolError(
                    f"{self.name} answered {response.status_code}. Tell the person: 403 means that "
                    "its settings need `json` under search.formats."
                )
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MOST_ANSWER_BYTES:
                    raise ToolError(f"{self.name} sent more than {_MOST_ANSWER_BYTES:,} bytes.")
        return bytes(body)


class _Row(BaseModel):
    title: str
    url: str
    content: str | None = None


class _Answer(BaseModel):
    results: list[_Row]


def web_search(settings: SearchSettings) -> SearchTool:
    """Return the tool as configured."""
    if settings.engine is SearchEngine.SEARXNG and settings.url is not None:
        return SearchTool(SearxNG(settings.url))
    return SearchTool(PublicEngines())


def _ask_engines(query: str, most: int) -> list[dict[str, Any]]:
    from ddgs import DDGS  # noqa: PLC0415 - brings its own HTTP client, only for searches
    from ddgs.exceptions import (  # noqa: PLC0415 - likewise
        DDGSException,
        RatelimitException,
        TimeoutException,
    )

    try:
        return DDGS(timeout=_ENGINE_S).text(query, max_results=most)
    except (RatelimitException, TimeoutException) as error:
        raise ToolError(
            "The search engines refuse or do not answer for now. Try again later, or fetch an "
            "address you know."
        ) from error
    except DDGSException as error:
        if "No results found" in str(error):
            return []
        _LOG.warning("Searching the web failed: %s", str(error)[:300])
        raise ToolError(
            "The search engines could not be asked. Fetch an address you know, or tell the person "
            "that the web cannot be searched from here."
        ) from error


def _shown(found: Sequence[SearchHit]) -> str:
    return "\n\n".join(
        f"{number}. {one.title.strip()}\n   {one.url}\n   {_short(one.snippet)}".rstrip()
        for number, one in enumerate(found, 1)
    )


def _short(snippet: str) -> str:
    line = " ".join(snippet.split())
    return line if len(line) <= _MOST_SNIPPET_CHARS else line[:_MOST_SNIPPET_CHARS] + "…"
