"""As much of a configuration as could be read, for checks that look across sections."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from noctule.core.base.roles import Role
from noctule.core.settings.base import Section
from noctule.core.settings.budget import NamedBudgetSettings
from noctule.core.settings.endpoint import EndpointSettings
from noctule.core.settings.limits import ParkingSettings
from noctule.core.settings.model import ModelSettings
from noctule.core.settings.role import RoleSettings
from noctule.core.settings.root import Settings, StorageSettings
from noctule.core.settings.telegram import TelegramSettings
from noctule.core.settings.tools import ToolsSettings

_S = TypeVar("_S", bound=Section)


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a configuration can be checked.

    Args:
        timezone: the zone times are shown in; None means the system's.
        default_role: who answers when nothing else decides.
        endpoints: by name; None stands for one that is there but broken.
        models: likewise.
        roles: the bindings that could be read.
        budgets: the budgets that could be read.
        parking: how long a session may sleep.
        storage: where things are kept.
        telegram: the bot.
        tools: what agents may do.
    """

    timezone: str | None = None
    default_role: str = Role.CHAT
    endpoints: Mapping[str, EndpointSettings | None] = field(default_factory=dict)
    models: Mapping[str, ModelSettings | None] = field(default_factory=dict)
    roles: Mapping[str, RoleSettings] = field(default_factory=dict)
    budgets: Mapping[str, NamedBudgetSettings] = field(default_factory=dict)
    parking: ParkingSettings = field(default_factory=ParkingSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    telegram: TelegramSettings = field(default_factory=TelegramSettings)
    tools: ToolsSettings = field(default_factory=ToolsSettings)

    @classmethod
    def of(cls, settings: Settings) -> "Parts":
        """Take a configuration that was read whole."""
        return cls(
            timezone=settings.timezone,
            default_role=settings.default_role,
            endpoints=settings.endpoints,
            models=settings.models,
            roles={role.value: binding for role, binding in settings.roles.items()},
            budgets=settings.budgets,
            parking=settings.parking,
            storage=settings.storage,
            telegram=settings.telegram,
            tools=settings.tools,
        )

    @classmethod
    def salvage(cls, data: Mapping[str, Any]) -> "Parts":
        """Take what fits of a configuration that does not fit as a whole.

        Args:
            data: plain data, variables put in.
        """
        zone, default = data.get("timezone"), data.get("default_role")
        roles = {
            name: _part(RoleSettings, inner) for name, inner in _mapping(data, "roles").items()
        }
        budgets = {
            name: _part(NamedBudgetSettings, inner)
            for name, inner in _mapping(data, "budgets").items()
        }
        return cls(
            timezone=zone if isinstance(zone, str) else None,
            default_role=default if isinstance(default, str) else Role.CHAT,
            endpoints={
                name: _part(EndpointSettings, inner)
                for name, inner in _mapping(data, "endpoints").items()
            },
            models={
                name: _part(ModelSettings, inner)
                for name, inner in _mapping(data, "models").items()
            },
            roles={name: role for name, role in roles.items() if role is not None},
            budgets={name: budget for name, budget in budgets.items() if budget is not None},
            parking=_part(ParkingSettings, data.get("parking")) or ParkingSettings(),
            storage=_part(StorageSettings, data.get("storage")) or StorageSettings(),
            telegram=_part(TelegramSettings, data.get("telegram")) or TelegramSettings(),
            tools=_part(ToolsSettings, data.get("tools")) or ToolsSettings(),
        )

    def bound_endpoints(self) -> dict[str, list[str]]:
        """Return each endpoint that a role may use through any of its models, with the roles."""
        bound: dict[str, list[str]] = {}
        for role, binding in self.roles.items():
            for name in binding.models:
                model = self.models.get(name)
                if model is not None and role not in bound.setdefault(model.endpoint, []):
                    bound[model.endpoint].append(role)
        return bound

    def is_local(self, name: str) -> bool | None:
        """Whether a model's calls stay with the owner; None when it or its endpoint is broken."""
        model = self.models.get(name)
        endpoint = self.endpoints.get(model.endpoint) if model else None
        if model is None or endpoint is None:
            return None
        return endpoint.is_local if model.local is None else model.local


def _mapping(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    inner = data.get(key)
    return inner if isinstance(inner, dict) else {}


def _part(section: type[_S], data: Any) -> _S | None:
    """Read a section without the keys that do not fit; None when what is left is not enough.

    A name that is missing or broken is read as "", which no entry is called.
    """
    if not isinstance(data, dict):
        return None
    try:
        return section.model_validate(data)
    except ValidationError as error:
        broken = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    names = {k: "" for k in broken if k in section.model_fields and _is_name(section, k)}
    try:
        return section.model_validate({k: v for k, v in data.items() if k not in broken} | names)
    except ValidationError:
        return None


def _is_name(section: type[Section], key: str | int) -> bool:
    info = section.model_fields[str(key)]
    return info.is_required() and info.annotation is str
