"""What the loopback provider is told to answer, as values that a JSON script can spell too."""

import asyncio
import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """Ways in which an answer breaks; those in the middle come after ``fault_after`` tokens."""

    HANG = "hang"
    """The request is taken and nothing comes, no header either."""

    SILENT = "silent"
    """Headers come and no token."""

    STALL = "stall"
    """Tokens come and then no more, with the connection open."""

    CUT = "cut"
    """The connection is closed in the middle of a chunk."""

    RESET = "reset"
    """The connection is reset (RST)."""

    UNFRAMED = "unframed"
    """No length framing: the early end of the connection looks like the end of the answer."""

    EARLY_END = "early_end"
    """The stream ends in good form, too early: no finish reason, no last event."""

    ERROR = "error"
    """An error object comes inside the stream."""

    NOT_JSON = "not_json"
    """Something comes that is not JSON."""

    BAD_UTF8 = "bad_utf8"
    """Bytes come that are not UTF-8."""


@dataclass(frozen=True)
class ToolCall:
    """A call the model makes. Arguments that are a string are sent as they are, valid or not."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    id: str = "call_1"


@dataclass(frozen=True)
class Usage:
    """What the provider reports. ``input_tokens`` includes ``cached_tokens``; None is not sent."""

    input_tokens: int = 12
    output_tokens: int = 3
    cached_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True)
class Reply:
    """What comes of one request.

    Args:
        text: what the model says; streamed a word at a time. "" is a reply without text.
        echo: say "echo: " and the last user message instead of ``text``.
        thinking: what it thinks aloud first; "" for nothing.
        tool_calls: what it calls after the text.
        usage: what is reported; None reports nothing.
        finish: the finish reason in OpenAI's words; None withholds it.
        before_headers: seconds before the first byte.
        before_token: seconds between the headers and the first token.
        between_tokens: seconds after each token.
        status: the HTTP status.
        headers: sent beside the usual ones.
        body: sent in place of a rendered reply, as it is when a string, as JSON otherwise.
        fault: how it breaks; None when it does not.
        fault_after: tokens that come before it breaks.
        error: what an error in the stream says.
        gate: held back until it is set; None does not wait.
    """

    text: str = "Hello there."
    echo: bool = False
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = field(default_factory=Usage)
    finish: str | None = "stop"
    before_headers: float = 0.0
    before_token: float = 0.0
    between_tokens: float = 0.0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    fault: Fault | None = None
    fault_after: int = 1
    error: Any = "the model crashed"
    gate: asyncio.Event | None = None

    @property
    def tokens(self) -> list[str]:
        """The text in the pieces it is streamed in."""
        return re.findall(r"\s*\S+\s*$|\s*\S+", self.text) if self.text.strip() else [self.text]

    @property
    def finish_reason(self) -> str | None:
        """``finish``, except that a reply which calls tools says so."""
        return "tool_calls" if self.tool_calls and self.finish == "stop" else self.finish

    @classmethod
    def refusal(
        cls, status: int, message: object = "Too fast.", headers: dict[str, str] | None = None
    ) -> "Reply":
        """Refuse with a status; a message that is no string is the whole body."""
        body = {"error": {"message": message}} if isinstance(message, str) else message
        return cls(status=status, body=body, headers=headers or {})

    @classmethod
    def read(cls, entry: dict[str, Any]) -> "Reply":
        """Build one from an entry of a JSON script; keys are the names of the arguments.

        Raises:
            TypeError: the entry has a key that is no argument.
        """
        values = dict(entry)
        if "tool_calls" in values:
            values["tool_calls"] = tuple(ToolCall(**call) for call in values["tool_calls"])
        if values.get("usage") is not None:
            values["usage"] = Usage(**values["usage"])
        if values.get("fault") is not None:
            values["fault"] = Fault(values["fault"])
        if unknown := values.keys() - {f.name for f in fields(cls)}:
            raise TypeError(f"a reply has no {', '.join(sorted(unknown))}")
        return cls(**values)
