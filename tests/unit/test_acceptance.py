from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from noctule.core.base.roles import Role
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.answer_cost import AnswerCost, RatedTurn, price_answers
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import Rating
from tests.support.stored_records import an_attempt

DONE = RatedTurn(Status.DONE)
CENT = Decimal("0.01")


def spent(turn_id="t1", **changes):
    return an_attempt(turn_id=turn_id, **{"cost_usd": CENT, **changes})


def routed(*roles):
    return Route(roles, Complexity.SIMPLE, DecidedBy.RULE, "because")


def test_an_accepted_answer_pays_for_everything_that_was_not():
    """Refused requests, discarded text, failed turns and bad answers are in the price."""
    attempts = [
        spent("good"),
        spent("good", outcome=Outcome.TIMEOUT, discarded=True),
        spent("bad"),
        spent("again"),
        spent("failed", outcome=Outcome.UNAVAILABLE),
    ]
    standings = {
        "good": RatedTurn(Status.DONE, Rating.GOOD),
        "bad": RatedTurn(Status.DONE, Rating.BAD),
        "again": RatedTurn(Status.DONE, Rating.AGAIN),
        "failed": RatedTurn(Status.FAILED),
    }
    total = price_answers(attempts, standings, {}).total
    assert total == AnswerCost(accepted=1, refused=2, cost_usd=5 * CENT)
    assert total.usd_each == 5 * CENT


def test_what_a_validator_rejected_is_not_accepted():
    """A person who says nothing accepts; a validator who objects does not."""
    assert DONE.is_accepted
    assert not replace(DONE, rejected=True).is_accepted
    assert not RatedTurn(Status.PARKED).is_accepted


def test_turns_under_way_are_not_priced_yet():
    """Nobody knows what comes of them; attempts outside turns answer nobody."""
    attempts = [spent("t1"), spent("t2"), spent(None), spent("gone")]
    standings = {"t1": DONE, "t2": RatedTurn(Status.PARKED)}
    total = price_answers(attempts, standings, {}).total
    assert total == AnswerCost(accepted=1, refused=0, cost_usd=CENT)


def test_the_price_of_a_role_and_of_a_model_has_what_was_spent_on_them_in_vain():
    """Who was asked and did not answer has a cost and no answers; routing likewise."""
    attempts = [
        spent(role="orchestrator", model="small", purpose=Purpose.ROUTE),
        spent(role="writer", model="large", outcome=Outcome.TIMEOUT),
        spent(role="writer", model="small"),
        spent("t2", role="writer", model="small"),
    ]
    prices = price_answers(attempts, {"t1": DONE, "t2": DONE}, {"t1": routed(Role.WRITER)})
    assert prices.by_role["orchestrator"] == AnswerCost(0, 0, CENT)
    assert prices.by_role["orchestrator"].usd_each is None
    assert prices.by_role["writer"] == AnswerCost(2, 0, 3 * CENT)
    assert prices.by_model["large"] == AnswerCost(0, 0, CENT)
    assert prices.by_model["small"].usd_each == Decimal("0.015")


def test_who_handed_a_turn_over_did_not_answer_it():
    """Its call is paid for by the role that answered in its place."""
    attempts = [spent(role="chat"), spent(role="engineer")]
    prices = price_answers(attempts, {"t1": DONE}, {"t1": routed(Role.ENGINEER)})
    assert prices.by_role["chat"] == AnswerCost(0, 0, CENT)
    assert prices.by_role["engineer"].accepted == 1


def test_a_plan_is_one_answer_of_several_roles():
    """Each of them had a part in it; in the total it is one."""
    attempts = [spent(role="research"), spent(role="writer")]
    route = {"t1": routed(Role.RESEARCH, Role.WRITER)}
    prices = price_answers(attempts, {"t1": DONE}, route)
    assert prices.total == AnswerCost(1, 0, 2 * CENT)
    assert [price.accepted for price in prices.by_role.values()] == [1, 1]


def test_an_unknown_cost_leaves_the_price_unknown():
    """A part of a cost is no cost."""
    attempts = [spent(), spent(cost_usd=None)]
    assert price_answers(attempts, {"t1": DONE}, {}).total.usd_each is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(0, 99))))
def test_every_request_of_an_ended_turn_is_paid_once(rows):
    """The costs of all models, and of all roles, are that of the total."""
    attempts = [
        spent(turn, model=model, role=model, cost_usd=Decimal(cents)) for turn, model, cents in rows
    ]
    standings = {"a": DONE, "b": RatedTurn(Status.FAILED), "c": RatedTurn(Status.RUNNING)}
    prices = price_answers(attempts, standings, {})
    paid = sum(cents for turn, _, cents in rows if turn in "ab")
    assert prices.total.cost_usd == paid
    for groups in (prices.by_role, prices.by_model):
        assert sum(price.cost_usd or 0 for price in groups.values()) == paid
