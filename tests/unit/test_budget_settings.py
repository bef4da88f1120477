from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from noctule.core.settings import BudgetSettings, NamedBudgetSettings, find_problems
from noctule.core.times.windows import CalendarUnit, WindowKind
from tests.support.stage import make_settings


@pytest.mark.parametrize(
    ("written", "kind", "length"),
    [
        ("5h", WindowKind.FIRST_USE, timedelta(hours=5)),
        (60, WindowKind.FIRST_USE, timedelta(minutes=1)),
        ("day", WindowKind.ALIGNED, CalendarUnit.DAY),
        ("month", WindowKind.ALIGNED, CalendarUnit.MONTH),
        ({"kind": "rolling", "length": "5h"}, WindowKind.ROLLING, timedelta(hours=5)),
        (
            {"kind": "aligned", "length": "week", "anchor": "07:00", "timezone": "Europe/Berlin"},
            WindowKind.ALIGNED,
            CalendarUnit.WEEK,
        ),
    ],
)
def test_a_window_may_be_written_short_or_long(
    written: object, kind: WindowKind, length: object
) -> None:
    """A duration starts with its first use, a calendar word turns with the calendar."""
    window = BudgetSettings(usd=1, window=written).window.to_window()
    assert (window.kind, window.length) == (kind, length)


@pytest.mark.parametrize(
    ("written", "usd"),
    [
        (None, None),
        (0.8, Decimal("4.0")),
        ("0.5", Decimal("2.5")),
        ("$4", Decimal(4)),
        (1, Decimal(5)),
    ],
)
def test_a_warning_is_a_share_or_an_amount(written: object, usd: Decimal | None) -> None:
    """With its sign it is an amount, else a share of the budget."""
    assert BudgetSettings(usd=5, window="5h", warn_at=written).warn_usd == usd


@pytest.mark.parametrize("written", ["soon", 4, 0, "-1", "$0", "nan", "80%"])
def test_anything_else_is_no_warning(written: object) -> None:
    """It is refused, with what to write."""
    with pytest.raises(ValidationError, match="neither a share like"):
        BudgetSettings(usd=5, window="5h", warn_at=written)


@pytest.mark.parametrize("broken", [{"usd": -1}, {"window": "never"}, {"window": "0s"}])
def test_a_budget_that_makes_no_sense_is_refused(broken: dict[str, object]) -> None:
    """Less than nothing, and windows that are none."""
    with pytest.raises(ValidationError):
        NamedBudgetSettings(**{"scope": "global", "usd": 1, "window": "5h", **broken})


@pytest.mark.parametrize(
    ("budget", "path", "fix"),
    [
        ({"scope": "model", "of": "frist"}, "of", "did you mean 'first'?"),
        ({"scope": "role", "of": "boss"}, "of", "use one of: chat"),
        ({"scope": "tier", "of": "fronteer"}, "of", "did you mean 'frontier'?"),
        ({"scope": "endpoint", "of": "moon"}, "of", "use one of: cloud, here"),
        ({"scope": "global", "of": "all"}, "of", "remove it."),
        ({"scope": "global", "warn_at": "$2"}, "warn_at", "write a share like 0.8"),
        (
            {"scope": "global", "window": {"kind": "aligned", "length": "36h"}},
            "window",
            "give the date and time",
        ),
    ],
)
def test_what_does_not_fit_together_is_found_with_its_fix(
    budget: dict[str, object], path: str, fix: str
) -> None:
    """Names that do not exist, windows and warnings without sense."""
    settings = make_settings(budgets={"b": {"usd": 1, "window": "5h", **budget}})
    [found] = find_problems(settings)
    assert found.path == ("budgets", "b", path)
    assert fix in found.fix


@pytest.mark.parametrize("name", ["roles.chat", "--budget", "a/b", " "])
def test_names_that_mean_something_else_are_refused(name: str) -> None:
    """Budgets of roles and runs have names of their own, and keys are written with a slash."""
    settings = make_settings(budgets={name: {"scope": "global", "usd": 1, "window": "5h"}})
    [found] = find_problems(settings)
    assert found.path == ("budgets", name)


def test_sessions_and_owners_need_not_be_known() -> None:
    """They come and go: nothing can be said about their names."""
    budgets = {
        scope: {"scope": scope, "of": "someone", "usd": 1, "window": "5h"}
        for scope in ("session", "owner")
    }
    assert find_problems(make_settings(budgets=budgets)) == []
