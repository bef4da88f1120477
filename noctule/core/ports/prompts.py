"""Prompts that fit: what the graph and the models tell each other about the size of a prompt.

Which model answers is decided at the moment of the call, and each has a window and a tokenizer of
its own. So a call carries how its prompt is made (``Fit``), and the binding has it made for the
very model it is about to ask (``Reader``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

REPLY_TOKENS = 1024
"""Room kept for a reply in a model's window, in tokens; a bound of fewer leaves less."""

_REPLY_SHARE = 4
"""The reply never takes more than one in so many tokens of a window."""


def reply_tokens(max_tokens: int | None, window_tokens: int | None) -> int:
    """Return the tokens of a window that are kept for the reply.

    Args:
        max_tokens: the longest reply that is asked for; None means no bound.
        window_tokens: of the model; None means unknown.
    """
    wanted = REPLY_TOKENS if max_tokens is None else min(max_tokens, REPLY_TOKENS)
    return wanted if window_tokens is None else max(1, min(wanted, window_tokens // _REPLY_SHARE))


class TokenCounter(Protocol):
    """Counts prompts as one model does, rather too many than too few tokens."""

    def count(self, messages: Sequence[Any], tools: Sequence[Any] = ()) -> int:
        """Return the tokens of a prompt.

        Never waits. What stands before a text costs nothing to count again: each message is
        counted once.

        Args:
            messages: LangChain's, system message first.
            tools: definitions, as ``bind_tools`` takes them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reader:
    """The model a prompt is made for.

    Args:
        model: its configured name.
        window_tokens: prompt and reply together, as far as known now; None means unknown.
        reply_tokens: the part of the window kept for the reply.
        counter: counts as it does.
        is_weak: whether it has shown that many tools are too much for it.
    """

    model: str
    window_tokens: int | None
    reply_tokens: int
    counter: TokenCounter
    is_weak: bool = False

    @property
    def prompt_tokens(self) -> int | None:
        """The longest prompt it takes, tools included; None means unknown."""
        if self.window_tokens is None:
            return None
        return max(1, self.window_tokens - self.reply_tokens)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt made for one model.

    Args:
        messages: system message first.
        tools: what is offered; () offers none.
    """

    messages: Sequence[Any]
    tools: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class RoleRoom:
    """What a role's prompt and tools take of the window of one of its models.

    Args:
        role: whose.
        model: its configured name.
        window_tokens: of the model; None means unknown.
        prompt_tokens: the longest prompt it takes; None means unknown.
        taken_tokens: by the prompt and the tools, before any task.
        tools: how many it is offered.
        largest: those whose definitions take most, by name.
    """

    role: str
    model: str
    window_tokens: int | None
    prompt_tokens: int | None
    taken_tokens: int
    tools: int
    largest: tuple[str, ...] = ()


class TooLong(StrEnum):
    """Why a prompt cannot be made to fit."""

    TOOLS = "tools"
    """The definitions of the tools leave no room."""
    TASK = "task"
    """What the person asks is itself too long."""
    WORK = "work"
    """The call that the model has to see the result of is too long."""


class NoRoomError(Exception):
    """No prompt for a model fits its window, whatever is left out.

    Args:
        cause: what takes the room.
        why: one clause with sizes, for people; it follows the model's name.
        cure: one sentence: what to do.
    """

    def __init__(self, cause: TooLong, *, why: str, cure: str) -> None:
        super().__init__(why)
        self.cause = cause
        self.why = why
        self.cure = cure


class Fit(Protocol):
    """Makes the prompt of one call, for whichever model is asked."""

    def whole(self, reader: Reader) -> Fitted:
        """Return the prompt for a model with nothing left out, however long it is."""
        ...

    def fitted(self, reader: Reader) -> Fitted:
        """Return the prompt for a model, short enough for its window.

        Raises:
            NoRoomError: it does not fit, whatever is left out.
        """
        ...
