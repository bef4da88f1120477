"""Alternatives: which model could continue now with what another one was refused."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from noctule.core.base.roles import Role
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.llm.requirements import needs_tools
from noctule.core.sessions.parkings import Parking
from noctule.core.settings import Settings


def alternative_model(
    settings: Settings,
    *,
    role: Role | str,
    refused: Iterable[Parking],
    limits: Iterable[Limit],
    private: bool,
    now: datetime,
) -> str | None:
    """Return the model that would go on; None when none could.

    The role's own models come first, then whatever else is configured, what is local before what
    is hosted. One that is refused itself, cannot call tools where the role needs them, or is not
    local where it has to be, is no understudy.

    Args:
        settings: the configuration.
        role: whose call was refused.
        refused: what the turn sleeps on.
        limits: what is refused, past ones included.
        private: whether only local models may see it.
        now: decides which limits are in force.
    """
    binding = settings.roles[role]
    refused = tuple(refused)
    asleep = {parking.model for parking in refused}
    keys = [limit.key for limit in limits if limit.in_force(now)]
    keys += [parking.key for parking in refused if parking.key is not None]
    free = any(key.is_budget for key in keys)  # what costs nothing needs no money
    needs = needs_tools(Role(role), binding)
    others = sorted(settings.models, key=lambda name: not settings.is_local(name))
    for name in dict.fromkeys((*binding.models, *others)):
        fits = not (needs and settings.models[name].tools is False)
        allowed = settings.is_local(name) or not (private or free or binding.private)
        if name not in asleep and fits and allowed and not _refused(settings, name, keys):
            return name
    return None


def _refused(settings: Settings, model: str, keys: Iterable[LimitKey]) -> bool:
    return any(key in _names(settings, model) for key in _parts(keys))


def _names(settings: Settings, model: str) -> set[tuple[str, str | None]]:
    endpoint = settings.models[model].endpoint
    return {(endpoint, None), (endpoint, model)}


def _parts(keys: Iterable[LimitKey]) -> Iterator[tuple[str, str | None]]:
    yield from ((key.endpoint, key.model) for key in keys)
