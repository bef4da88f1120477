"""Learned: what a refusal or a failure makes of the limit that was known before it."""

from datetime import datetime, timedelta

from noctule.core.llm.guesses import guessed_wait, is_window
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.provider_errors.parse import margin_seconds
from noctule.core.provider_errors.refusals import Evidence, Refusal

_TRUSTED_PACES = 3


def refused(key: LimitKey, refusal: Refusal, known: Limit | None, now: datetime) -> Limit:
    """Return the limit that a refusal means.

    Only a window whose end is known counts as one. A short pace (``Retry-After: 20``) is kept three
    times; refused again at its end, it is guessed at like a refusal that names no time, and not
    asked before the time it names.

    Args:
        key: whom it concerns.
        refusal: what was said.
        known: the limit of that key so far, in force or not; None when there is none.
        now: when it was said.
    """
    windows, guesses = (0, 0) if known is None else (known.windows, known.guesses)
    goes_on = known is not None and known.stands(now)
    not_before, evidence = _end(key, refusal, guesses - goes_on, now)
    if refusal.needs_person or is_window(evidence, not_before - now):
        windows = max(windows, 1) if goes_on else windows + 1
    else:
        guesses = max(guesses, 1) if goes_on else guesses + 1
    return Limit(
        key,
        refusal.outcome,
        refusal.message,
        None if refusal.needs_person else not_before,
        None if refusal.needs_person else evidence,
        now,
        windows=windows,
        guesses=guesses,
        since=now if known is None else known.begun_at,
    )


def outage(
    key: LimitKey,
    refusal: Refusal,
    known: Limit | None,
    now: datetime,
    *,
    pause_s: float | None,
) -> Limit:
    """Return the outage that a failure means.

    The guess when a sleeper may try again is kept until it is over, so that everybody who fails
    meanwhile waits for the same moment; it grows when it turns out to have been too early.

    Args:
        key: whom it concerns.
        refusal: how it failed.
        known: the limit of that key so far; None when there is none.
        now: when it failed.
        pause_s: seconds for which nobody is to ask; None while everybody may.
    """
    guesses, left_alone_until = 0, None
    if known is not None:
        guesses, left_alone_until = known.guesses, known.left_alone_until
    if known is not None and known.is_outage and known.not_before and now < known.not_before:
        not_before = known.not_before
    else:
        guesses += 1
        not_before = now + guessed_wait(key, guesses, now)
    if pause_s is not None:
        left_alone_until = now + timedelta(seconds=pause_s)
    return Limit(
        key,
        refusal.outcome,
        refusal.message,
        not_before if left_alone_until is None else max(not_before, left_alone_until),
        Evidence.GUESS,
        now,
        windows=0 if known is None else known.windows,
        guesses=guesses,
        since=now if known is None else known.begun_at,
        left_alone_until=left_alone_until,
    )


def replaces(new: Limit, old: Limit) -> bool:
    """Whether a refusal outdoes the one still in force: knowledge before guess, then time."""
    return old.is_guess if new.is_guess != old.is_guess else end_of(new) > end_of(old)


def end_of(limit: Limit) -> float:
    """Return when a limit ends, to compare: what nobody knows the end of comes last."""
    return float("inf") if limit.ends_at is None else limit.ends_at.timestamp()


def rounds_before(limit: Limit, now: datetime) -> int:
    """Return how many refusals in a row came before one that would come now.

    Refusals within one window count once: many calls may be under way when it closes.
    """
    rounds = limit.windows + limit.guesses
    return rounds - 1 if limit.stands(now) else rounds


def _end(key: LimitKey, refusal: Refusal, guesses: int, now: datetime) -> tuple[datetime, Evidence]:
    """Return until when to leave it alone, and how that is known.

    Args:
        key: whom it concerns.
        refusal: what was said.
        guesses: rounds before this one whose end was guessed.
        now: when it was said.
    """
    wait = timedelta(0) if refusal.retry_at is None else max(refusal.retry_at - now, timedelta(0))
    if refusal.retry_at is not None and refusal.evidence not in {None, Evidence.GUESS}:
        margin = timedelta(seconds=margin_seconds((refusal.retry_at - now).total_seconds()))
        if guesses < _TRUSTED_PACES or is_window(refusal.evidence, wait + margin):
            return refusal.retry_at + margin, refusal.evidence or Evidence.GUESS
        guess = guessed_wait(key, guesses - _TRUSTED_PACES + 1, now)
        return now + max(wait + margin, guess), Evidence.GUESS
    seconds = wait.total_seconds()
    return now + guessed_wait(key, guesses + 1, now, least_s=seconds), Evidence.GUESS
