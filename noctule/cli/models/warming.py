"""Warming: models are loaded before somebody waits for them."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noctule.cli.json_types.models import WarmedDocument
from noctule.core.errors import UsageError
from noctule.core.settings import EndpointKind, Settings
from noctule.core.times.durations import show_duration

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.models.binding.models import Models

_LOADED = frozenset({EndpointKind.OLLAMA})


@dataclass(frozen=True, slots=True)
class Warmed:
    """What came of warming one model.

    Args:
        model: its configured name.
        took_s: seconds.
        error: why it could not be loaded and what to do; None when it was.
        needed: False where nothing has to be loaded.
    """

    model: str
    took_s: float
    error: str | None = None
    needed: bool = True

    def __str__(self) -> str:
        """One line for people."""
        if self.error is not None:
            return f"{self.model}: {self.error}"
        if not self.needed:
            return f"{self.model}: nothing to load there."
        return f"{self.model}: loaded in {show_duration(self.took_s)}."

    def as_json(self) -> WarmedDocument:
        """Return it as JSON values."""
        return {
            "model": self.model,
            "loaded": self.error is None and self.needed,
            "took_s": self.took_s,
            "error": self.error,
        }


def wanted(settings: Settings, names: Sequence[str]) -> list[str]:
    """Return which models to warm.

    Args:
        settings: the configuration.
        names: what was asked for; empty means every model of a role that has to be loaded.

    Raises:
        UsageError: there is no such model.
    """
    for name in names:
        if name not in settings.models:
            known = ", ".join(sorted(settings.models))
            raise UsageError(f"There is no model {name!r}. Use one of: {known}.")
    if names:
        return list(dict.fromkeys(names))
    bound = dict.fromkeys(name for _, role in settings.roles.items() for name in role.models)
    return [name for name in bound if settings.endpoint_of(name).kind in _LOADED]


async def warm_models(records: "Records", models: "Models", names: Sequence[str]) -> list[Warmed]:
    """Warm models: endpoints at once, the models of one after another.

    Args:
        records: settings and clock.
        models: how their endpoints are reached.
        names: which, by their configured names.
    """
    by_endpoint: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        by_endpoint[records.settings.models[name].endpoint].append(name)

    async def one_endpoint(own: Sequence[str]) -> list[Warmed]:
        return [await _warm(records, models, name) for name in own]

    groups = await asyncio.gather(*map(one_endpoint, by_endpoint.values()))
    results = {result.model: result for group in groups for result in group}
    return [results[name] for name in names]


async def _warm(records: "Records", models: "Models", name: str) -> Warmed:
    from noctule.models.binding.hints import for_refusal  # noqa: PLC0415 - only when something fails
    from noctule.models.completion.failures import explain  # noqa: PLC0415 - likewise

    settings, begun = records.settings, records.clock.monotonic()
    if settings.endpoint_of(name).kind not in _LOADED:
        return Warmed(name, 0.0, needed=False)
    try:
        await models.client(settings.models[name].endpoint).warm(name)
    except Exception as error:  # noqa: BLE001 - no library's exception reaches a person raw
        refusal = explain(error, now=records.clock.now())
        words = refusal.message.rstrip(".")
        took_s = records.clock.monotonic() - begun
        return Warmed(name, took_s, f"{words}. {for_refusal(settings, name, refusal)}")
    return Warmed(name, records.clock.monotonic() - begun)
