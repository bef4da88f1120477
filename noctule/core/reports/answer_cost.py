"""What an accepted answer costs: all that was spent on the way to it, and to those not accepted."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from noctule.core.llm.attempts import Attempt, Purpose
from noctule.core.llm.routes import Route
from noctule.core.llm.spending import total_usd
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Rating

_NOT_GOOD_ENOUGH = frozenset({Rating.BAD, Rating.AGAIN})


@dataclass(frozen=True, slots=True)
class RatedTurn:
    """How far a turn has come, and what its person thought of the reply.

    Args:
        status: where it stands.
        verdict: None when they did not say.
        rejected: True when a validator did not let the reply pass.
    """

    status: Status
    verdict: Rating | None = None
    rejected: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether it has an answer that nobody found wanting; silence is consent."""
        wanting = self.rejected or self.verdict in _NOT_GOOD_ENOUGH
        return self.status is Status.DONE and not wanting


@dataclass(frozen=True, slots=True)
class AnswerCost:
    """What accepted answers cost.

    Retries, discarded attempts, failed turns and answers nobody wanted are paid for too: they are
    in the cost. Turns that have not ended are not: nobody knows yet what will come of them.

    Args:
        accepted: answers that were given and neither rated bad, nor asked for again, nor rejected
            by a validator.
        refused: answers that were given and not accepted.
        cost_usd: of every request of turns that have ended; None when one of them is unknown.
    """

    accepted: int
    refused: int
    cost_usd: Decimal | None

    @property
    def usd_each(self) -> Decimal | None:
        """What one costs; None when none was accepted, or nobody knows."""
        if self.cost_usd is None or not self.accepted:
            return None
        return self.cost_usd / self.accepted


@dataclass(frozen=True, slots=True)
class AnswerPrices:
    """What accepted answers cost, in all and by who gave them.

    An answer counts once for every role and every model that had a part in it, so that these need
    not add up to the total.

    Args:
        total: of all turns.
        by_role: by role; that of the orchestrator has a cost and no answers.
        by_model: by the model's configured name.
    """

    total: AnswerCost
    by_role: Mapping[str, AnswerCost]
    by_model: Mapping[str, AnswerCost]


def price_answers(
    attempts: Iterable[Attempt],
    standings: Mapping[str, RatedTurn],
    routes: Mapping[str, Route],
) -> AnswerPrices:
    """Price accepted answers.

    Args:
        attempts: in any order; those outside turns do not count.
        standings: of turns, by id; the attempts of others do not count.
        routes: of turns, by id: whoever handed a turn over did not answer it.
    """
    ended = [
        (turn_id, attempt)
        for attempt in attempts
        if (turn_id := attempt.turn_id) is not None
        and turn_id in standings
        and standings[turn_id].status.finished
    ]
    judged = {
        turn_id: standings[turn_id].is_accepted
        for turn_id, _ in ended
        if standings[turn_id].status is Status.DONE
    }

    def price(key: Callable[[Attempt], str]) -> dict[str, AnswerCost]:
        made: defaultdict[str, list[Attempt]] = defaultdict(list)
        turns: defaultdict[str, set[str]] = defaultdict(set)
        for turn_id, attempt in ended:
            made[key(attempt)].append(attempt)
            if turn_id in judged and _has_part(attempt, routes.get(turn_id)):
                turns[key(attempt)].add(turn_id)
        return {
            name: AnswerCost(
                accepted=sum(judged[turn_id] for turn_id in turns[name]),
                refused=sum(not judged[turn_id] for turn_id in turns[name]),
                cost_usd=total_usd(group),
            )
            for name, group in made.items()
        }

    total = AnswerCost(
        accepted=sum(judged.values()),
        refused=sum(not accepted for accepted in judged.values()),
        cost_usd=total_usd(attempt for _, attempt in ended),
    )
    return AnswerPrices(
        total=total,
        by_role=price(lambda attempt: attempt.role),
        by_model=price(lambda attempt: attempt.model),
    )


def _has_part(attempt: Attempt, route: Route | None) -> bool:
    if attempt.purpose is not Purpose.ANSWER or attempt.outcome is not Outcome.SUCCESS:
        return False
    return route is None or attempt.role in route.roles
