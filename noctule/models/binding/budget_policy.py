"""Thrift: who is asked when a budget is used up, or comes to its end."""

from noctule.core.llm.selection import Selection, SkippedCandidate
from noctule.core.settings import OnExhausted
from noctule.models.binding.call_state import CallState
from noctule.models.binding.dependencies import ModelDependencies


def apply_budget_policy(
    resolution: Selection, course: CallState, layer: ModelDependencies
) -> Selection:
    """Return a resolution as the budgets want it: stopped, local, or the cheapest first.

    Args:
        resolution: who may serve the call; models nobody pays for are skips already.
        course: what the budgets have said so far.
        layer: knows prices and places.
    """
    if len(resolution.candidates) == 0:
        return resolution
    now = layer.clock.now()
    used_up = [
        shortage
        for shortage in course.unpaid.values()
        if shortage.limit is None or shortage.limit.in_force(now)
    ]
    wanted = {shortage.on_exhausted for shortage in used_up}
    if OnExhausted.PARK in wanted and any(shortage.limit for shortage in used_up):
        return Selection((), resolution.skips)
    if OnExhausted.LOCAL in wanted:
        resolution = _local(resolution, layer)
    if OnExhausted.CHEAPEST in wanted or _is_low(resolution, course, layer):
        by_price = sorted(
            resolution.candidates, key=lambda one: layer.budgets.price_rank(one.model)
        )
        return Selection(tuple(by_price), resolution.skips)
    return resolution


def _local(resolution: Selection, layer: ModelDependencies) -> Selection:
    local = [one for one in resolution.candidates if layer.facts.is_local(one.model)]
    away = (
        SkippedCandidate(
            one.model, "a budget is used up: local models only", incapable=True, rank=one.rank
        )
        for one in resolution.candidates
        if one not in local
    )
    return Selection(tuple(local), (*resolution.skips, *away))


def _is_low(resolution: Selection, course: CallState, layer: ModelDependencies) -> bool:
    subject = course.subject
    return any(layer.budgets.is_low(one.model, subject) for one in resolution.candidates)
