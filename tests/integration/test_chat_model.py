import asyncio
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from noctule.core.base.roles import Role
from noctule.core.errors import LimitError, OurBugError
from noctule.core.provider_errors.outcomes import Outcome
from noctule.models.binding.structured import UnfitAnswerError
from tests.support.stage import Act, Stage, refused, settle


class Weather(BaseModel):
    """What the weather is like."""

    place: str
    degrees: int


GOOD = '{"place": "Kiel", "degrees": 12}'
BAD = '{"place": "Kiel", "degrees": "mild"}'


@tool
def thermometer(place: str) -> str:
    """Read the thermometer of a place."""
    return f"12 degrees in {place}"


async def test_it_answers_like_any_chat_model() -> None:
    """``ainvoke`` takes text or messages; the answer says which model gave it."""
    stage = Stage()
    message = await stage.models.bind(stage.context()).ainvoke("Hello")
    assert message.text == "Hello."
    assert message.response_metadata["noctule"]["model"] == "first"
    [request] = stage.client.requests
    assert [m.text for m in request.messages] == ["Hello"]


async def test_a_limit_leaves_it_as_our_error_and_as_langchains() -> None:
    """A refusal of everybody is a LimitError, which LangChain knows not to repeat."""
    stage = Stage(role={"fallback": []})
    stage.always("first", refused(429, retry_after=900))
    model = stage.models.bind(stage.context())
    with pytest.raises(LimitError) as caught:
        await model.with_retry(retry_if_exception_type=(RuntimeError,)).ainvoke("Hello")
    assert isinstance(caught.value, ModelError)
    assert stage.client.asked == ["first"]


async def test_being_cancelled_ends_it() -> None:
    """A cancellation goes through LangChain to the request and comes back as one."""
    stage = Stage()
    stage.always("first", Act(hangs=True))
    task = asyncio.create_task(stage.models.bind(stage.context(stream=True)).ainvoke("Hello"))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [row.outcome for row in await stage.attempts()] == [Outcome.CANCELLED]


async def test_it_shows_its_role_and_nothing_else() -> None:
    """Neither its repr nor its dump contains settings, keys or the context."""
    stage = Stage(endpoints={"here": {"key": "sk-secret"}})
    model = stage.models.bind(stage.context(session_id="s-1"))
    shown = f"{model!r} {model.model_dump()} {model.asdict()}"
    assert "engineer" in shown
    assert "sk-secret" not in shown
    assert "s-1" not in shown
    assert model.profile is None


def test_it_cannot_be_called_without_await() -> None:
    """The model layer is async; a blocking call is a bug of ours, said as such."""
    stage = Stage()
    with pytest.raises(OurBugError, match="ainvoke"):
        stage.models.bind(stage.context()).invoke("Hello")


async def test_bound_arguments_reach_the_client() -> None:
    """Bounds and tools of a call are set in the request, what is unknown is handed on."""
    stage = Stage()
    model = stage.models.bind(stage.context()).bind_tools(
        [thermometer], tool_choice="any", max_tokens=5, temperature=0.1, seed=3
    )
    await model.ainvoke("Hello", stop=["\n"])
    [request] = stage.client.requests
    assert list(request.tools) == [thermometer]
    assert (request.tool_choice, request.max_tokens, request.temperature) == ("any", 5, 0.1)
    assert (request.stop, request.extra) == (["\n"], {"seed": 3})


async def test_an_agent_uses_tools_through_it_and_survives_a_change_of_models() -> None:
    """The loop of ``create_agent``: one model calls the tool, another one answers."""
    stage = Stage()
    stage.will(
        "first", Act("", tool=("thermometer", '{"place": "Kiel"}'), finish="tool_calls"), OSError()
    )
    stage.will("second", "Twelve.")
    agent = create_agent(stage.models.bind(stage.context(stream=True)), [thermometer])
    result = await agent.ainvoke({"messages": [HumanMessage("How warm is it?")]})
    kinds = [type(message) for message in result["messages"]]
    assert kinds == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert result["messages"][2].text == "12 degrees in Kiel"
    assert result["messages"][3].text == "Twelve."
    assert [row.model for row in await stage.attempts()] == ["first", "first", "second"]


async def test_an_agents_provider_strategy_becomes_a_json_schema() -> None:
    """``ProviderStrategy`` reaches every candidate as the schema, and its answer is parsed."""
    stage = Stage()
    stage.will("first", OSError())
    stage.will("second", GOOD.replace(" ", ""))
    agent = create_agent(
        stage.models.bind(stage.context()), [], response_format=ProviderStrategy(Weather)
    )
    result = await agent.ainvoke({"messages": [HumanMessage("Weather?")]})
    assert result["structured_response"] == Weather(place="Kiel", degrees=12)
    for request in stage.client.requests:
        assert request.json_schema is not None
        assert request.json_schema["title"] == "Weather"
        assert set(request.json_schema["properties"]) == {"place", "degrees"}
        assert "response_format" not in request.extra


