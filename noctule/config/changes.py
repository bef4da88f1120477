"""What of a changed configuration a running program takes over, and what needs a restart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from noctule.core.settings import EndpointKind, Settings
from noctule.core.settings.base import Section
from noctule.core.settings.checks import findings_in
from noctule.core.settings.parts import Parts

_BUILT_ONCE = ("storage", "tools", "timezone", "keep_awake")
"""Sections that are built into what is open: the database, MCP connections, own tools, times."""

_BUILT_ONCE_WITHIN: Mapping[str, tuple[str, ...]] = {
    "limits": ("max_turns",),
    "telegram": (
        "token",
        "allow",
        "groups",
        "base_url",
        "proxy",
        "webhook",
        "edit_interval",
        "poll_timeout",
        "watchdog",
    ),
}
"""Keys of other sections that are."""


@dataclass(frozen=True, slots=True)
class Change:
    """What came of a changed configuration.

    Args:
        settings: what to work with from now on.
        taken: what is taken over, by its path.
        waiting: what is not before a restart, by its path.
    """

    settings: Settings
    taken: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One sentence for people, or two."""
        said = (
            f"took over {', '.join(self.taken)}." if self.taken else "no change could be applied."
        )
        if self.waiting:
            verb = "need" if len(self.waiting) > 1 else "needs"
            said += f" {', '.join(self.waiting)} {verb} a restart."
        return said


def change(old: Settings, new: Settings) -> Change | None:
    """Tell what of a sound configuration can be taken over by a program that runs on another.

    Args:
        old: what it works with.
        new: what the file says now.

    Returns:
        None when they say the same.
    """
    differing = _differing(old, new)
    if not differing:
        return None
    mixed = _mixed(old, new)
    if any(True for _ in findings_in(Parts.of(mixed))):
        return Change(old, waiting=tuple(differing))  # the parts only make sense together
    kept = set(_differing(mixed, new))
    taken = tuple(path for path in differing if path not in kept)
    return Change(mixed, taken, tuple(path for path in differing if path in kept))


def _mixed(old: Settings, new: Settings) -> Settings:
    """Return the new configuration with everything that was built once as it was."""
    kept: dict[str, Any] = {name: getattr(old, name) for name in _BUILT_ONCE}
    for section, keys in _BUILT_ONCE_WITHIN.items():
        own = {key: getattr(getattr(old, section), key) for key in keys}
        kept[section] = getattr(new, section).model_copy(update=own)
    endpoints, models = dict(new.endpoints), dict(new.models)
    for name in _processes(old) | _processes(new):
        _restore(endpoints, old.endpoints, [name])
        _restore(models, old.models, [*_served(old, name), *_served(new, name)])
    return new.model_copy(update={**kept, "endpoints": endpoints, "models": models})


def _restore(into: dict[str, Any], before: Mapping[str, Any], names: list[str]) -> None:
    for name in names:
        into.pop(name, None)
        if name in before:
            into[name] = before[name]


def _processes(settings: Settings) -> set[str]:
    """Return the endpoints that are child processes: they load weights and stay as they are."""
    embedded = EndpointKind.EMBEDDED
    return {name for name, own in settings.endpoints.items() if own.kind is embedded}


def _served(settings: Settings, endpoint: str) -> list[str]:
    return [name for name, model in settings.models.items() if model.endpoint == endpoint]


def _differing(old: Settings, new: Settings) -> list[str]:
    """Return the paths that differ, two keys deep, in the order of the settings."""
    return [path for name in Settings.model_fields for path in _paths(name, old, new)]


def _paths(name: str, old: Settings, new: Settings) -> Iterator[str]:
    before, after = _as_mapping(getattr(old, name)), _as_mapping(getattr(new, name))
    if before is None or after is None:
        if getattr(old, name) != getattr(new, name):
            yield name
        return
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield f"{name}.{key}"


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Section):
        return {key: getattr(value, key) for key in type(value).model_fields}
    return value if isinstance(value, dict) else None
