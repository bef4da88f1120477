"""What an endpoint has, can and has loaded, against what the configuration says."""

from collections.abc import Iterator, Sequence

from noctule.core.llm.requirements import uses_tools
from noctule.core.settings import EndpointKind, Settings
from noctule.doctor.finding import Finding, Level
from noctule.models.base.client import PresentModel
from noctule.models.capabilities.model_lookup import find_listed
from noctule.models.capabilities.model_state import DEFAULT_WINDOW_TOKENS


def compare(
    settings: Settings, endpoint: str, present: Sequence[PresentModel]
) -> Iterator[Finding]:
    """Compare the models of an endpoint that roles use.

    Args:
        settings: the configuration.
        endpoint: its configured name.
        present: what it said it has.
    """
    for name in bound_models(settings):
        model = settings.models[name]
        if model.endpoint != endpoint:
            continue
        found = find_listed(model, settings.endpoints[endpoint].kind, present)
        if found is None:
            yield from _missing(settings, name, present)
            continue
        faults = [*_capabilities(settings, name, found), *_context(settings, name, found)]
        yield from faults or [Finding(Level.OK, f"model {name}", f"{endpoint} has {model.name}.")]


def missing_models(settings: Settings, endpoint: str, present: Sequence[PresentModel]) -> list[str]:
    """Return the bound models of an endpoint that it does not have."""
    kind = settings.endpoints[endpoint].kind
    return [
        name
        for name in bound_models(settings)
        if settings.models[name].endpoint == endpoint
        and find_listed(settings.models[name], kind, present) is None
    ]


def bound_models(settings: Settings) -> list[str]:
    """Return every model that a role may use, in the order of the roles."""
    return list(dict.fromkeys(name for _, role in settings.roles.items() for name in role.models))


def _missing(settings: Settings, name: str, present: Sequence[PresentModel]) -> Iterator[Finding]:
    model, about = settings.models[name], f"model {name}"
    if settings.endpoint_of(name).kind is EndpointKind.OLLAMA:
        sentence = f"Ollama ({model.endpoint}) does not have {model.name}."
        yield Finding(Level.ERROR, about, sentence, f"Run `ollama pull {model.name}`.")
    elif present:  # some hosts give no list, or not all of it
        yield Finding(
            Level.WARNING,
            about,
            f"{model.endpoint} does not list {model.name}.",
            f"Correct models.{name}.name if calls to it fail; some hosts do not list everything.",
        )


def _capabilities(settings: Settings, name: str, found: PresentModel) -> Iterator[Finding]:
    can, model, about = found.capabilities, settings.models[name], f"model {name}"
    if can is None:
        return
    if model.tools and "tools" not in can:
        yield Finding(
            Level.WARNING,
            about,
            f"Configured with tools: true, but {model.name} does not report tool support.",
            f"Set models.{name}.tools: false, or use another model where tools are needed.",
        )
    elif model.tools is None and "tools" not in can and _wants_tools(settings, name):
        yield Finding(
            Level.ADVICE,
            about,
            f"{model.name} does not report tool support.",
            f"Set models.{name}.tools: false, so that it is not given tools.",
        )
    if model.vision and "vision" not in can:
        yield Finding(
            Level.WARNING,
            about,
            f"Configured with vision: true, but {model.name} does not report vision.",
            f"Remove models.{name}.vision.",
        )
    if model.thinking and "thinking" not in can:
        yield Finding(
            Level.ADVICE,
            about,
            f"Configured with thinking: true, but {model.name} does not report thinking.",
            f"Remove models.{name}.thinking.",
        )


def _wants_tools(settings: Settings, name: str) -> bool:
    return any(
        name in binding.models and uses_tools(role, binding)
        for role, binding in settings.roles.items()
    )


def _context(settings: Settings, name: str, found: PresentModel) -> Iterator[Finding]:
    model, about = settings.models[name], f"model {name}"
    ollama = settings.endpoint_of(name).kind is EndpointKind.OLLAMA
    wanted = model.context or (DEFAULT_WINDOW_TOKENS if ollama else None)
    if wanted is None:
        return
    if found.context is not None and wanted > found.context:
        yield Finding(
            Level.WARNING,
            about,
            f"models.{name}.context is {wanted}, but {model.name} holds only {found.context} "
            "tokens.",
            f"Set models.{name}.context: {found.context}.",
        )
    loaded = found.loaded_context
    if ollama and loaded is not None and loaded != wanted:
        less = "longer prompts are cut silently" if loaded < wanted else "it takes more memory"
        yield Finding(
            Level.WARNING,
            about,
            f"Ollama has it loaded with {loaded} tokens of context instead of {wanted}: {less}.",
            f"`noctule models warm {name}` loads it as configured. If this comes back, another "
            "program uses the same model with other settings, or there is too little memory.",
        )
