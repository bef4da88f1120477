"""The whole configuration."""

from enum import StrEnum

from pydantic import Field, SecretStr

from noctule.core.base.roles import Role
from noctule.core.settings.base import Section
from noctule.core.settings.budget import NamedBudgetSettings
from noctule.core.settings.endpoint import EndpointSettings
from noctule.core.settings.limits import LimitsSettings, ParkingSettings
from noctule.core.settings.model import ModelSettings
from noctule.core.settings.role import RolesSettings
from noctule.core.settings.telegram import TelegramSettings
from noctule.core.settings.tools import ToolsSettings


class StorageSettings(Section):
    """Where sessions, ledger and checkpoints are kept."""

    url: SecretStr = SecretStr("sqlite")
    """``sqlite`` (files in the data folder), ``sqlite:///PATH`` (another file) or
    ``postgresql://user:password@host/database``; write the whole URL as ``"${VARIABLE}"``
    when it has a password."""

    @property
    def is_sqlite(self) -> bool:
        """Whether it names a SQLite file."""
        url = self.url.get_secret_value()
        return url == "sqlite" or (url.startswith("sqlite:///") and len(url) > len("sqlite:///"))

    @property
    def is_postgres(self) -> bool:
        """Whether it names a PostgreSQL database."""
        return self.url.get_secret_value().startswith(("postgresql:", "postgres:", "postgresql+"))


class RouteBy(StrEnum):
    """Who decides who answers a message that no rule fits."""

    ORCHESTRATOR = "orchestrator"
    RULES = "rules"


class Settings(Section):
    """What a Noctule is made of."""

    timezone: str | None = None
    """The zone times are shown in, like ``Europe/Berlin``. Unset means the system's."""

    default_role: Role = Role.CHAT
    """Who answers when no rule fits and the orchestrator's model gave no usable decision."""

    route_by: RouteBy = RouteBy.ORCHESTRATOR
    """Who decides where no rule fits: ``orchestrator`` asks its model, ``rules`` asks nobody and
    `default_role` answers. ``rules`` saves a call and suits models too small to choose well."""

    footer: bool = True
    """Whether a reply ends with one dim line: role, model, cost, duration."""

    keep_awake: bool = True
    """Whether this machine is kept from going to sleep by itself while sessions work or will wake
    by themselves: with ``caffeinate`` on macOS, ``systemd-inhibit`` on Linux. It holds while
    ``noctule serve`` or ``noctule worker`` runs, and while a command works for its own session. A
    lid that is closed can put it to sleep all the same."""

    warm_at_start: bool = True
    """Whether ``noctule serve`` and ``noctule worker`` load the primaries that a local Ollama
    serves, in the background, at their start and after the machine slept: as many as
    ``memory_gb`` says fit into three quarters of the memory."""

    storage: StorageSettings = Field(default_factory=StorageSettings)
    """Where sessions, ledger and checkpoints are kept."""

    endpoints: dict[str, EndpointSettings] = Field(min_length=1)
    """What serves models, by a name of your choice."""

    models: dict[str, ModelSettings] = Field(min_length=1)
    """The models, by a name of your choice."""

    roles: RolesSettings
    """What each of the six roles may use."""

    budgets: dict[str, NamedBudgetSettings] = Field(default_factory=dict)
    """Caps in dollars, by a name of your choice; all that cover a call must pay for it."""

    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    """Timeouts and caps."""

    parking: ParkingSettings = Field(default_factory=ParkingSettings)
    """How long a session may sleep."""

    tools: ToolsSettings = Field(default_factory=ToolsSettings)
    """What agents may do, where, and how much of it."""

    telegram: TelegramSettings = Field(default_factory=TelegramSettings)
    """The Telegram bot."""

    def endpoint_of(self, model: str) -> EndpointSettings:
        """Return the endpoint that serves a model.

        Raises:
            KeyError: there is no such model or endpoint; ``find_problems`` reports both first.
        """
        return self.endpoints[self.models[model].endpoint]

    def is_local(self, model: str) -> bool:
        """Whether what is sent to a model stays on machines of the owner."""
        own = self.models[model].local
        return self.endpoint_of(model).is_local if own is None else own
