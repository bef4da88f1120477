"""Every time an answer tells by name: in its headers, and in objects at any depth of its body."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.ratelimit_header import buckets_of
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.provider_errors.reset_names import (
    EMPTY_STATUSES,
    ResetMeaning,
    TimeName,
    understand,
    words_of,
)
from noctule.core.times.moments import moment_from, seconds_from

_METERS = frozenset({"requests", "tokens", "request", "token"})
_MOST_NAMES = 4_000
_MOST_PARTS = 20
_DIVIDED = frozenset({"retry", "reset", "resets"})


@dataclass(frozen=True, slots=True)
class ToldTime:
    """One place that tells a time.

    Args:
        source: where, for notes.
        moment: aware; None when it could not be read.
        evidence: header or body.
        naive: True when it was written without a zone.
    """

    source: str
    moment: datetime | None
    evidence: Evidence
    naive: bool = False


@dataclass(slots=True)
class _Bucket:
    """Something that is used up and filled again, as far as an answer tells."""

    resets: list[tuple[TimeName, str, object]] = field(default_factory=list)
    levels: list[bool] = field(default_factory=list)

    @property
    def empty(self) -> bool | None:
        """Whether nothing is left; None when the answer does not tell."""
        return any(self.levels) if self.levels else None


@dataclass(frozen=True, slots=True)
class ToldTimes:
    """What one place (the headers, or the body) tells.

    Args:
        orders: when to come back, in the order found, "in ms" first.
        resets: when the empty buckets are full again, the latest first: it decides.
        hints: when buckets are full of which nobody says how full they are, soonest first.
    """

    orders: tuple[ToldTime, ...] = ()
    resets: tuple[ToldTime, ...] = ()
    hints: tuple[ToldTime, ...] = ()


def told_in_headers(
    answer: ProviderResponse, now: datetime, zone: tzinfo, *, metered: bool
) -> ToldTimes:
    """Find the times in an answer's headers.

    Args:
        answer: what came.
        now: aware.
        zone: where times without a zone are meant.
        metered: False leaves out buckets of requests and tokens: they say nothing about money.
    """
    scope: dict[str, object] = dict(answer.lower_headers)
    reader = _Reader(now, zone, Evidence.HEADER, metered=metered)
    return reader.read([scope, *buckets_of(answer.lower_headers)])


def told_in_body(
    answer: ProviderResponse, now: datetime, zone: tzinfo, *, metered: bool
) -> ToldTimes:
    """Find the times in an answer's body, whatever they are nested in; arguments as above."""
    return _Reader(now, zone, Evidence.BODY, metered=metered).read(answer.scopes)


class _Reader:
    def __init__(self, now: datetime, zone: tzinfo, evidence: Evidence, *, metered: bool) -> None:
        self._now = now
        self._zone = zone
        self._evidence = evidence
        self._metered = metered

    def read(self, scopes: list[dict[str, object]]) -> ToldTimes:
        orders: list[tuple[TimeName, ToldTime]] = []
        empty: list[ToldTime] = []
        unknown: list[ToldTime] = []
        names = 0
        for scope in map(_with_parts, scopes):
            names += len(scope)
            if names > _MOST_NAMES:
                break
            orders += self._orders(scope)
            for bucket in self._buckets(scope):
                if bucket.empty is not False and (offer := self._reset(bucket)) is not None:
                    (empty if bucket.empty else unknown).append(offer)
        finest_first = sorted(orders, key=lambda found: found[0].unit_seconds or 1.0)
        return ToldTimes(
            orders=tuple(offer for _, offer in finest_first),
            resets=tuple(sorted(empty, key=_when, reverse=True)),
            hints=tuple(sorted(unknown, key=_when)),
        )

    def _orders(self, scope: Mapping[str, object]) -> Iterator[tuple[TimeName, ToldTime]]:
        for name, value in scope.items():
            told = understand(name)
            if told is None or told.role is not ResetMeaning.ORDER or value in (None, ""):
                continue
            offer = self._offer(name, told, value)
            if offer.moment is not None or self._evidence is Evidence.HEADER:
                yield told, offer

    def _buckets(self, scope: Mapping[str, object]) -> list[_Bucket]:
        buckets: dict[tuple[str, ...], _Bucket] = {}
        for name, value in scope.items():
            told = understand(name)
            if told is None or told.role is ResetMeaning.ORDER:
                continue
            if not self._metered and _METERS & set(told.bucket):
                continue
            bucket = buckets.setdefault(told.bucket, _Bucket())
            if told.role is ResetMeaning.RESET:
                bucket.resets.append((told, name, value))
            elif (level := _is_empty(told.level, value)) is not None:
                bucket.levels.append(level)
        return [bucket for bucket in buckets.values() if bucket.resets]

    def _reset(self, bucket: _Bucket) -> ToldTime | None:
        """Return a bucket's time, a wait before a moment: clocks differ."""
        by_trust = sorted(bucket.resets, key=lambda reset: reset[0].moment is not False)
        offers = [self._offer(name, told, value) for told, name, value in by_trust]
        read = next((offer for offer in offers if offer.moment is not None), None)
        if read is None and self._evidence is Evidence.HEADER:
            return offers[0]
        return read

    def _offer(self, name: str, told: TimeName, value: object) -> ToldTime:
        moment = moment_from(
            value,
            self._now,
            zone=self._zone,
            unit_seconds=told.unit_seconds,
            moment=told.moment,
        )
        naive = isinstance(value, str) and seconds_from(value) is None and _is_naive(value)
        return ToldTime(f"{name[:60]} {str(value)[:40]!r}", moment, self._evidence, naive=naive)


def _with_parts(scope: dict[str, object]) -> dict[str, object]:
    """Add what stands in parts of a name: ``{"reset": {"at": …}}`` is ``reset_at`` too."""
    parts = {
        f"{name}_{part}": inner
        for name, value in scope.items()
        if isinstance(value, dict) and "seconds" not in value and _DIVIDED & set(words_of(name))
        for part, inner in list(value.items())[:_MOST_PARTS]
    }
    return scope | parts if parts else scope


def _when(offer: ToldTime) -> float:
    return offer.moment.timestamp() if offer.moment is not None else float("inf")


def _is_empty(kind: str, value: object) -> bool | None:
    """Say whether a level means that nothing is left; None when it tells nothing."""
    if kind == "status":
        return value.strip().lower() in EMPTY_STATUSES if isinstance(value, str) else None
    text = str(value)[:40].strip().rstrip("%") if isinstance(value, int | float | str) else ""
    number = None if isinstance(value, bool) else seconds_from(text)
    if number is None:
        return None
    if kind == "remaining":
        return number <= 0
    return number >= (1.0 if kind == "share" else 100.0)


def _is_naive(text: str) -> bool:
    """Say whether a written date and time has no zone."""
    try:
        return datetime.fromisoformat(text.strip()).tzinfo is None
    except ValueError:
        return False
