"""Caps: how many calls a role, a model and an endpoint admit at once."""

from noctule.core.settings import EndpointKind, Settings


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
