"""The embedded endpoint on real weights."""

import os
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool

from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.ports.prompts import Fitted, Reader
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest
from noctule.models.clients.build import build_client
from noctule.models.clients.embedded import options_of
from noctule.models.embedded.server import ServerAddress
from noctule.models.embedded.weights import PACKAGED_SHA256
from noctule.models.request.chat_request import ChatRequest
from noctule.models.wire.chunks import join
from tests.support.embedded import SharedServer
from tests.support.provider import Provider
from tests.support.stage import Stage

ENDPOINT = EndpointSettings(kind=EndpointKind.EMBEDDED, slots=1)
MODELS = {"tiny": ModelSettings(endpoint="inside", name="smollm2", context=1024)}
SCHEMA = {
    "title": "Route",
    "type": "object",
    "properties": {"role": {"type": "string", "enum": ["chat", "engineer"]}},
    "required": ["role"],
    "additionalProperties": False,
}


OUT_OF_ORDER = (
    AIMessage("Welcome."),
    HumanMessage("Hi."),
    HumanMessage("Who are you?"),
    SystemMessage("You are Noctule."),
)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def shout(text: str) -> str:
    """Shout a text."""
    return text.upper()


@pytest.fixture
async def client(embedded_server: SharedServer) -> AsyncIterator[Client]:
    made = build_client("inside", ENDPOINT, MODELS, clock=SystemClock(), server=embedded_server)
    yield made
    await made.close()


@pytest.fixture
async def starting_client() -> AsyncIterator[Client]:
    """A client that starts a server of its own, to be killed."""
    made = build_client("inside", ENDPOINT, MODELS, clock=SystemClock())
    yield made
    await made.close()


def request(*messages: Any, **fields: Any) -> ModelRequest:
    asked = list(messages) or [HumanMessage("Say hello.")]
    return ModelRequest(model="tiny", messages=asked, **{"max_tokens": 16} | fields)


@pytest.mark.embedded
async def test_the_packaged_model_answers_whole_and_in_pieces(client):
    """Text, usage and finish reason come from a real llama.cpp server."""
    whole = await client.answer(request())
    joined = join([piece async for piece in client.stream(request())])
    for message in (whole, joined):
        conclusion = client.conclude(request(), message)
        assert message.text.strip()
        assert conclusion.finish_reason in {"stop", "length"}
        assert conclusion.usage.input_tokens > 0
        assert 0 < conclusion.usage.output_tokens <= 16


CONVERSATIONS = (
    (HumanMessage("Say hello."),),
    (SystemMessage("You are an engineer."), HumanMessage("Straße, 数据, 🙂: x[1] = 3.14159")),
    (
        HumanMessage("Read it."),
        AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "abc123def"}]),
        ToolMessage("some words of a file\n" * 20, name="add", tool_call_id="abc123def"),
    ),
)


@pytest.mark.embedded
async def test_a_prompt_is_counted_as_the_server_counts_it(client):
    """Before it is sent, template and tools included: the very number it reports afterwards."""
    wrong = []
    for messages in CONVERSATIONS:
        for tools in ((), (add, shout)):
            asked = request(*messages, tools=tools, max_tokens=1)
            counted = await client.count_tokens(asked)
            told = client.conclude(asked, await client.answer(asked)).usage.input_tokens
            wrong += [] if counted == told else [f"{counted} counted, {told} told: {messages}"]
    assert wrong == []


@pytest.mark.embedded
async def test_a_tight_prompt_is_made_by_the_servers_own_count(client):
    """A conversation at the edge of the window is sent whole when it fits, to the token."""
    text = "Straße, 数据, 🙂, base64 dGhpcyBpcyBhIHRlc3Q=. " * 22
    models = {"tiny": {"endpoint": "here", "context": 1024, "name": "smollm2"}}
    stage = Stage(models=models, roles={"chat": {"primary": "tiny", "fallback": []}})
    vars(stage.client)["count_tokens"] = client.count_tokens
    said = [HumanMessage(text, id="task")]
    for reply in (64, 16):
        fit = Whole(said)
        call = ChatRequest(messages=said, max_tokens=reply, fit=fit)
        await stage.models.call(call, stage.context(Role.CHAT))
    exact = await client.count_tokens(request(*said))
    assert stage.models.reader(stage.context(Role.CHAT)).counter.count(said) == exact
    assert exact > 600


