"""Facts: what is known about each model at this moment."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from noctule.core.llm.selection import ModelFacts
from noctule.core.settings import EndpointKind, Settings
from noctule.core.settings.until import moment_of
from noctule.models.capabilities.proofs import Proofs
from noctule.models.capacity.limits import Limits

DEFAULT_WINDOW_TOKENS = 8192
"""The context window of models on ``ollama`` and ``embedded`` that do not set one."""

LEAST_WINDOW_TOKENS = 256
"""A server that names a smaller window is misread: nothing could be asked of it."""

_ALWAYS_THINKING = re.compile(r"(?:^|[-_/.:])(?:r1|qwq|thinking|reasoner|reasoning)(?=$|[-_/.:@])")
_OWN_WINDOW = frozenset({EndpointKind.OLLAMA, EndpointKind.EMBEDDED})


class ModelState:
    """What the configuration says of each model, and what was learned since.

    Args:
        settings: what does not change while the process runs.
        limits: what is refused, or left alone.
        proofs: who calls tools.
    """

    def __init__(self, settings: Settings, limits: Limits, proofs: Proofs) -> None:
        self._settled = {name: _settled(settings, name) for name in settings.models}
        self._told: dict[str, int] = {}
        self._inside: set[str] = set()
        self._names = {name: model.name.lower() for name, model in settings.models.items()}
        self._limits = limits
        self._proofs = proofs

    def of(
        self, models: Iterable[str] | None = None, *, awaited_since: datetime | None = None
    ) -> dict[str, ModelFacts]:
        """Return the facts of some models, by name; those not configured are missing.

        Args:
            models: which; None means all.
            awaited_since: since when a person waits, for whom guesses hold less; None means that
                nobody does.
        """
        wanted = self._settled if models is None else models
        return {name: self._now(name, awaited_since) for name in wanted if name in self._settled}

    def is_local(self, model: str) -> bool:
        """Return whether what is sent to a configured model stays on the owner's machines."""
        return self._settled[model].local

    def window_tokens(self, model: str) -> int | None:
        """Return a model's context window in tokens as known now; None when it is unknown.

        It is the configured one, or the smaller one that its server said it has.
        """
        facts = self._settled.get(model)
        return None if facts is None else facts.context_tokens

    def told_window(self, model: str) -> int | None:
        """Return the window a model's server named when a prompt was too long; None for none."""
        return self._told.get(model)

    def learn_window(self, model: str, tokens: int) -> bool:
        """Take the window that a model's server says it has, for as long as this process lives.

        Args:
            model: its configured name.
            tokens: prompt and answer together, as the server said.

        Returns:
            True when that is news: smaller than what was known.
        """
        facts = self._settled.get(model)
        if facts is None or tokens < LEAST_WINDOW_TOKENS:
            return False
        if facts.context_tokens is not None and tokens >= facts.context_tokens:
            return False
        self._told[model] = tokens
        self._settled[model] = replace(facts, context_tokens=tokens)
        return True

    def begins_inside(self, model: str) -> bool:
        """Return whether a model's replies are known to begin inside its thinking.

        Its template writes the opening mark into the prompt, so that text cannot be shown before
        the end of the thinking. Seen in this process, or told by the name of one that always
        thinks.
        """
        return model in self._inside or bool(_ALWAYS_THINKING.search(self._names[model]))

    def note_begins_inside(self, model: str) -> None:
        """Note that a reply of a model began inside its thinking."""
        self._inside.add(model)

    def _now(self, model: str, awaited_since: datetime | None) -> ModelFacts:
        settled = self._settled[model]
        tools, evidence = self._proofs.calls_tools(model)
        if (tools, evidence) != (settled.tools, settled.tools_evidence):
            settled = replace(settled, tools=tools, tools_evidence=evidence)
            self._settled[model] = settled
        limit = self._limits.in_force(model, awaited_since=awaited_since)
        return settled if limit is None else replace(settled, limit=limit)


def settled_window(settings: Settings, name: str) -> int | None:
    """Return a model's context window by its configuration; None when that does not say."""
    own_window = settings.endpoint_of(name).kind in _OWN_WINDOW
    return settings.models[name].context or (DEFAULT_WINDOW_TOKENS if own_window else None)


def _settled(settings: Settings, name: str) -> ModelFacts:
    model, until = settings.models[name], settings.endpoint_of(name).until
    return ModelFacts(
        until=None if until is None else moment_of(until, settings.timezone),
        local=settings.is_local(name),
        vision=model.vision,
        context_tokens=settled_window(settings, name),
    )
