"""A budget cannot cap what nobody can price: refused at start, with the fix."""

from collections.abc import Iterator
from datetime import datetime

from noctule.core.budgets.budget_scopes import BudgetScopes
from noctule.core.errors import ConfigError, Problem
from noctule.core.llm.attempts import Usage
from noctule.core.settings import Settings
from noctule.models.spend.cost_bounds import ListCost

_SOME_TOKENS = Usage(input_tokens=1000, output_tokens=1000)


def require_prices(settings: Settings, list_cost: ListCost, now: datetime) -> None:
    """See that every model a budget counts has a price.

    Args:
        settings: the configuration.
        list_cost: what tokens cost; asked only about models that a budget counts.
        now: prices change.

    Raises:
        ConfigError: one or more have none.
    """
    problems = list(_problems(settings, list_cost, now))
    if problems:
        raise ConfigError(problems)


def _problems(settings: Settings, list_cost: ListCost, now: datetime) -> Iterator[Problem]:
    coverage = BudgetScopes(settings)
    if coverage.is_empty:
        return
    counted: dict[str, str] = {}
    for role, binding in settings.roles.items():
        for model in binding.models:
            budget = coverage.may_cover(role, model)
            if budget is not None:
                counted.setdefault(model, budget)
    for model, budget in counted.items():
        if list_cost(model, _SOME_TOKENS, now)[0] is None:
            yield Problem(
                file="the configuration",
                line=None,
                path=f"models.{model}.price",
                message=f"nobody knows what {settings.models[model].name} costs, and budget "
                f"{budget} counts it.",
                fix="write what it costs per million tokens, like price: {input: 1.00, output: "
                "5.00} (0 when it is free), or take the budget away.",
            )
