"""A binding: how one role reaches a model. The only way to reach one, and the one retry loop.

For every call, in this order:

1. Candidates: ``core.llm.selection.resolve`` says who may serve it, and why the others may not. A
   model that is to be offered tools is probed first, when its turn comes, unless it has been.
2. Slot: room under the caps of role, model and endpoint, else the next candidate.
3. Budget: the most it can cost is held on every budget that covers it, else the next candidate.
4. Call: one request with its timeouts (``AttemptRunner``, ``Completion``).
5. Outcome: written down and learned from, whatever it was.
6. Next: a reply that cannot be used is asked for once more; else the next candidate at once; with
   nobody left a last sample, a short wait, a park, or a person.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from noctule.core.base.ids import new_id
from noctule.core.base.roles import Role
from noctule.core.llm.calls import CallContext
from noctule.core.llm.requirements import Requirements
from noctule.core.llm.selection import Candidate, Selection, SkippedCandidate, resolve, why_not
from noctule.core.ports.prompts import Reader
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import OnLimit
from noctule.core.times.durations import show_duration
from noctule.models.base.reply import Reply
from noctule.models.base.timeouts import URGENT, Timeouts
from noctule.models.binding.attempt import AttemptRunner
from noctule.models.binding.budget_policy import apply_budget_policy
from noctule.models.binding.call_state import CallState, Lease
from noctule.models.binding.dependencies import ModelDependencies
from noctule.models.binding.exhausted import NoCandidate
from noctule.models.binding.fitting import Fitting
from noctule.models.binding.newcomer import first_contact
from noctule.models.capacity.caps import endpoint_cap, model_cap, role_cap
from noctule.models.capacity.concurrency import Slot
from noctule.models.capacity.limits import MEMORY_S
from noctule.models.request.chat_request import ChatRequest
from noctule.models.spend.budgets import CallHold, InsufficientBudget, Size
from noctule.models.spend.cost_bounds import (
    DEFAULT_MAX_TOKENS,
    LEAST_ANSWER_TOKENS,
    most_input_tokens,
    most_output_tokens,
)

_NOBODY = Selection((), ())
_LOOK_UP_S = 30.0
_TICK_S = 0.001  # a wait ends after the moment waited for, not in it


class Binding:
    """What one role may use, and in which order.

    Args:
        layer: the shared parts.
        role: whose binding it is.
    """

    def __init__(self, layer: ModelDependencies, role: Role) -> None:
        self._layer = layer
        self._role = role
        self._own = layer.settings.roles[role]
        self._timeouts = Timeouts.of(layer.settings, role)
        self._samples = layer.settings.limits.second_samples
        self._fitting = Fitting(layer, self._own, self._timeouts)

    async def call(
        self, call: ChatRequest, context: CallContext, *, call_id: str | None = None
    ) -> Reply:
        """Get an answer from the first model that gives one.

        Args:
            call: what is asked.
            context: for whom, and how.
            call_id: an earlier call that this one belongs to; None begins a new one.

        Raises:
            LimitError: every model that could answer is refused or down until later.
            NoModelError: no model can answer, and a person has to change something first.
            DatabaseBusyError: what came of it could not be written down.
        """
        course = self._begin(call, context, call_id or new_id(self._layer.clock))
        while True:
            grant = await self._find(course)
            if isinstance(grant, Selection):
                if not course.last_samples(self._samples):
                    await self._hold(course, grant)
                continue
            with grant.slot:
                result = await AttemptRunner(self._layer, self._timeouts, course, grant).run()
            if isinstance(result, Reply):
                return result
            self._learn(course, grant.candidate.model, result)
            course.waited_s = 0.0

    def reader(self, context: CallContext, *, tools: bool = False) -> Reader:
        """Return the model whose window a conversation is kept for.

        That is the larger of the first in line, refused or not, and the one that would be asked
        now: a small stand-in is no reason to forget what the primary holds.

        Args:
            context: for whom the call would be, and how.
            tools: whether it would offer any.
        """
        wish = context.wish
        models = self._own.models if wish.forced is None else (wish.forced,)
        resolution = resolve(
            Requirements(
                tools=tools,
                private=context.private or self._own.private,
                complexity=context.complexity,
            ),
            self._own,
            self._layer.facts.of(models),
            wish=wish,
            now=self._layer.clock.now(),
        )
        line = [(one.rank, one.model) for one in resolution.skips if not one.incapable]
        line += [(one.rank, one.model) for one in resolution.candidates]
        names = {name for _, name in sorted(line)[:1]}
        names |= {one.model for one in resolution.candidates[:1]}
        readers = [self._fitting.reader(name) for name in sorted(names) or models[:1]]
        return max(readers, key=lambda reader: reader.window_tokens or sys.maxsize)

    def _learn(self, course: CallState, model: str, refusal: Refusal) -> None:
        """Note what a model's refusal means for the rest of the call."""
        facts, told = self._layer.facts, refusal.context_tokens
        if refusal.outcome is Outcome.CONTEXT_OVERFLOW and told is not None:
            if facts.learn_window(model, told):
                return  # whether the call fits that is seen when candidates are looked for
        elif course.samples_again(model, refusal, self._samples):
            return
        if course.affords_less(model, refusal, course.call.max_tokens or self._own.max_tokens):
            return
        if self._fitting.overflowed(course, model, refusal):
            return
        course.refused(model, refusal, facts.window_tokens(model))

    def _begin(self, call: ChatRequest, context: CallContext, call_id: str) -> CallState:
        return CallState(
            call_id=call_id,
            call=call,
            context=context,
            need=call.need(self._own, context),
            ticket=self._layer.slots.ticket(urgent=self._role in URGENT),
            begun=self._layer.clock.monotonic(),
            patience_s=self._timeouts.queue_s,
        )

    async def _find(self, course: CallState) -> Lease | Selection:
        """Return leave to ask the best model that is free, or why there is nobody to ask.

        Each candidate's queue is given its time once. When all are busy the call waits for
        whoever is free first, without end: too much work is no reason to fail or to park. Now and
        then it looks up, since a limit may have ended meanwhile.
        """
        has_queued = False
        while True:
            resolution = await self._resolve(course)
            candidates = resolution.candidates
            if not candidates:
                course.pass_over(resolution.skips)
                return resolution
            together, patience_s = [[c] for c in candidates], self._timeouts.queue_s
            if has_queued:
                together, patience_s = [list(candidates)], _LOOK_UP_S
            shortages = course.shortages
            for options in together:
                course.pass_over(resolution.before(options[0]))
                if not await self._all_call_tools(course, options):
                    break  # they are no longer who may serve it
                if not await self._fitting.fit(course, [option.model for option in options]):
                    break  # nor are these
                grant = await self._queue(course, options, patience_s)
                if grant is not None:
                    return grant
                if course.shortages > shortages:
                    break  # a budget may want another order now, or nobody else to be asked
            else:
                has_queued = True

    async def _all_call_tools(self, course: CallState, options: Sequence[Candidate]) -> bool:
        """Find out whether candidates call tools, where it matters; False when one does not."""
        prover = self._layer.prover
        if not (prover.is_insistent and course.need.tools):
            return True
        able = True
        for option in options:
            model = option.model
            unknown = await prover.ensure(model, rank=option.rank, tell=course.tell)
            if isinstance(unknown, SkippedCandidate):
                course.unproved[model] = unknown
            elif unknown is not None:
                course.refused(model, unknown, self._layer.facts.window_tokens(model))
            calls = self._layer.facts.of((model,))[model].tools
            able = able and unknown is None and calls is not False
        return able

    async def _queue(
        self, course: CallState, options: Sequence[Candidate], patience_s: float
    ) -> Lease | None:
        slots, clock = self._layer.slots, self._layer.clock
        begun = clock.monotonic()
        slot = await slots.take(
            [self._caps(option) for option in options], course.ticket, patience_s=patience_s
        )
        waited_s = clock.monotonic() - begun
        course.waited(waited_s)
        if slot is not None:
            return await self._fund(course, options[slot.option], slot)
        busy = f"busy {show_duration(waited_s)}"
        course.pass_over(
            SkippedCandidate(option.model, busy, rank=option.rank) for option in options
        )
        return None

    async def _fund(self, course: CallState, candidate: Candidate, slot: Slot) -> Lease | None:
        """Let the budgets pay; only then, so that no money is held by who waits in a line."""
        begun = self._layer.clock.monotonic()
        try:
            funds = await self._layer.budgets.place(
                candidate.model,
                course.subject,
                self._size(course, candidate.model),
                most_s=self._timeouts.total_s,
            )
        except BaseException:
            slot.release()
            raise
        course.waited(self._layer.clock.monotonic() - begun)
        if isinstance(funds, InsufficientBudget):
            slot.release()
            course.not_paid(candidate, funds)
            return None
        grant = self._grant(course, candidate, slot, funds)
        if grant is None:
            self._layer.budgets.settle(funds, Decimal(0))
        return grant

    def _size(self, course: CallState, model: str) -> Size:
        settings, call = self._layer.settings, course.call_for(model)
        asked = call.max_tokens or self._own.max_tokens or DEFAULT_MAX_TOKENS
        own = settings.models[model].extra_body
        most = most_output_tokens(asked, call.extra, settings.endpoint_of(model).extra_body, own)
        # A body that bounds the answer itself cannot be shortened, and thought needs its room.
        can_be_shorter = most == asked and not (call.thinking or self._own.thinking)
        least = min(asked, LEAST_ANSWER_TOKENS) if can_be_shorter else None
        # What describes tools in words was made larger than what is counted here.
        manner = call.manner or self._layer.proofs.manner(model)
        meter = None if manner.by_text else self._layer.meter(model)
        sent = replace(call, messages=[*call.messages, *course.lessons.get(model, ())])
        return Size(partial(most_input_tokens, sent, meter), most, least)

    def _caps(self, candidate: Candidate) -> tuple[str, str, str]:
        model = candidate.model
        endpoint = self._layer.settings.models[model].endpoint
        return role_cap(self._role), model_cap(model), endpoint_cap(endpoint)

    async def _resolve(self, course: CallState) -> Selection:
        limits = self._layer.limits
        await limits.read(after=self._layer.clock.monotonic() - MEMORY_S)
        resolution = self._look(course)
        if any(skip.limit is not None for skip in resolution.skips):
            await limits.read(after=course.begun)  # somebody may have cleared it meanwhile
            resolution = self._look(course)
        return resolution

    def _look(self, course: CallState) -> Selection:
        wish = course.context.wish
        on_limit = wish.on_limit or self._own.on_limit
        if course.is_wrong or (on_limit is OnLimit.PARK and course.met_a_limit):
            return _NOBODY
        found = self._seen(course)
        if not found.candidates and not course.insists and course.context.awaited_since:
            course.insists = True
            found = self._seen(course)
        return apply_budget_policy(found, course, self._layer)

    def _seen(self, course: CallState) -> Selection:
        wish = course.context.wish
        models = self._own.models if wish.forced is None else (wish.forced,)
        return resolve(
            course.need,
            self._own,
            self._layer.facts.of(models, awaited_since=course.awaited_since),
            wish=wish,
            now=self._layer.clock.now(),
            tried=course.asked,
            unpaid=course.unpaid_skips(self._layer.clock.now()),
        )

    def _grant(
        self, course: CallState, candidate: Candidate, slot: Slot, funds: CallHold
    ) -> Lease | None:
        """Look again: while it waited for its slot, the model may have refused somebody else."""
        model, now = candidate.model, self._layer.clock.now()
        facts = self._layer.facts.of((model,), awaited_since=course.awaited_since)
        skip = why_not(model, course.need, facts.get(model), now)
        if skip is not None:
            slot.release()
            course.pass_over([replace(skip, rank=candidate.rank)])
            return None
        course.ask_again([model])
        probed = self._layer.limits.enter(model, most_s=self._timeouts.total_s)
        return Lease(candidate, slot, probed, funds, course.fallback_from(candidate))

    async def _greet_newcomer(self, course: CallState) -> None:
        """Tell whoever has no model server at all, instead of sleeping until there is one.

        Raises:
            NoServerError: it is so.
        """
        layer = self._layer
        missing = await first_contact(
            layer.settings, layer.database, self._role.value, course.asked
        )
        if missing is not None:
            raise missing

    async def _hold(self, course: CallState, resolution: Selection) -> None:
        """Wait for a limit that is nearly over.

        Raises:
            LimitError: none ends within the patience that is left.
            NoServerError: no model has ever answered here, and nothing listens.
            NoModelError: there is nothing to wait for.
        """
        end = NoCandidate(self._layer, course, resolution)
        wait_s = end.wait_s()
        if wait_s is None:
            if course.context.awaited_since is not None:
                await self._greet_newcomer(course)
            raise end.error()
        # A provider that says "in a second" again and again is asked less and less often.
        wait_s = max(wait_s + _TICK_S, 2.0**course.holds - 1)
        if wait_s > course.patience_s:
            raise end.error()
        await self._layer.clock.sleep(wait_s)
        course.waited(wait_s)
        course.holds += 1
        course.ask_again(end.waiting_for())
