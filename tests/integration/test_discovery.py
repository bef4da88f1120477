import asyncio

import httpx
import pytest

from noctule.config import load_text
from noctule.setup.config_writer import propose
from noctule.setup.discover import discover, memory_bytes
from tests.support.provider import FakeModel, Provider


async def look(environ):
    """Look around with a client that asks no proxy."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return await discover(environ, http)


async def test_ollama_is_asked_what_it_has():
    """Its models come with size, context and what they say they can; nothing else is asked."""
    models = [
        FakeModel("qwen3.5:latest", ("completion", "tools", "thinking"), 262144, 6_600_000_000),
        FakeModel("nomic-embed-text:latest", ("embedding",), 2048, 274_000_000),
        FakeModel("glm-5:cloud", ("completion",), 131072, 400),
        FakeModel("bad\nname: x", ("completion",), 1, 1),
    ]
    async with Provider(models=models) as provider:
        found = await look({"OLLAMA_HOST": f"127.0.0.1:{provider.port}"})
    assert found.ollama_trouble is None
    assert found.ollama is not None
    qwen, embed, cloud = found.ollama
    assert (qwen.name, qwen.size_bytes, qwen.context) == ("qwen3.5:latest", 6_600_000_000, 262144)
    assert qwen.capabilities == {"completion", "tools", "thinking"}
    assert embed.capabilities == {"embedding"}
    assert (qwen.remote, cloud.remote) == (False, True)
    assert provider.requests == []


async def test_what_is_found_makes_a_configuration(tmp_path):
    """A real look at a loopback Ollama ends in a text that loads and names its address."""
    async with Provider(models=[FakeModel("qwen3.5:latest")]) as provider:
        environ = {"OLLAMA_HOST": provider.url, "GROQ_API_KEY": "a-value-that-is-not-written"}
        found = await look(environ)
    text = propose(found)
    assert "a-value-that-is-not-written" not in text + repr(found)
    settings = load_text(text, environ=environ, folder=tmp_path, file="proposal")
    assert settings.endpoints["local"].url == provider.url
    assert settings.roles.research.primary == "quick"


async def test_nothing_listening_is_said():
    """Without Ollama the reason is a sentence that says how to start it."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    found = await look({"OLLAMA_HOST": f"127.0.0.1:{port}", "OPENAI_API_KEY": " "})
    assert found.ollama is None
    assert found.keys == ()
    assert "ollama serve" in str(found.ollama_trouble)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "is no Ollama"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "is no Ollama"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"models": [1]}', "is no Ollama"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"),
        (b"220 mail.example ESMTP\r\n", "is no Ollama"),
        (b"", "is no Ollama"),
    ],
)
async def test_something_else_listening_is_not_taken_for_ollama(answer, says):
    """Another server at Ollama's address is recognised, whatever it says."""

    async def speak(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        found = await look({"OLLAMA_HOST": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"})
    assert found.ollama is None
    assert says in str(found.ollama_trouble)


def test_memory_is_known_here():
    """This machine says how much memory it has."""
    assert (memory_bytes() or 0) > 100_000_000
