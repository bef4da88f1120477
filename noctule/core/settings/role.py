"""``roles:`` what each of the six may use."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from noctule.core.base.roles import Role
from noctule.core.settings.base import PositiveDuration, Section
from noctule.core.settings.budget import BudgetSettings
from noctule.core.settings.tools import Permission
from noctule.core.times.durations import Duration


class OnLimit(StrEnum):
    """What to do when the model in use is refused until later."""

    FALLBACK = "fallback"
    PARK = "park"


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class RoleSettings(Section):
    """What one role may use: its binding."""

    primary: str
    """The model that is asked first: a name of ``models``."""

    fallback: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    """The model or models asked next, in this order."""

    escalate: str | None = None
    """The model asked first when the orchestrator judges a turn to need it. Unset means the
    primary is asked first then too."""

    max_tokens: int | None = Field(default=None, ge=1)
    """The longest answer in tokens, thinking included. Unset means the model's own bound (4096
    where the call is priced)."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature; 0 means the likeliest token always. Unset means the model's own, but
    0.2 where a local model is offered tools (servers like Ollama and llama.cpp would take 0.8). A
    temperature in ``extra_body`` of the endpoint or model counts as set."""

    max_concurrent: int | None = Field(default=None, ge=1)
    """How many calls of this role may run at once. Unset means no cap of the role.
    Workers on one PostgreSQL keep it together."""

    thinking: bool | None = None
    """``true`` asks for thinking, ``false`` for none, as far as the model can. Unset means the
    model's own default."""

    tools: tuple[str, ...] | None = None
    """The tools it may use, by name or family (``files``, ``web``, ``mcp``, ...; ``shell`` is the
    tool, without ``python``); ``[]`` means none. Unset means the role's usual set and everything
    that MCP servers and the folder of own tools bring."""

    permissions: dict[str, Permission] = Field(default_factory=dict)
    """What this role may do, over ``tools.permissions`` and in the same words."""

    private: bool = False
    """``true``: its calls only ever go to local models."""

    on_limit: OnLimit = OnLimit.FALLBACK
    """``fallback``: another model goes on at once. ``park``: keep the model and sleep until it
    may answer (no change of hands in the middle of long work)."""

    budget: BudgetSettings | None = None
    """Dollars per window for this role. Unset means no budget of the role."""

    queue_timeout: Duration | None = None
    """How long a call waits for a free slot before the next model is asked. ``0s`` does not
    wait. Unset means ``limits.queue_timeout``, but 5s at most for chat and orchestrator."""

    first_token_timeout: PositiveDuration | None = None
    """How long the first token may take. Unset means ``limits.first_token_timeout``, but 20s at
    most for the orchestrator."""

    call_timeout: PositiveDuration | None = None
    """How long a whole call may take. Unset means ``limits.call_timeout``, but 30s at most for
    the orchestrator."""

    @property
    def models(self) -> tuple[str, ...]:
        """Every model it names: primary, fallbacks, escalation."""
        return (self.primary, *self.fallback, *([self.escalate] if self.escalate else []))


class RolesSettings(Section):
    """The six roles; each needs a binding."""

    chat: RoleSettings
    """Whom the person talks to."""

    orchestrator: RoleSettings
    """Decides who answers; a small fast model without thinking does it best."""

    engineer: RoleSettings
    """Writes and changes code."""

    research: RoleSettings
    """Finds things out and says where it found them."""

    writer: RoleSettings
    """Writes texts for people."""

    utility: RoleSettings
    """Mechanical work on the cheapest model: reformat, convert, shorten."""

    def __getitem__(self, role: Role | str) -> RoleSettings:
        """Return the binding of a role."""
        binding: RoleSettings = getattr(self, Role(role).value)
        return binding

    def items(self) -> Iterator[tuple[Role, RoleSettings]]:
        """Yield each role with its binding."""
        for role in Role:
            yield role, self[role]
