"""``models:`` one model on one endpoint each."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import Field

from noctule.core.settings.base import Section


class Tier(StrEnum):
    """What a model is meant for, cheapest first."""

    ROUTER = "router"
    ROUTINE = "routine"
    MID = "mid"
    FRONTIER = "frontier"


class PriceSettings(Section):
    """What a model costs, in USD per million tokens; overrides the price library's."""

    input: Decimal = Field(ge=0)
    """Tokens sent, cached ones aside. 0 means free."""

    output: Decimal = Field(ge=0)
    """Tokens received, thinking included. 0 means free."""

    cached_input: Decimal | None = Field(default=None, ge=0)
    """Tokens read from the provider's cache. 0 means free. Unset means the price of ``input``."""

    cache_write: Decimal | None = Field(default=None, ge=0)
    """Tokens written to the provider's cache. 0 means free. Unset means the price of ``input``."""


class ModelSettings(Section):
    """One model on one endpoint."""

    endpoint: str
    """The name of an entry of ``endpoints``."""

    name: str
    """What the endpoint calls it, like ``qwen3.5:latest``."""

    context: int | None = Field(default=None, ge=256)
    """Context window in tokens, prompt and answer together; for ``ollama`` also the ``num_ctx``
    it is loaded with. Unset means 8192 on ``ollama`` and ``embedded``, and unchecked elsewhere."""

    memory_gb: float | None = Field(default=None, ge=0)
    """Memory it takes when loaded, in GB. Unset means unknown; 0 means none on this machine."""

    tier: Tier = Tier.ROUTINE
    """``router``, ``routine``, ``mid`` or ``frontier``."""

    local: bool | None = None
    """Overrides its endpoint's ``local`` (Ollama's cloud models are served by a local Ollama)."""

    tools: bool | None = None
    """``false``: it cannot call tools, do not try. ``true``: it is said to; a proof decides.
    Unset means unknown."""

    guided: bool | None = None
    """Whether its work with tools is led: it calls one tool in every reply and ends by calling
    ``finish``. Unset means that small models are, and those that miss a case of their probe, where
    the probe shows that their server can."""

    vision: bool = False
    """Whether it can be sent pictures."""

    json_schema: bool = True
    """Whether its endpoint can hold the answer to a JSON schema. ``false`` asks in words."""

    thinking: bool | None = None
    """Whether it is a thinking model. Unset means unknown: nothing about thinking is sent unless
    the role asks for it."""

    price: PriceSettings | None = None
    """USD per million tokens. Unset means the price library's; unknown there stays unknown."""

    max_concurrent: int | None = Field(default=None, ge=1)
    """How many calls may run on it at once. Unset means 1 on ``ollama`` (its own default: a
    second one would queue inside it unseen), the slots on ``embedded``, no cap elsewhere.
    Workers on one PostgreSQL keep it together; a model on the machine's own address, its workers;
    ``embedded``, each for itself."""

    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Fields added to its request bodies as they are, over those of the endpoint."""
