"""What the configuration and the ledger say of each model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from noctule.core.base.roles import Role
from noctule.core.llm.attempts import Attempt, CostSource
from noctule.core.llm.limits import Limit
from noctule.core.llm.proofs import Proof
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.settings import ModelSettings, PriceSettings, Settings


@dataclass(frozen=True, slots=True)
class Health:
    """How a model has done lately.

    Args:
        last: its newest attempt; None when it was never asked.
        failures: attempts in a row, newest first, in which it was down or too slow to answer.
    """

    last: Attempt | None
    failures: int


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model.

    Args:
        name: in the configuration.
        settings: what it says of it.
        local: whether what is sent to it stays on the owner's machines.
        roles: who may use it: role by its place (``primary``, ``fallback``, ``escalate``).
        price: its list price; None when it is unknown.
        price_source: who says so; None likewise.
        limit: what refuses it now; None when nothing does.
        health: how it has done lately.
        proof: the newest of asking it to call tools; None when that was never done.
    """

    name: str
    settings: ModelSettings
    local: bool
    roles: tuple[tuple[Role, str], ...]
    price: PriceSettings | None
    price_source: CostSource | None
    limit: Limit | None
    health: Health
    proof: Proof | None = None


def take_inventory(
    settings: Settings,
    *,
    prices: Mapping[str, tuple[PriceSettings | None, CostSource | None]],
    limits: Iterable[Limit],
    attempts: Sequence[Attempt],
    now: datetime,
    proofs: Iterable[Proof] = (),
) -> list[ModelEntry]:
    """List every configured model, in the order of the configuration.

    Args:
        settings: the configuration.
        prices: list prices by model.
        limits: what is stored, past ones included.
        attempts: newest first.
        now: decides which limits are in force.
        proofs: all that are stored.
    """
    newest = {
        (proof.key.endpoint, proof.key.model): proof
        for proof in sorted(proofs, key=lambda proof: proof.probed_at)
    }
    in_force = [limit for limit in limits if limit.in_force(now)]
    return [
        ModelEntry(
            name=name,
            settings=model,
            local=settings.is_local(name),
            roles=tuple(_users(settings, name)),
            price=prices[name][0],
            price_source=prices[name][1],
            limit=_limit(in_force, name, model.endpoint),
            health=health_of([attempt for attempt in attempts if attempt.model == name]),
            proof=newest.get((model.endpoint, model.name)),
        )
        for name, model in settings.models.items()
    ]


def health_of(attempts: Sequence[Attempt]) -> Health:
    """Judge a model by its attempts.

    Args:
        attempts: of one model, newest first.
    """
    failures = 0
    for attempt in attempts:
        if attempt.outcome is Outcome.CANCELLED:
            continue  # that says nothing about the model
        if not attempt.outcome.opens_circuit:
            break
        failures += 1
    return Health(attempts[0] if attempts else None, failures)


def _users(settings: Settings, name: str) -> Iterable[tuple[Role, str]]:
    for role, binding in settings.roles.items():
        if binding.primary == name:
            yield role, "primary"
        if name in binding.fallback:
            yield role, "fallback"
        if binding.escalate == name:
            yield role, "escalate"


def _limit(limits: Iterable[Limit], name: str, endpoint: str) -> Limit | None:
    """Return the limit that lasts longest, of the model's own and its key's.

    A limit of a key that has been replaced since still shows: only the endpoint is compared.
    """
    own = [
        limit
        for limit in limits
        if limit.key.endpoint == endpoint and limit.key.model in {None, name}
    ]
    return max(own, key=_end, default=None)


def _end(limit: Limit) -> float:
    return float("inf") if limit.ends_at is None else limit.ends_at.timestamp()
