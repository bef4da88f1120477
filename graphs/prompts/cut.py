"""Cut: what of a conversation one model is not sent, and how the rest looks then.

A cut only grows at the places where a prompt became too long; in between what is sent is what was
sent before with something added at its end, as providers' caches like it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from graphs.tools.work_log import work_record

CLEARED = "[old output, left out here; call the tool again if you need it]"

_NO_RESULT = "No result of this call is known."
_LONGEST_ARGUMENT = 400
_HEAD_SHARE = 0.6
_LEAST_CHARS = 40
_MARKED = re.compile(
    r"\A(?P<open>.*?<(?P<tag>data-\w+)>\n)(?P<text>.*)(?P<close>\n</(?P=tag)>\s*)\Z", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left out; ids of messages.

    Args:
        before: the first message that is kept of what was said before the task; None keeps all.
        work: the last message of the work on the task that is left out; None leaves none out.
        cleared: the last message whose output is left out; None while none is.
        short: how many characters are kept of some messages.
        record_chars: how long the list may be of what was called in work that is left out.
    """

    before: str | None = None
    work: str | None = None
    cleared: str | None = None
    short: Mapping[str, int] = field(default_factory=dict)
    record_chars: int = 600

    def as_state(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**asdict(self), "short": dict(self.short)}

    def shortened(self, ids: Sequence[str], chars: int) -> "Cut":
        """Return a cut that also keeps no more than so many characters of some messages."""
        most = {id_: min(chars, self.short.get(id_, chars)) for id_ in ids}
        return replace(self, short={**self.short, **most})

    def keeping(self, id_: str, chars: int) -> "Cut":
        """Return a cut that keeps so many characters of a message."""
        return replace(self, short={**self.short, id_: chars})


def paired(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return messages in which every call has its result right behind it, and every result a call.

    A result without its call is left out; a call without its result is given one that says so.
    """
    results = {str(m.tool_call_id): m for m in messages if isinstance(m, ToolMessage)}
    whole: list[AnyMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            continue
        whole.append(message)
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                id_ = str(call["id"])
                result = results.pop(id_, None)
                whole.append(result or _no_result(id_, call["name"]))
    return whole


def _no_result(id_: str, name: str) -> ToolMessage:
    return ToolMessage(
        _NO_RESULT, name=name, tool_call_id=id_, status="error", id=f"no-result-{id_}"
    )


def seen(messages: Sequence[AnyMessage], task: int, cut: Cut) -> list[AnyMessage]:
    """Return what is left of a conversation under a cut.

    Args:
        messages: the conversation, calls and results paired, each with an id.
        task: the index of the message that is worked on.
        cut: what is left out.
    """
    place = {message.id: at for at, message in enumerate(messages)}
    first = min(place.get(cut.before, 0), task)
    upto, cleared = place.get(cut.work, -1), place.get(cut.cleared, -1)
    kept = [_kept(m, cut, cleared=at <= cleared) for at, m in enumerate(messages)]
    if upto <= task:
        return kept[first:]
    dropped = messages[task + 1 : upto + 1]
    words = [kept[task + 1 + at] for at, m in enumerate(dropped) if isinstance(m, HumanMessage)]
    notes = [_note(dropped, cut.record_chars)] if len(words) < len(dropped) else []
    return [*kept[first : task + 1], *words, *notes, *kept[upto + 1 :]]


def _kept(message: AnyMessage, cut: Cut, *, cleared: bool) -> AnyMessage:
    if cleared and not isinstance(message, HumanMessage):
        return without_output(message)
    chars = cut.short.get(str(message.id))
    return message if chars is None else _short(message, chars)


def without_output(message: AnyMessage) -> AnyMessage:
    """Return a message of a loop without what can be had again: output and long arguments."""
    if isinstance(message, ToolMessage):
        if len(message.text) <= len(CLEARED):
            return message
        return message.model_copy(update={"content": CLEARED})
    if isinstance(message, AIMessage) and message.tool_calls:
        return _with_arguments(message, message.text, _LONGEST_ARGUMENT)
    return message


def _short(message: AnyMessage, chars: int) -> AnyMessage:
    if isinstance(message, ToolMessage):
        return message.model_copy(update={"content": clipped_output(message.text, chars)})
    if isinstance(message, AIMessage):
        return _with_arguments(message, clipped(message.text, chars), chars)
    return message.model_copy(update={"content": clipped(message.text, chars)})


def _with_arguments(message: AIMessage, text: str, chars: int) -> AIMessage:
    calls = [{**call, "args": _arguments(call["args"], chars)} for call in message.tool_calls]
    kwargs = {k: v for k, v in message.additional_kwargs.items() if k != "reasoning_content"}
    return message.model_copy(
        update={"tool_calls": calls, "content": text, "additional_kwargs": kwargs}
    )


def _arguments(value: Any, chars: int) -> Any:
    if isinstance(value, str) and len(value) > chars + _LEAST_CHARS:
        return f"{value[:chars]} [... {len(value):,} characters in all]"
    if isinstance(value, dict):
        return {name: _arguments(inner, chars) for name, inner in value.items()}
    if isinstance(value, list):
        return [_arguments(inner, chars) for inner in value]
    return value


def clipped_output(text: str, chars: int) -> str:
    """Return a tool's output with so many characters of it; the marks around it stay whole."""
    marked = _MARKED.match(text)
    if marked is None:
        return clipped(text, chars, more=" Call again for less at once to see them.")
    inner = marked["text"]
    if len(inner) <= chars + _LEAST_CHARS:
        return text
    head, tail = _ends(inner, chars)
    return f"{marked['open']}{head}\n...\n{tail}{marked['close']}\n{_left_out(inner, chars)}"


def clipped(text: str, chars: int, *, more: str = "") -> str:
    """Return the beginning and the end of a text, and a sentence that says what is missing."""
    if len(text) <= chars + _LEAST_CHARS:
        return text
    head, tail = _ends(text, chars)
    return f"{head}\n{_left_out(text, chars, more)}\n{tail}".strip()


def _ends(text: str, chars: int) -> tuple[str, str]:
    head = int(chars * _HEAD_SHARE)
    tail = chars - head
    return text[:head], text[len(text) - tail :] if tail else ""


def _left_out(text: str, chars: int, more: str = "") -> str:
    return (
        f"[{len(text) - chars:,} of {len(text):,} characters are left out here: "
        f"the window is full.{more}]"
    )


def _note(dropped: Sequence[AnyMessage], chars: int) -> AnyMessage:
    """Return what stands in the place of work that is left out: what was called."""
    lines: list[str] = []
    for line in reversed(work_record(dropped).splitlines()):
        chars -= len(line) + 1
        if chars < 0:
            break
        lines.insert(0, line)
    text = "[Earlier steps are left out here: the window is full."
    said = "\n".join([f"{text} Among them:", *lines]) if lines else text
    return HumanMessage(f"{said}]", id=f"left-out-{dropped[-1].id}")
