from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from pydantic import SecretStr

from noctule.core.clock import SystemClock
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest
from noctule.models.clients.build import build_client
from noctule.models.wire.chunks import join
from tests.support.provider import Fault, Provider, Reply
from tests.support.replies import ToolCall, Usage

SCHEMA = {
    "title": "Route",
    "type": "object",
    "properties": {"role": {"type": "string"}},
    "required": ["role"],
    "additionalProperties": False,
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


def client_of(provider: Provider, *, model: dict | None = None, **endpoint: object) -> Client:
    settings = EndpointSettings.model_validate(
        {"kind": EndpointKind.OPENAI, "url": provider.openai_url, "key": "sk-test"} | endpoint
    )
    models = {"small": ModelSettings(endpoint="host", name="vendor/small-1", **(model or {}))}
    return build_client("host", settings, models, clock=SystemClock())


def request(text: str = "Hello", **fields: Any) -> ModelRequest:
    messages = fields.pop("messages", [SystemMessage("Be brief."), HumanMessage(text)])
    return ModelRequest(model="small", messages=messages, **fields)


async def streamed(client: Client, asked: ModelRequest) -> tuple[AIMessage, list[AIMessageChunk]]:
    pieces = [piece async for piece in client.stream(asked)]
    return join(pieces), pieces


async def asked_both_ways(client: Client, asked: ModelRequest) -> list[AIMessage]:
    return [await client.answer(asked), (await streamed(client, asked))[0]]


async def test_an_answer_comes_whole_and_in_pieces_alike(client, provider):
    """Both ways give the same text, usage, finish reason and thinking, and pieces come apart."""
    usage = Usage(input_tokens=100, output_tokens=7, cached_tokens=60, cost=0.00125)
    reply = Reply(text="Good evening to you.", thinking="Be kind.", usage=usage)
    provider.enqueue(reply, reply)
    whole = await client.answer(request())
    joined, pieces = await streamed(client, request())
    for message in (whole, joined):
        conclusion = client.conclude(request(), message)
        assert message.text == "Good evening to you."
        assert message.additional_kwargs["reasoning_content"] == "Be kind."
        assert conclusion.finish_reason == "stop"
        assert conclusion.usage.input_tokens == 100
        assert conclusion.usage.cached_tokens == 60
        assert conclusion.usage.output_tokens == 7
        assert conclusion.usage.reported_usd == Decimal("0.00125")
        assert message.usage_metadata["input_token_details"]["cache_read"] == 60
    assert [piece.text for piece in pieces if piece.text] == ["Good", " evening", " to", " you."]


async def test_what_is_sent(client, provider):
    """The body has OpenAI's form, the usage is asked for, and the key is in the header."""
    await streamed(client, request(max_tokens=50, temperature=0.3, stop=["END"]))
    sent = provider.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-test"
    assert sent.body == {
        "model": "vendor/small-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
        ],
        "max_tokens": 50,
        "temperature": 0.3,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_nothing_is_sent_that_nobody_asked_for(client, provider):
    """A bare request carries model, messages and nothing about thinking or sampling."""
    await client.answer(request())
    assert provider.requests[0].body.keys() == {"model", "messages", "stream"}


async def test_extra_bodies_are_merged_with_the_nearest_winning(provider):
    """Endpoint, model and request may each add fields; the later ones win at every depth."""
    client = client_of(
        provider,
        model={"extra_body": {"provider": {"sort": "price"}, "seed": 2}},
        extra_body={"provider": {"sort": "speed", "max_price": {"prompt": 1}}, "seed": 1},
        headers={"X-Title": "Noctule"},
    )
    await client.answer(request(extra={"extra_body": {"seed": 3}}))
    sent = provider.requests[0]
    assert sent.body["provider"] == {"sort": "price", "max_price": {"prompt": 1}}
    assert sent.body["seed"] == 3
    assert sent.headers["x-title"] == "Noctule"
    await client.close()


async def test_a_json_schema_goes_into_the_body_as_it_is(client, provider):
    """The schema is sent strictly, by its title, and no parser of the SDK comes in between."""
    provider.enqueue(*[Reply(text='{"role": "chat"}')] * 2)
    for message in await asked_both_ways(client, request(json_schema=SCHEMA)):
        assert message.text == '{"role": "chat"}'
    for sent in provider.requests:
        assert sent.body["response_format"] == {
            "type": "json_schema",
            "json_schema": {"name": "Route", "strict": True, "schema": SCHEMA},
        }


async def test_an_open_schema_is_not_called_strict(client, provider):
    """OpenAI refuses strict schemas that leave anything open, so ours does not say strict."""
    open_schema = {"title": "Any thing", "type": "object", "properties": {"a": {"type": "string"}}}
    await client.answer(request(json_schema=open_schema))
    sent = provider.requests[0].body["response_format"]["json_schema"]
    assert sent == {"name": "Any_thing", "schema": open_schema}


async def test_an_endpoint_without_schemas_is_asked_in_words(provider):
    """With ``json_schema: false`` the system message asks, and no field of the body does."""
    client = client_of(provider, model={"json_schema": False})
    await client.answer(request(json_schema=SCHEMA))
    body = provider.requests[0].body
    assert "response_format" not in body
    assert body["messages"][0]["content"].startswith("Be brief.\n\nAnswer with one JSON object")
    assert '"role"' in body["messages"][0]["content"]
    await client.close()


async def test_tools_are_offered_and_called(client, provider):
    """A tool reaches the body as a function, and calls come back whole and streamed."""
    reply = Reply(text="", tool_calls=(ToolCall("add", {"a": 2, "b": 3}, "call_9"),))
    provider.enqueue(reply, reply)
    for message in await asked_both_ways(client, request(tools=[add], tool_choice="any")):
        assert [(c["name"], c["args"], c["id"]) for c in message.tool_calls] == [
            ("add", {"a": 2, "b": 3}, "call_9")
        ]
        assert client.conclude(request(), message).finish_reason == "tool_calls"
    body = provider.requests[0].body
    assert body["tool_choice"] == "required"
    assert body["tools"][0]["function"]["name"] == "add"
    assert body["tools"][0]["function"]["parameters"]["required"] == ["a", "b"]


async def test_arguments_that_are_no_json_are_an_invalid_call(client, provider):
    """Broken arguments are kept as an invalid call, whole and streamed, and never guessed."""
    reply = Reply(text="", tool_calls=(ToolCall("add", '{"a": 2, "b'),))
    provider.enqueue(reply, reply)
    for message in await asked_both_ways(client, request(tools=[add])):
        assert message.tool_calls == []
        assert [call["name"] for call in message.invalid_tool_calls] == ["add"]


async def test_a_conversation_with_tools_goes_back_as_it_was(client, provider):
    """Blocks of other providers are left out; calls, results and text are kept in order."""
    blocks: list[Any] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "I add."},
        {"type": "tool_use", "id": "c1", "name": "add", "input": {}},
    ]
    call = {"name": "add", "args": {"a": 1, "b": 1}, "id": "c1"}
    said = AIMessage(blocks, tool_calls=[call], additional_kwargs={"reasoning_content": "Hm."})
    messages = [
        HumanMessage([{"type": "text", "text": "1+1?"}]),
        said,
        ToolMessage("2", tool_call_id="c1"),
    ]
    await client.answer(request(messages=messages))
    user, assistant, result = provider.requests[0].body["messages"]
    assert user == {"role": "user", "content": "1+1?"}
    assert assistant["content"] == "I add."
    assert assistant["tool_calls"][0]["function"] == {
        "name": "add",
        "arguments": '{"a": 1, "b": 1}',
    }
    assert "reasoning_content" not in assistant
    given = assistant["tool_calls"][0]["id"]
    assert result == {"role": "tool", "content": "2", "tool_call_id": given}


