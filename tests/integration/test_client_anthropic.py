from collections.abc import AsyncIterator
from json import loads
from typing import Any

import anthropic
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from noctule.core.clock import SystemClock
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest
from noctule.models.clients.build import build_client
from noctule.models.wire.chunks import join
from tests.support.provider import Fault, Provider, Reply
from tests.support.replies import ToolCall, Usage

CACHED = {"cache_control": {"type": "ephemeral"}}
SCHEMA = {
    "title": "Route",
    "type": "object",
    "properties": {"role": {"type": "string"}},
    "required": ["role"],
    "additionalProperties": False,
}
NAMES = {
    "haiku": "claude-haiku-4-5",
    "opus": "claude-opus-4-7",
    "newest": "claude-opus-5-5",
    "sonnet": "claude-sonnet-5",
    "other": "glm-4.6",
}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[Client]:
    made = client_of(provider)
    yield made
    await made.close()


def client_of(provider: Provider, **endpoint: object) -> Client:
    settings = EndpointSettings.model_validate(
        {"kind": EndpointKind.ANTHROPIC, "url": provider.url, "key": "sk-ant"} | endpoint
    )
    models = {key: ModelSettings(endpoint="claude", name=name) for key, name in NAMES.items()}
    return build_client("claude", settings, models, clock=SystemClock())


def request(text: str = "Hello", model: str = "haiku", **fields: Any) -> ModelRequest:
    messages = fields.pop("messages", [SystemMessage("Be brief."), HumanMessage(text)])
    return ModelRequest(model=model, messages=messages, **fields)


async def streamed(client: Client, asked: ModelRequest) -> AIMessage:
    return join([piece async for piece in client.stream(asked)])


async def both(client: Client, asked: ModelRequest) -> list[AIMessage]:
    return [await client.answer(asked), await streamed(client, asked)]


async def test_an_answer_comes_whole_and_in_pieces_alike(client, provider):
    """Both ways give the same text, finish reason, and an input that includes the cache."""
    reply = Reply(text="Good evening.", usage=Usage(100, 7, cached_tokens=60))
    provider.enqueue(reply, reply)
    for message in await both(client, request()):
        conclusion = client.conclude(request(), message)
        assert message.text == "Good evening."
        assert conclusion.finish_reason == "stop"
        assert conclusion.usage.input_tokens == 100
        assert conclusion.usage.cached_tokens == 60
        assert conclusion.usage.cache_write_tokens == 0
        assert conclusion.usage.output_tokens == 7
        assert message.usage_metadata["input_tokens"] == 100
    assert provider.requests[0].body["messages"][0]["content"][0]["text"] == "Hello"


async def test_what_is_sent(client, provider):
    """4096 tokens when nobody says, and the system text and the last message to be cached."""
    await client.answer(request(temperature=0.3, stop=["END"]))
    sent = provider.requests[0]
    assert sent.path == "/v1/messages"
    assert sent.headers["authorization"] == "Bearer sk-ant"
    assert sent.body == {
        "model": "claude-haiku-4-5",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": "Be brief.", **CACHED}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello", **CACHED}]}],
        "temperature": 0.3,
        "stop_sequences": ["END"],
    }


async def test_a_cached_conversation_is_marked_at_its_end_alone(client, provider):
    """Earlier messages stay as they were, so that what was cached is found again."""
    messages = [HumanMessage("One"), AIMessage("Two"), HumanMessage("Three")]
    await client.answer(request(messages=messages))
    sent = provider.requests[0].body["messages"]
    assert [message["content"] for message in sent[:2]] == ["One", "Two"]
    assert sent[2]["content"] == [{"type": "text", "text": "Three", **CACHED}]


