"""Timeouts: how long each part of a role's calls may take."""

from dataclasses import dataclass
from typing import Self

from noctule.core.base.roles import Role
from noctule.core.settings import Settings

URGENT = frozenset({Role.CHAT, Role.ORCHESTRATOR})
"""The roles a person sits waiting for: they go before the others and do not queue for long."""

_URGENT_QUEUE_S = 5.0
_ORCHESTRATOR_FIRST_TOKEN_S = 20.0
_ORCHESTRATOR_CALL_S = 30.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of one role, in seconds.

    Args:
        queue_s: waiting for a slot of one model; 0 does not wait.
        connect_s: until there is a connection.
        first_token_s: until the first token of a streamed answer.
        stall_s: between two pieces of a streamed answer.
        total_s: a whole request.
        slow_s: a first token later than this speaks against the model; None means never.
    """

    queue_s: float
    connect_s: float
    first_token_s: float
    stall_s: float
    total_s: float
    slow_s: float | None

    @classmethod
    def of(cls, settings: Settings, role: Role) -> Self:
        """Read them: the role's own, else those of ``limits``, shorter where a person waits."""
        own, limits = settings.roles[role], settings.limits
        queue_s = limits.queue_timeout.total_seconds()
        first_token_s = limits.first_token_timeout.total_seconds()
        total_s = limits.call_timeout.total_seconds()
        if role in URGENT:
            queue_s = min(queue_s, _URGENT_QUEUE_S)
        if role is Role.ORCHESTRATOR:
            first_token_s = min(first_token_s, _ORCHESTRATOR_FIRST_TOKEN_S)
            total_s = min(total_s, _ORCHESTRATOR_CALL_S)
        if own.queue_timeout is not None:
            queue_s = own.queue_timeout.total_seconds()
        if own.first_token_timeout is not None:
            first_token_s = own.first_token_timeout.total_seconds()
        if own.call_timeout is not None:
            total_s = own.call_timeout.total_seconds()
        return cls(
            queue_s=queue_s,
            connect_s=limits.connect_timeout.total_seconds(),
            first_token_s=first_token_s,
            stall_s=limits.stall_timeout.total_seconds(),
            total_s=total_s,
            slow_s=limits.slow_first_token.total_seconds() or None,
        )
