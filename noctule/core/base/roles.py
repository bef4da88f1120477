"""The six roles."""

from enum import StrEnum


class Role(StrEnum):
    """Who does a piece of a turn."""

    CHAT = "chat"
    ORCHESTRATOR = "orchestrator"
    ENGINEER = "engineer"
    RESEARCH = "research"
    WRITER = "writer"
    UTILITY = "utility"


SPECIALISTS = (Role.ENGINEER, Role.RESEARCH, Role.WRITER)
"""The roles that work in an agent loop and may appear in a plan, besides utility."""

ANSWERING = (Role.CHAT, *SPECIALISTS, Role.UTILITY)
"""The roles a route may name: everybody but the orchestrator."""
