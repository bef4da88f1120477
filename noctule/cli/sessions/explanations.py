"""An explained turn, for programs and for people."""

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, cast

import click

from noctule.channels.terminal.screens.printable import shown
from noctule.cli.commands.attempts import attempt_document, tokens_of
from noctule.cli.costs.token_words import parts_in_words
from noctule.cli.frame.documents import baseline_document, route_document
from noctule.cli.frame.moments import iso, show
from noctule.cli.json_types.costs import (
    ExplainedCallDocument,
    ExplainedSleepDocument,
    WhyDocument,
)
from noctule.cli.json_types.turns import InputPartsDocument
from noctule.core.base.money import show_usd
from noctule.core.llm.attempts import Attempt, CostSource
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.costs import Baseline
from noctule.core.reports.explanation import ExplainedCall, ExplainedSleep, Explanation
from noctule.core.times.durations import show_duration

if TYPE_CHECKING:
    from noctule.bootstrap import Records

_WORTH_TELLING_SECONDS = 0.05
_SOURCES = {
    CostSource.PROVIDER: "as billed by the provider",
    CostSource.CONFIG: "by the configured price",
    CostSource.LIBRARY: "by the price library",
    CostSource.LOCAL: "local models are free per call",
    None: "no price is known",
}


def document(explained: Explanation, records: "Records") -> WhyDocument:
    """Return what ``why --json`` prints."""
    turn, route = explained.turn, explained.route
    return {
        "session": turn.session_id,
        "turn": turn.id,
        "status": turn.status.value,
        "text": turn.text,
        "reply": turn.reply,
        "error": turn.error,
        "verdict": turn.verdict,
        "route": None if route is None else route_document(route),
        "calls": [_call_document(call, records) for call in explained.calls],
        "parks": [_sleep_document(sleep, records) for sleep in explained.sleeps],
        "input_tokens": explained.spend.input_tokens,
        "input_parts": cast("InputPartsDocument", asdict(explained.spend.parts)),
        "cost_usd": number(explained.cost_usd),
        "baseline": baseline_document(explained.elsewhere),
    }


def number(amount: Decimal | None) -> float | None:
    """Return an amount as JSON has it; None stays None."""
    return None if amount is None else float(amount)


def lines(explained: Explanation, records: "Records") -> Iterator[str]:
    """Yield what ``why`` prints."""
    turn = explained.turn
    yield click.style(shown(" ".join(turn.text.split()))[:200], bold=True)
    yield f"turn {turn.id} of session {turn.session_id}: {turn.status.value}"
    if turn.error:
        yield shown(turn.error)
    yield ""
    yield from _route(explained)
    for index, call in enumerate(explained.calls, 1):
        yield ""
        yield from _call(index, call)
    for sleep in explained.sleeps:
        yield ""
        yield from _sleep(sleep, records)
    yield ""
    yield from _tokens(explained)
    yield f"Cost: {show_usd(explained.cost_usd)}{_elsewhere(explained.elsewhere)}"


def _route(explained: Explanation) -> Iterator[str]:
    route = explained.route
    if route is None:
        yield "Route: none yet."
        return
    sure = "" if route.confidence is None else f", confidence {route.confidence:.2f}"
    names = " → ".join(role.value for role in route.roles)
    yield f"Route: {names}, {route.complexity.value}"
    yield shown(f"  decided by {route.by.value}: {route.reason}{sure}")


def _call(index: int, call: ExplainedCall) -> Iterator[str]:
    first = call.attempts[0]
    yield click.style(f"Call {index}: {first.role}, {first.purpose.value}", bold=True)
    for skip in call.skipped:
        yield shown(f"  skipped {skip.model}: {skip.reason}")
    for attempt in call.attempts:
        yield from _attempt(attempt)
    answered = call.answered_by
    if call.elsewhere and answered and answered.model != call.elsewhere.model:
        yield f"  {_on(call.elsewhere)} (hypothetical)"