async def test_an_agents_tool_strategy_is_a_forced_tool_call() -> None:
    """``ToolStrategy`` offers the schema as a tool that has to be called."""
    stage = Stage()
    stage.will("first", Act("", tool=("Weather", GOOD), finish="tool_calls"))
    agent = create_agent(
        stage.models.bind(stage.context()), [], response_format=ToolStrategy(Weather)
    )
    result = await agent.ainvoke({"messages": [HumanMessage("Weather?")]})
    assert result["structured_response"] == Weather(place="Kiel", degrees=12)
    assert stage.client.requests[0].tool_choice == "any"


async def test_a_summary_is_not_repeated_behind_our_back() -> None:
    """The hidden retry of LangChain's summaries leaves our errors alone."""
    stage = Stage(role={"fallback": []})
    stage.always("first", refused(401))
    model = stage.models.bind(stage.context())
    middleware = SummarizationMiddleware(model, trigger=("messages", 2), keep=("messages", 1))
    agent = create_agent(model, [], middleware=[middleware])
    with pytest.raises(ModelError):
        await agent.ainvoke({"messages": [HumanMessage("a"), AIMessage("b"), HumanMessage("c")]})
    assert len(stage.client.requests) == 1


async def test_structured_output_is_validated() -> None:
    """A pydantic schema gives the pydantic object, a TypedDict a dictionary."""

    class Place(TypedDict):
        """A place."""

        name: str

    stage = Stage()
    model = stage.models.bind(stage.context())
    stage.will("first", f"```json {GOOD} ```".replace(" ", ""), '{"name":"Kiel"}')
    assert await model.with_structured_output(Weather).ainvoke("?") == Weather(
        place="Kiel", degrees=12
    )
    assert await model.with_structured_output(Place).ainvoke("?") == {"name": "Kiel"}


@pytest.mark.parametrize("first", [BAD, "no idea", '{"place": "Ki', "[1]"])
async def test_an_answer_that_does_not_fit_is_asked_for_once_more(first: str) -> None:
    """The second time the same model is told what was wrong, in the same call."""
    stage = Stage(role={"fallback": ["second", "third"]})
    stage.will("first", OSError())
    stage.will("second", first.replace(" ", ""), GOOD.replace(" ", ""))
    answer = await stage.models.ask_json(
        stage.context(Role.ORCHESTRATOR, stream=True),
        [SystemMessage("s"), HumanMessage("?")],
        Weather,
    )
    assert answer == Weather(place="Kiel", degrees=12)
    assert stage.client.asked == ["first", "second", "second"]
    assert len({row.call_id for row in await stage.attempts()}) == 1
    again = stage.client.requests[-1]
    assert [m.type for m in again.messages] == ["system", "human", "ai", "human"]
    assert "cannot be used" in again.messages[-1].text
    assert again.temperature == 0


async def test_what_never_fits_is_no_decision() -> None:
    """After the second try ``ask_json`` gives None, and LangChain's way the reason."""
    stage = Stage()
    stage.always("first", BAD)
    assert await stage.models.ask_json(stage.context(), [HumanMessage("?")], Weather) is None
    assert len(stage.client.requests) == 2
    model = stage.models.bind(stage.context())
    with pytest.raises(UnfitAnswerError, match="degrees"):
        await model.with_structured_output(Weather).ainvoke("?")
    found: Any = await model.with_structured_output(Weather, include_raw=True).ainvoke("?")
    assert (found["parsed"], found["raw"].text) == (None, BAD.replace(" ", ""))
    assert "degrees" in str(found["parsing_error"])


async def test_a_conversation_is_kept_for_the_first_in_line_not_for_the_smallest() -> None:
    """Its own window counts, not the smallest of the role's; unknown windows stay unknown."""
    stage = Stage(
        models={"first": {"context": 200_000}, "second": {"context": 2048}},
        roles={"writer": {"primary": "third", "fallback": []}, "chat": {"max_tokens": 100}},
    )

    def room(role: Role) -> tuple[str, int | None]:
        reader = stage.models.reader(stage.context(role))
        return reader.model, reader.prompt_tokens

    assert room(Role.ENGINEER) == ("first", 200_000 - 1024)
    assert room(Role.CHAT) == ("first", 200_000 - 100)
    assert room(Role.WRITER) == ("third", None)
    stage.will("first", refused(429, retry_after=600))
    await stage.ask(role=Role.ENGINEER)
    assert room(Role.ENGINEER) == ("first", 200_000 - 1024)


async def test_closing_writes_and_lets_go() -> None:
    """Every client that was built is closed."""
    stage = Stage()
    await stage.ask()
    await stage.models.close()
    assert stage.client.closed