class Whole:
    """Makes a prompt of all there is."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self._messages = messages

    def whole(self, reader: Reader) -> Fitted:
        return Fitted(self._messages)

    def fitted(self, reader: Reader) -> Fitted:
        return Fitted(self._messages)


@pytest.mark.embedded
async def test_a_schema_holds_the_answer_to_a_conversation_out_of_order(client):
    """Late system messages, neighbours of one kind and an assistant at the start are no error."""
    answer = await client.answer(request(*OUT_OF_ORDER, json_schema=SCHEMA, thinking=False))
    assert answer.text.strip().startswith("{")


@pytest.mark.embedded
async def test_after_the_server_died_the_next_request_starts_it_again(starting_client):
    """The address is asked for before each request, so a new port and key are no matter."""
    await starting_client.warm("tiny")
    os.kill(starting_client._server.pid, signal.SIGKILL)
    await starting_client._server._watcher
    assert (await starting_client.answer(request())).text.strip()
    assert [(m.name, m.loaded_context) for m in await starting_client.present()] == [
        ("smollm2", 1024)
    ]


def test_the_settings_say_how_it_is_served():
    """Slots and weights are the endpoint's, the context is the largest of its models."""
    models = MODELS | {"other": ModelSettings(endpoint="inside", name="smollm2")}
    options = options_of(ENDPOINT, models)
    assert (options.slots, options.context_tokens, options.weights) == (1, 8192, None)
    assert options.chat_template is None
    other = ENDPOINT.model_copy(update={"chat_template": Path("calls.jinja")})
    assert options_of(other, models).chat_template == Path("calls.jinja")


class StandIn:
    """A server that listens where the test says."""

    def __init__(self, url: str) -> None:
        self.at = ServerAddress(url=url, api_key="first")

    async def address(self) -> ServerAddress:
        return self.at

    async def close(self) -> None:
        pass


async def test_another_template_is_another_version(tmp_path):
    """What was proved holds for the weights and the template together; no template adds nothing."""
    template = tmp_path / "calls.jinja"
    other = ENDPOINT.model_copy(update={"chat_template": template})
    versions = []
    async with Provider() as provider:
        at = StandIn(provider.openai_url)
        for endpoint, text in ((ENDPOINT, "one"), (other, "one"), (other, "two")):
            template.write_text(text)
            client = build_client("inside", endpoint, MODELS, clock=SystemClock(), server=at)
            [present] = await client.present()
            versions.append(present.version)
            await client.close()
    assert len(set(versions)) == 3
    assert versions[0] == f"sha256:{PACKAGED_SHA256}"
    assert all(version.startswith(f"{versions[0]}+template:") for version in versions[1:])


async def test_messages_reach_strict_templates_in_order():
    """One system message in front, then user and assistant in turns, the user first."""
    async with Provider() as provider:
        client = build_client(
            "inside", ENDPOINT, MODELS, clock=SystemClock(), server=StandIn(provider.openai_url)
        )
        await client.answer(request(*OUT_OF_ORDER))
        assert [(m["role"], m["content"]) for m in provider.requests[0].body["messages"]] == [
            ("system", "You are Noctule."),
            ("user", "(The conversation goes on.)"),
            ("assistant", "Welcome."),
            ("user", "Hi.\n\nWho are you?"),
        ]
        await client.close()


async def test_a_tool_that_must_be_called_is_offered_alone():
    """llama.cpp takes a named choice for no choice at all."""
    async with Provider() as provider:
        client = build_client(
            "inside", ENDPOINT, MODELS, clock=SystemClock(), server=StandIn(provider.openai_url)
        )
        await client.answer(request(tools=[add, shout], tool_choice="shout"))
        body = provider.requests[0].body
        assert [offered["function"]["name"] for offered in body["tools"]] == ["shout"]
        assert body["tool_choice"] == "required"
        await client.close()


async def test_a_new_address_is_used_at_once():
    """After a restart port and key are others; the old pool is closed."""
    async with Provider() as first, Provider() as second:
        server = StandIn(first.openai_url)
        client = build_client("inside", ENDPOINT, MODELS, clock=SystemClock(), server=server)
        await client.answer(request())
        server.at = ServerAddress(url=second.openai_url, api_key="second")
        await client.answer(request())
        assert [len(first.requests), len(second.requests)] == [1, 1]
        assert second.requests[0].headers["authorization"] == "Bearer second"
        await client.close()
