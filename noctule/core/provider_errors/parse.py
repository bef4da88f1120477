"""Reading a provider's "not now": what it is, how long it lasts, and how we know."""

from datetime import datetime

from noctule.core.provider_errors.classify import affordable_tokens, classify
from noctule.core.provider_errors.error_classes import ErrorClass
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.overflow_words import WINDOW_FIELDS, window_in
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.provider_words import shorten
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.core.provider_errors.retry_after import Wait, find_wait
from noctule.core.times.windows import Window

__all__ = ["Evidence", "ProviderResponse", "Refusal", "margin_seconds", "read_refusal"]

_LONGEST_MARGIN_SECONDS = 60.0
_SHORTEST_MARGIN_SECONDS = 1.0
_MARGIN_SHARE = 0.05


def read_refusal(
    answer: ProviderResponse, *, now: datetime, window: Window | None = None, consecutive: int = 0
) -> Refusal:
    """Read a failed answer into class, wait and evidence.

    Only outcomes that are limits get a ``retry_at``. It carries no margin; see
    :func:`margin_seconds`. A quota whose reset nobody knows has none and needs a person.

    Args:
        answer: what came over the wire.
        now: when it came, aware.
        window: the endpoint's configured window, for providers that do not say; None when it has
            none.
        consecutive: refusals in a row before this one; 0 means it is the first. It doubles the
            guess and takes trust from times that were tried and turned out wrong.
    """
    verdict = classify(answer)
    wait = Wait(None, None)
    if verdict.outcome.limits and not verdict.needs_person:
        wait = find_wait(answer, verdict, now=now, window=window, consecutive=consecutive)
    unknown_reset = verdict.outcome is Outcome.QUOTA_EXHAUSTED and wait.retry_at is None
    return Refusal(
        outcome=verdict.outcome,
        message=_message(answer),
        retry_at=wait.retry_at,
        evidence=wait.evidence,
        account_wide=verdict.account_wide,
        needs_person=verdict.needs_person or unknown_reset,
        context_tokens=_window(answer, verdict),
        unaffordable=verdict.unaffordable,
        affordable_tokens=affordable_tokens(answer) if verdict.unaffordable else None,
        note=_note(answer, verdict.note, wait),
    )


def _window(answer: ProviderResponse, verdict: ErrorClass) -> int | None:
    if verdict.outcome is not Outcome.CONTEXT_OVERFLOW or verdict.unaffordable:
        return None
    return window_in(answer.words, (v for name in WINDOW_FIELDS for v in answer.values(name)))


def margin_seconds(wait_seconds: float) -> float:
    """Return how much later than a reset to come back: 5 % of the wait, 1 s to 60 s.

    Jitter is to stay inside it.

    Args:
        wait_seconds: from now to the reset; negative counts as 0.
    """
    share = max(wait_seconds, 0.0) * _MARGIN_SHARE
    return min(_LONGEST_MARGIN_SECONDS, max(_SHORTEST_MARGIN_SECONDS, share))


def _message(answer: ProviderResponse) -> str:
    words = shorten(answer.words)
    if words:
        return words
    return "an answer without a word" if answer.status is None else f"HTTP {answer.status}"


def _note(answer: ProviderResponse, oddity: str | None, wait: Wait) -> str | None:
    not_json = "the body is not JSON" if answer.body.strip() and answer.json is None else None
    notes = [note for note in (not_json, oddity, *wait.notes) if note]
    return "; ".join(notes) or None
