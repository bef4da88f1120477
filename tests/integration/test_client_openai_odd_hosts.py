"""What compatible hosts send that OpenAI does not, as raw streams over loopback."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from noctule.core.clock import SystemClock
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest
from noctule.models.clients.build import build_client
from noctule.models.clients.openai.wire import OpenAIWire
from noctule.models.wire.chunks import join
from tests.support.provider import FakeModel, Provider, Reply

ASKED = ModelRequest(model="small", messages=[HumanMessage("Hello")])


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[Client]:
    settings = EndpointSettings(kind=EndpointKind.OPENAI, url=provider.openai_url)
    models = {"small": ModelSettings(endpoint="host", name="m")}
    made = build_client("host", settings, models, clock=SystemClock())
    yield made
    await made.close()


def stream_of(*chunks: dict) -> Reply:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return Reply(body="".join([*lines, "data: [DONE]\n\n"]), headers=EVENTS)


EVENTS = {"Content-Type": "text/event-stream"}


def delta(finish: str | None = None, usage: dict | None = None, **fields: object) -> dict:
    chunk = {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}
    return chunk | ({"usage": usage} if usage else {})


async def read(client: Client, provider: Provider, *chunks: dict) -> AIMessage:
    provider.enqueue(stream_of(*chunks))
    return join([piece async for piece in client.stream(ASKED)])


def counts(sent: int, received: int, **more: object) -> dict:
    return {"prompt_tokens": sent, "completion_tokens": received, **more}


async def test_usage_that_comes_with_every_chunk_is_not_added_up(client, provider):
    """Some hosts report the usage so far each time; the last report is the bill."""
    message = await read(
        client,
        provider,
        delta(content="a", usage=counts(10, 1)),
        delta(content="b", usage=counts(10, 2, cost=0.1)),
        delta("stop", usage=counts(10, 3, cost=0.25)),
    )
    usage = client.conclude(ASKED, message).usage
    assert (usage.input_tokens, usage.output_tokens) == (10, 3)
    assert usage.reported_usd == Decimal("0.25")
    assert message.usage_metadata["total_tokens"] == 13


async def test_a_finish_reason_said_twice_is_one(client, provider):
    """Joined, it would read stopstop."""
    message = await read(client, provider, delta("stop", content="a"), delta("stop"))
    assert client.conclude(ASKED, message).finish_reason == "stop"


async def test_tool_calls_without_an_index_are_kept(client, provider):
    """Gemini's compatible endpoint numbers no calls; without a number the library drops them."""
    calls = [{"id": f"c{n}", "function": {"name": "add", "arguments": "{}"}} for n in (1, 2)]
    message = await read(
        client, provider, delta(tool_calls=[calls[0]]), delta("stop", tool_calls=[calls[1]])
    )
    assert [call["id"] for call in message.tool_calls] == ["c1", "c2"]


async def test_thinking_by_its_other_names(client, provider):
    """OpenRouter and vLLM say reasoning; Mistral puts blocks into the content."""
    message = await read(client, provider, delta(reasoning="Hm. "), delta("stop", content="Yes"))
    assert message.additional_kwargs["reasoning_content"] == "Hm. "
    blocks = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Well."}]},
        {"type": "text", "text": "No"},
    ]
    message = await read(client, provider, delta("stop", content=blocks))
    assert message.additional_kwargs["reasoning_content"] == "Well."
    assert message.content == "No"


async def test_groqs_usage_is_found_in_its_own_field(client, provider):
    """Groq reports usage in x_groq of the last chunk."""
    last = delta("stop") | {"x_groq": {"usage": counts(4, 2)}}
    message = await read(client, provider, delta(content="a"), last)
    assert client.conclude(ASKED, message).usage.output_tokens == 2


async def test_a_refusal_of_the_model_is_a_filtered_answer(client, provider):
    """OpenAI's refusal field has no content beside it."""
    message = await read(client, provider, delta(refusal="I cannot help."), delta("stop"))
    assert client.conclude(ASKED, message).finish_reason == "content_filter"


async def test_litellms_cost_header_is_the_reported_cost(client, provider):
    """A LiteLLM host says the cost in a header; 0 there means that it has no price."""
    choice = {"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": counts(4, 2)}
    for said, expected in (("0.0000123", Decimal("0.0000123")), ("0", None)):
        provider.enqueue(Reply(body=body, headers={"x-litellm-response-cost": said}))
        message = await client.answer(ASKED)
        assert client.conclude(ASKED, message).usage.reported_usd == expected


async def test_present_reads_what_a_list_says_about_context(client, provider):
    """vLLM's and OpenRouter's fields, where a host has them."""
    provider.models = [FakeModel("a"), FakeModel("b")]
    assert [(m.name, m.context) for m in await client.present()] == [("a", None), ("b", None)]


def wire(url: str) -> OpenAIWire:
    return OpenAIWire(url=url, key="k", headers={}, trust_env=False)


CALLED = AIMessage(
    "",
    tool_calls=[{"name": "add", "args": {}, "id": "c1"}],
    additional_kwargs={
        "reasoning_content": "I must add.",
        "tool_call_extras": {"c1": {"google": {"thought_signature": "s"}}},
    },
)
HISTORY = [HumanMessage("1+1?"), CALLED, ToolMessage("2", tool_call_id="c1")]


async def test_deepseek_gets_its_thinking_back_beside_tool_calls():
    """DeepSeek answers 400 when the thinking before a tool call is missing."""
    host = wire("https://api.deepseek.com")
    sent = host.chat("deepseek-chat")._get_request_payload(HISTORY)["messages"][1]
    assert sent["reasoning_content"] == "I must add."
    await host.close()


async def test_gemini_gets_its_signatures_back():
    """Gemini 3 answers 400 to a tool result whose call lost its thought signature."""
    host = wire("https://generativelanguage.googleapis.com/v1beta/openai")
    sent = host.chat("gemini-3-flash")._get_request_payload(HISTORY)["messages"][1]
    assert sent["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}
    assert "reasoning_content" not in sent
    await host.close()


async def test_openai_itself_gets_its_own_words():
    """The newer bound, and no temperature for a model that thinks."""
    host = wire("https://api.openai.com/v1")
    options: dict[str, Any] = {"max_tokens": 9, "temperature": 0.2}
    thinker = host.chat("gpt-5-mini")._get_request_payload(HISTORY, **options)
    assert thinker["max_completion_tokens"] == 9
    assert not thinker.keys() & {"max_tokens", "temperature"}
    assert host.chat("gpt-4o")._get_request_payload(HISTORY, **options)["temperature"] == 0.2
    await host.close()
