"""A dead end: no model may be asked at this moment; what to wait for, and whom to tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from noctule.core.errors import LimitError, NoModelError
from noctule.core.limits import Limit, LimitKey
from noctule.core.outcomes import Outcome
from noctule.core.refusals import Evidence, Refusal
from noctule.core.routing import Resolution, Skip
from noctule.models import advice
from noctule.models.course import Course
from noctule.models.errors import NobodyError, NobodyYetError, TooLongError
from noctule.models.layer import Layer


@dataclass(frozen=True, slots=True)
class _Wait:
    """What has to pass before a model may be asked again.

    Args:
        model: which one.
        reason: in the provider's words.
        free_at: when it may be asked again; None when nobody knows: a person has to act, or it
            is down and may come back at any time.
        evidence: where the time came from; None when there is none.
        key: the limit behind it; None when the model is down.
        down: True when it is down, so that a guess says when it is worth another try.
    """

    model: str
    reason: str
    free_at: datetime | None = None
    evidence: Evidence | None = None
    key: LimitKey | None = None
    down: bool = False


class DeadEnd:
    """What can be said of a call when nobody is left to ask.

    Args:
        layer: the shared parts.
        course: how the call came here.
        resolution: the last look at who may serve it.
    """

    def __init__(self, layer: Layer, course: Course, resolution: Resolution) -> None:
        self._layer = layer
        self._course = course
        self._skips = {skip.model: skip for skip in resolution.skips}
        self._waits = [] if course.is_wrong else list(self._find_waits())

    def wait_s(self) -> float | None:
        """Return the seconds until the first model is free again; None when that is not known."""
        known = [wait.free_at for wait in self._waits if wait.free_at is not None]
        if not known:
            return None
        return max(0.0, (min(known) - self._layer.clock.now()).total_seconds())

    def waiting_for(self) -> tuple[str, ...]:
        """Return the models whose time is known."""
        return tuple(wait.model for wait in self._waits if wait.free_at is not None)

    def error(self) -> LimitError | NoModelError:
        """Return what to raise: a limit when waiting cures it, else who must do what."""
        if not self._waits:
            return self._nobody()
        times = [self._retry_at(wait) for wait in self._waits]
        first, retry_at = min(zip(self._waits, times, strict=True), key=_when)
        return NobodyYetError(
            role=self._course.context.role.value,
            reason=first.reason,
            retry_at=retry_at,
            evidence=first.evidence,
            model=first.model,
            tried=list(self._lines()),
            key=first.key,
        )

    def _find_waits(self) -> Iterable[_Wait]:
        for model, refusal in self._course.asked.items():
            wait = self._wait_for(model, refusal)
            if wait is not None:
                yield wait
        for skip in self._skips.values():
            if not skip.incapable:
                yield self._wait_behind(skip)

    def _wait_for(self, model: str, refusal: Refusal) -> _Wait | None:
        if refusal.outcome.limits or refusal.retry_at is not None:
            limit = self._layer.limits.in_force(model)
            if limit is not None:
                return _limited(model, limit)
            # It was so short that it is over already.
            now = self._layer.clock.now()
            return _Wait(model, refusal.message, free_at=now, evidence=refusal.evidence)
        if refusal.outcome.passes_by_itself and not refusal.needs_person:
            return self._down(model, refusal)
        return None

    def _wait_behind(self, skip: Skip) -> _Wait:
        if skip.limit is not None:
            return _limited(skip.model, skip.limit)
        words = self._layer.circuits.words(skip.model) or skip.reason
        return self._down(skip.model, Refusal(Outcome.UNAVAILABLE, words))

    def _down(self, model: str, refusal: Refusal) -> _Wait:
        hint = advice.for_refusal(self._layer.settings, model, refusal)
        return _Wait(
            model,
            f"{refusal.message.rstrip('.')}. {hint}",
            free_at=self._layer.circuits.open_until(model),
            evidence=Evidence.GUESS,
            down=True,
        )

    def _retry_at(self, wait: _Wait) -> datetime | None:
        return self._layer.circuits.guess(wait.model) if wait.down else wait.free_at

    def _nobody(self) -> NoModelError:
        role, need = self._course.context.role.value, self._course.need
        asked = self._course.asked
        too_long = any(r.outcome is Outcome.CONTEXT_OVERFLOW for r in asked.values()) or (
            not asked and any(skip.too_long for skip in self._skips.values())
        )
        if too_long:
            return TooLongError(role=role, reasons=list(self._lines()), advice=advice.TOO_LONG)
        if asked:
            model, refusal = next(iter(asked.items()))
            hint = advice.for_refusal(self._layer.settings, model, refusal)
        else:
            hint = advice.for_need(
                role,
                private=need.private,
                tools=need.tools,
                vision=need.vision,
                able=self._others_that_call_tools() if need.tools else (),
            )
        return NobodyError(role=role, reasons=list(self._lines()), advice=hint, refusals=asked)

    def _others_that_call_tools(self) -> tuple[str, ...]:
        """Return the models at hand that are proven to, and are not of this call's line."""
        known = self._layer.facts.of()
        tried = {*self._skips, *self._course.asked, *self._course.passed}
        return tuple(name for name, facts in known.items() if facts.tools and name not in tried)

    def _lines(self) -> Iterable[str]:
        for model, refusal in self._course.asked.items():
            yield f"{model}: {refusal.outcome.value}: {refusal.message}"
        passed = {**self._course.passed, **self._skips}
        for model, skip in passed.items():
            if model not in self._course.asked:
                yield f"{model}: {skip.reason}"


def _limited(model: str, limit: Limit) -> _Wait:
    return _Wait(model, limit.reason, limit.not_before, limit.evidence, limit.key)


def _when(wait: tuple[_Wait, datetime | None]) -> float:
    retry_at = wait[1]
    return float("inf") if retry_at is None else retry_at.timestamp()
