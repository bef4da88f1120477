"""Asking: one model is asked, and whatever comes of it is written down and learned from."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from functools import partial

from noctule.core.base.money import show_usd
from noctule.core.llm.attempts import Attempt, CostSource, Purpose, Usage
from noctule.core.llm.events import EventKind
from noctule.core.ports.prompts import reply_tokens
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.core.times.durations import show_duration
from noctule.models.base.client import Client, ModelRequest
from noctule.models.base.reply import Reply
from noctule.models.base.timeouts import Timeouts
from noctule.models.binding.call_state import CallState, Lease
from noctule.models.binding.dependencies import ModelDependencies
from noctule.models.completion.completion import Completion
from noctule.models.completion.streaming import ReplyStream
from noctule.models.request.token_breakdown import parts_of
from noctule.models.tool_calls.manner import Terms
from noctule.models.tool_calls.tool_call_repair import readable_names
from noctule.models.wire.sending import told_before_leaving

_NOT_BILLED = frozenset(
    {
        Outcome.RATE_LIMITED,
        Outcome.QUOTA_EXHAUSTED,
        Outcome.OVERLOADED,
        Outcome.AUTH,
        Outcome.MODEL_MISSING,
        Outcome.BAD_REQUEST,
        Outcome.CONTEXT_OVERFLOW,
    }
)
"""What a provider turns away before a model saw it: known to cost nothing."""

CALLING_TEMPERATURE = 0.2
"""At which local models are asked for tool calls where nobody set a temperature."""

_WAS_THINKING = "that was thinking; the answer follows"


class AttemptRunner:
    """One attempt.

    Args:
        layer: the shared parts.
        timeouts: of the role.
        course: the call it belongs to.
        grant: the model, and the leave to ask it.
    """

    def __init__(
        self, layer: ModelDependencies, timeouts: Timeouts, course: CallState, grant: Lease
    ) -> None:
        self._layer = layer
        self._timeouts = timeouts
        self._course = course
        self._grant = grant
        self._model = grant.candidate.model
        self._id = grant.funds.id
        self._started_at = layer.clock.now()
        self._begun = layer.clock.monotonic()
        self._exchange = self._prepare()

    async def run(self) -> Reply | Refusal:
        """Ask, give the slot back, write the attempt down.

        Returns:
            The reply, or why there is none.

        Raises:
            DatabaseBusyError: the attempt could not be written down.
        """
        self._tell_start()
        try:
            with told_before_leaving(partial(self._layer.budgets.leaves, self._grant.funds)):
                await self._exchange.run(self._client)
        except asyncio.CancelledError:
            await self._settle(Outcome.CANCELLED, None)
            raise
        refusal, message = self._exchange.refusal, self._exchange.message
        if refusal is not None or message is None:
            refusal = refusal or Refusal(Outcome.EMPTY_REPLY, "there was no answer")
            self._course.lessons[self._model] = self._exchange.lesson(refusal)
            refusal = await self._consult(refusal)
            await self._settle(refusal.outcome, refusal)
            return refusal
        attempt = await self._settle(Outcome.SUCCESS, None)
        # The caller may pin the model (chat keeps its voice) and name the attempt.
        message.response_metadata["noctule"] = {
            "model": attempt.model,
            "attempt": attempt.id,
            "call": attempt.call_id,
        }
        return Reply(message, attempt)

    async def _consult(self, refusal: Refusal) -> Refusal:
        """Ask the provider's account before it is decided how long to sleep."""
        self._grant.slot.release()  # the next call need not wait for that
        try:
            return await self._layer.budgets.consult(self._model, refusal, self._grant.funds)
        except asyncio.CancelledError:
            await self._settle(refusal.outcome, refusal)
            raise

    def _client(self) -> Client:
        endpoint = self._layer.settings.models[self._model].endpoint
        return self._layer.endpoints.client(endpoint)

    def _prepare(self) -> Completion:
        settings, context = self._layer.settings, self._course.context
        bounds = (self._grant.funds.max_tokens, self._course.affords.get(self._model))
        paid = [tokens for tokens in bounds if tokens is not None]
        request = self._course.call_for(self._model).request(
            self._model,
            settings.models[self._model],
            settings.roles[context.role],
            self._timeouts,
            most_tokens=self._layer.budgets.most_tokens(self._model),
            paid_tokens=min(paid, default=None),
        )
        if lesson := self._course.lessons.get(self._model):
            request = replace(request, messages=[*request.messages, *lesson])
        self._sent = request = self._with_room(self._tempered(request))
        self._telling = self._tell(request)
        return Completion(
            request,
            self._timeouts,
            self._layer.clock,
            explain=lambda error: self._layer.explain(self._model, error),
            begins=self._answers,
            telling=self._telling,
            terms=Terms(
                manner=self._course.call.manner or self._layer.proofs.manner(self._model),
                loop=context.loop,
                closes=self._costs_nothing(),
                known=context.tools_known,
                raw=self._is_probe,
            ),
        )

    def _costs_nothing(self) -> bool:
        """Whether nobody has to know how many tokens an answer took: it runs here, for nothing."""
        some = Usage(input_tokens=1000, output_tokens=1000)
        cost_usd, _ = self._layer.price(self._model, some, self._started_at)
        return self._layer.facts.is_local(self._model) and not cost_usd

    def _with_room(self, request: ModelRequest) -> ModelRequest:
        """Ask for no longer reply than the window has room for: some servers refuse the rest."""
        window = self._layer.facts.window_tokens(self._model)
        if request.max_tokens is None or window is None or self._course.call.fit is None:
            return request
        prompt = self._layer.meter(self._model).count(request.messages, request.tools)
        room = max(window - prompt, reply_tokens(request.max_tokens, window))
        return replace(request, max_tokens=min(request.max_tokens, room))

    def _tempered(self, request: ModelRequest) -> ModelRequest:
        """Ask a server of one's own for careful calls: left alone it samples at 0.8."""
        settings, model = self._layer.settings, self._layer.settings.models[self._model]
        bodies = (settings.endpoint_of(self._model).extra_body, model.extra_body)
        if (
            request.temperature is not None
            or not request.tools
            or not self._layer.facts.is_local(self._model)
            or any("temperature" in {**body, **(body.get("options") or {})} for body in bodies)
        ):
            return request
        return replace(request, temperature=CALLING_TEMPERATURE)

    def _tell(self, request: ModelRequest) -> ReplyStream | None:
        if not self._course.context.stream:
            return None
        return ReplyStream(
            self._tell_text,
            self._take_back,
            () if self._is_probe else readable_names(request, self._course.context.tools_known),
            unseen=self._layer.facts.begins_inside(self._model),
        )

    @property
    def _is_probe(self) -> bool:
        return self._course.context.purpose is Purpose.PROBE

    async def _settle(self, outcome: Outcome, refusal: Refusal | None) -> Attempt:
        self._grant.slot.release()  # whoever waits for it need not wait for the database
        self._judge_health(outcome, refusal)
        self._learn(outcome, refusal)
        self._layer.limits.leave(self._grant.probed)
        attempt = self._row(outcome, refusal)
        written = self._layer.ledger.enter(lambda work: work.attempts.add(attempt))
        paid = self._layer.budgets.settle(self._grant.funds, self._bill(attempt))
        self._tell_end(attempt)
        await asyncio.shield(asyncio.gather(written, paid))
        self._tell_over(paid.result())
        return attempt

    def _bill(self, attempt: Attempt) -> Decimal:
        """Return what the budgets are charged: where nobody knows, the most it can have been."""
        return self._grant.funds.usd if attempt.cost_usd is None else attempt.cost_usd

    def _tell_over(self, over_usd: Decimal) -> None:
        if over_usd:
            text = f"{self._model} billed {show_usd(over_usd)} more than it could have cost by its "
            text += "price; the budget counts it. Correct the model's price."
            self._course.context.sink.emit(EventKind.NOTICE, attempt=self._id, text=text)

    def _answers(self) -> None:
        """The first token proves that no limit holds: those who wait need not see the last."""
        self._layer.limits.forget(self._model, asked_at=self._started_at)

    def _judge_health(self, outcome: Outcome, refusal: Refusal | None) -> None:
        limits, model = self._layer.limits, self._model
        if outcome is Outcome.CANCELLED or (refusal is not None and refusal.needs_person):
            return  # it says nothing of the model
        if refusal is not None and outcome.opens_circuit:
            if refusal.retry_at is None or refusal.evidence is Evidence.GUESS:
                limits.failed(model, refusal, asked_at=self._started_at)
        elif self._was_slow():
            first_token_s = self._exchange.first_token_s or 0.0
            slow = f"slow: first token after {show_duration(first_token_s)}"
            limits.failed(model, Refusal(Outcome.TIMEOUT, slow), asked_at=self._started_at)
        else:
            limits.answered(model, refuses=outcome.limits)

    def _was_slow(self) -> bool:
        slow_s, first_token_s = self._timeouts.slow_s, self._exchange.first_token_s
        return slow_s is not None and first_token_s is not None and first_token_s > slow_s

    def _learn(self, outcome: Outcome, refusal: Refusal | None) -> None:
        exchange = self._exchange
        if not exchange.truncated:
            counted = exchange.usage.input_tokens
            self._layer.meter(self._model).learn(self._sent.messages, self._sent.tools, counted)
        if self._telling is not None and self._telling.began_inside:
            self._layer.facts.note_begins_inside(self._model)
        if exchange.imitated:
            self._layer.proofs.count(self._model, imitations=1)
        elif self._course.need.tools and exchange.message and exchange.message.tool_calls:
            self._layer.proofs.count(self._model, calls=1)
        if refusal is not None:
            self._layer.limits.learn(self._model, refusal)
        elif outcome is Outcome.SUCCESS:
            self._layer.limits.forget(self._model, asked_at=self._started_at)

    def _row(self, outcome: Outcome, refusal: Refusal | None) -> Attempt:
        context, course, exchange = self._course.context, self._course, self._exchange
        model = self._layer.settings.models[self._model]
        cost_usd, source = self._cost(outcome, refusal, exchange.usage)
        return Attempt(
            id=self._id,
            call_id=course.call_id,
            session_id=context.session_id,
            turn_id=context.turn_id,
            role=context.role.value,
            purpose=context.purpose,
            model=self._model,
            endpoint=model.endpoint,
            outcome=outcome,
            started_at=self._started_at,
            wait_s=course.waited_s,
            first_token_s=exchange.first_token_s,
            duration_s=self._layer.clock.monotonic() - self._begun,
            usage=exchange.usage,
            cost_usd=cost_usd,
            cost_source=source,
            fallback_from=self._grant.fallback_from,
            skipped=course.skipped(),
            message=_words(refusal),
            discarded=self._was_told and refusal is not None,
            tier=model.tier.value,
            local=self._layer.facts.is_local(self._model),
            parts=parts_of(course.call_for(self._model), context, exchange.usage.input_tokens),
        )

    def _cost(
        self, outcome: Outcome, refusal: Refusal | None, usage: Usage
    ) -> tuple[Decimal | None, CostSource | None]:
        """Return what the attempt cost; unknown when the provider may have worked and not said."""
        turned_away = outcome in _NOT_BILLED or (refusal is not None and refusal.never_sent)
        if turned_away and usage == Usage():
            return Decimal(0), CostSource.PROVIDER
        return self._layer.price(self._model, usage, self._started_at)

    @property
    def _was_told(self) -> bool:
        return self._telling is not None and self._telling.told

    def _tell_start(self) -> None:
        self._course.context.sink.emit(
            EventKind.ATTEMPT_STARTED,
            attempt=self._id,
            role=self._course.context.role.value,
            model=self._model,
            purpose=self._course.context.purpose.value,
            fallback_from=self._grant.fallback_from,
        )
        if self._grant.funds.max_tokens is not None:
            text = f"What is left of the budget pays for {self._grant.funds.max_tokens} tokens of "
            text += f"answer from {self._model}; a longer one is cut there."
            self._course.context.sink.emit(EventKind.NOTICE, attempt=self._id, text=text)
        for tally in self._grant.funds.warns:
            self._course.context.sink.emit(
                EventKind.NOTICE, attempt=self._id, text=self._layer.budgets.warning(tally)
            )

    def _tell_text(self, text: str) -> None:
        self._course.context.sink.emit(
            EventKind.DELTA, attempt=self._id, role=self._course.context.role.value, text=text
        )

    def _take_back(self) -> None:
        """What was shown of this attempt was thinking; its answer follows."""
        sink = self._course.context.sink
        sink.emit(EventKind.ATTEMPT_DISCARDED, attempt=self._id, reason=_WAS_THINKING)

    def _tell_end(self, attempt: Attempt) -> None:
        sink = self._course.context.sink
        if attempt.discarded:
            sink.emit(EventKind.ATTEMPT_DISCARDED, attempt=self._id, reason=attempt.message)
        sink.emit(EventKind.ATTEMPT_ENDED, attempt=self._id, **_watched(attempt))
        if self._exchange.note is not None:
            sink.emit(
                EventKind.NOTICE, attempt=self._id, text=f"{self._model}: {self._exchange.note}."
            )


def _watched(attempt: Attempt) -> dict[str, object]:
    row = attempt.as_json()
    for known in ("id", "session", "turn"):  # the event has them already
        del row[known]
    return row


def _words(refusal: Refusal | None) -> str | None:
    if refusal is None:
        return None
    return refusal.message if refusal.note is None else f"{refusal.message} ({refusal.note})"
