"""A dead end: no model may be asked at this moment; what to wait for, and whom to tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.llm.selection import Selection, SkippedCandidate
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.models.base.errors import NobodyError, NobodyYetError, TooLongError
from noctule.models.binding import hints as advice
from noctule.models.binding.call_state import CallState
from noctule.models.binding.dependencies import ModelDependencies


@dataclass(frozen=True, slots=True)
class _Wait:
    """What has to pass before a model may be asked again.

    Args:
        model: which one.
        reason: in the provider's words.
        free_at: when a call under way may ask it again; None when nobody knows.
        wake_at: when a sleeper is to ask it again; None when a person has to act.
        evidence: where the time came from; None when there is none.
        key: the limit behind it; None when it is over already.
    """

    model: str
    reason: str
    free_at: datetime | None
    wake_at: datetime | None
    evidence: Evidence | None
    key: LimitKey | None = None


class NoCandidate:
    """What can be said of a call when nobody is left to ask.

    Args:
        layer: the shared parts.
        course: how the call came here.
        resolution: the last look at who may serve it.
    """

    def __init__(self, layer: ModelDependencies, course: CallState, resolution: Selection) -> None:
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
        first = min(self._waits, key=_when)
        error = NobodyYetError(
            role=self._course.context.role.value,
            reason=first.reason,
            retry_at=first.wake_at,
            evidence=first.evidence,
            model=first.model,
            tried=list(self._lines()),
            key=first.key,
            asked=first.model in self._course.asked,
        )
        error.refusals = dict(self._course.asked)
        return error

    def _find_waits(self) -> Iterable[_Wait]:
        for model, refusal in self._course.asked.items():
            wait = self._wait_for(model, refusal)
            if wait is not None:
                yield wait
        for skip in self._skips.values():
            if not skip.incapable:
                yield self._wait_behind(skip)

    def _wait_for(self, model: str, refusal: Refusal) -> _Wait | None:
        if refusal.unaffordable:
            hint = advice.for_unaffordable(self._layer.settings, model)
            return _Wait(model, f"{refusal.message.rstrip('.')}. {hint}", None, None, None)
        now = self._layer.clock.now()
        may_limit = refusal.outcome.limits or refusal.retry_at is not None
        if not may_limit and (refusal.needs_person or not refusal.outcome.passes_by_itself):
            return None
        limit = self._layer.limits.in_force(model)
        if limit is None and not may_limit:
            limit = self._layer.limits.known(model)
        if limit is None:  # it was so short that it is over already, or somebody got an answer
            return _Wait(model, refusal.message, now, now, refusal.evidence or Evidence.GUESS)
        return self._behind(model, limit, refusal)

    def _wait_behind(self, skip: SkippedCandidate) -> _Wait:
        if skip.limit is not None:
            return self._behind(skip.model, skip.limit, None)
        return _Wait(skip.model, skip.reason, skip.retry_at, skip.retry_at, Evidence.GUESS)

    def _behind(self, model: str, limit: Limit, refusal: Refusal | None) -> _Wait:
        if not limit.is_outage:
            end = limit.not_before
            return _Wait(model, limit.reason, end, end, limit.evidence, limit.key)
        settings = self._layer.settings
        hint = (
            advice.look_at(settings, model)
            if refusal is None
            else advice.for_refusal(settings, model, refusal)
        )
        reason = f"{limit.reason.rstrip('.')}. {hint}"
        free_at = limit.ends_at if limit.in_force(self._layer.clock.now()) else None
        ends = [moment for moment in (limit.not_before, free_at) if moment is not None]
        return _Wait(model, reason, free_at, max(ends, default=None), limit.evidence, limit.key)

    def _nobody(self) -> NoModelError:
        role, need = self._course.context.role.value, self._course.need
        asked = self._course.asked
        too_long = any(r.outcome is Outcome.CONTEXT_OVERFLOW for r in asked.values()) or (
            not asked and any(skip.too_long for skip in self._skips.values())
        )
        if too_long:
            cures = [error.cure for error in self._course.no_room.values()]
            hint = cures[0] if cures else advice.TOO_LONG
            return TooLongError(role=role, reasons=list(self._lines()), advice=hint)
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


def _when(wait: _Wait) -> float:
    return float("inf") if wait.wake_at is None else wait.wake_at.timestamp()
