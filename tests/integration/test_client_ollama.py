from collections.abc import AsyncIterator
from typing import Any

import httpx
import ollama
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from noctule.core.clock import SystemClock
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest, PresentModel
from noctule.models.clients.build import build_client
from noctule.models.wire.chunks import join
from tests.support.provider import FakeModel, Fault, Provider, Reply
from tests.support.replies import ToolCall, Usage

SCHEMA = {"title": "Route", "type": "object", "properties": {"role": {"type": "string"}}}


@tool
def write(path: str, content: str) -> str:
    """Write a file."""
    return path + content


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    models = [
        FakeModel("qwen", capabilities=("completion", "tools", "thinking")),
        FakeModel("coder", capabilities=("completion",), loaded_context=4096),
    ]
    async with Provider(models=models) as running:
        yield running


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[Client]:
    made = client_of(provider)
    yield made
    await made.close()


def client_of(provider: Provider, *, model: dict | None = None, **endpoint: object) -> Client:
    settings = EndpointSettings.model_validate(
        {"kind": EndpointKind.OLLAMA, "url": provider.url} | endpoint
    )
    models = {
        "small": ModelSettings.model_validate(
            {"endpoint": "local", "name": "qwen", "context": 16384} | (model or {})
        ),
        "coder": ModelSettings(endpoint="local", name="coder"),
    }
    return build_client("local", settings, models, clock=SystemClock())


def request(text: str = "Hello", **fields: Any) -> ModelRequest:
    messages = fields.pop("messages", [SystemMessage("Be brief."), HumanMessage(text)])
    return ModelRequest(**{"model": "small", "messages": messages} | fields)


async def streamed(client: Client, asked: ModelRequest) -> AIMessage:
    return join([piece async for piece in client.stream(asked)])


async def test_an_answer_comes_whole_and_in_pieces_alike(client, provider):
    """Both ways give the same text, usage, finish reason and thinking."""
    reply = Reply(text="Good evening to you.", thinking="Be kind.", usage=Usage(30, 7))
    provider.enqueue(reply, reply)
    for message in (await client.answer(request()), await streamed(client, request())):
        conclusion = client.conclude(request(), message)
        assert message.text == "Good evening to you."
        assert message.additional_kwargs == {"reasoning_content": "Be kind."}
        assert conclusion.finish_reason == "stop"
        assert (conclusion.usage.input_tokens, conclusion.usage.output_tokens) == (30, 7)
        assert message.usage_metadata["total_tokens"] == 37
        assert not conclusion.truncated_prompt
    assert [sent.body["stream"] for sent in provider.requests] == [False, True]


async def test_what_is_sent(client, provider):
    """One pinned context, half an hour of keep-alive, bounds as options, and no think unasked."""
    await client.answer(request(max_tokens=50, temperature=0.3, stop=["END"]))
    sent = provider.requests[0]
    assert sent.path == "/api/chat"
    assert sent.body == {
        "model": "qwen",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
        ],
        "stream": False,
        "options": {"num_ctx": 16384, "num_predict": 50, "temperature": 0.3, "stop": ["END"]},
        "keep_alive": 1800,
    }


async def test_the_context_is_8192_when_nobody_says(client, provider):
    """Ollama's own default of 4096 would truncate without a word."""
    await client.answer(request(model="coder"))
    assert provider.requests[0].body["options"] == {"num_ctx": 8192}


@pytest.mark.parametrize(("setting", "sent"), [("0s", 0), ("2h", 7200), ("forever", -1)])
async def test_keep_alive_is_sent_in_seconds(provider, setting, sent):
    """For ever is -1, and 0 unloads at once."""
    client = client_of(provider, keep_alive=setting)
    await client.answer(request())
    assert provider.requests[0].body["keep_alive"] == sent
    await client.close()


async def test_extra_fields_become_model_options(provider):
    """What is no field of Ollama's request is an option; the pinned context wins over all."""
    client = client_of(
        provider,
        model={"extra_body": {"top_k": 20, "options": {"num_ctx": 99}}},
        extra_body={"top_k": 10, "options": {"seed": 1}},
    )
    await client.answer(request())
    assert provider.requests[0].body["options"] == {"top_k": 20, "seed": 1, "num_ctx": 16384}
    await client.close()


async def test_a_schema_is_the_format(client, provider):
    """Ollama holds the answer to it by a grammar."""
    provider.enqueue(Reply(text='{"role": "chat"}'))
    await client.answer(request(json_schema=SCHEMA))
    assert provider.requests[0].body["format"] == SCHEMA


@pytest.mark.parametrize("wanted", [True, False])
async def test_thinking_is_asked_for_or_stopped(client, provider, wanted):
    """A model that can think is told either way."""
    await client.answer(request(thinking=wanted))
    assert provider.requests[0].body["think"] is wanted


async def test_a_model_that_cannot_think_is_not_asked_to(client, provider):
    """It would be a 400; its capabilities are asked for once."""
    for _ in range(2):
        await client.answer(request(model="coder", thinking=True))
    assert all("think" not in sent.body for sent in provider.requests)
    assert [asked.path for asked in provider.other_requests] == ["/api/show"]


async def test_gpt_oss_knows_levels_only(provider):
    """true and false mean nothing to it."""
    client = client_of(provider, model={"name": "gpt-oss:20b"})
    await client.answer(request(thinking=False))
    await client.answer(request(thinking=True))
    assert [sent.body["think"] for sent in provider.requests] == ["low", "medium"]
    await client.close()