@pytest.mark.parametrize("wanted", [True, False])
async def test_thinking_reaches_a_server_of_ones_own_through_its_template(client, provider, wanted):
    """An unknown host gets the two template variables that are in use."""
    await client.answer(request(thinking=wanted))
    assert provider.requests[0].body["chat_template_kwargs"] == {
        "enable_thinking": wanted,
        "thinking": wanted,
    }


@pytest.mark.parametrize("fault", [Fault.EARLY_END, Fault.UNFRAMED])
async def test_a_torn_stream_has_no_finish_reason(client, provider, fault):
    """The library raises nothing when a stream ends early; the missing reason is the sign."""
    provider.enqueue(Reply(text="One two three", fault=fault, fault_after=2))
    message, _ = await streamed(client, request())
    assert message.text == "One two"
    assert client.conclude(request(), message).finish_reason is None


async def test_a_provider_that_reports_no_usage_leaves_it_unknown(client, provider):
    """No usage is None everywhere, never 0."""
    provider.enqueue(*[Reply(usage=None)] * 2)
    for message in await asked_both_ways(client, request()):
        usage = client.conclude(request(), message).usage
        assert (usage.input_tokens, usage.output_tokens, usage.reported_usd) == (None,) * 3
        assert message.usage_metadata is None


async def test_a_refusal_is_asked_for_once_and_keeps_headers_and_body(client, provider):
    """A 429 is raised at once, with what the evidence is read from."""
    body = {"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}
    provider.enqueue(*[Reply.refusal(429, body, {"Retry-After": "7"})] * 2)
    for attempt in (client.answer, lambda asked: streamed(client, asked)):
        with pytest.raises(openai.RateLimitError) as raised:
            await attempt(request())
        assert raised.value.response.headers["retry-after"] == "7"
        assert raised.value.body == body["error"]
    assert len(provider.requests) == 2


async def test_an_error_in_a_200_is_an_error(client, provider):
    """Whole, in place of a stream, and in the middle of one."""
    error = {"message": "Provider returned error", "code": 502}
    provider.enqueue(*[Reply(body={"error": error})] * 2)
    provider.enqueue(Reply(text="a b c", fault=Fault.ERROR, error=error))
    for attempt in (client.answer, *[lambda asked: streamed(client, asked)] * 2):
        with pytest.raises(openai.APIError) as raised:
            await attempt(request())
        assert raised.value.body == error


async def test_an_error_beside_a_choice_is_an_error(client, provider):
    """OpenRouter puts an upstream's failure into the choice of a 200."""
    error = {"message": "upstream failed", "code": 502}
    provider.enqueue(
        Reply(body={"choices": [{"finish_reason": "error", "error": error, "message": {}}]})
    )
    with pytest.raises(openai.APIError) as raised:
        await client.answer(request())
    assert raised.value.body == error


@pytest.mark.parametrize("fault", [Fault.NOT_JSON, Fault.BAD_UTF8])
async def test_a_body_that_is_no_answer_is_raised_with_the_response(client, provider, fault):
    """HTML and broken UTF-8 are told apart from an answer, with what came."""
    provider.enqueue(Reply(fault=fault))
    with pytest.raises(openai.APIResponseValidationError) as raised:
        await client.answer(request())
    assert raised.value.status_code == 200
    assert raised.value.body


async def test_a_server_that_does_not_stream_is_read_all_the_same(client, provider):
    """A whole JSON answer to a streaming request comes as one piece."""
    choice = {"message": {"role": "assistant", "content": "Whole."}, "finish_reason": "stop"}
    provider.enqueue(Reply(body={"choices": [choice], "usage": {"prompt_tokens": 3}}))
    message, pieces = await streamed(client, request())
    assert message.text == "Whole."
    assert client.conclude(request(), message).finish_reason == "stop"
    assert [piece.text for piece in pieces if piece.text] == ["Whole."]


async def test_nobody_listening_is_a_connection_error(provider):
    """A closed port raises the SDK's connection error."""
    client = client_of(provider, url="http://127.0.0.1:9/v1")
    with pytest.raises(openai.APIConnectionError):
        await client.answer(request())
    await client.close()


async def test_the_total_timeout_is_ours(client, provider):
    """A server that hangs is given up after the request's own total, also outside a binding."""
    provider.enqueue(Reply(fault=Fault.HANG))
    with pytest.raises(openai.APITimeoutError):
        await client.answer(request(total_s=0.2))


async def test_proxies_of_the_environment_stay_out_of_loopback(provider, monkeypatch):
    """Whatever proxy is set, this machine is spoken to directly."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    client = client_of(provider)
    assert (await client.answer(request())).text == "Hello there."
    await client.close()


async def test_a_stream_that_is_given_up_lets_go_of_its_connection(client, provider):
    """Closing the iterator early hangs up, so that the provider stops generating."""
    provider.enqueue(Reply(text="a b c", fault=Fault.STALL, fault_after=1))
    stream = client.stream(request())
    async for piece in stream:
        if piece.text:
            break
    await stream.aclose()
    await provider.until(lambda seen: seen.requests[0].result == "gone")
    assert (await client.answer(request())).text == "Hello there."


async def test_present_lists_the_models(client, provider):
    """The endpoint's own list, with the key."""
    assert [model.name for model in await client.present()] == ["model"]
    assert provider.other_requests[0].headers["authorization"] == "Bearer sk-test"


async def test_without_a_key_the_server_still_answers(provider):
    """Servers of one's own want no key; OPENAI_API_KEY is not sent to them by accident."""
    client = client_of(provider, key=None)
    await client.answer(request())
    assert provider.requests[0].headers["authorization"] == "Bearer none"
    await client.close()


def test_the_key_is_in_no_representation():
    """Neither the settings nor the client show it."""
    settings = EndpointSettings(kind=EndpointKind.OPENAI, key=SecretStr("sk-secret"))
    client = build_client("host", settings, {}, clock=SystemClock())
    assert "sk-secret" not in repr(settings) + repr(client) + repr(vars(client))
