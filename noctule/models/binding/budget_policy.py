"""Thrift: who is asked when a budget is used up, or comes to its end."""

from noctule.core.llm.routing import Resolution, Skip
from noctule.core.settings import OnExhausted
from noctule.models.binding.call_state import Course
from noctule.models.binding.dependencies import Layer


def thrifty(resolution: Resolution, course: Course, layer: Layer) -> Resolution:
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
        return Resolution((), resolution.skips)
    if OnExhausted.LOCAL in wanted:
        resolution = _local(resolution, layer)
    if OnExhausted.CHEAPEST in wanted or _is_low(resolution, course, layer):
        by_price = sorted(
            resolution.candidates, key=lambda one: layer.budgets.price_rank(one.model)
        )
        return Resolution(tuple(by_price), resolution.skips)
    return resolution


def _local(resolution: Resolution, layer: Layer) -> Resolution:
    local = [one for one in resolution.candidates if layer.facts.is_local(one.model)]
    away = (
        Skip(one.model, "a budget is used up: local models only", incapable=True, rank=one.rank)
        for one in resolution.candidates
        if one not in local
    )
    return Resolution(tuple(local), (*resolution.skips, *away))


def _is_low(resolution: Resolution, course: Course, layer: Layer) -> bool:
    payer = course.payer
    return any(layer.budgets.is_low(one.model, payer) for one in resolution.candidates)
