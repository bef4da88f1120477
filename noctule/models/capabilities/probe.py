"""The probe: a model is asked to call tools, for real, and its replies are graded.

Every case is a call like any other: it waits for a slot, its cost is held on the budgets, limits
and circuits stop it, and it leaves attempts with the purpose ``probe``.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median

from langchain_core.messages import AIMessage

from noctule.core.base.roles import Role
from noctule.core.clock import Clock
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.calls import CallContext
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.llm.proofs import Proof, ProofKey, ProofOutcome
from noctule.core.llm.requirements import uses_tools
from noctule.core.llm.selection import RoutingPreference
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import OnLimit, Settings
from noctule.models.base.errors import NobodyError, NobodyYetError
from noctule.models.base.reply import Reply
from noctule.models.capabilities.grading import (
    CaseGrade,
    Grade,
    broken_over_results,
    grade,
    verdict,
)
from noctule.models.capabilities.probe_cases import (
    CASES,
    GUIDED,
    TEXT_CASES,
    TEXT_GUIDED,
    ProbeCase,
)
from noctule.models.request.chat_request import ChatRequest
from noctule.models.tool_calls.leading import BY_SCHEMA, LEADABLE, is_small
from noctule.models.tool_calls.manner import Manner, read_text

Ask = Callable[[ChatRequest, CallContext], Awaitable[Reply]]
"""Makes a call through the binding of its context's role."""

_WRITTEN = frozenset({ProofOutcome.TEXT_IMITATION, ProofOutcome.BROKEN_OUTPUT})
"""After these a model is asked again with the tools described in words."""

_BY_TEXT = Manner(by_text=True, several=False)
_SETTLED_AFTER = 2
_ANSWER_TOKENS = {False: 512, None: 1024, True: 4096}
"""Room for an answer, by whether the model thinks first; None is not known."""


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """A probe that came to no verdict.

    Args:
        why: what stood in its way, as one clause.
        refusal: what the model or its provider said instead; None when it was not asked.
        limit: what has to pass first; None when it was something else.
        has_failed: whether it was asked and its server failed.
    """

    why: str
    refusal: Refusal | None = None
    limit: Limit | None = None
    has_failed: bool = False

    @property
    def is_failure(self) -> bool:
        """Whether it was asked and failed, or called the request itself wrong."""
        said = None if self.refusal is None else self.refusal.outcome
        return self.has_failed or said in {Outcome.UNAVAILABLE, Outcome.BAD_REQUEST}


