"""How long a refusal lasts: every place a provider may write it, in the order of trust."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from noctule.core.provider_errors.error_classes import ErrorClass
from noctule.core.provider_errors.host_zones import fit_to_window, zone_of
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.provider_errors.spoken_waits import spoken_waits
from noctule.core.provider_errors.told_times import ToldTime, told_in_body, told_in_headers
from noctule.core.times.windows import Window

_LONGEST_WAIT = timedelta(days=400)
_FIRST_GUESS_SECONDS = 60.0
_LONGEST_GUESS_SECONDS = 1800.0
_MOST_DOUBLINGS = 10
_LATE = timedelta(minutes=15)
"""How much later than told a provider may be before another occurrence is waited for."""

_SHORT_FOR_A_DAY_QUOTA = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Wait:
    """When to come back.

    Args:
        retry_at: aware, without margin; None when nobody said.
        evidence: where it came from; None when there is none.
        notes: what was odd on the way.
    """

    retry_at: datetime | None
    evidence: Evidence | None
    notes: tuple[str, ...] = ()


def find_wait(
    answer: ProviderResponse,
    verdict: ErrorClass,
    *,
    now: datetime,
    window: Window | None,
    consecutive: int,
) -> Wait:
    """Return the first time in the answer that can be believed.

    A moment that is over counts as "now", but only the first time: after a refusal in a row it
    was already tried, and the next source is asked. More than 400 days away counts as unknown.

    Args:
        answer: what came.
        verdict: what it is.
        now: aware.
        window: the endpoint's configured window; None when there is none.
        consecutive: refusals in a row before this one.
    """
    notes: list[str] = []
    is_late = False
    for told in _offers(answer, verdict, now, window, consecutive):
        offer, doubt = _in_its_window(told, answer, now, consecutive)
        trouble = _trouble(offer, verdict, now, consecutive)
        if trouble:
            notes.append(trouble)
            is_late = is_late or _is_late(offer, now)
            if is_late and offer.evidence is Evidence.BODY:
                break
            continue
        moment = offer.moment or now
        if moment < now:
            notes.append(f"{offer.source} lies in the past and counts as now")
        if doubt is not None:
            notes.append(doubt)
        return Wait(max(moment, now).astimezone(UTC), offer.evidence, tuple(notes))
    if verdict.outcome is Outcome.QUOTA_EXHAUSTED and verdict.renews is None and not is_late:
        return Wait(None, None, tuple(notes))
    seconds = _FIRST_GUESS_SECONDS * 2 ** min(max(consecutive, 0), _MOST_DOUBLINGS)
    guess = now + timedelta(seconds=min(seconds, _LONGEST_GUESS_SECONDS))
    return Wait(guess.astimezone(UTC), Evidence.GUESS, tuple(notes))


def _is_late(offer: ToldTime, now: datetime) -> bool:
    """Whether a time is only just over: it comes a little later, not at its next occurrence."""
    return offer.moment is not None and now - _LATE <= offer.moment <= now


def _trouble(offer: ToldTime, verdict: ErrorClass, now: datetime, consecutive: int) -> str | None:
    """Say why an offer cannot be believed; None when it can."""
    if offer.moment is None:
        return f"{offer.source} cannot be read"
    if offer.moment > now + _LONGEST_WAIT:
        return f"{offer.source} is more than {_LONGEST_WAIT.days} days away and counts as unknown"
    if consecutive > 0 and offer.moment <= now:
        return f"{offer.source} lies in the past and was tried before"
    renews = verdict.renews is not None and verdict.renews_surely
    by_the_day = renews and offer.evidence is Evidence.BODY
    if consecutive > 0 and by_the_day and offer.moment <= now + _SHORT_FOR_A_DAY_QUOTA:
        return f"{offer.source} is short for what is used up and was tried before"
    return None


def _offers(
    answer: ProviderResponse,
    verdict: ErrorClass,
    now: datetime,
    window: Window | None,
    consecutive: int,
) -> Iterator[ToldTime]:
    zone = zone_of(answer) or UTC
    metered = verdict.outcome is not Outcome.QUOTA_EXHAUSTED
    header = told_in_headers(answer, now, zone, metered=metered)
    body = told_in_body(answer, now, zone, metered=metered)
    yield from header.orders
    yield from header.resets
    yield from body.orders
    yield from body.resets
    yield from _next_hint(body.hints, now, consecutive)
    yield from _next_hint(header.hints, now, consecutive)
    yield from spoken_waits(answer.words, now, zone)
    if verdict.renews is not None and (verdict.renews_surely or consecutive <= 0):
        yield ToldTime("the provider's calendar", verdict.renews.next_reset(now), Evidence.BODY)
    if window is not None and not verdict.brief:
        yield ToldTime("the endpoint's window", window.next_reset(now), Evidence.WINDOW)


def _next_hint(hints: tuple[ToldTime, ...], now: datetime, consecutive: int) -> Iterator[ToldTime]:
    """Give the resets of buckets nobody calls empty: the soonest first, after it the next."""
    ahead = [hint for hint in hints if hint.moment is None or hint.moment > now]
    if ahead:
        yield ahead[min(max(consecutive, 0), len(ahead) - 1)]
    else:
        yield from hints[-1:]


def _in_its_window(
    offer: ToldTime, answer: ProviderResponse, now: datetime, consecutive: int
) -> tuple[ToldTime, str | None]:
    """Doubt a time without a zone that lies beyond the window it belongs to."""
    if offer.moment is None or not offer.naive or zone_of(answer) is not None:
        return offer, None
    moment, note = fit_to_window(offer.moment, answer.words, now, max(consecutive, 0))
    return replace(offer, moment=moment), note
