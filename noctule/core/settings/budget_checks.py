"""What must hold for budgets: scopes that name something, windows and warnings that make sense."""

from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches

from noctule.core.base.roles import Role
from noctule.core.settings.budget import BudgetScope, BudgetSettings, NamedBudgetSettings
from noctule.core.settings.model import Tier
from noctule.core.settings.parts import Parts

Found = tuple[tuple[str, ...], str, str]
"""Path, what is wrong, what to write instead."""

_RESERVED = ("roles.", "endpoints.", "--")
"""How the budgets of roles and of runs and accounts begin; others must not be mistaken for them."""

_NAMES: dict[BudgetScope, Callable[[Parts], Collection[str]]] = {
    BudgetScope.ROLE: lambda _: [role.value for role in Role],
    BudgetScope.MODEL: lambda parts: parts.models,
    BudgetScope.ENDPOINT: lambda parts: parts.endpoints,
    BudgetScope.TIER: lambda _: [tier.value for tier in Tier],
}


def budget_findings(parts: Parts) -> Iterator[Found]:
    """Yield everything wrong with budgets."""
    for name, budget in parts.budgets.items():
        path = ("budgets", name)
        if not name.strip() or name.startswith(_RESERVED) or "/" in name:
            yield (path, f"{name!r} cannot be the name of a budget.", "choose a plain word.")
        yield from _scope(path, parts, budget)
        yield from _amounts(path, budget)
    for role, binding in parts.roles.items():
        if binding.budget is not None:
            yield from _amounts(("roles", role, "budget"), binding.budget)


def _scope(path: tuple[str, ...], parts: Parts, budget: NamedBudgetSettings) -> Iterator[Found]:
    scope, of = budget.scope, budget.of
    if of is None:
        return
    if scope is BudgetScope.GLOBAL:
        yield ((*path, "of"), "a global budget counts every call.", "remove it.")
        return
    find = _NAMES.get(scope)
    known = sorted(find(parts)) if find is not None else None
    if known is not None and of not in known:
        close = get_close_matches(of, known, n=1)
        hint = f"did you mean {close[0]!r}? There are: " if close else "use one of: "
        yield ((*path, "of"), f"there is no {scope.value} {of!r}.", f"{hint}{', '.join(known)}.")


def _amounts(path: tuple[str, ...], budget: BudgetSettings) -> Iterator[Found]:
    try:
        budget.window.to_window()
    except ValueError as error:
        what, _, advice = str(error).partition("; ")
        yield ((*path, "window"), f"{what}.", advice or "write one like 5h, or day.")
    warn = budget.warn_usd
    if warn is not None and warn > budget.usd:
        yield (
            (*path, "warn_at"),
            f"it warns at ${warn}, after the ${budget.usd} of the budget are spent.",
            "write a share like 0.8, or a smaller amount.",
        )