async def test_tools_are_offered_and_called(client, provider):
    """Arguments come as they were, also a text that happens to be JSON."""
    call = ToolCall("write", {"path": "a.json", "content": '{"x": 1}'})
    provider.enqueue(*[Reply(text="", tool_calls=(call, call))] * 2)
    asked = request(tools=[write])
    for message in (await client.answer(asked), await streamed(client, asked)):
        assert [c["args"] for c in message.tool_calls] == [call.arguments] * 2
        assert len({c["id"] for c in message.tool_calls}) == 2
        assert client.conclude(asked, message).finish_reason == "tool_calls"
    assert provider.requests[0].body["tools"][0]["function"]["name"] == "write"
    assert "tool_choice" not in provider.requests[0].body


async def test_a_conversation_of_other_providers_is_understood(client, provider):
    """Blocks that the library would stop at are left out; calls and results stay."""
    blocks: list[Any] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "I write."},
    ]
    call = {"name": "write", "args": {"path": "a", "content": "b"}, "id": "c1"}
    messages = [
        HumanMessage("Write b to a."),
        AIMessage(blocks, tool_calls=[call]),
        ToolMessage("done", tool_call_id="c1"),
    ]
    await client.answer(request(messages=messages))
    _, said, result = provider.requests[0].body["messages"]
    assert said["content"] == "I write."
    assert said["tool_calls"][0]["function"]["arguments"] == call["args"]
    assert (result["role"], result["content"]) == ("tool", "done")


@pytest.mark.parametrize("fault", [Fault.EARLY_END, Fault.UNFRAMED])
async def test_a_torn_stream_has_no_finish_reason(client, provider, fault):
    """Nothing is raised when the last line is missing."""
    provider.enqueue(Reply(text="One two three", fault=fault, fault_after=2))
    message = await streamed(client, request())
    assert message.text == "One two"
    conclusion = client.conclude(request(), message)
    assert (conclusion.finish_reason, conclusion.usage.input_tokens) == (None, None)


async def test_a_whole_answer_that_breaks_off_is_an_error(client, provider):
    """The library would have streamed it and taken the half for the whole."""
    provider.enqueue(Reply(fault=Fault.CUT))
    with pytest.raises(httpx.HTTPError):
        await client.answer(request())


async def test_a_dropped_prompt_is_noticed(client, provider):
    """4,096 tokens are too few for 60,000 letters; 15,000 are not."""
    long = request("word " * 12_000)
    for counted, expected in ((4096, True), (15_000, False)):
        provider.enqueue(Reply(usage=Usage(input_tokens=counted)))
        message = await client.answer(long)
        assert client.conclude(long, message).truncated_prompt is expected


async def test_refusals_keep_status_and_words(client, provider):
    """Whole and streamed, with one request each."""
    provider.enqueue(*[Reply.refusal(503, {"error": "server busy, please try again."})] * 2)
    for attempt in (client.answer, lambda asked: streamed(client, asked)):
        with pytest.raises(ollama.ResponseError, match="server busy") as raised:
            await attempt(request())
        assert raised.value.status_code == 503
    assert len(provider.requests) == 2


async def test_an_error_inside_a_stream_is_raised(client, provider):
    """After some tokens."""
    provider.enqueue(Reply(text="a b c", fault=Fault.ERROR, error="the model crashed"))
    with pytest.raises(ollama.ResponseError, match="the model crashed"):
        await streamed(client, request())


async def test_the_total_timeout_is_ours(client, provider):
    """The library has none of its own."""
    provider.enqueue(Reply(fault=Fault.HANG))
    with pytest.raises(httpx.TimeoutException):
        await client.answer(request(total_s=0.2))


async def test_a_stream_that_is_given_up_lets_go_of_its_connection(client, provider):
    """So that Ollama stops generating."""
    provider.enqueue(Reply(text="a b c", fault=Fault.STALL, fault_after=1))
    stream = client.stream(request())
    async for piece in stream:
        if piece.text:
            break
    await stream.aclose()
    await provider.until(lambda seen: seen.requests[0].result == "gone")


async def test_present_says_what_is_there_and_how_it_is_loaded(client):
    """Names, digest, trained and loaded context, capabilities as the template mentions them."""
    qwen, coder = await client.present()
    assert qwen == PresentModel(
        name="qwen",
        context=32768,
        capabilities=frozenset({"completion", "tools", "thinking"}),
        version="0" * 64,
    )
    assert coder.loaded_context == 4096
    assert coder.memory_bytes


async def test_warming_loads_with_the_context_of_the_calls(client, provider):
    """Another one would load it twice."""
    await client.warm("small")
    assert provider.models[0].loaded_context == 16384
    assert provider.other_requests[0].json["keep_alive"] == 1800
    assert provider.requests == []


async def test_neither_proxies_nor_keys_of_the_environment_reach_loopback(provider, monkeypatch):
    """The library would send OLLAMA_API_KEY to any server."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OLLAMA_API_KEY", "secret")
    client = client_of(provider)
    await client.answer(request())
    assert "authorization" not in provider.requests[0].headers
    await client.close()


async def test_a_configured_key_is_sent(provider):
    """Ollama's cloud wants it as a bearer token."""
    client = client_of(provider, key="sk-cloud", headers={"X-Team": "bats"})
    await client.answer(request())
    assert provider.requests[0].headers["authorization"] == "Bearer sk-cloud"
    assert provider.requests[0].headers["x-team"] == "bats"
    await client.close()


async def test_nobody_listening_is_a_connection_error(provider):
    """Whole, streamed, and when asked what is there."""
    client = client_of(provider, url="http://127.0.0.1:9")
    with pytest.raises(httpx.ConnectError):
        await client.answer(request())
    with pytest.raises(httpx.ConnectError):
        await streamed(client, request())
    with pytest.raises(ConnectionError):
        await client.present()
    await client.close()
