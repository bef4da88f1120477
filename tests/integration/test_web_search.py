import asyncio
import json

import pytest

from noctule.core.settings import SearchEngine, SearchSettings
from tests.support.tool_calls import a_context, call
from tests.support.web_site import web_site
from tools.base.tool import ToolError
from tools.web.search import PublicEngines, SearchHit, SearchTool, web_search

ROWS = [
    {"title": "Noctule", "url": "https://bats.example/noctule", "content": "A  large\nbat."},
    {"title": "Sleep", "url": "https://bats.example/sleep", "content": None},
    {"title": "More", "url": "https://bats.example/more", "content": "x" * 1000},
]


@pytest.fixture
async def site():
    async with web_site() as running:
        yield running


def searx(site):
    settings = SearchSettings(engine=SearchEngine.SEARXNG, url=f"http://127.0.0.1:{site.port}/sx/")
    return web_search(settings)


async def test_a_searxng_instance_answers(site):
    """Title, address and a few words of each, as many as asked for, marked as from outside."""
    body = json.dumps({"query": "bats", "results": ROWS, "answers": [], "number_of_results": 3})
    site.page("/sx/search", body, content_type="application/json")
    result = await call(searx(site), {"query": "bats & moths", "max_results": 2})
    assert result.outside
    assert result.text == (
        "1. Noctule\n   https://bats.example/noctule\n   A large bat.\n\n"
        "2. Sleep\n   https://bats.example/sleep"
    )
    assert site.heads[0].startswith("GET /sx/search?q=bats+%26+moths&format=json ")
    longest = await call(searx(site), {"query": "bats"})
    assert longest.text.endswith("x" * 400 + "…")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, "forbidden", "answered 403.*search.formats"),
        (200, "<html>results</html>", "as JSON"),
        (200, '{"results": [{"title": 1}]}', "as JSON"),
        (200, "[]", "as JSON"),
        (200, "{" + " " * 2_100_000, "more than 2,000,000 bytes"),
    ],
)
async def test_a_searxng_instance_that_answers_badly_is_said(site, status, body, said):
    """A format that is not switched on, something else than results, and far too much."""
    site.page("/sx/search", body, status=status)
    with pytest.raises(ToolError, match=said):
        await call(searx(site), {"query": "bats"})


async def test_a_searxng_instance_that_is_gone_is_said(site):
    """A port where nobody listens is a sentence for the person."""
    settings = SearchSettings(engine=SearchEngine.SEARXNG, url="http://127.0.0.1:9")
    with pytest.raises(ToolError, match="cannot be reached"):
        await call(web_search(settings), {"query": "bats"})


class Told:
    """A searcher that does as told."""

    name = "the engines of this test"

    def __init__(self, *found):
        self.found = found
        self.most_at_once = self.at_once = 0

    async def search(self, query, most):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(5):
            await asyncio.sleep(0)  # noqa: TID251 - gives way to the other searches
        self.at_once -= 1
        return self.found


async def test_nothing_found_is_no_error():
    """The agent is told to use other words; nothing came from outside."""
    result = await call(SearchTool(Told()), {"query": "xyzzy"})
    assert "Nothing was found for 'xyzzy'" in result.text
    assert not result.outside


async def test_more_than_asked_for_is_left_out_and_searches_wait_in_line():
    """An engine that gives twenty does not flood the agent, nor do ten searches at once."""
    told = Told(*(SearchHit(f"t{n}", f"https://x.example/{n}", "") for n in range(20)))
    search = SearchTool(told)
    answers = await asyncio.gather(
        *(call(search, {"query": "a", "max_results": 2}) for _ in range(10))
    )
    assert [answer.text.count("https://") for answer in answers] == [2] * 10
    assert told.most_at_once == 3


async def test_a_private_session_asks_before_it_searches():
    """The words would leave the machine, so a person decides, and is told to whom they go."""
    search = web_search(SearchSettings())
    arguments = search.arguments(query="my illness")
    assert search.needs_person(arguments, a_context()) is None
    assert "public search engines" in search.needs_person(arguments, a_context(private=True))


async def test_public_engines_that_cannot_be_reached_are_a_sentence(monkeypatch):
    """The real ddgs behind a proxy where nobody listens, as on a machine without a network."""
    monkeypatch.setenv("DDGS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ToolError, match=r"search engines .* Fetch an address|for now"):
        await PublicEngines().search("bats", 3)
