"""``kind: embedded``: llama.cpp in a child process, spoken to like any OpenAI-compatible URL."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from noctule.core.clock import Clock
from noctule.core.settings.endpoint import EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import ModelRequest, PresentModel
from noctule.models.clients.openai.client import OpenAIClient, build_wire
from noctule.models.embedded.options import EmbeddedOptions
from noctule.models.embedded.server import EmbeddedServer, ServerAddress
from noctule.models.embedded.templates import template_version
from noctule.models.embedded.weights import weights_version

if TYPE_CHECKING:
    from noctule.models.clients.openai.wire import OpenAIWire, WireChat

DEFAULT_CONTEXT = 8192


class Served(Protocol):
    """Where an OpenAI-compatible server of ours listens; ``EmbeddedServer`` is one."""

    async def address(self) -> ServerAddress:
        """Return the address of a live server, starting or restarting it first if need be."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class EmbeddedClient(OpenAIClient):
    """The embedded endpoint.

    Args:
        endpoint: its settings; ``weights``, ``chat_template`` and ``slots`` count.
        models: its models by name; they all are the one GGUF file, with the largest context.
        clock: measures the server's restarts.
        server: the process; None makes one that starts at the first request.
    """

    def __init__(
        self,
        endpoint: EndpointSettings,
        models: Mapping[str, ModelSettings],
        *,
        clock: Clock,
        server: Served | None = None,
    ) -> None:
        super().__init__(endpoint, models)
        self._server: Served = server or EmbeddedServer(options_of(endpoint, models), clock=clock)
        self._at: ServerAddress | None = None

    async def present(self) -> list[PresentModel]:
        """Return the configured models, once the server is up.

        Raises:
            EmbeddedModelError: it cannot be started.
        """
        declared = await self._declared(await self._wire())
        version = await asyncio.to_thread(_version, self._endpoint)
        return [
            PresentModel(
                capabilities=declared,
                version=version,
                name=model.name,
                context=model.context or DEFAULT_CONTEXT,
                loaded_context=model.context or DEFAULT_CONTEXT,
            )
            for model in self._models.values()
        ]

    async def warm(self, model: str) -> None:
        """Start the server.

        Raises:
            EmbeddedModelError: it cannot be started.
        """
        del model  # all are the one file
        await self._wire()

    async def address(self) -> ServerAddress:
        """Return where its server listens, starting it first if need be."""
        return await self._server.address()

    async def close(self) -> None:
        """Close every connection and end the server."""
        await super().close()
        await self._server.close()

    async def _wire(self) -> "OpenAIWire":
        """Return a pool to the server as it now is: a restart gives it a new port and key."""
        address = await self._server.address()
        async with self._building:
            if self._built is not None and self._at == address:
                return self._built
            before, self._at = self._built, address
            self._built = await asyncio.to_thread(
                build_wire,
                url=address.url,
                key=address.api_key,
                headers={},
                keep_alive=False,  # see ServerAddress
            )
            if before is not None:
                await before.close()
            return self._built

    def _tools(self, chat: "WireChat", request: ModelRequest) -> dict[str, Any]:
        """Offer a tool that must be called alone: llama.cpp takes its name for ``auto``."""
        bound = super()._tools(chat, request)
        choice = bound.get("tool_choice")
        if not isinstance(choice, Mapping) or "function" not in choice:
            return bound
        named = choice["function"].get("name")
        only = [tool for tool in bound["tools"] if tool["function"]["name"] == named]
        return {**bound, "tools": only, "tool_choice": "required"}


def options_of(endpoint: EndpointSettings, models: Mapping[str, ModelSettings]) -> EmbeddedOptions:
    """Return how the settings say a GGUF file is served."""
    contexts = [model.context or DEFAULT_CONTEXT for model in models.values()]
    return replace(
        EmbeddedOptions(),
        weights=endpoint.weights,
        chat_template=endpoint.chat_template,
        slots=endpoint.slots,
        context_tokens=max(contexts, default=DEFAULT_CONTEXT),
    )


def _version(endpoint: EndpointSettings) -> str:
    """Return what tells one pair of weights and template from another; reads both files."""
    weights = weights_version(endpoint.weights)
    if endpoint.chat_template is None or not weights:
        return weights
    template = template_version(endpoint.chat_template)
    return f"{weights}+{template}" if template else ""
