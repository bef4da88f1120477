"""The probe: a model is asked to call tools, for real, and its replies are graded.

Every case is a call like any other: it waits for a slot, its cost is held on the budgets, limits
and circuits stop it, and it leaves attempts with the purpose ``probe``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

from langchain_core.messages import AIMessage

from noctule.core.attempts import Purpose
from noctule.core.calls import CallContext
from noctule.core.clock import Clock
from noctule.core.errors import LimitError, NoModelError
from noctule.core.limits import Limit, LimitKey
from noctule.core.needs import uses_tools
from noctule.core.outcomes import Outcome
from noctule.core.proofs import Proof, ProofKey
from noctule.core.refusals import Refusal
from noctule.core.roles import Role
from noctule.core.routing import Wish
from noctule.core.settings import OnLimit, Settings
from noctule.models.call import Call
from noctule.models.course import Reply
from noctule.models.errors import NobodyError
from noctule.models.grading import Grade, Mark, grade, verdict
from noctule.models.probe_cases import CASES, ProbeCase

Ask = Callable[[Call, CallContext], Awaitable[Reply]]
"""Makes a call through the binding of its context's role."""

_ANSWER_TOKENS = {False: 512, None: 1024, True: 4096}
"""Room for an answer, by whether the model thinks first; None is not known."""


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """A probe that came to no verdict.

    Args:
        why: what stood in its way, as one clause.
        refusal: what the model or its provider said instead; None when it was not asked.
        limit: what has to pass first; None when it was something else.
    """

    why: str
    refusal: Refusal | None = None
    limit: Limit | None = None


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
        role = role_for(self._settings, model)
        grades: list[Grade] = []
        took_s: list[float] = []
        for case in CASES:
            reply = await self._reply(model, role, case)
            if isinstance(reply, NoVerdict):
                return reply
            if isinstance(reply, Reply):
                took_s.append(reply.attempt.duration_s)
            said = reply.message if isinstance(reply, Reply) else reply
            graded = grade(case, said)
            if graded is None:
                refusal = said if isinstance(said, Refusal) else None
                return NoVerdict(_words(said), refusal)
            grades.append(graded)
            if graded.mark is Mark.REFUSED:
                break  # it would say the same to all others
        outcome, score = verdict(grades)
        return Proof(
            key=key,
            outcome=outcome,
            score=score,
            latency_s=median(took_s) if took_s else None,
            probed_at=self._clock.now(),
            cases=tuple(graded.as_json() for graded in grades),
        )

    async def _reply(self, model: str, role: Role, case: ProbeCase) -> Reply | Refusal | NoVerdict:
        thinks = self._settings.models[model].thinking
        call = Call(
            messages=case.messages,
            tools=case.definitions,
            max_tokens=_ANSWER_TOKENS[thinks],
        )
        context = CallContext(
            role=role,
            purpose=Purpose.PROBE,
            wish=Wish(forced=model, on_limit=OnLimit.FALLBACK),
            stream=case.streamed,
        )
        try:
            return await self._ask(call, context)
        except LimitError as error:
            if error.key is not None:
                return NoVerdict(error.reason, limit=self._limit(error, error.key))
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
