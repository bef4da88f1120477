"""Which models may serve one call, in which order, and why the others may not.

One pure function, asked for every single call, so that routing per step, by complexity, tier
or budget has one home.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from noctule.core.llm.limits import Limit
from noctule.core.llm.requirements import Requirements
from noctule.core.llm.routes import Complexity
from noctule.core.settings.role import OnLimit, RoleSettings


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known about a model at this moment.

    Args:
        local: whether what is sent to it stays on the owner's machines.
        tools: True proven, False shown or said not to, None unknown.
        tools_evidence: why not, as one clause; None when ``tools`` is not False, or nobody said.
        vision: whether it takes pictures.
        context_tokens: its window; None means unknown.
        limit: a refusal in force, or an outage; None when there is none.
        until: when its endpoint ends, a plan's or a trial's; None when it does not.
    """

    local: bool
    tools: bool | None = None
    tools_evidence: str | None = None
    vision: bool = False
    context_tokens: int | None = None
    limit: Limit | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RoutingPreference:
    """What the caller asks for beyond the binding.

    Args:
        forced: the only model that may serve (the person named it); None leaves the choice.
        pinned: the model to ask first (chat keeps its voice); None has no preference.
        on_limit: overrides the binding's; None leaves it.
    """

    forced: str | None = None
    pinned: str | None = None
    on_limit: OnLimit | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may serve the call.

    Args:
        model: its name in the configuration.
        reason: why it stands where it stands: ``forced``, ``pinned``, ``escalation``,
            ``primary`` or ``fallback``.
        rank: its place in the line, counted from 0, skipped models included.
    """

    model: str
    reason: str
    rank: int = 0


@dataclass(frozen=True, slots=True)
class SkippedCandidate:
    """A model that may not serve the call.

    Args:
        model: its name in the configuration.
        reason: one clause for people.
        retry_at: when the reason passes by itself; None when it does not or nobody knows.
        limit: the refusal behind it; None when it was something else.
        incapable: True when no wait makes it fit this call.
        too_long: True when it is incapable only because the call does not fit its window.
        rank: its place in the line, counted from 0, candidates included.
    """

    model: str
    reason: str
    retry_at: datetime | None = None
    limit: Limit | None = None
    incapable: bool = False
    too_long: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """Candidates in the order they are asked, and everybody who was passed over."""

    candidates: tuple[Candidate, ...]
    skips: tuple[SkippedCandidate, ...]

    def before(self, candidate: Candidate) -> tuple[SkippedCandidate, ...]:
        """Return who was passed over on the way to a candidate."""
        return tuple(skip for skip in self.skips if skip.rank < candidate.rank)


def resolve(
    need: Requirements,
    binding: RoleSettings,
    facts: Mapping[str, ModelFacts],
    *,
    wish: RoutingPreference,
    now: datetime,
    tried: Collection[str] = (),
    unpaid: Mapping[str, SkippedCandidate] | None = None,
) -> Selection:
    """Decide which models may serve one call.

    Args:
        need: what the call requires.
        binding: the role's primary, fallbacks and escalation.
        facts: what is known, by model; a model without facts is gone from the configuration.
        wish: a forced or pinned model, and what to do at a limit.
        now: decides which limits are still in force.
        tried: models this call has asked already; they are neither candidates nor skips.
        unpaid: models that no budget pays for, with the reason.
    """
    on_limit = wish.on_limit or binding.on_limit
    candidates: list[Candidate] = []
    skips: list[SkippedCandidate] = []
    for position in _in_order(need, binding, wish):
        if position.model in tried:
            continue
        skip = why_not(position.model, need, facts.get(position.model), now)
        if skip is None and unpaid:
            skip = unpaid.get(position.model)
        if skip is None:
            candidates.append(position)
        else:
            skips.append(replace(skip, rank=position.rank))
        if on_limit is OnLimit.PARK and (skip is None or not skip.incapable):
            break  # keep the first capable model, even if it has to be waited for
    return Selection(tuple(candidates), tuple(skips))


def _in_order(
    need: Requirements, binding: RoleSettings, wish: RoutingPreference
) -> Iterable[Candidate]:
    if wish.forced is not None:
        yield Candidate(wish.forced, "forced", 0)
        return
    order: dict[str, str] = {}
    if need.complexity is Complexity.ESCALATE and binding.escalate is not None:
        order[binding.escalate] = "escalation"
    if wish.pinned in binding.models:
        order.setdefault(str(wish.pinned), "pinned")
    order.setdefault(binding.primary, "primary")
    for fallback in binding.fallback:
        order.setdefault(fallback, "fallback")
    for rank, (model, reason) in enumerate(order.items()):
        yield Candidate(model, reason, rank)


def why_not(
    model: str, need: Requirements, facts: ModelFacts | None, now: datetime
) -> SkippedCandidate | None:
    """Say why a model may not serve a call; None when it may.

    Args:
        model: its name in the configuration.
        need: what the call requires.
        facts: what is known of it; None means it is gone from the configuration.
        now: decides whether its limit is still in force.
    """
    if facts is None:
        return SkippedCandidate(model, "is not in the configuration", incapable=True)
    if facts.until is not None and now >= facts.until:
        why = f"its endpoint ended on {facts.until:%Y-%m-%d %H:%M} UTC (`until`)"
        return SkippedCandidate(model, why, incapable=True)
    lacking = _lacks(need, facts)
    if lacking is not None:
        return SkippedCandidate(model, lacking, incapable=True)
    window = facts.context_tokens
    if window is not None and need.context_tokens > window:
        why = f"holds {window} tokens and the call needs about {need.context_tokens}"
        return SkippedCandidate(model, why, incapable=True, too_long=True)
    if facts.limit is not None and facts.limit.in_force(now):
        return SkippedCandidate(
            model, _limit_reason(facts.limit), retry_at=facts.limit.ends_at, limit=facts.limit
        )
    return None


def _lacks(need: Requirements, facts: ModelFacts) -> str | None:
    if need.private and not facts.local:
        return "is not local and the call is private"
    if need.tools and facts.tools is False:
        why = f": {facts.tools_evidence}" if facts.tools_evidence else ""
        return f"cannot call tools{why}"
    if need.vision and not facts.vision:
        return "cannot see pictures"
    return None


def _limit_reason(limit: Limit) -> str:
    if limit.ends_at is None:
        return f"refused until a person acts: {limit.reason}"
    if limit.is_outage:
        return f"failed repeatedly, left alone until {_hour(limit.ends_at)}"
    return f"refused until {_hour(limit.ends_at)} ({limit.evidence}): {limit.reason}"


def _hour(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
