"""The cost report: what the ledger's attempts cost, by every measure somebody asks for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from noctule.core.llm.attempts import Attempt, CostSource, Usage
from noctule.core.llm.routes import Route
from noctule.core.llm.spending import total_usd
from noctule.core.llm.token_parts import TokenParts
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.answer_cost import AnswerPrices, RatedTurn, price_answers
from noctule.core.sessions.sessions import Session
from noctule.core.settings.model import Tier

OUTSIDE = "-"
"""The name of the group of attempts that belong to no turn or session (warm-up, probes)."""

ListCost = Callable[[str, Usage, datetime], tuple[Decimal | None, CostSource | None]]
"""Returns what tokens cost on a model by its list price; None for unknown."""


@dataclass(frozen=True, slots=True)
class Spend:
    """What some attempts cost together.

    Args:
        attempts: how many requests.
        calls: how many of them were answered.
        cost_usd: the known costs; None when there are attempts of unknown cost and no known one.
        unknown: attempts that were worked on and whose cost nobody knows; not in ``cost_usd``.
        input_tokens: as far as they were counted.
        output_tokens: likewise.
        parts: what the tokens sent were, as far as that is known.
        unpriced: those of ``unknown`` whose tokens are known: their model has no price.
    """

    attempts: int
    calls: int
    cost_usd: Decimal | None
    unknown: int
    input_tokens: int
    output_tokens: int
    parts: TokenParts
    unpriced: int = 0

    @property
    def unsplit_tokens(self) -> int:
        """Tokens sent of which nobody knows what they were."""
        return self.input_tokens - self.parts.total

    @classmethod
    def of(cls, attempts: Sequence[Attempt]) -> "Spend":
        """Add attempts up."""
        unknown = sum(total_usd([attempt]) is None for attempt in attempts)
        known = sum((a.cost_usd for a in attempts if a.cost_usd is not None), Decimal(0))
        told = any(
            a.cost_usd or (a.cost_usd is not None and a.outcome is Outcome.SUCCESS)
            for a in attempts
        )
        return cls(
            attempts=len(attempts),
            calls=sum(attempt.outcome is Outcome.SUCCESS for attempt in attempts),
            cost_usd=None if unknown and not told else known,
            unknown=unknown,
            input_tokens=sum(attempt.usage.input_tokens or 0 for attempt in attempts),
            output_tokens=sum(attempt.usage.output_tokens or 0 for attempt in attempts),
            parts=TokenParts.sum_of(a.parts for a in attempts if a.parts is not None),
            unpriced=sum(
                total_usd([attempt]) is None and None not in _tokens(attempt)
                for attempt in attempts
            ),
        )


def _tokens(attempt: Attempt) -> tuple[int | None, int | None]:
    return attempt.usage.input_tokens, attempt.usage.output_tokens


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the same tokens would have cost on one model. Nobody paid this.

    Args:
        model: which, by its configured name.
        cost_usd: of the answers whose tokens and price are known; None when none is.
        unknown: answers that could not be priced; not in ``cost_usd``.
        saved_usd: ``cost_usd`` less what was really spent on the same answers and on what failed;
            negative when it was more. None when one of the two is not known.
    """

    model: str
    cost_usd: Decimal | None
    unknown: int
    saved_usd: Decimal | None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values: amounts are numbers, null where nobody knows."""
        return {
            "model": self.model,
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            "saved_usd": None if self.saved_usd is None else float(self.saved_usd),
            "unknown": self.unknown,
            "counterfactual": True,
        }


@dataclass(frozen=True, slots=True)
class CostReport:
    """What was spent.

    Args:
        total: everything.
        groups: by ``role``, ``route``, ``model``, ``tier``, ``day``, ``session``, ``owner`` and
            ``place`` (local, frontier or other hosted models), then by name, dearest first.
        baseline: against one model for everything; None when no price is known.
        answers: what accepted answers cost.
    """

    total: Spend
    groups: Mapping[str, Mapping[str, Spend]]
    baseline: Baseline | None
    answers: AnswerPrices


def report_costs(
    attempts: Sequence[Attempt],
    *,
    routes: Mapping[str, Route],
    sessions: Mapping[str, Session],
    zone: tzinfo,
    baseline: str | None,
    list_cost: ListCost,
    standings: Mapping[str, RatedTurn] | None = None,
) -> CostReport:
    """Add the ledger up.

    Args:
        attempts: in any order.
        routes: of their turns, by turn; those never routed are missing.
        sessions: by id.
        zone: where a day begins.
        baseline: the model of "all of it on MODEL"; None leaves that out.
        list_cost: prices tokens on it.
        standings: of their turns, by turn; None prices no accepted answers.
    """

    def route(attempt: Attempt) -> str:
        found = routes.get(attempt.turn_id or "")
        return " + ".join(role.value for role in found.roles) if found else OUTSIDE

    def owner(attempt: Attempt) -> str:
        session = sessions.get(attempt.session_id or "")
        return session.owner if session else OUTSIDE

    keys: dict[str, Callable[[Attempt], str]] = {
        "role": lambda attempt: attempt.role,
        "route": route,
        "model": lambda attempt: attempt.model,
        "tier": lambda attempt: attempt.tier,
        "day": lambda attempt: attempt.started_at.astimezone(zone).date().isoformat(),
        "session": lambda attempt: attempt.session_id or OUTSIDE,
        "owner": owner,
        "place": place_of,
    }
    return CostReport(
        total=Spend.of(attempts),
        groups={name: _grouped(attempts, key, by_name=name == "day") for name, key in keys.items()},
        baseline=None if baseline is None else compare(attempts, baseline, list_cost),
        answers=price_answers(attempts, standings or {}, routes),
    )


def place_of(attempt: Attempt) -> str:
    """Return where it was served: ``local``, ``frontier``, or ``other`` hosted models."""
    if attempt.local:
        return "local"
    return "frontier" if attempt.tier == Tier.FRONTIER else "other"


def compare(attempts: Iterable[Attempt], model: str, list_cost: ListCost) -> Baseline:
    """Price every answer's tokens on one model.

    Only answers count there: what was refused would have cost nothing. What retries and
    discarded attempts have really cost is part of what was spent.

    Args:
        attempts: in any order.
        model: by its configured name.
        list_cost: prices tokens on it.
    """
    costs: list[Decimal | None] = []
    compared: list[Attempt] = []
    for attempt in attempts:
        if attempt.outcome is not Outcome.SUCCESS:
            compared.append(attempt)
            continue
        costs.append(list_cost(model, attempt.usage, attempt.started_at)[0])
        if costs[-1] is not None:
            compared.append(attempt)
    priced = [cost for cost in costs if cost is not None]
    total = sum(priced, Decimal(0))
    paid = total_usd(compared)
    known = bool(priced) or not costs
    return Baseline(
        model=model,
        cost_usd=total if known else None,
        unknown=len(costs) - len(priced),
        saved_usd=total - paid if known and paid is not None else None,
    )


def dearest(models: Iterable[str], list_cost: ListCost, at: datetime) -> str | None:
    """Return the model that costs most; None when the price of none is known.

    A price has two numbers; they are weighed as three tokens sent for one received.

    Args:
        models: by their configured names; of equals the first.
        list_cost: prices tokens.
        at: prices change.
    """
    sample = Usage(input_tokens=3000, output_tokens=1000)
    costs = {model: list_cost(model, sample, at)[0] for model in models}
    known = {model: cost for model, cost in costs.items() if cost is not None}
    return max(known, key=lambda model: known[model], default=None)


def share(part: Decimal | int | None, whole: Decimal | int | None) -> float | None:
    """Return a part of a whole, 0 to 1; None when either is unknown or the whole is 0."""
    if part is None or not whole:
        return None
    return float(part / whole)


def _grouped(
    attempts: Iterable[Attempt], key: Callable[[Attempt], str], *, by_name: bool
) -> dict[str, Spend]:
    """Group attempts: in the order of names, or the dearest first and unknown before free."""
    members: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        members[key(attempt)].append(attempt)
    spends = {name: Spend.of(group) for name, group in members.items()}

    def rank(item: tuple[str, Spend]) -> tuple[Decimal | int, int, str]:
        name, spend = item
        return (0, 0, name) if by_name else (-(spend.cost_usd or 0), -spend.unknown, name)

    return dict(sorted(spends.items(), key=rank))
