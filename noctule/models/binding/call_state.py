"""The course of one call: whom it asked, whom it passed over, how long it waited."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from langchain_core.messages import BaseMessage

from noctule.core.budgets.budget_scopes import BudgetSubject
from noctule.core.llm.attempts import Purpose, SkippedModel
from noctule.core.llm.calls import CallContext
from noctule.core.llm.events import EventKind
from noctule.core.llm.limits import LimitKey
from noctule.core.llm.requirements import Requirements
from noctule.core.llm.selection import Candidate, SkippedCandidate
from noctule.core.ports.prompts import Fitted, NoRoomError
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.capacity.concurrency import Slot, Ticket
from noctule.models.completion.retry_hints import is_spoilt
from noctule.models.request.chat_request import ChatRequest
from noctule.models.spend.budgets import CallHold, InsufficientBudget, skip_of
from noctule.models.spend.cost_bounds import LEAST_ANSWER_TOKENS

BAD_REQUESTS_AT_MOST = 2
"""After so many models called the request itself wrong, the others are not asked."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Leave to ask one model now.

    Args:
        candidate: the model.
        slot: its place under all caps; whoever asks gives it back.
        probed: the limits it tries, whose time is over.
        funds: what pays for it; whoever asks settles it.
        fallback_from: the model it stands in for; None when it stood first.
    """

    candidate: Candidate
    slot: Slot
    probed: tuple[LimitKey, ...]
    funds: CallHold
    fallback_from: str | None


@dataclass(slots=True)
class CallState:
    """How far one call has come.

    Args:
        call_id: shared by its attempts.
        call: what is asked.
        context: for whom.
        need: what a model must be able to do; grows when a prompt turns out to be too long.
        ticket: its place in the line for slots.
        begun: the clock's monotonic seconds at its start.
        patience_s: seconds it may still wait for a limit to pass.
        asked: what came of each model that was asked, in order; a model that may be asked again
            is taken out.
        passed: who was passed over, with the latest reason.
        waited_s: seconds waited since the last attempt.
        holds: how often it waited for a limit to pass.
        unpaid: models whose next request nobody pays for.
        shortages: how often a budget did not pay.
        unproved: models of which nobody could find out whether they call tools, with the reason.
        spoilt: how many replies of each model could not be used.
        lessons: what each model is told of its last one, behind the conversation.
        affords: the longest answer that the money at a model's provider is enough for, in tokens.
        insists: True when nobody else was left to ask and a person waits: guesses do not hold.
        fitted: the prompt as it was made for each model, of a call that makes one for each.
        no_room: the models no prompt of the call fits, with what takes the room.
        refits: how often a prompt that was counted as short enough was too long all the same.
    """

    call_id: str
    call: ChatRequest
    context: CallContext
    need: Requirements
    ticket: Ticket
    begun: float
    patience_s: float
    asked: dict[str, Refusal] = field(default_factory=dict)
    passed: dict[str, SkippedCandidate] = field(default_factory=dict)
    waited_s: float = 0.0
    holds: int = 0
    unpaid: dict[str, InsufficientBudget] = field(default_factory=dict)
    shortages: int = 0
    unproved: dict[str, SkippedCandidate] = field(default_factory=dict)
    spoilt: dict[str, int] = field(default_factory=dict)
    lessons: dict[str, list[BaseMessage]] = field(default_factory=dict)
    affords: dict[str, int] = field(default_factory=dict)
    insists: bool = False
    fitted: dict[str, Fitted] = field(default_factory=dict)
    no_room: dict[str, NoRoomError] = field(default_factory=dict)
    refits: dict[str, int] = field(default_factory=dict)

    def call_for(self, model: str) -> ChatRequest:
        """Return what is asked, as it is sent to one model."""
        made = self.fitted.get(model)
        if made is None:
            return self.call
        return replace(self.call, messages=made.messages, tools=made.tools, fit=None)

    @property
    def awaited_since(self) -> datetime | None:
        """Since when a person waits, where that makes guesses hold less; None where it does not."""
        return self.context.awaited_since if self.insists else None

    @property
    def subject(self) -> BudgetSubject:
        """Who pays."""
        context = self.context
        return BudgetSubject(context.role, context.session_id, context.owner, context.budget_usd)

    def tell(self, text: str) -> None:
        """Tell whoever watches the call what it waits for."""
        self.context.sink.emit(EventKind.NOTICE, text=text)

    def not_paid(self, candidate: Candidate, shortage: InsufficientBudget) -> None:
        """Note that nobody pays for a candidate."""
        self.shortages += 1
        self.unpaid[candidate.model] = shortage
        self.pass_over([replace(skip_of(candidate.model, shortage), rank=candidate.rank)])

    def unpaid_skips(self, now: datetime) -> dict[str, SkippedCandidate]:
        """Return the models nobody pays for, or knows enough of, at this moment, with reasons."""
        return (
            self.unproved
            | self._unfit()
            | {
                model: skip_of(model, shortage)
                for model, shortage in self.unpaid.items()
                if shortage.limit is None or shortage.limit.in_force(now)
            }
        )

    def _unfit(self) -> dict[str, SkippedCandidate]:
        return {
            model: SkippedCandidate(model, error.why, incapable=True, too_long=True)
            for model, error in self.no_room.items()
        }

    def waited(self, seconds: float) -> None:
        """Note a wait, for a slot or for a limit to pass; it uses up patience."""
        self.waited_s += seconds
        self.patience_s = max(0.0, self.patience_s - seconds)

    def pass_over(self, skips: Iterable[SkippedCandidate]) -> None:
        """Note models that are not asked, for now or at all."""
        self.passed.update((skip.model, skip) for skip in skips)

    def skipped(self) -> tuple[SkippedModel, ...]:
        """Return who was passed over so far, with reasons."""
        return tuple(SkippedModel(skip.model, skip.reason) for skip in self.passed.values())

    def fallback_from(self, candidate: Candidate) -> str | None:
        """Return whom a candidate stands in for: asked in vain last, else passed over for now.

        Models that could never have served the call do not count.
        """
        if self.asked:
            return next(reversed(self.asked))
        before = [
            skip
            for skip in self.passed.values()
            if skip.rank < candidate.rank and not skip.incapable
        ]
        return max(before, key=lambda skip: skip.rank).model if before else None

    def refused(self, model: str, refusal: Refusal, window_tokens: int | None) -> None:
        """Note that a model was asked in vain.

        Args:
            model: which one.
            refusal: what it said.
            window_tokens: its context window; None when it is unknown.
        """
        self.asked[model] = refusal
        too_large = refusal.outcome is Outcome.CONTEXT_OVERFLOW and not refusal.unaffordable
        if too_large and window_tokens is not None and self.call.fit is None:
            more = max(self.need.context_tokens, window_tokens + 1)
            self.need = replace(self.need, context_tokens=more)

    def affords_less(self, model: str, refusal: Refusal, asked_tokens: int | None) -> bool:
        """Whether a model is asked anew at once, for the shorter answer that its account pays for.

        Args:
            model: which one.
            refusal: what it said: too much for the money that is left at the provider.
            asked_tokens: the longest answer it was asked for; None left that to the model.
        """
        tokens = refusal.affordable_tokens
        if tokens is None or tokens < LEAST_ANSWER_TOKENS or model in self.affords:
            return False
        if asked_tokens is not None and asked_tokens <= tokens:
            return False
        self.affords[model] = tokens
        return True

    def samples_again(self, model: str, refusal: Refusal, most: int) -> bool:
        """Whether a model is asked anew at once: it replied, and the reply was of no use.

        One more sample costs less than another model, and is often right. A probe wants to see
        what a model does the first time.

        Args:
            model: which one.
            refusal: what came of its last reply.
            most: how many further samples it has in one call.
        """
        if not is_spoilt(refusal) or self.context.purpose is Purpose.PROBE:
            return False
        self.spoilt[model] = self.spoilt.get(model, 0) + 1
        return not refusal.torn and most > 0 and self.spoilt[model] == 1

    def last_samples(self, most: int) -> bool:
        """Let models whose replies were of no use try again, where nobody else can answer.

        One whose answer broke off is asked once more: its server is up, or it says that it is not.

        Args:
            most: how many further samples each has in one call.

        Returns:
            True when there is one.
        """
        left = [
            model
            for model, refusal in self.asked.items()
            if 0 < self.spoilt.get(model, 0) <= (min(most, 1) if refusal.torn else most)
            and is_spoilt(refusal)
        ]
        self.ask_again(left)
        return bool(left)

    def ask_again(self, models: Iterable[str]) -> None:
        """Let models that were asked in vain, or passed over, be asked again."""
        for model in models:
            self.asked.pop(model, None)
            self.passed.pop(model, None)
            self.unproved.pop(model, None)

    @property
    def is_wrong(self) -> bool:
        """Whether several models said that the request itself is wrong."""
        bad = [r for r in self.asked.values() if r.outcome is Outcome.BAD_REQUEST]
        return len(bad) >= BAD_REQUESTS_AT_MOST

    @property
    def met_a_limit(self) -> bool:
        """Whether a model was asked in vain that may answer later."""
        return any(r.outcome.passes_by_itself for r in self.asked.values())
