"""How long a refusal lasts: every place a provider may write it, in the order of trust."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from noctule.core.answers import RawAnswer
from noctule.core.moments import after, date_from, duration_from, moment_from, seconds_from
from noctule.core.outcomes import Outcome
from noctule.core.refusals import Evidence
from noctule.core.spoken_waits import spoken_waits
from noctule.core.verdicts import Verdict
from noctule.core.windows import Window

_LONGEST_WAIT = timedelta(days=400)
_FIRST_GUESS_SECONDS = 60.0
_LONGEST_GUESS_SECONDS = 1800.0
_MOST_DOUBLINGS = 10
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


@dataclass(frozen=True, slots=True)
class _Offer:
    """One place that names a time; the moment is None when it could not be read."""

    source: str
    moment: datetime | None
    evidence: Evidence


def find_wait(
    answer: RawAnswer, verdict: Verdict, *, now: datetime, window: Window | None, consecutive: int
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
    for offer in _offers(answer, verdict, now, window):
        trouble = _trouble(offer, verdict, now, consecutive)
        if trouble:
            notes.append(trouble)
            continue
        moment = offer.moment or now
        if moment < now:
            notes.append(f"{offer.source} lies in the past and counts as now")
        return Wait(max(moment, now).astimezone(UTC), offer.evidence, tuple(notes))
    if verdict.outcome is Outcome.QUOTA_EXHAUSTED:
        return Wait(None, None, tuple(notes))
    seconds = _FIRST_GUESS_SECONDS * 2 ** min(max(consecutive, 0), _MOST_DOUBLINGS)
    guess = now + timedelta(seconds=min(seconds, _LONGEST_GUESS_SECONDS))
    return Wait(guess.astimezone(UTC), Evidence.GUESS, tuple(notes))


def _trouble(offer: _Offer, verdict: Verdict, now: datetime, consecutive: int) -> str | None:
    """Say why an offer cannot be believed; None when it can."""
    if offer.moment is None:
        return f"{offer.source} cannot be read"
    if offer.moment > now + _LONGEST_WAIT:
        return f"{offer.source} is more than {_LONGEST_WAIT.days} days away and counts as unknown"
    if consecutive > 0 and offer.moment <= now:
        return f"{offer.source} lies in the past and was tried before"
    by_the_day = verdict.renews is not None and offer.evidence is Evidence.BODY
    if consecutive > 0 and by_the_day and offer.moment <= now + _SHORT_FOR_A_DAY_QUOTA:
        return f"{offer.source} is short for what is used up and was tried before"
    return None


def _offers(
    answer: RawAnswer, verdict: Verdict, now: datetime, window: Window | None
) -> Iterator[_Offer]:
    yield from _retry_after(answer, now)
    yield from _retry_delay(answer, now)
    yield from _buckets(answer, verdict, now)
    for words, moment in spoken_waits(answer.words, now):
        yield _Offer(repr(words), moment, Evidence.BODY)
    if verdict.renews is not None:
        yield _Offer("the provider's calendar", verdict.renews.next_reset(now), Evidence.BODY)
    if window is not None and not verdict.brief:
        yield _Offer("the endpoint's window", window.next_reset(now), Evidence.WINDOW)


def _retry_after(answer: RawAnswer, now: datetime) -> Iterator[_Offer]:
    milliseconds = answer.header("retry-after-ms")
    if milliseconds:
        number = seconds_from(milliseconds)
        moment = None if number is None else after(now, number / 1000)
        yield _Offer(f"retry-after-ms {milliseconds[:40]!r}", moment, Evidence.HEADER)
    value = answer.header("retry-after")
    if value:
        number = seconds_from(value)
        moment = date_from(value) if number is None else after(now, number)
        yield _Offer(f"retry-after {value[:40]!r}", moment, Evidence.HEADER)


def _retry_delay(answer: RawAnswer, now: datetime) -> Iterator[_Offer]:
    """Read google.rpc.RetryInfo: ``"37s"``, or a protobuf Duration spelled out."""
    for value in answer.values("retryDelay"):
        spelled = value.get("seconds") if isinstance(value, dict) else value
        text = str(spelled)
        seconds = duration_from(text)
        yield _Offer(
            f"retryDelay {text[:40]!r}",
            None if seconds is None else after(now, seconds),
            Evidence.BODY,
        )


def _buckets(answer: RawAnswer, verdict: Verdict, now: datetime) -> Iterator[_Offer]:
    """Take the latest reset among the buckets that are empty.

    A bucket that gives a reset and no level (a plan's ``unified`` one) counts when no other is
    known to be empty. Buckets of requests and tokens say nothing about money.
    """
    empty: list[_Offer] = []
    unknown: list[_Offer] = []
    for name, bucket in _read_buckets(answer).items():
        metered = {"requests", "tokens"} & set(name.split("-"))
        if "reset" not in bucket or (metered and verdict.outcome is Outcome.QUOTA_EXHAUSTED):
            continue
        level = _is_empty(bucket)
        reset = bucket["reset"]
        offer = _Offer(f"{name} reset {reset[:40]!r}", moment_from(reset, now), Evidence.HEADER)
        if level is not False:
            (empty if level else unknown).append(offer)
    known = empty or unknown
    far = datetime.max.replace(tzinfo=UTC)
    believable = [o for o in known if o.moment is not None and o.moment <= now + _LONGEST_WAIT]
    if believable:
        yield max(believable, key=lambda offer: offer.moment or far)
    else:
        yield from known


def _read_buckets(answer: RawAnswer) -> dict[str, dict[str, str]]:
    buckets: dict[str, dict[str, str]] = {}
    for header, value in answer.lower_headers.items():
        parts = header.replace("rate-limit", "ratelimit").split("-")
        field = next((part for part in parts if part in {"remaining", "reset", "status"}), None)
        if "ratelimit" in parts and field is not None and value:
            name = "-".join(part for part in parts if part != field)
            buckets.setdefault(name, {})[field] = value
    return buckets


def _is_empty(bucket: dict[str, str]) -> bool | None:
    """Say whether a bucket has nothing left; None when it does not tell."""
    remaining = seconds_from(bucket.get("remaining", ""))
    if remaining is not None:
        return remaining <= 0
    status = bucket.get("status", "").lower()
    return status in {"rejected", "exceeded", "exhausted", "blocked"} if status else None
