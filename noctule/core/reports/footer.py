"""The line under a reply: ``engineer · gemma (coder busy 2 s) · $0.00 · 3.1 s``."""

from collections.abc import Iterable, Iterator, Sequence

from noctule.core.base.money import show_usd
from noctule.core.llm.attempts import Attempt, Purpose
from noctule.core.llm.spending import total_usd
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.sessions import Turn
from noctule.core.times.durations import show_duration

_WORTH_TELLING_SECONDS = 1.0


def footer_of(turn: Turn, attempts: Sequence[Attempt]) -> str | None:
    """Return the line; None when no model answered.

    Args:
        turn: at its end.
        attempts: its requests to models, oldest first.
    """
    answers = answering(attempts)
    if not answers:
        return None
    roles = ", ".join(dict.fromkeys(attempt.role for attempt in answers))
    models = ", ".join(dict.fromkeys(attempt.model for attempt in answers))
    why = "; ".join(_why_these(attempts, answers))
    if why:
        models += f" ({why})"
    return " · ".join([roles, models, _cost(attempts), *_duration(turn)])


def _cost(attempts: Sequence[Attempt]) -> str:
    usd = total_usd(attempts)
    return "unknown cost" if usd is None else show_usd(usd)


def answering(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return the attempts whose text is part of the answer, oldest first."""
    return [
        attempt
        for attempt in attempts
        if attempt.purpose is Purpose.ANSWER and attempt.outcome is Outcome.SUCCESS
    ]


def _why_these(attempts: Iterable[Attempt], answers: Iterable[Attempt]) -> Iterator[str]:
    """Yield, once for each model, why it did not answer in place of another that did."""
    calls = {answer.call_id: answer for answer in answers}
    reasons: dict[str, str] = {}
    for attempt in attempts:
        if attempt.call_id in calls and attempt.outcome is not Outcome.SUCCESS:
            reasons.setdefault(attempt.model, attempt.outcome.value.replace("_", " "))
    for answer in calls.values():
        for skip in answer.skipped if answer.fallback_from is not None else ():
            reasons.setdefault(skip.model, skip.reason)
    yield from (f"{model} {reason}" for model, reason in reasons.items())
    waited = sum(answer.wait_s for answer in calls.values())
    if not reasons and waited >= _WORTH_TELLING_SECONDS:
        yield f"waited {show_duration(waited)}"


def _duration(turn: Turn) -> Iterator[str]:
    if turn.started_at is not None and turn.ended_at is not None:
        yield show_duration((turn.ended_at - turn.started_at).total_seconds())
