"""Advice from experience on who is bound to what; asks nobody."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from noctule.core.base.roles import Role
from noctule.core.settings import EndpointKind, RoleSettings, Settings, Tier
from noctule.doctor.finding import Finding, Level
from noctule.doctor.machine import is_here

_PARALLEL = "OLLAMA_NUM_PARALLEL"
_OLLAMA_PARALLEL = 1  # its own default; the variable raises it for the whole server
_READ_BY_AGENTS = (Role.ORCHESTRATOR, Role.UTILITY)


def advise(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what experience says against the bindings.

    Args:
        settings: the configuration.
        environ: the environment variables; OLLAMA_NUM_PARALLEL is believed for this machine.
    """
    yield from _router(settings)
    yield from _bottlenecks(settings)
    yield from _parallelism(settings, environ)
    yield from _paid(settings)


def _router(settings: Settings) -> Iterator[Finding]:
    role = settings.roles.orchestrator
    name = role.primary
    model = settings.models[name]
    if model.tier is Tier.FRONTIER:
        yield Finding(
            Level.ADVICE,
            "role orchestrator",
            f"It decides with {name}, a frontier model: every turn waits for it and pays for it.",
            "Set a small fast model at roles.orchestrator; deciding is easy.",
        )
    thinks = role.thinking if role.thinking is not None else model.thinking
    if thinks:
        yield Finding(
            Level.ADVICE,
            "role orchestrator",
            f"It thinks before it decides ({name}): every turn starts seconds later.",
            "Set roles.orchestrator.thinking: false.",
        )


def _bottlenecks(settings: Settings) -> Iterator[Finding]:
    """A fallback behind the same server and key stops working when the primary does."""
    roles: defaultdict[str, list[str]] = defaultdict(list)
    for role, binding in settings.roles.items():
        if binding.fallback and _shares_bottleneck(settings, binding):
            roles[settings.models[binding.primary].endpoint].append(role.value)
    for endpoint, names in roles.items():
        one = len(names) == 1
        yield Finding(
            Level.ADVICE,
            f"role {names[0]}" if one else "roles",
            f"{', '.join(names)}: primary and fallback both need endpoint {endpoint}; when it is "
            "down or its key is rejected, both fail.",
            "Give at least one of them a fallback on another endpoint.",
        )


def _shares_bottleneck(settings: Settings, binding: RoleSettings) -> bool:
    primary = _bottleneck(settings, binding.primary)
    return all(_bottleneck(settings, name) == primary for name in binding.fallback)


def _bottleneck(settings: Settings, model: str) -> tuple[str, str, str]:
    """Return server and key of a model: two endpoints that share both are one."""
    endpoint = settings.endpoint_of(model)
    key = endpoint.key.get_secret_value() if endpoint.key else ""
    own = endpoint.kind in {EndpointKind.EMBEDDED, EndpointKind.SCRIPTED}
    return endpoint.kind.value, settings.models[model].endpoint if own else endpoint.url or "", key


def _parallelism(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, model in settings.models.items():
        endpoint = settings.endpoint_of(name)
        if endpoint.kind is not EndpointKind.OLLAMA or model.max_concurrent is None:
            continue
        told = environ.get(_PARALLEL, "").strip() if is_here(settings, model.endpoint) else ""
        serves = int(told) if told.isdecimal() and int(told) > 0 else _OLLAMA_PARALLEL
        if model.max_concurrent > serves:
            known = f"{_PARALLEL}={serves}" if told else f"{serves} by default"
            yield Finding(
                Level.ADVICE,
                f"model {name}",
                f"{model.max_concurrent} calls at once are allowed, and Ollama serves {known}: the "
                "others wait inside Ollama, where no fallback can take over.",
                f"Start Ollama with {_PARALLEL}={model.max_concurrent}, or remove "
                f"models.{name}.max_concurrent.",
            )


def _paid(settings: Settings) -> Iterator[Finding]:
    for role in _READ_BY_AGENTS:
        name = settings.roles[role].primary
        if settings.is_local(name) or _is_free(settings, name):
            continue
        yield Finding(
            Level.ADVICE,
            f"role {role.value}",
            f"Mostly other agents read what it writes, and each call to {name} costs money.",
            f"Set a local or the cheapest model at roles.{role.value}.",
        )


def _is_free(settings: Settings, name: str) -> bool:
    price = settings.models[name].price
    return price is not None and not price.input and not price.output