@pytest.mark.parametrize(
    ("model", "wanted", "fields"),
    [
        ("haiku", True, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("haiku", False, {}),
        ("opus", True, {"thinking": {"type": "adaptive", "display": "summarized"}}),
        ("opus", False, {}),
        ("sonnet", False, {"thinking": {"type": "disabled"}}),
        ("newest", False, {"output_config": {"effort": "low"}}),
    ],
)
async def test_thinking_in_the_words_of_each_generation(client, provider, model, wanted, fields):
    """A budget, adaptive, disabled, or little effort where it cannot be stopped."""
    await client.answer(request(model=model, thinking=wanted))
    body = provider.requests[0].body
    assert {key: body[key] for key in ("thinking", "output_config") if key in body} == fields


async def test_thinking_needs_room(client, provider):
    """With a bound too small for the smallest budget nothing is asked for."""
    await client.answer(request(thinking=True, max_tokens=1500))
    assert "thinking" not in provider.requests[0].body


async def test_thinking_and_the_newest_models_take_no_temperature(client, provider):
    """The API would answer 400."""
    await client.answer(request(thinking=True, temperature=0.2))
    await client.answer(request(model="opus", temperature=0.2))
    assert all("temperature" not in sent.body for sent in provider.requests)


async def test_thinking_comes_back_to_the_api_with_its_signature(client, provider):
    """Between tool calls the API wants its own thinking blocks again."""
    call = ToolCall("add", {"a": 1, "b": 1}, "toolu_1")
    provider.enqueue(*[Reply(text="Let me add.", thinking="Hm.", tool_calls=(call,))] * 2)
    asked = request(tools=[add], thinking=True)
    for said in await both(client, asked):
        assert said.text == "Let me add."
        assert [(c["name"], c["args"], c["id"]) for c in said.tool_calls] == [
            ("add", {"a": 1, "b": 1}, "toolu_1")
        ]
        assert client.conclude(asked, said).finish_reason == "tool_calls"
        history = [HumanMessage("1+1?"), said, ToolMessage("2", tool_call_id="toolu_1")]
        await client.answer(request(messages=history, tools=[add], thinking=True))
        _, assistant, result = provider.requests[-1].body["messages"]
        assert assistant["content"][0] == {
            "type": "thinking",
            "thinking": "Hm.",
            "signature": "signed",
        }
        assert assistant["content"][2]["input"] == {"a": 1, "b": 1}
        assert result["content"][0]["tool_use_id"] == assistant["content"][2]["id"]
        assert result["content"][0]["cache_control"] == {"type": "ephemeral"}


async def test_tool_choices_in_openais_words(client, provider):
    """Required is any, a named function is a tool."""
    for choice in ("required", "any", "add", {"type": "function", "function": {"name": "add"}}):
        await client.answer(request(tools=[add], tool_choice=choice))
    named = {"type": "tool", "name": "add"}
    assert [sent.body["tool_choice"] for sent in provider.requests] == [
        {"type": "any"},
        {"type": "any"},
        named,
        named,
    ]


async def test_models_that_cannot_be_forced_choose_themselves(client, provider):
    """The newest refuse a forced choice with a 400."""
    await client.answer(request(model="newest", tools=[add], tool_choice="any"))
    body = provider.requests[0].body
    assert body["tools"][0]["name"] == "add"
    assert "tool_choice" not in body


async def test_a_schema_is_held_by_the_api(client, provider):
    """By its own structured output where the model has it."""
    provider.enqueue(*[Reply(text='{"role": "chat"}')] * 2)
    asked = request(json_schema=SCHEMA)
    for message in await both(client, asked):
        assert message.text == '{"role": "chat"}'
        assert client.conclude(asked, message).finish_reason == "stop"
    sent = provider.requests[0].body["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["properties"] == SCHEMA["properties"]


async def test_another_model_is_held_by_a_tool_that_becomes_text(client, provider):
    """The arguments of the forced tool are the answer, whole and streamed."""
    call = ToolCall("Route", {"role": "chat"}, "toolu_1")
    provider.enqueue(*[Reply(text="", tool_calls=(call,))] * 2)
    asked = request(model="other", json_schema=SCHEMA, thinking=True)
    for message in await both(client, asked):
        assert loads(message.text) == {"role": "chat"}
        assert message.tool_calls == []
        assert client.conclude(asked, message).finish_reason == "stop"
    body = provider.requests[0].body
    assert body["tool_choice"] == {"type": "tool", "name": "Route"}
    assert body["tools"][0]["input_schema"] == SCHEMA
    assert "thinking" not in body  # the API refuses both together


async def test_a_torn_stream_has_no_finish_reason(client, provider):
    """Nothing is raised, and the input is known from the start of the stream."""
    provider.enqueue(Reply(text="One two three", fault=Fault.EARLY_END, fault_after=2))
    message = await streamed(client, request())
    conclusion = client.conclude(request(), message)
    assert message.text == "One two"
    assert conclusion.finish_reason is None
    assert conclusion.usage.input_tokens == 12


async def test_no_usage_is_unknown(client, provider):
    """A server that counts nothing sends zeros."""
    provider.enqueue(*[Reply(usage=None)] * 2)
    for message in await both(client, request()):
        assert client.conclude(request(), message).usage.input_tokens is None


async def test_a_refusal_is_asked_for_once_and_keeps_headers_and_body(client, provider):
    """A 429 is raised at once, with what the evidence is read from."""
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}
    provider.enqueue(*[Reply.refusal(429, body, {"retry-after": "7"})] * 2)
    for attempt in (client.answer, lambda asked: streamed(client, asked)):
        with pytest.raises(anthropic.RateLimitError) as raised:
            await attempt(request())
        assert raised.value.response.headers["retry-after"] == "7"
        assert raised.value.body == body
    assert len(provider.requests) == 2


async def test_errors_with_a_200_are_errors(client, provider):
    """In place of an answer, in place of a stream, and in the middle of one."""
    error = {"type": "overloaded_error", "message": "Overloaded"}
    provider.enqueue(*[Reply(body={"type": "error", "error": error})] * 2)
    provider.enqueue(Reply(text="a b c", fault=Fault.ERROR, error=error))
    for attempt in (client.answer, *[lambda asked: streamed(client, asked)] * 2):
        with pytest.raises(anthropic.APIError) as raised:
            await attempt(request())
        body: Any = raised.value.body
        assert body["error"] == error


async def test_a_body_that_is_no_answer_is_raised_with_the_response(client, provider):
    """HTML is told apart from an answer."""
    provider.enqueue(Reply(fault=Fault.NOT_JSON))
    with pytest.raises(anthropic.APIResponseValidationError):
        await client.answer(request())


async def test_the_total_timeout_is_ours(client, provider):
    """A server that hangs is given up after the request's own total."""
    provider.enqueue(Reply(fault=Fault.HANG))
    with pytest.raises(anthropic.APITimeoutError):
        await client.answer(request(total_s=0.2))


async def test_a_stream_that_is_given_up_lets_go_of_its_connection(client, provider):
    """Closing the iterator early hangs up."""
    provider.enqueue(Reply(text="a b c", fault=Fault.STALL, fault_after=1))
    stream = client.stream(request())
    async for piece in stream:
        if piece.text:
            break
    await stream.aclose()
    await provider.until(lambda seen: seen.requests[0].result == "gone")


async def test_present_lists_the_models(client):
    """As the API lists them."""
    assert [model.name for model in await client.present()] == ["model"]


async def test_no_credentials_of_the_environment_are_sent(provider, monkeypatch):
    """Without a key the server gets none, whatever the SDK would find."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-env")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-env")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = client_of(provider, key=None, headers={"X-Team": "bats"})
    await client.answer(request())
    sent = provider.requests[0].headers
    assert sent["authorization"] == "Bearer none"
    assert "x-api-key" not in sent
    assert sent["x-team"] == "bats"
    await client.close()


async def test_extra_fields_reach_the_body(provider):
    """As they are, beside ours."""
    client = client_of(provider, extra_body={"metadata": {"user_id": "me"}})
    await client.answer(request(temperature=0.5))
    body = provider.requests[0].body
    assert body["metadata"] == {"user_id": "me"}
    assert body["temperature"] == 0.5
    await client.close()
