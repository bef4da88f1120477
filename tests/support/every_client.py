"""Every kind of client, each built as Noctule builds it, over one loopback provider.

In a test::

    async with Provider() as provider, every_client(provider) as clients:
        for kind, client in clients.items(): ...
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from langchain_core.messages import AIMessage

from noctule.core.clock import SystemClock
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest
from noctule.models.clients.build import build_client
from noctule.models.embedded.server import ServerAddress
from noctule.models.wire.chunks import join
from tests.support.provider import Provider

MODEL = "small"


@dataclass
class ServedHere:
    """The embedded server's place, taken by a provider on loopback."""

    url: str

    async def address(self) -> ServerAddress:
        return ServerAddress(url=self.url, api_key="k")

    async def close(self) -> None: ...


@asynccontextmanager
async def every_client(provider: Provider) -> AsyncIterator[dict[str, Client]]:
    """Yield a client of each kind that speaks HTTP, by kind."""
    urls = {
        EndpointKind.OPENAI: provider.openai_url,
        EndpointKind.EMBEDDED: None,
        EndpointKind.OLLAMA: provider.url,
        EndpointKind.ANTHROPIC: provider.url,
    }
    clients = {
        kind.value: build_client(
            "host",
            EndpointSettings(kind=kind, url=url),
            {MODEL: ModelSettings(endpoint="host", name="m")},
            clock=SystemClock(),
            server=ServedHere(provider.openai_url),
        )
        for kind, url in urls.items()
    }
    try:
        yield clients
    finally:
        for client in clients.values():
            await client.close()


async def both_ways(client: Client, request: ModelRequest) -> list[AIMessage]:
    """Ask for the whole answer, then for the same in pieces."""
    pieces = [piece async for piece in client.stream(request)]
    return [await client.answer(request), join(pieces)]
