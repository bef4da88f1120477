"""The typed settings tree: what ``config.yaml`` may say, each field with unit and meaning of 0."""

from noctule.core.settings.budget import (
    BudgetScope,
    BudgetSettings,
    NamedBudgetSettings,
    OnExhausted,
)
from noctule.core.settings.checks import find_problems
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings, WindowSettings
from noctule.core.settings.limits import LimitsSettings, ParkingSettings
from noctule.core.settings.model import ModelSettings, PriceSettings, Tier
from noctule.core.settings.role import OnLimit, RoleSettings, RolesSettings
from noctule.core.settings.root import Settings, StorageSettings
from noctule.core.settings.telegram import StreamBy, TelegramSettings, WebhookSettings
from noctule.core.settings.tools import (
    McpServerSettings,
    Permission,
    SandboxChoice,
    SearchEngine,
    SearchSettings,
    ToolsSettings,
)

__all__ = [
    "BudgetScope",
    "BudgetSettings",
    "EndpointKind",
    "EndpointSettings",
    "LimitsSettings",
    "McpServerSettings",
    "ModelSettings",
    "NamedBudgetSettings",
    "OnExhausted",
    "OnLimit",
    "ParkingSettings",
    "Permission",
    "PriceSettings",
    "RoleSettings",
    "RolesSettings",
    "SandboxChoice",
    "SearchEngine",
    "SearchSettings",
    "Settings",
    "StorageSettings",
    "StreamBy",
    "TelegramSettings",
    "Tier",
    "ToolsSettings",
    "WebhookSettings",
    "WindowSettings",
    "find_problems",
]
