"""What an Ollama server says about its models: there, capable of, loaded."""

import asyncio
from dataclasses import replace

from ollama import AsyncClient, ProcessResponse, ResponseError, ShowResponse

from noctule.models.base.client import PresentModel

_ASKED_AT_ONCE = 4


async def present_models(client: AsyncClient) -> list[PresentModel]:
    """Return every model of a server.

    Raises:
        ollama.ResponseError: the server refused to list them.
        ConnectionError: nobody listens.
    """
    listed, running = await asyncio.gather(client.list(), client.ps())
    names = [entry.model for entry in listed.models if entry.model]
    at_once = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def shown(name: str) -> ShowResponse | None:
        async with at_once:
            try:
                return await client.show(name)
            except ResponseError:  # removed since it was listed
                return None

    details = await asyncio.gather(*map(shown, names))
    loaded = {entry.model: entry for entry in running.models}
    digests = {entry.model: entry.digest or "" for entry in listed.models}
    return [
        replace(_present(name, detail, loaded.get(name)), version=digests[name])
        for name, detail in zip(names, details, strict=True)
    ]


def _present(
    name: str, shown: ShowResponse | None, loaded: ProcessResponse.Model | None
) -> PresentModel:
    capabilities = shown.capabilities if shown else None
    return PresentModel(
        name=name,
        context=_trained_context(shown),
        loaded_context=loaded.context_length if loaded else None,
        memory_bytes=int(loaded.size) if loaded and loaded.size is not None else None,
        capabilities=None if capabilities is None else frozenset(capabilities),
    )


def _trained_context(shown: ShowResponse | None) -> int | None:
    """It stands under the architecture's name, like ``qwen2.context_length``."""
    for field, value in ((shown.modelinfo if shown else None) or {}).items():
        if field.endswith(".context_length") and isinstance(value, int):
            return value
    return None
