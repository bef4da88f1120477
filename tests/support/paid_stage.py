"""A stage on which calls cost money: 10 tokens at most, a cent each; an answer has five."""

from typing import Any

from noctule.core.clock import Clock
from noctule.core.ports.database import Database
from noctule.models.spend.prices import Prices
from tests.support.stage import Stage, make_settings

A_CENT_A_TOKEN = {"input": 0, "output": 10_000}
"""So that a call may cost ten cents and its answer costs five."""

HOURLY = "1h"


def paid_stage(
    *,
    clock: Clock | None = None,
    database: Database | None = None,
    models: dict[str, Any] | None = None,
    role: dict[str, Any] | None = None,
    **changes: Any,
) -> Stage:
    """Return a stage whose first model costs a cent a token; the third is free, all are asked.

    Args:
        clock: None stands still until it is moved.
        database: None begins with an empty one in memory.
        models: merged over that.
        role: merged over ten tokens at most.
        changes: for ``make_settings``, like ``budgets``.
    """
    priced = {
        "first": {"price": A_CENT_A_TOKEN},
        "second": {"price": {"input": 0, "output": 5_000}},
    }
    settings = make_settings(
        models={**priced, **(models or {})},
        role={"fallback": [], "max_tokens": 10, **(role or {})},
        **changes,
    )
    price = Prices(settings.endpoints, settings.models).cost
    return Stage(settings, clock=clock, database=database, price=price)


def tally_of(tallies: list[Any], name: str = "all") -> Any:
    """Return one budget's tally."""
    return next(tally for tally in tallies if tally.key.name == name)
