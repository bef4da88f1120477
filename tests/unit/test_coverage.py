from decimal import Decimal

import pytest

from noctule.core.base.roles import Role
from noctule.core.budgets.budget_scopes import RUN_BUDGET, BudgetScopes, BudgetSubject
from noctule.core.budgets.budgets import BudgetKey
from tests.support.stage import make_settings

ONE = {"usd": 1, "window": "5h"}
CHAT = BudgetSubject(Role.CHAT, "s1", "anna")


def covering(model: str, subject: BudgetSubject, **budgets: dict[str, object]) -> list[str]:
    coverage = BudgetScopes(make_settings(budgets=budgets))
    return [str(budget.key) for budget in coverage.of(model, subject)]


@pytest.mark.parametrize(
    ("scope", "part", "other"),
    [
        ("role", "chat", "writer"),
        ("model", "first", "second"),
        ("endpoint", "here", "cloud"),
        ("tier", "routine", "frontier"),
        ("session", "s1", "s2"),
        ("owner", "anna", "bert"),
    ],
)
def test_every_scope_counts_its_own_calls(scope: str, part: str, other: str) -> None:
    """Named, it counts that one; unnamed, each has its own."""
    assert covering("first", CHAT, b={"scope": scope, "of": part, **ONE}) == [f"b ({part})"]
    assert covering("first", CHAT, b={"scope": scope, "of": other, **ONE}) == []
    assert covering("first", CHAT, b={"scope": scope, **ONE}) == [f"b ({part})"]


def test_several_may_cover_one_call_in_the_order_of_keys() -> None:
    """The session's own, the global one, that of the role: all must pay."""
    settings = make_settings(
        budgets={"all": {"scope": "global", **ONE}}, roles={"chat": {"budget": ONE}}
    )
    subject = BudgetSubject(Role.CHAT, "s1", "anna", Decimal("0.5"))
    budgets = BudgetScopes(settings).of("first", subject)
    assert [budget.key for budget in budgets] == [
        BudgetKey(RUN_BUDGET, "s1"),
        BudgetKey("all"),
        BudgetKey("roles.chat"),
    ]
    assert budgets[0].window is None


def test_calls_outside_a_session_have_no_part_in_its_budgets() -> None:
    """A probe belongs to no session and no owner."""
    probe = BudgetSubject(Role.CHAT)
    assert covering("first", probe, b={"scope": "session", **ONE}) == []
    assert covering("first", probe, b={"scope": "owner", **ONE}) == []


def test_a_key_finds_its_budget_as_it_is_configured_now() -> None:
    """Of a role, of a part, of nothing that is there any more."""
    settings = make_settings(
        budgets={"each": {"scope": "session", **ONE}, "mine": {"scope": "owner", "of": "a", **ONE}},
        roles={"chat": {"budget": ONE}},
    )
    coverage = BudgetScopes(settings)
    assert coverage.find(BudgetKey("roles.chat"))
    assert coverage.find(BudgetKey("each", "s7"))
    assert coverage.find(BudgetKey("mine", "b")) is None
    assert coverage.find(BudgetKey("gone")) is None


def test_a_key_survives_being_written_down() -> None:
    """As an id of a row, and as what a parking waits for."""
    for key in (BudgetKey("daily"), BudgetKey("each", "with/slash")):
        assert BudgetKey.read(key.id) == key
        assert BudgetKey.of(key.limit_key) == key
