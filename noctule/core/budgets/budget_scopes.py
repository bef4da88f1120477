"""Which budgets cover a call."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from noctule.core.base.roles import Role
from noctule.core.budgets.budgets import Budget, BudgetKey
from noctule.core.settings import BudgetScope, BudgetSettings, Settings
from noctule.core.settings.until import moment_of
from noctule.core.times.windows import Window

RUN_BUDGET = "--budget"
"""What the budget of ``noctule run --budget`` is called."""


@dataclass(frozen=True, slots=True)
class BudgetSubject:
    """Who makes a call.

    Args:
        role: whose binding serves it.
        session_id: None outside a session.
        owner: None outside a session.
        session_usd: the most its session may spend in all; None means no such bound.
    """

    role: Role
    session_id: str | None = None
    owner: str | None = None
    session_usd: Decimal | None = None


class BudgetScopes:
    """The budgets of a configuration.

    Args:
        settings: the configuration; sound, so that every window makes sense.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._windows: dict[str, Window] = {
            name: budget.window.to_window() for name, budget in settings.budgets.items()
        }
        self._of_roles = {
            role: _budget(
                BudgetKey(f"roles.{role.value}"),
                own,
                own.window.to_window(),
                settings.timezone,
            )
            for role, binding in settings.roles.items()
            if (own := binding.budget) is not None
        }

    @property
    def is_empty(self) -> bool:
        """Whether there is no budget at all."""
        return not self._windows and not self._of_roles

    def of(self, model: str, subject: BudgetSubject) -> tuple[Budget, ...]:
        """Return every budget that must pay for a call to a model, in the order of keys."""
        if self.is_empty and subject.session_usd is None:
            return ()
        return tuple(sorted(self._all(model, subject), key=lambda budget: budget.key))

    def asks_account(self, endpoint: str) -> bool:
        """Whether the provider of an endpoint is asked what is left."""
        own = self._settings.endpoints.get(endpoint)
        return own is not None and own.account is not None

    def find(self, key: BudgetKey) -> Budget | None:
        """Return the budget of a key as it is configured now; None when it is gone."""
        for budget in self._of_roles.values():
            if budget.key == key:
                return budget
        own = self._settings.budgets.get(key.name)
        if own is None or (own.of is not None and own.of != key.part):
            return None
        return self._named(key, own)

    def whole(self) -> list[Budget]:
        """Return every configured budget once, without parts where each has its own."""
        named = [
            self._named(BudgetKey(name, own.of or ""), own)
            for name, own in self._settings.budgets.items()
        ]
        return [*self._of_roles.values(), *named]

    def may_cover(self, role: Role, model: str) -> str | None:
        """Return the name of a budget that may cover calls of a role to a model; None if none."""
        everybody = BudgetSubject(role, session_id="", owner="")
        named = {name: b.of for name, b in self._settings.budgets.items()}
        for budget in self.of(model, everybody):
            return budget.key.name
        for name, of in named.items():  # of one session or owner
            if of and self._settings.budgets[name].scope in _PERSONAL:
                return name
        return None

    def _all(self, model: str, subject: BudgetSubject) -> Iterator[Budget]:
        if subject.role in self._of_roles:
            yield self._of_roles[subject.role]
        for name, own in self._settings.budgets.items():
            part = self._part(own.scope, model, subject)
            if part is not None and own.of in {None, part}:
                yield self._named(BudgetKey(name, part), own)
        if subject.session_usd is not None and subject.session_id is not None:
            yield Budget(BudgetKey(RUN_BUDGET, subject.session_id), subject.session_usd, None)

    def _named(self, key: BudgetKey, own: BudgetSettings) -> Budget:
        return _budget(key, own, self._windows[key.name], self._settings.timezone)

    def _part(self, scope: BudgetScope, model: str, subject: BudgetSubject) -> str | None:
        """Return whose part of a budget pays; None when it counts no such calls."""
        settings = self._settings.models[model]
        parts: dict[BudgetScope, str | None] = {
            BudgetScope.ROLE: subject.role.value,
            BudgetScope.MODEL: model,
            BudgetScope.ENDPOINT: settings.endpoint,
            BudgetScope.TIER: settings.tier.value,
            BudgetScope.SESSION: subject.session_id,
            BudgetScope.OWNER: subject.owner,
            BudgetScope.GLOBAL: "",
        }
        return parts[scope]


_PERSONAL = frozenset({BudgetScope.SESSION, BudgetScope.OWNER})


def _budget(key: BudgetKey, own: BudgetSettings, window: Window, timezone: str | None) -> Budget:
    until = None if own.until is None else moment_of(own.until, timezone)
    return Budget(key, own.usd, window, own.on_exhausted, own.warn_usd, until)
