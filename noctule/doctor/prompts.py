"""Prompts: whether a role's tools leave room for a task in the windows of its models."""

from collections.abc import Iterable, Iterator

from noctule.core.ports.prompts import RoleRoom
from noctule.doctor.finding import Finding, Level

_LITTLE = 0.5
"""Above this share of a window, prompt and tools leave little for the work."""

_LEAST_TASK = 256
"""Tokens that a short task and the first call with its result take at least."""


def prompt_findings(rooms: Iterable[RoleRoom]) -> Iterator[Finding]:
    """Yield what is wrong with the size of prompts; nothing for windows with room.

    Args:
        rooms: of each role and model.
    """
    for room in rooms:
        most, window = room.prompt_tokens, room.window_tokens
        if most is None or window is None or not room.tools:
            continue
        taken = f"{room.tools} tools and the prompt take about {room.taken_tokens:,} tokens"
        holds = f"{room.model} holds {window:,}, {window - most:,} of them for the reply"
        largest = f"The largest: {', '.join(room.largest)}."
        about = f"role {room.role}"
        if room.taken_tokens + _LEAST_TASK > most:
            sentence = f"The definitions leave no room for a task: {taken}, and {holds}. {largest}"
            yield Finding(Level.ERROR, about, sentence, _cure(room))
        elif room.taken_tokens > most * _LITTLE:
            sentence = (
                f"The definitions leave little room for work: {taken}, and {holds}. {largest}"
            )
            yield Finding(Level.WARNING, about, sentence, _cure(room))


def _cure(room: RoleRoom) -> str:
    return (
        f"Name fewer tools at roles.{room.role}.tools, raise models.{room.model}.context where the "
        "server has more, or use a model with a larger one."
    )
