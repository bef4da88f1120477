"""The layer: the parts that all bindings of one process share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from noctule.core.clock import Clock
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.ports.database import Database
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import Settings
from noctule.models.base.endpoints import Endpoints
from noctule.models.base.ledger import Ledger
from noctule.models.capabilities.model_state import ModelState
from noctule.models.capabilities.proofs import Proofs
from noctule.models.capabilities.prover import Prover
from noctule.models.capacity.limits import Limits
from noctule.models.capacity.shared_concurrency import SharedSlots
from noctule.models.request.meter import Meter
from noctule.models.spend.budgets import Budgets

ExplainFailure = Callable[[str, Exception], Refusal]
"""Reads what a client raised when a model was asked."""

Price = Callable[[str, Usage, datetime], tuple[Decimal | None, CostSource | None]]
"""Returns what a model's tokens cost at a moment; None for unknown."""


@dataclass(frozen=True, slots=True)
class ModelDependencies:
    """What it takes to ask a model.

    Args:
        settings: the configuration.
        database: what was asked before.
        clock: the time.
        endpoints: one client each.
        slots: the caps.
        limits: who refuses, or is left alone.
        facts: all of that by model.
        budgets: who pays.
        ledger: where attempts are written.
        explain: reads failures.
        price: knows costs.
        proofs: who calls tools.
        prover: finds out who does.
        meters: count prompts, by model; made when they are first needed.
    """

    settings: Settings
    database: Database
    clock: Clock
    endpoints: Endpoints
    slots: SharedSlots
    limits: Limits
    facts: ModelState
    budgets: Budgets
    ledger: Ledger
    explain: ExplainFailure
    price: Price
    proofs: Proofs
    prover: Prover
    meters: dict[str, Meter] = field(default_factory=dict)

    def meter(self, model: str) -> Meter:
        """Return what counts prompts as a model does."""
        return self.meters.setdefault(model, Meter())
