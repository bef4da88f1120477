"""The client of an endpoint, by its kind; only that kind's libraries are ever imported."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noctule.core.clock import Clock
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client

if TYPE_CHECKING:
    from noctule.models.clients.embedded import Served
    from noctule.models.clients.script import Script


def build_client(
    name: str,
    endpoint: EndpointSettings,
    models: Mapping[str, ModelSettings],
    *,
    clock: Clock,
    script: "Script | None" = None,
    server: "Served | None" = None,
) -> Client:
    """Return a client for one endpoint. Nothing is connected, started or imported heavily yet.

    Args:
        name: the endpoint's name in the configuration.
        endpoint: its settings.
        models: all configured models; those of other endpoints are passed over.
        clock: delays of scripts go through it.
        script: what a scripted endpoint plays; None takes ``endpoint.script``, else it echoes.
        server: the process behind an embedded endpoint; None starts one of its own at need.

    Raises:
        ConfigError: the script cannot be read.
    """
    own = {known: model for known, model in models.items() if model.endpoint == name}
    match endpoint.kind:
        case EndpointKind.OPENAI:
            from noctule.models.clients.openai.client import OpenAIClient  # noqa: PLC0415 - by kind

            return OpenAIClient(endpoint, own)
        case EndpointKind.ANTHROPIC:
            from noctule.models.clients.anthropic.client import AnthropicClient  # noqa: PLC0415 - by kind

            return AnthropicClient(endpoint, own)
        case EndpointKind.OLLAMA:
            from noctule.models.clients.ollama.client import OllamaClient  # noqa: PLC0415 - by kind

            return OllamaClient(endpoint, own)
        case EndpointKind.EMBEDDED:
            from noctule.models.clients.embedded import EmbeddedClient  # noqa: PLC0415 - by kind

            return EmbeddedClient(endpoint, own, clock=clock, server=server)
        case EndpointKind.SCRIPTED:
            return _scripted(endpoint, own, clock=clock, script=script)


def _scripted(
    endpoint: EndpointSettings,
    models: Mapping[str, ModelSettings],
    *,
    clock: Clock,
    script: "Script | None",
) -> Client:
    from noctule.models.clients.script import Script  # noqa: PLC0415 - by kind
    from noctule.models.clients.scripted import ScriptedClient  # noqa: PLC0415 - by kind

    if script is None:
        script = Script.load(endpoint.script) if endpoint.script else Script()
    return ScriptedClient(script, models, clock=clock)
