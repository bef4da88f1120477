"""Facts: what is known about each model at this moment."""

from collections.abc import Iterable
from dataclasses import replace

from noctule.core.routing import ModelFacts
from noctule.core.settings import EndpointKind, Settings
from noctule.models.circuits import Circuits
from noctule.models.limits import Limits
from noctule.models.proofs import Proofs

DEFAULT_WINDOW_TOKENS = 8192
"""The context window of models on ``ollama`` and ``embedded`` that do not set one."""

_OWN_WINDOW = frozenset({EndpointKind.OLLAMA, EndpointKind.EMBEDDED})


class Facts:
    """What the configuration says of each model, and what was learned since.

    Args:
        settings: what does not change while the process runs.
        limits: what is refused.
        circuits: what is left alone.
        proofs: who calls tools.
    """

    def __init__(
        self, settings: Settings, limits: Limits, circuits: Circuits, proofs: Proofs
    ) -> None:
        self._settled = {name: _settled(settings, name) for name in settings.models}
        self._limits = limits
        self._circuits = circuits
        self._proofs = proofs

    def of(self, models: Iterable[str] | None = None) -> dict[str, ModelFacts]:
        """Return the facts of some models, by name; those not configured are missing.

        Args:
            models: which; None means all.
        """
        wanted = self._settled if models is None else models
        return {name: self._now(name) for name in wanted if name in self._settled}

    def is_local(self, model: str) -> bool:
        """Return whether what is sent to a configured model stays on the owner's machines."""
        return self._settled[model].local

    def window_tokens(self, model: str) -> int | None:
        """Return a model's context window in tokens; None when it is unknown."""
        facts = self._settled.get(model)
        return None if facts is None else facts.context_tokens

    def _now(self, model: str) -> ModelFacts:
        settled = self._settled[model]
        tools, evidence = self._proofs.calls_tools(model)
        if (tools, evidence) != (settled.tools, settled.tools_evidence):
            settled = replace(settled, tools=tools, tools_evidence=evidence)
            self._settled[model] = settled
        limit = self._limits.in_force(model)
        open_until = self._circuits.open_until(model)
        if limit is None and open_until is None:
            return settled
        return replace(settled, limit=limit, circuit_open_until=open_until)


def _settled(settings: Settings, name: str) -> ModelFacts:
    model = settings.models[name]
    own_window = settings.endpoint_of(name).kind in _OWN_WINDOW
    return ModelFacts(
        local=settings.is_local(name),
        vision=model.vision,
        context_tokens=model.context or (DEFAULT_WINDOW_TOKENS if own_window else None),
    )
