"""Proofs at hand: which models have shown that they call tools, in the memory of this process.

The table is the truth, and any process may probe: it is read again when the memory is a minute
old. A proof holds for one version of a model; what an endpoint serves under a name today is the
version last seen there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from noctule.core.clock import Clock
from noctule.core.llm.proofs import Proof, ProofKey, ProofOutcome
from noctule.core.ports.database import Database
from noctule.core.settings import EndpointKind, Settings
from noctule.core.workers.patience import look_up
from noctule.models.base.ledger import Ledger
from noctule.models.tool_calls.leading import manner_of
from noctule.models.tool_calls.manner import Manner

MEMORY_S = 60.0
"""How old the memory may be, in seconds."""


class Proofs:
    """What is known of each model's calling of tools.

    Args:
        settings: the models.
        database: where proofs are kept.
        ledger: what counts them at work.
        clock: ages the memory.
    """

    def __init__(
        self, settings: Settings, database: Database, ledger: Ledger, clock: Clock
    ) -> None:
        self._settings = settings
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._stored: dict[ProofKey, Proof] = {}
        self._versions: dict[str, str] = {}
        self._current: dict[str, Proof] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    def of(self, model: str) -> Proof | None:
        """Return the proof of a model as it is served now; None when there is none."""
        return self._current.get(model)

    def calls_tools(self, model: str) -> tuple[bool | None, str | None]:
        """Return whether a model calls tools, and why not.

        Returns:
            True for proven, False with the evidence, None while nobody knows. What the
            configuration denies is not asked; a scripted endpoint plays what it is told to.
        """
        settings = self._settings.models[model]
        if settings.tools is False:
            return False, f"models.{model}.tools is false"
        if self._settings.endpoint_of(model).kind is EndpointKind.SCRIPTED:
            return True, None
        proof = self.of(model)
        if proof is None or _is_half_known(proof):
            return None, None
        return (True, None) if proof.is_proven else (False, proof.words)

    def manner(self, model: str) -> Manner:
        """Return how a model is asked for calls of tools, by what it has shown so far."""
        return manner_of(self._settings, model, self.of(model))

    async def read(self, *, fresh: bool = False) -> None:
        """Read the table, unless that was done within the last minute.

        Args:
            fresh: True reads it in any case.
        """
        async with self._reading:
            now = self._clock.monotonic()
            if not fresh and self._read_at is not None and now - self._read_at < MEMORY_S:
                return
            stored = await look_up(self._database, lambda work: work.proofs.list())
            self._stored = {proof.key: proof for proof in stored}
            self._read_at = now
            for model in self._settings.models:
                self._choose(model, stored)

    def has_any(self, model: str) -> bool:
        """Whether any version of a model was ever proven or disproved."""
        settings = self._settings.models[model]
        target = (settings.endpoint, settings.name)
        return any((key.endpoint, key.model) == target for key in self._stored)

    def served(self, model: str, version: str) -> None:
        """Note which version of a model its endpoint serves now."""
        self._versions[model] = version
        self._choose(model, list(self._stored.values()))

    def key(self, model: str) -> ProofKey:
        """Return what a proof of a model would hold for now."""
        settings = self._settings.models[model]
        return ProofKey(settings.endpoint, settings.name, self._versions.get(model, ""))

    async def put(self, proof: Proof) -> None:
        """Store a proof, in the place of an earlier one of the same version.

        Raises:
            DatabaseBusyError: somebody else held the database for too long.
        """
        self._remember(proof)
        await self._ledger.write(lambda work: work.proofs.put(proof))

    def count(self, model: str, *, imitations: int = 0, calls: int = 0) -> None:
        """Count what a model did with the tools it was offered, for and against its proof.

        Too many calls written as text turn the proof, here and in the database.
        """
        proof = self.of(model)
        if proof is None:
            return
        seen = replace(proof, imitations=proof.imitations + imitations, calls=proof.calls + calls)
        if seen.is_disproved and proof.outcome is ProofOutcome.PROVEN:
            seen = replace(seen, outcome=ProofOutcome.TEXT_IMITATION)
            self._ledger.enter(lambda work: work.proofs.put(seen))
        else:
            self._ledger.enter(
                lambda work: work.proofs.count(proof.key, imitations=imitations, calls=calls)
            )
        self._remember(seen)

    def _remember(self, proof: Proof) -> None:
        self._stored[proof.key] = proof
        for model in self._settings.models:  # two names may stand for one model
            self._choose(model, list(self._stored.values()))

    def _choose(self, model: str, stored: Sequence[Proof]) -> None:
        """Take the proof of the version served; of an unknown one, the newest there is."""
        settings = self._settings.models[model]
        own = [
            proof
            for proof in stored
            if (proof.key.endpoint, proof.key.model) == (settings.endpoint, settings.name)
        ]
        if model in self._versions:
            own = [proof for proof in own if proof.key.version == self._versions[model]]
        if own:
            self._current[model] = max(own, key=lambda proof: proof.probed_at)
        else:
            self._current.pop(model, None)


def _is_half_known(proof: Proof) -> bool:
    """Whether it says that calls are written as text, from before models were tried that way.

    One that was proven and turned at work stays as it is: a person asks it anew.
    """
    written = proof.outcome is ProofOutcome.TEXT_IMITATION
    return written and not proof.is_disproved and not proof.was_tried_by_text
