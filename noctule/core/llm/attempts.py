"""One request to one model, whatever came of it: the routing log and the spend ledger."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from noctule.core.llm.token_parts import TokenParts
from noctule.core.provider_errors.outcomes import Outcome


class Purpose(StrEnum):
    """What a call was for."""

    ROUTE = "route"
    ANSWER = "answer"
    PLAN = "plan"
    REVIEW = "review"
    SUMMARY = "summary"
    PROBE = "probe"
    WARM = "warm"


class CostSource(StrEnum):
    """Where a cost came from, strongest first."""

    PROVIDER = "provider"
    CONFIG = "config"
    LIBRARY = "library"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the provider counted them; None means it did not say.

    Args:
        input_tokens: everything sent, cache reads and writes included.
        output_tokens: everything received, thinking included.
        cached_tokens: the part of ``input_tokens`` read from the provider's cache.
        cache_write_tokens: the part of ``input_tokens`` written to it.
        reasoning_tokens: the part of ``output_tokens`` spent thinking.
        reported_usd: the cost the provider itself reported.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    reported_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SkippedModel:
    """A model that was not asked, and why.

    Args:
        model: its name in the configuration.
        reason: one clause for people, like ``refused until 18:00 (header)``.
    """

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to one model.

    Args:
        id: sortable by start.
        call_id: shared by the attempts of one call.
        session_id: None for calls outside a session (probes, warm-up).
        turn_id: None likewise.
        role: whose call it was.
        purpose: what it was for.
        model: the model's name in the configuration.
        endpoint: its endpoint's name.
        outcome: what came of it.
        started_at: when the request was sent.
        wait_s: seconds spent waiting for a slot before it.
        first_token_s: seconds from the request to the first token; None when none came or the
            answer was not streamed.
        duration_s: seconds from the request to its end.
        usage: tokens as the provider counted them.
        cost_usd: None when unknown; 0 when it was free.
        cost_source: where the cost came from; None when it is unknown.
        fallback_from: the model before it in this call that was asked in vain or passed over for
            a while (refused, busy, left alone); None when it stood first.
        skipped: models passed over before it, with reasons.
        message: the provider's words when it failed; None on success.
        discarded: True when text had already been shown and was taken back.
        tier: the model's tier.
        local: whether the model was local.
        parts: what ``usage.input_tokens`` were; None when nobody counted them, or they were
            counted before parts were kept.
    """

    id: str
    call_id: str
    session_id: str | None
    turn_id: str | None
    role: str
    purpose: Purpose
    model: str
    endpoint: str
    outcome: Outcome
    started_at: datetime
    wait_s: float
    first_token_s: float | None
    duration_s: float
    usage: Usage
    cost_usd: Decimal | None
    cost_source: CostSource | None
    fallback_from: str | None = None
    skipped: tuple[SkippedModel, ...] = field(default=())
    message: str | None = None
    discarded: bool = False
    tier: str = "routine"
    local: bool = False
    parts: TokenParts | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as commands print it and watchers see it: plain JSON values.

        ``model`` is the name in the configuration, ``cost_usd`` a number or None for unknown,
        times are seconds or ISO 8601 with offset.
        """
        return {
            "id": self.id,
            "call": self.call_id,
            "session": self.session_id,
            "turn": self.turn_id,
            "role": self.role,
            "purpose": self.purpose.value,
            "model": self.model,
            "endpoint": self.endpoint,
            "tier": self.tier,
            "local": self.local,
            "outcome": self.outcome.value,
            "message": self.message,
            "started_at": self.started_at.isoformat(),
            "wait_s": self.wait_s,
            "first_token_s": self.first_token_s,
            "duration_s": self.duration_s,
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "cached_tokens": self.usage.cached_tokens,
            "reasoning_tokens": self.usage.reasoning_tokens,
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            "cost_source": None if self.cost_source is None else self.cost_source.value,
            "fallback_from": self.fallback_from,
            "skipped": [{"model": skip.model, "reason": skip.reason} for skip in self.skipped],
            "discarded": self.discarded,
            "input_parts": None if self.parts is None else asdict(self.parts),
        }
