"""What must hold between sections: names that exist, fallbacks that differ, no cycles."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from noctule.core.roles import Role
from noctule.core.settings.endpoint import EndpointKind
from noctule.core.settings.role import RoleSettings
from noctule.core.settings.root import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong between sections; the reader of the file adds where it stands.

    Args:
        path: keys from the root, like ``("roles", "chat", "primary")``.
        message: what is wrong.
        fix: what to write instead.
    """

    path: tuple[str, ...]
    message: str
    fix: str


def find_problems(settings: Settings) -> list[Finding]:
    """Return everything wrong between sections, in the order of the file; [] means sound."""
    return [
        *_timezone(settings),
        *_endpoints(settings),
        *_models(settings),
        *(
            finding
            for role, binding in settings.roles.items()
            for finding in _binding(settings, role, binding)
        ),
    ]


def _timezone(settings: Settings) -> Iterator[Finding]:
    if settings.timezone is not None and not _zone_exists(settings.timezone):
        yield Finding(
            ("timezone",),
            f"there is no time zone {settings.timezone!r}.",
            "write one like Europe/Berlin, or leave it out for the system's.",
        )


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _endpoints(settings: Settings) -> Iterator[Finding]:
    for name, endpoint in settings.endpoints.items():
        path = ("endpoints", name)
        in_process = endpoint.kind in {EndpointKind.EMBEDDED, EndpointKind.SCRIPTED}
        if endpoint.url is not None and in_process:
            yield Finding((*path, "url"), f"a {endpoint.kind} endpoint has no url.", "remove it.")
        if endpoint.url is not None and not endpoint.url.startswith(("http://", "https://")):
            yield Finding(
                (*path, "url"),
                f"{endpoint.url!r} is no http address.",
                "start it with http:// or https://.",
            )
        if endpoint.kind is EndpointKind.OPENAI and endpoint.url is None and endpoint.key is None:
            yield Finding(
                (*path, "key"),
                "OpenAI itself needs a key.",
                'write key: "${OPENAI_API_KEY}", or the url of your own server.',
            )
        if endpoint.kind is EndpointKind.ANTHROPIC and endpoint.key is None:
            yield Finding(
                (*path, "key"), "Anthropic needs a key.", 'write key: "${ANTHROPIC_API_KEY}".'
            )
        if (
            endpoint.window
            and endpoint.window.timezone
            and not _zone_exists(endpoint.window.timezone)
        ):
            yield Finding(
                (*path, "window", "timezone"),
                f"there is no time zone {endpoint.window.timezone!r}.",
                "write one like UTC.",
            )


def _models(settings: Settings) -> Iterator[Finding]:
    for name, model in settings.models.items():
        if model.endpoint not in settings.endpoints:
            yield Finding(
                ("models", name, "endpoint"),
                f"there is no endpoint {model.endpoint!r}.",
                _choose(model.endpoint, settings.endpoints),
            )


def _binding(settings: Settings, role: Role, binding: RoleSettings) -> Iterator[Finding]:
    path = ("roles", role.value)
    named = [("primary", binding.primary), *(("fallback", name) for name in binding.fallback)]
    if binding.escalate is not None:
        named.append(("escalate", binding.escalate))
    for key, model in named:
        if model not in settings.models:
            yield Finding(
                (*path, key),
                f"there is no model {model!r}.",
                _choose(model, settings.models),
            )
    yield from _order(path, binding)
    if binding.private and not any(
        settings.is_local(model) for model in binding.models if _known(settings, model)
    ):
        yield Finding(
            (*path, "private"),
            "the role is private but none of its models is local.",
            "bind a local model, or remove private.",
        )


def _order(path: tuple[str, ...], binding: RoleSettings) -> Iterator[Finding]:
    if binding.primary in binding.fallback:
        yield Finding(
            (*path, "fallback"),
            f"{binding.primary!r} falls back to itself.",
            "name another model, or remove the fallback.",
        )
    repeated = {name for name in binding.fallback if binding.fallback.count(name) > 1}
    for name in sorted(repeated):
        yield Finding(
            (*path, "fallback"),
            f"the fallbacks go round in a circle: {name!r} is named more than once.",
            "name each model once.",
        )
    if binding.escalate == binding.primary:
        yield Finding(
            (*path, "escalate"),
            f"{binding.primary!r} escalates to itself.",
            "name a stronger model, or remove it.",
        )


def _known(settings: Settings, model: str) -> bool:
    return model in settings.models and settings.models[model].endpoint in settings.endpoints


def _choose(wrong: str, names: Iterable[str]) -> str:
    known = sorted(names)
    close = get_close_matches(wrong, known, n=1)
    if close:
        return f"did you mean {close[0]!r}? There are: {', '.join(known)}."
    return f"use one of: {', '.join(known)}."
