"""The dim line under a reply: ``engineer · gemma (coder busy 2 s) · $0.00 · 3.1 s``."""

from collections.abc import Iterable, Iterator

from noctule.channels.terminal.said import Said, answering
from noctule.core.attempts import Attempt
from noctule.core.durations import show_duration
from noctule.core.money import show_usd
from noctule.core.outcomes import Outcome


def footer(said: Said) -> str | None:
    """Return the line; None when no model answered."""
    answers = answering(said)
    if not answers:
        return None
    roles = ", ".join(dict.fromkeys(attempt.role for attempt in answers))
    models = ", ".join(dict.fromkeys(attempt.model for attempt in answers))
    instead = "; ".join(dict.fromkeys(_instead(said.attempts, answers)))
    if instead:
        models += f" ({instead})"
    parts = [roles, models, show_usd(said.cost_usd), *_duration(said)]
    return " · ".join(parts)


def _instead(attempts: Iterable[Attempt], answers: Iterable[Attempt]) -> Iterator[str]:
    """Yield why models before the ones that answered did not: skipped, or asked in vain."""
    calls = {answer.call_id: answer for answer in answers}
    for answer in calls.values():
        if answer.fallback_from is not None:
            yield from (f"{skip.model} {skip.reason}" for skip in answer.skipped)
    for attempt in attempts:
        answer_of_call = calls.get(attempt.call_id)
        if answer_of_call is not None and attempt.outcome is not Outcome.SUCCESS:
            yield f"{attempt.model} {attempt.outcome.value.replace('_', ' ')}"


def _duration(said: Said) -> Iterator[str]:
    turn = said.turn
    if turn.started_at is not None and turn.ended_at is not None:
        yield show_duration((turn.ended_at - turn.started_at).total_seconds())
