"""Plan ends: what comes to its end soon, or has, by the ``until`` of endpoints and budgets."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from noctule.core.settings import Settings
from noctule.core.settings.until import moment_of

_A_WEEK = timedelta(days=7)
_A_DAY = timedelta(days=1)


class Nearness(StrEnum):
    """How near an end is; people are told once at each."""

    WEEK = "week"
    DAY = "day"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class PlanEnd:
    """The end of what an endpoint or a budget stands for.

    Args:
        path: of the setting, without ``until``.
        at: from when on nothing is asked or paid there.
    """

    path: str
    at: datetime

    def nearness(self, now: datetime) -> Nearness | None:
        """Return how near it is; None when it is more than a week away."""
        left = self.at - now
        if left <= timedelta(0):
            return Nearness.OVER
        if left <= _A_DAY:
            return Nearness.DAY
        return Nearness.WEEK if left <= _A_WEEK else None

    def sentence(self, now: datetime, zone: tzinfo) -> str:
        """Return what people are told, in their zone."""
        kind, _, name = self.path.partition(".")
        what = {"endpoints": f"Endpoint {name}", "budgets": f"Budget {name}"}.get(
            kind, f"The budget of {name.removesuffix('.budget')}"
        )
        then = "nothing is asked there" if kind == "endpoints" else "it pays for nothing"
        moment = self.at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        if self.nearness(now) is Nearness.OVER:
            return f"{what} ended on {moment}: {then}."
        return f"{what} ends on {moment}; after that {then}."

    @property
    def fix(self) -> str:
        """What to do about it."""
        return f"Renew it and write a later {self.path}.until, or bind other models."


def plan_ends(settings: Settings) -> list[PlanEnd]:
    """Return every end that a configuration names, the nearest first."""
    named = {f"endpoints.{name}": own.until for name, own in settings.endpoints.items()}
    named |= {f"budgets.{name}": own.until for name, own in settings.budgets.items()}
    for role, binding in settings.roles.items():
        if binding.budget is not None:
            named[f"roles.{role.value}.budget"] = binding.budget.until
    ends = [
        PlanEnd(path, moment_of(until, settings.timezone))
        for path, until in named.items()
        if until is not None
    ]
    return sorted(ends, key=lambda end: end.at)
