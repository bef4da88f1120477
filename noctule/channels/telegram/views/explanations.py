"""Explaining: why a reply is as it is, short enough for a phone; in Markdown."""

from collections.abc import Iterator
from datetime import datetime, tzinfo

from noctule.channels.telegram.base.amounts import shown_cost
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.delivery.markdown import bare
from noctule.core.llm.attempts import Attempt, CostSource
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.costs import Baseline
from noctule.core.reports.explanation import ExplainedCall, ExplainedSleep, Explanation
from noctule.core.times.durations import show_duration

_MOST_CALLS = 12
_TEXT_CHARS = 120
_WAIT_S = 0.05
_SOURCES = {
    CostSource.PROVIDER: "as billed by the provider",
    CostSource.CONFIG: "by the configured price",
    CostSource.LIBRARY: "by the price library",
    CostSource.LOCAL: "free per call",
    None: "no price is known",
}


def explanation_lines(explained: Explanation, *, zone: tzinfo, now: datetime) -> Iterator[str]:
    """Yield the lines that explain a reply.

    Args:
        explained: the reply.
        zone: where times are shown.
        now: the present moment.
    """
    turn = explained.turn
    text = " ".join(turn.text.split())
    yield f"**{bare(text if len(text) <= _TEXT_CHARS else f'{text[:_TEXT_CHARS]}…')}**"
    yield from _route(explained)
    calls = explained.calls
    if len(calls) > _MOST_CALLS:
        yield ""
        yield f"{len(calls) - _MOST_CALLS} earlier calls not shown."
    for number, call in list(enumerate(calls, 1))[-_MOST_CALLS:]:
        yield ""
        yield from _call(number, call)
    for sleep in explained.sleeps:
        yield ""
        yield from _sleep(sleep, zone, now)
    yield ""
    if explained.spend.input_tokens:
        sent = explained.spend.input_tokens
        yield f"Tokens: {sent:,} sent, {explained.spend.output_tokens:,} received"
    yield f"Cost: {shown_cost(explained.cost_usd)}{_elsewhere(explained.elsewhere)}"


def _route(explained: Explanation) -> Iterator[str]:
    route = explained.route
    if route is None:
        yield "Route: none yet."
        return
    sure = "" if route.confidence is None else f", confidence {route.confidence:.2f}"
    names = " → ".join(role.value for role in route.roles)
    decided = f"by {route.by.value}: {bare(route.reason)}{sure}"
    yield f"Route: {names}, {route.complexity.value}; {decided}"


def _call(number: int, call: ExplainedCall) -> Iterator[str]:
    first = call.attempts[0]
    yield f"**{number}&#46; {first.role}, {first.purpose.value}**"
    for skip in call.skipped:
        yield f"skipped {bare(skip.model)}: {bare(skip.reason)}"
    for attempt in call.attempts:
        yield from _attempt(attempt)


def _attempt(attempt: Attempt) -> Iterator[str]:
    outcome = attempt.outcome.value.replace("_", " ")
    result = "answered" if attempt.outcome is Outcome.SUCCESS else outcome
    waited = f" after waiting {show_duration(attempt.wait_s)}" if attempt.wait_s > _WAIT_S else ""
    instead = f" instead of {bare(attempt.fallback_from)}" if attempt.fallback_from else ""
    took = show_duration(attempt.duration_s)
    cost = ""
    if attempt.outcome is Outcome.SUCCESS or attempt.cost_usd:
        cost = f", {shown_cost(attempt.cost_usd)} ({_SOURCES[attempt.cost_source]})"
    yield f"asked {bare(attempt.model)}{instead}{waited}: {result} in {took}{cost}"
    if attempt.message:
        yield f"it said: {bare(attempt.message)}"


def _sleep(sleep: ExplainedSleep, zone: tzinfo, now: datetime) -> Iterator[str]:
    until = "you resumed it" if sleep.wake_at is None else hour(sleep.wake_at, zone, now)
    yield f"**{sleep.status.capitalize()} until {until}**"
    yield bare(sleep.reason or sleep.sentence)
    if sleep.evidence is not None:
        yield f"source of the time: {sleep.evidence}"
    if sleep.woken_at is not None:
        slept = (sleep.woken_at - sleep.parked_at).total_seconds()
        yield f"resumed {hour(sleep.woken_at, zone, now)}, after {show_duration(slept)}"


def _elsewhere(baseline: Baseline | None) -> str:
    if baseline is None or baseline.saved_usd == 0:
        return ""
    there = shown_cost(baseline.cost_usd)
    return f"; the same tokens on {bare(baseline.model)}: {there} (hypothetical)"
