"""What must hold between sections: names that exist, fallbacks that differ, no cycles."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from noctule.core.base.roles import ANSWERING, Role
from noctule.core.settings.account import account_findings
from noctule.core.settings.budget_checks import budget_findings
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings, WindowSettings
from noctule.core.settings.model import ModelSettings
from noctule.core.settings.parts import Parts
from noctule.core.settings.role import RoleSettings
from noctule.core.settings.root import Settings
from noctule.core.settings.tool_checks import tool_findings

_SECRET_HEADER = re.compile(r"authorization|cookie|secret|token|api-?key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SettingsFinding:
    """One thing wrong between sections; the reader of the file adds where it stands.

    Args:
        path: keys from the root, like ``("roles", "chat", "primary")``.
        message: what is wrong.
        fix: what to write instead.
    """

    path: tuple[str, ...]
    message: str
    fix: str


def find_problems(settings: Settings) -> list[SettingsFinding]:
    """Return everything wrong between sections; [] means sound."""
    return findings_in(Parts.of(settings))


def findings_in(parts: Parts) -> list[SettingsFinding]:
    """Return everything wrong between the sections that could be read; [] means nothing seen."""
    bound = parts.bound_endpoints()
    return [
        *_general(parts),
        *(
            finding
            for name, endpoint in parts.endpoints.items()
            if endpoint is not None
            for finding in _endpoint(name, endpoint, bound.get(name, []))
        ),
        *_models(parts),
        *(
            finding
            for role, binding in parts.roles.items()
            for finding in _binding(parts, role, binding)
        ),
        *(SettingsFinding(*found) for found in budget_findings(parts)),
        *(SettingsFinding(*found) for found in tool_findings(parts)),
    ]


def _general(parts: Parts) -> Iterator[SettingsFinding]:
    if parts.timezone is not None and not _zone_exists(parts.timezone):
        yield SettingsFinding(
            ("timezone",),
            f"there is no time zone {parts.timezone!r}.",
            "write one like Europe/Berlin, or leave it out for the system's.",
        )
    if parts.default_role == Role.ORCHESTRATOR:
        yield SettingsFinding(
            ("default_role",),
            "the orchestrator decides who answers; it does not answer.",
            f"write one of: {', '.join(ANSWERING)}.",
        )
    if not (parts.storage.is_sqlite or parts.storage.is_postgres):
        yield SettingsFinding(
            ("storage", "url"),
            "it names no database Noctule can use.",
            "write sqlite (files in the data folder), sqlite:///PATH or postgresql://host/database.",
        )
    for text in parts.parking.quiet_hours or ():
        if not _is_time(text):
            yield SettingsFinding(
                ("parking", "quiet_hours"),
                f"{text!r} is no time of day.",
                'write two like ["22:00", "07:00"].',
            )
    if not _is_address(parts.telegram.base_url):
        yield SettingsFinding(
            ("telegram", "base_url"),
            f"{parts.telegram.base_url!r} is no http address.",
            "leave it out for https://api.telegram.org/bot, or start it with http:// or https://.",
        )


def _endpoint(name: str, endpoint: EndpointSettings, roles: list[str]) -> Iterator[SettingsFinding]:
    path = ("endpoints", name)
    if endpoint.url is not None:
        yield from _url(path, endpoint.kind, endpoint.url)
    if roles and endpoint.key is None:
        yield from _key(path, endpoint, roles)
    for header in endpoint.headers:
        if _SECRET_HEADER.search(header):
            yield SettingsFinding(
                (*path, "headers", header),
                f"the header {header!r} carries a secret, and headers are shown.",
                "use key: for the endpoint's key.",
            )
    if endpoint.window is not None:
        yield from _window((*path, "window"), endpoint.window)
    if endpoint.account is not None:
        where, has_key = (*path, "account"), endpoint.key is not None
        found = account_findings(where, endpoint.account, endpoint.url, has_key=has_key)
        yield from (SettingsFinding(*one) for one in found)


def _url(path: tuple[str, ...], kind: EndpointKind, url: str) -> Iterator[SettingsFinding]:
    if kind in {EndpointKind.EMBEDDED, EndpointKind.SCRIPTED}:
        yield SettingsFinding((*path, "url"), f"{kind.value} endpoints have no url.", "remove it.")
    elif not _is_address(url):
        yield SettingsFinding(
            (*path, "url"), f"{url!r} is no http address.", "start it with http:// or https://."
        )
    elif urlsplit(url).password:
        yield SettingsFinding(
            (*path, "url"),
            "the address holds a password, and addresses are shown.",
            'leave it out and write key: "${VARIABLE}".',
        )


def _key(
    path: tuple[str, ...], endpoint: EndpointSettings, roles: list[str]
) -> Iterator[SettingsFinding]:
    users = f"{' and '.join(roles)} may use it" if roles else ""
    if endpoint.kind is EndpointKind.OPENAI and endpoint.url is None:
        yield SettingsFinding(
            (*path, "key"),
            f"OpenAI itself needs a key, and {users}.",
            'write key: "${OPENAI_API_KEY}", or the url of your own server.',
        )
    if endpoint.kind is EndpointKind.ANTHROPIC and endpoint.url is None:
        yield SettingsFinding(
            (*path, "key"),
            f"Anthropic needs a key, and {users}.",
            'write key: "${ANTHROPIC_API_KEY}".',
        )


def _window(path: tuple[str, ...], window: WindowSettings) -> Iterator[SettingsFinding]:
    try:
        window.to_window()
    except ValueError as error:
        what, _, advice = str(error).partition("; ")
        yield SettingsFinding(
            path, f"{what}.", advice or 'write one like {kind: rolling, length: "5h"}.'
        )


def _models(parts: Parts) -> Iterator[SettingsFinding]:
    for name, model in parts.models.items():
        if model is not None and model.endpoint not in parts.endpoints:
            yield SettingsFinding(
                ("models", name, "endpoint"),
                f"there is no endpoint {model.endpoint!r}.",
                _choose(model.endpoint, parts.endpoints),
            )


def _binding(parts: Parts, role: str, binding: RoleSettings) -> Iterator[SettingsFinding]:
    path = ("roles", role)
    named = [("primary", binding.primary), *(("fallback", name) for name in binding.fallback)]
    if binding.escalate is not None:
        named.append(("escalate", binding.escalate))
    for key, model in named:
        if model not in parts.models:
            yield SettingsFinding(
                (*path, key), f"there is no model {model!r}.", _choose(model, parts.models)
            )
    yield from _order(path, binding)
    yield from _same_model(path, parts, binding)
    if binding.private and not any(parts.is_local(model) is not False for model in binding.models):
        yield SettingsFinding(
            (*path, "private"),
            "the role is private but none of its models is local.",
            "bind a local model, or remove private.",
        )


def _order(path: tuple[str, ...], binding: RoleSettings) -> Iterator[SettingsFinding]:
    if binding.primary in binding.fallback:
        yield SettingsFinding(
            (*path, "fallback"),
            f"{binding.primary!r} falls back to itself.",
            "name another model, or remove the fallback.",
        )
    repeated = {name for name in binding.fallback if binding.fallback.count(name) > 1}
    for name in sorted(repeated):
        yield SettingsFinding(
            (*path, "fallback"),
            f"the fallbacks go round in a circle: {name!r} is named more than once.",
            "name each model once.",
        )
    if binding.escalate == binding.primary:
        yield SettingsFinding(
            (*path, "escalate"),
            f"{binding.primary!r} escalates to itself.",
            "name a stronger model, or remove it.",
        )


def _same_model(
    path: tuple[str, ...], parts: Parts, binding: RoleSettings
) -> Iterator[SettingsFinding]:
    """Find a fallback that is the primary under another name: it fails when the primary does."""
    primary = parts.models.get(binding.primary)
    for name in binding.fallback:
        other = parts.models.get(name)
        if name != binding.primary and primary and other and _target(primary) == _target(other):
            yield SettingsFinding(
                (*path, "fallback"),
                f"{name!r} is the same model on the same endpoint as {binding.primary!r}.",
                "name a model that can answer when the primary cannot, or remove the fallback.",
            )


def _target(model: ModelSettings) -> tuple[object, ...]:
    return model.endpoint, model.name, model.context, model.extra_body


def _choose(wrong: str, names: Iterable[str]) -> str:
    known = sorted(names)
    if not known:
        return "define one by that name."
    close = get_close_matches(wrong, known, n=1)
    if close:
        return f"did you mean {close[0]!r}? There are: {', '.join(known)}."
    return f"use one of: {', '.join(known)}."


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_time(text: str) -> bool:
    try:
        return time.fromisoformat(text).tzinfo is None
    except ValueError:
        return False