def _attempt(attempt: Attempt) -> Iterator[str]:
    outcome = attempt.outcome.value.replace("_", " ")
    result = "answered" if attempt.outcome is Outcome.SUCCESS else outcome
    waited = ""
    if attempt.wait_s >= _WORTH_TELLING_SECONDS:
        waited = f" after waiting {show_duration(attempt.wait_s)}"
    instead = f" instead of {attempt.fallback_from}" if attempt.fallback_from else ""
    yield f"  asked {attempt.model}{instead}{waited}: {result} in {_took(attempt)}"
    if attempt.message:
        yield shown(f"    it said: {' '.join(attempt.message.split())}")
    if attempt.discarded:
        yield "    its partial output was discarded"
    if attempt.outcome is Outcome.SUCCESS or attempt.cost_usd:
        tokens = f"{tokens_of(attempt)} tokens, "
        yield f"    {tokens}{show_usd(attempt.cost_usd)} ({_SOURCES[attempt.cost_source]})"
        if attempt.parts is not None and attempt.parts.total:
            yield f"    sent: {parts_in_words(attempt.parts)}"


def _tokens(explained: Explanation) -> Iterator[str]:
    spend = explained.spend
    if spend.input_tokens:
        parts = parts_in_words(spend.parts, unsplit=spend.unsplit_tokens, shares=True)
        calls = "1 step" if len(explained.calls) == 1 else f"{len(explained.calls)} steps"
        yield f"Tokens: {spend.input_tokens} sent in {calls}: {parts}"


def _took(attempt: Attempt) -> str:
    took = show_duration(attempt.duration_s)
    if attempt.first_token_s is None:
        return took
    return f"{took} (first token after {show_duration(attempt.first_token_s)})"


def _sleep(sleep: ExplainedSleep, records: "Records") -> Iterator[str]:
    now = records.clock.now()
    until = "you resume it" if sleep.wake_at is None else show(sleep.wake_at, records.zone, now)
    yield click.style(f"{sleep.status.capitalize()} until {until}", bold=True)
    yield shown(f"  {sleep.sentence}")
    if sleep.evidence is not None:
        yield f"  source of the time: {sleep.evidence}"
    for line in sleep.tried:
        yield shown(f"  tried {line}")
    if sleep.woken_at is not None:
        slept = (sleep.woken_at - sleep.parked_at).total_seconds()
        yield f"  resumed {show(sleep.woken_at, records.zone, now)}, after {show_duration(slept)}"


def _elsewhere(baseline: Baseline | None) -> str:
    if baseline is None or baseline.saved_usd == 0:
        return ""
    return f"; {_on(baseline)} (hypothetical)"


def _on(baseline: Baseline) -> str:
    return f"the same tokens on {baseline.model}: {show_usd(baseline.cost_usd)}"


def _call_document(call: ExplainedCall, records: "Records") -> ExplainedCallDocument:
    first, answered = call.attempts[0], call.answered_by
    return {
        "call": call.id,
        "role": first.role,
        "purpose": first.purpose.value,
        "model": None if answered is None else answered.model,
        "asked": [attempt_document(attempt, records) for attempt in call.attempts],
        "skipped": [{"model": skip.model, "reason": skip.reason} for skip in call.skipped],
        "wait_s": call.wait_s,
        "input_tokens": None if answered is None else answered.usage.input_tokens,
        "cost_usd": number(call.cost_usd),
        "baseline": baseline_document(call.elsewhere),
    }


def _sleep_document(sleep: ExplainedSleep, records: "Records") -> ExplainedSleepDocument:
    return {
        "status": sleep.status,
        "parked_at": iso(sleep.parked_at, records.zone),
        "wake_at": iso(sleep.wake_at, records.zone),
        "woken_at": iso(sleep.woken_at, records.zone),
        "sentence": sleep.sentence,
        "reason": sleep.reason,
        "evidence": sleep.evidence,
        "model": sleep.model,
        "tried": list(sleep.tried),
    }
