"""``budgets:`` dollars per window, and what happens when they are used up."""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from noctule.core.settings.base import Section
from noctule.core.settings.endpoint import WindowSettings
from noctule.core.settings.until import Until
from noctule.core.times.windows import CalendarUnit

_CALENDAR = frozenset(unit.value for unit in CalendarUnit)


class BudgetScope(StrEnum):
    """Whose calls a budget counts."""

    ROLE = "role"
    MODEL = "model"
    ENDPOINT = "endpoint"
    TIER = "tier"
    SESSION = "session"
    OWNER = "owner"
    GLOBAL = "global"


class OnExhausted(StrEnum):
    """What becomes of a call that a budget does not pay for."""

    FALLBACK = "fallback"
    CHEAPEST = "cheapest"
    LOCAL = "local"
    PARK = "park"


def _as_window(value: Any) -> Any:
    """Read a bare length: a calendar word turns with the calendar, any other at its first use."""
    if value is None or isinstance(value, dict | WindowSettings):
        return value
    return {"kind": "aligned" if value in _CALENDAR else "first_use", "length": value}


def _as_warning(value: Any) -> Any:
    """Read a share (0.8), or an amount with its sign ("$4"); kept as text."""
    if value is None:
        return None
    text = str(value).strip()
    try:
        number = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or number <= 0 or (number > 1 and not text.startswith("$")):
        raise ValueError(f'{text!r} is neither a share like 0.8 nor an amount like "$4"')
    return text


class BudgetSettings(Section):
    """Dollars per window."""

    usd: Decimal = Field(ge=0)
    """The most that may be spent in one window, in USD. 0 means nothing may be spent: only what
    is free can be called."""

    window: Annotated[WindowSettings, BeforeValidator(_as_window)]
    """How long a window lasts: a duration like ``5h`` (a window starts with the first call after
    the last one ended), ``day``, ``week`` or ``month`` (by the calendar), or a section that says
    more."""

    on_exhausted: OnExhausted = OnExhausted.FALLBACK
    """When it does not pay for a call. ``fallback``: the next model of the role that it does pay
    for, or that is free. ``cheapest``: the same, the cheapest first. ``local``: local models
    only. ``park``: keep the model. Whoever finds no model sleeps until the window turns."""

    warn_at: Annotated[str | None, BeforeValidator(_as_warning)] = None
    """From where on the cheaper model is asked first and the person is told once: a share of the
    budget like ``0.8``, or an amount like ``"$4"``. Unset means no warning."""

    until: Until = None
    """When the money it stands for ends, like that of a trial: a date (that day still counts) or a
    moment. After it the budget pays for nothing; sleeping sessions are told a week before and on
    the last day. Unset means that it has no end."""

    @property
    def warn_usd(self) -> Decimal | None:
        """The amount in USD from which on it warns; None means that it does not."""
        if self.warn_at is None:
            return None
        if self.warn_at.startswith("$"):
            return Decimal(self.warn_at[1:])
        return Decimal(self.warn_at) * self.usd


class NamedBudgetSettings(BudgetSettings):
    """Dollars per window for calls of one kind."""

    scope: BudgetScope
    """Whose calls it counts: those of a ``role``, ``model``, ``endpoint``, ``tier``, ``session``
    or ``owner``, or all of them (``global``)."""

    of: str | None = None
    """Which role, model, endpoint, tier, session or owner. Unset means each has one of its own;
    ``global`` has none."""