class Probe:
    """Asks one model all cases, one after another.

    Args:
        settings: who is bound to what.
        clock: dates the proof.
        ask: makes the calls.
    """

    def __init__(self, settings: Settings, clock: Clock, ask: Ask) -> None:
        self._settings = settings
        self._clock = clock
        self._ask = ask

    async def run(self, model: str, key: ProofKey) -> Proof | NoVerdict:
        """Probe a model.

        Args:
            model: by its configured name.
            key: what the proof will hold for.
        """
        found = await self._ask_all(model, CASES, Manner())
        if isinstance(found, NoVerdict):
            return found
        grades, took_s = found
        outcome, score = verdict(grades)
        if outcome in _WRITTEN:
            told = await self._ask_all(model, TEXT_CASES, _BY_TEXT)
            if not isinstance(told, NoVerdict):
                took_s += told[1]
                by_text, share = verdict(told[0])
                if by_text is ProofOutcome.PROVEN:
                    outcome, score, grades = ProofOutcome.PROVEN_BY_TEXT, share, told[0]
                else:
                    grades = [*grades, *told[0]]
        grades += await self._guided(model, outcome, grades)
        return Proof(
            key=key,
            outcome=outcome,
            score=score,
            latency_s=median(took_s) if took_s else None,
            probed_at=self._clock.now(),
            cases=tuple(graded.as_json() for graded in grades),
        )

    async def _ask_all(
        self, model: str, cases: Sequence[ProbeCase], manner: Manner
    ) -> tuple[list[Grade], list[float]] | NoVerdict:
        """Ask cases one after another, as far as they are needed for a verdict.

        Two cases that a model gets wrong from the start settle it. Where a server fails over a
        conversation with results in it and answers the next case, it is asked that one again: a
        second failure is the server's way, and no outage.
        """
        grades: list[Grade] = []
        took_s: list[float] = []
        failed: ProbeCase | None = None
        left = list(cases)
        while left:
            case = left.pop(0)
            found, seconds = await self._graded(model, case, manner)
            took_s += seconds
            if isinstance(found, Grade):
                grades.append(found)
                if found.mark is CaseGrade.REFUSED:  # it would say the same to all others
                    break
                if len(grades) == _SETTLED_AFTER and not any(one.passed for one in grades):
                    break
                continue
            if case is failed:
                grades.append(broken_over_results(case, found.why))
            elif failed is None and case.has_results and grades and found.is_failure:
                failed = case
                left.append(case)
            elif any(one.necessary and not one.passed for one in grades):
                break  # whatever the others would show, it is settled
            else:
                return found
        return grades, took_s

    async def _graded(
        self, model: str, case: ProbeCase, manner: Manner
    ) -> tuple[Grade | NoVerdict, list[float]]:
        reply = await self._reply(model, case, manner)
        if isinstance(reply, NoVerdict):
            return reply, []
        took_s = [reply.attempt.duration_s] if isinstance(reply, Reply) else []
        said = reply.message if isinstance(reply, Reply) else reply
        if manner.by_text and isinstance(said, AIMessage):
            said = read_text(said, case.tools)
        graded = grade(case, said)
        if graded is None:
            refusal = said if isinstance(said, Refusal) else None
            return NoVerdict(_words(said), refusal), took_s
        return graded, took_s

    async def _guided(
        self, model: str, outcome: ProofOutcome, grades: Sequence[Grade]
    ) -> list[Grade]:
        """Ask a proven model whether it can be led, where it needs that; nothing for others."""
        by_text = outcome is ProofOutcome.PROVEN_BY_TEXT
        if not by_text and outcome is not ProofOutcome.PROVEN:
            return []
        settings = self._settings
        wanted = settings.models[model].guided
        kind = settings.endpoint_of(model).kind
        if wanted is None:
            weak = not all(one.passed for one in grades)
            wanted = (by_text or weak or is_small(settings, model)) and kind in LEADABLE
        if not wanted:
            return []
        by_schema = by_text or kind in BY_SCHEMA
        manner = Manner(by_text=by_schema, led=True, several=False)
        case = TEXT_GUIDED if by_schema else GUIDED
        found, _ = await self._graded(model, case, manner)
        return [found] if isinstance(found, Grade) else []

    async def _reply(
        self, model: str, case: ProbeCase, manner: Manner
    ) -> Reply | Refusal | NoVerdict:
        role = role_for(self._settings, model)
        thinks = self._settings.models[model].thinking
        call = ChatRequest(
            messages=case.messages,
            tools=case.definitions,
            max_tokens=_ANSWER_TOKENS[thinks],
            manner=manner,
        )
        context = CallContext(
            role=role,
            purpose=Purpose.PROBE,
            wish=RoutingPreference(forced=model, on_limit=OnLimit.FALLBACK),
            stream=case.streamed,
            loop=manner.led,
        )
        try:
            return await self._ask(call, context)
        except LimitError as error:
            refusals = error.refusals if isinstance(error, NobodyYetError) else {}
            failed = model in refusals and refusals[model].outcome is Outcome.UNAVAILABLE
            if error.key is not None:
                limit = self._limit(error, error.key)
                return NoVerdict(error.reason, limit=limit, has_failed=failed)
            return NoVerdict(error.reason, Refusal(Outcome.UNAVAILABLE, error.reason))
        except NoModelError as error:
            refusal = error.refusals.get(model) if isinstance(error, NobodyError) else None
            return refusal or NoVerdict(" ".join(error.reasons))

    def _limit(self, error: LimitError, key: LimitKey) -> Limit:
        return Limit(
            key=key,
            outcome=Outcome.QUOTA_EXHAUSTED if key.is_budget else Outcome.RATE_LIMITED,
            reason=error.reason,
            not_before=error.retry_at,
            evidence=error.evidence,
            set_at=self._clock.now(),
        )


def role_for(settings: Settings, model: str) -> Role:
    """Return the role whose binding, timeouts and budget a probe of a model uses.

    The first that would offer it tools; else one that is bound to it; else the engineer.
    """
    local = settings.is_local(model)
    allowed = [(role, own) for role, own in settings.roles.items() if local or not own.private]
    bound = [(role, own) for role, own in allowed if model in own.models]
    users = [role for role, own in bound if uses_tools(role, own)]
    others = [role for role, _ in reversed(bound)]  # the orchestrator's timeouts are the shortest
    free = [role for role, _ in allowed if role is Role.ENGINEER]
    return next(iter([*users, *others, *free]), Role.ENGINEER)


def _words(said: AIMessage | Refusal) -> str:
    if isinstance(said, Refusal):
        return f"{said.outcome.value}: {said.message}"
    return "its reply could not be graded"
