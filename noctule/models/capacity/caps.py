"""Caps: how many calls a role, a model and an endpoint admit at once."""

import platform
from urllib.parse import urlsplit

from noctule.core.settings import EndpointKind, EndpointSettings, Settings
from noctule.models.wire.loopback import is_on_this_machine


def caps_of(settings: Settings) -> dict[str, int]:
    """Return every cap of a configuration: of roles, models and endpoints.

    An Ollama model has one slot unless the configuration says otherwise: a second request would
    queue inside Ollama, where nobody sees it.
    """
    caps = {role_cap(role): own.max_concurrent for role, own in settings.roles.items()}
    for name, model in settings.models.items():
        caps[model_cap(name)] = model.max_concurrent or _usual_cap(settings, name)
    for name, endpoint in settings.endpoints.items():
        caps[endpoint_cap(name)] = endpoint.max_concurrent
    return {cap: most for cap, most in caps.items() if most is not None}


def shared_caps(settings: Settings) -> dict[str, str]:
    """Return what the caps of a configuration are called among all workers of a database.

    A server on this machine's own address is another one on another machine, and llama.cpp inside
    Noctule is another one in each process: those caps hold for all workers of the machine, and
    for each process alone.
    """
    endpoints = {endpoint_cap(name): name for name in settings.endpoints}
    endpoints |= {model_cap(name): model.endpoint for name, model in settings.models.items()}
    shared = {}
    for cap in caps_of(settings):
        endpoint = settings.endpoints.get(endpoints.get(cap, ""))
        where = "" if endpoint is None else _where(endpoint)
        if where is not None:
            shared[cap] = cap + where
    return shared


def _where(endpoint: EndpointSettings) -> str | None:
    """Return what tells an endpoint from others of its name; None: it is another everywhere."""
    if endpoint.kind is EndpointKind.EMBEDDED:
        return None
    host = urlsplit(endpoint.url).hostname if endpoint.url else None
    own = endpoint.url is None and endpoint.kind is EndpointKind.OLLAMA
    return f"@{platform.node()}" if own or is_on_this_machine(host) else ""


def role_cap(role: str) -> str:
    """Return the name of a role's cap."""
    return f"role:{role}"


def model_cap(model: str) -> str:
    """Return the name of a model's cap."""
    return f"model:{model}"


def endpoint_cap(endpoint: str) -> str:
    """Return the name of an endpoint's cap."""
    return f"endpoint:{endpoint}"


def _usual_cap(settings: Settings, model: str) -> int | None:
    endpoint = settings.endpoint_of(model)
    if endpoint.kind is EndpointKind.OLLAMA:
        return 1
    return endpoint.slots if endpoint.kind is EndpointKind.EMBEDDED else None
