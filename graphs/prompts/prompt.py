"""The prompt builder: whatever the window, the tools and the history, a prompt that fits.

What always stays: the system text, the task word for word, and the last calls with their results,
if need be shortened to what is left of the window. In this order the rest is left out: old output,
what was said before the task, old work (named in a list), and at last the length of what must
stay. Pure: what was left out before comes in as a ``Cut``, and so the beginning of a prompt stays
as it was until the window is full again.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from graphs.prompts.cut import Cut, paired, seen
from graphs.tools.work_log import spelled_out
from noctule.core.ports.prompts import NoRoomError, Reader, TokenCounter, TooLong

_ENOUGH = 0.7
"""Leaving out goes on until a prompt takes this share of its room, so that it is seldom needed."""

_FULL = 0.97
"""What must stay is shortened to this share of the room."""

_KEPT_OUTPUTS = 3
_RECORD_SHARE = 4
"""The list of what was called takes a character for every four tokens of a window."""

_TOO_MANY_TOOLS = 0.6
_LARGEST = 3
_MOST_CHARS_PER_TOKEN = 16
_STUB_CHARS = 160
"""What is kept at first of a message that is shortened for a newer one."""


@dataclass(frozen=True, slots=True)
class PromptSource:
    """What a prompt is made of.

    Args:
        system: what the model is told first.
        messages: the conversation, oldest first.
        task: the id of the message that is worked on; None takes the last of a person.
        tools: definitions of what is offered; () offers none, and calls are told in words.
    """

    system: str
    messages: Sequence[AnyMessage]
    task: str | None = None
    tools: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that fits.

    Args:
        messages: what is sent, system message first.
        cut: what was left out, for the next prompt of the same conversation.
        tokens: what it takes with its tools, rather too many than too few.
    """

    messages: list[AnyMessage]
    cut: Cut
    tokens: int


def build(script: PromptSource, reader: Reader, cut: Cut | None = None) -> Prompt:
    """Return the prompt of a conversation for one model.

    Args:
        script: what it is made of.
        reader: the model it is for; without a known window nothing is left out.
        cut: what was left out for this model so far; None means nothing.

    Raises:
        NoRoomError: the task, the tools or the last calls alone are too long.
    """
    return _Builder(script, reader).build(cut or Cut())


def whole(script: PromptSource) -> list[AnyMessage]:
    """Return a conversation's prompt with nothing left out, however long it is."""
    return _sent(script, [spelled_out(message) for message in _named(script.messages)])


class _Builder:
    def __init__(self, script: PromptSource, reader: Reader) -> None:
        self._script = script
        self._reader = reader
        self._room = reader.prompt_tokens
        self._messages = [spelled_out(message) for message in _named(script.messages)]
        self._task = _task_at(self._messages, script.task)
        self._last = _last_exchange(self._messages, self._task)

    def build(self, cut: Cut) -> Prompt:
        room = self._room
        if room is None:
            return self._prompt(Cut())
        cut = replace(cut, record_chars=room // _RECORD_SHARE)
        if self._tokens(cut) <= room:
            return self._prompt(cut)
        for step in (self._without_old_output, self._without_past, self._without_old_work):
            cut = step(cut, int(room * _ENOUGH))
            if self._tokens(cut) <= int(room * _ENOUGH):
                return self._prompt(cut)
        for ids in (self._last_ids(), self._words()):
            if self._tokens(cut) > room:
                cut = self._shortened(cut, ids, int(room * _FULL))
        if self._tokens(cut) > room:
            raise self._no_room(cut, room)
        return self._prompt(cut)

    def _prompt(self, cut: Cut) -> Prompt:
        messages = self._sent(cut)
        return Prompt(messages, cut, self._count(messages))

    def _sent(self, cut: Cut) -> list[AnyMessage]:
        return _sent(self._script, seen(self._messages, self._task, cut))

    def _tokens(self, cut: Cut) -> int:
        return self._count(self._sent(cut))

    def _count(self, messages: Sequence[AnyMessage]) -> int:
        return self._reader.counter.count(messages, self._script.tools)

    def _without_old_output(self, cut: Cut, goal: int) -> Cut:
        """Clear results but the newest, and if that is not enough all that the model has seen."""
        outputs = [
            message.id
            for message in self._messages[: self._last]
            if isinstance(message, ToolMessage)
        ]
        unseen = sum(isinstance(m, ToolMessage) for m in self._messages[self._last :])
        kept = max(0, _KEPT_OUTPUTS - unseen)
        for end in dict.fromkeys((len(outputs) - kept, len(outputs))):
            if end > 0:
                cut = self._further(cut, cleared=outputs[end - 1])
            if self._tokens(cut) <= goal:
                break
        return cut

    def _without_past(self, cut: Cut, goal: int) -> Cut:
        """Leave out what was said before the task, the oldest first."""
        starts = [
            at
            for at in range(1, self._task + 1)
            if isinstance(self._messages[at], HumanMessage) or at == self._task
        ]
        options = [self._further(cut, before=self._messages[at].id) for at in starts]
        return self._least(cut, options, goal)

    def _without_old_work(self, cut: Cut, goal: int) -> Cut:
        """Leave out work on the task, the oldest first, whole calls with their results."""
        ends = [
            at - 1
            for at in range(self._task + 2, self._last + 1)
            if at == len(self._messages) or not isinstance(self._messages[at], ToolMessage)
        ]
        options = [self._further(cut, work=self._messages[at].id) for at in ends]
        return self._least(cut, options, goal)

    def _least(self, cut: Cut, options: Sequence[Cut], goal: int) -> Cut:
        """Return the first of ever larger cuts that is enough; the largest when none is."""
        if not options:
            return cut
        at = bisect_left(options, True, key=lambda option: self._tokens(option) <= goal)
        return options[min(at, len(options) - 1)]

    def _further(self, cut: Cut, **named: str | None) -> Cut:
        """Return a cut that reaches at least so far: what is left out stays left out."""
        place = {message.id: at for at, message in enumerate(self._messages)}
        ahead = {
            name: id_
            for name, id_ in named.items()
            if place.get(id_, -1) > place.get(getattr(cut, name), -1)
        }
        return replace(cut, **ahead)  # type: ignore[arg-type]  # fields by name

    def _last_ids(self) -> list[str]:
        return [str(message.id) for message in self._messages[self._last :]]

    def _words(self) -> list[str]:
        """Return what else a person said since the task, and the summary of work."""
        return [
            str(message.id)
            for at, message in enumerate(self._messages)
            if at > self._task and isinstance(message, HumanMessage)
        ]

    def _shortened(self, cut: Cut, ids: Sequence[str], goal: int) -> Cut:
        """Shorten messages, the oldest first, until there is room; the last one as far as needed.

        So the newest result is whole while it can be, and has all that is left when it cannot.
        """
        task = self._messages[self._task : self._task + 1]
        ids = [id_ for id_ in ids if id_ not in {str(message.id) for message in task}]
        for least in (_STUB_CHARS, 0):
            options = [cut.shortened(ids[:count], least) for count in range(len(ids) + 1)]
            cut = self._least(cut, options, goal)
            if self._tokens(cut) <= goal:
                return self._widened(cut, [id_ for id_ in ids if id_ in cut.short], goal)
        return cut

    def _widened(self, cut: Cut, ids: Sequence[str], goal: int) -> Cut:
        """Give the newest of the messages that were shortened as much as there is room for."""
        if not ids:
            return cut
        least = cut.short[ids[-1]]
        text = next(_all_text(m) for m in self._messages if str(m.id) == ids[-1])
        most = max(least, min(len(text), goal * _MOST_CHARS_PER_TOKEN))
        fewer = bisect_left(
            range(most - least),
            True,
            key=lambda less: self._tokens(cut.keeping(ids[-1], most - less)) <= goal,
        )
        return cut.keeping(ids[-1], most - fewer)

    def _no_room(self, cut: Cut, room: int) -> NoRoomError:
        counter, tools = self._reader.counter, self._script.tools
        system = SystemMessage(self._script.system)
        task = self._messages[self._task : self._task + 1]
        frame = counter.count([system], tools)
        asked = counter.count([system, *task], tools) - frame
        least = self._tokens(cut)
        window = self._reader.window_tokens or 0
        holds = f"holds {window:,} tokens, {self._reader.reply_tokens:,} of them for the reply"
        if tools and frame > room * _TOO_MANY_TOOLS:
            return NoRoomError(
                TooLong.TOOLS,
                why=f"{holds}; the definitions of {len(tools)} tools and the prompt take {frame:,}"
                f" (the largest: {', '.join(largest_tools(tools, counter))})",
                cure="Give the role fewer tools (roles.ROLE.tools, tools.mcp), or bind a model "
                "with a larger context.",
            )
        if frame + asked > room * _TOO_MANY_TOOLS:
            return NoRoomError(
                TooLong.TASK,
                why=f"{holds}; the message takes {asked:,}, prompt and tools {frame:,}",
                cure="Send less at once, put long material into a file of the workspace, or bind "
                "a model with a larger context.",
            )
        return NoRoomError(
            TooLong.WORK,
            why=f"{holds}; the last calls with their results take {least - frame - asked:,} at "
            f"least, the message {asked:,}, prompt and tools {frame:,}",
            cure="Bind a model with a larger context, or ask for less at once.",
        )


def _named(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return paired messages that all have an id."""
    return [
        message if message.id is not None else message.model_copy(update={"id": f"at-{at}"})
        for at, message in enumerate(paired(messages))
    ]


def _task_at(messages: Sequence[AnyMessage], task: str | None) -> int:
    said = [at for at, message in enumerate(messages) if isinstance(message, HumanMessage)]
    named = [at for at in said if task is not None and messages[at].id == task]
    return next(iter([*named, *reversed(said)]), 0)


def _last_exchange(messages: Sequence[AnyMessage], task: int) -> int:
    """Return where the last calls begin; the end of the conversation when there are none."""
    for at in range(len(messages) - 1, task, -1):
        message = messages[at]
        if isinstance(message, AIMessage) and message.tool_calls:
            return at
    return len(messages)


def largest_tools(tools: Sequence[Any], counter: TokenCounter) -> tuple[str, ...]:
    """Return the tools whose definitions take most, by name."""
    sizes = {tool["function"]["name"]: counter.count([], [tool]) for tool in tools}
    return tuple(sorted(sizes, key=lambda name: -sizes[name])[:_LARGEST])


def _all_text(message: AnyMessage) -> str:
    return message.text + str(message.tool_calls if isinstance(message, AIMessage) else "")


def _sent(script: PromptSource, messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    told = list(messages) if script.tools else in_words(messages)
    return [SystemMessage(script.system), *told]


def in_words(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return messages without tool calls, for a model that is offered none: told in words."""
    return [_in_words(message) for message in messages]


def _in_words(message: AnyMessage) -> AnyMessage:
    if isinstance(message, ToolMessage):
        return HumanMessage(f"{message.name} returned:\n{message.text}", id=message.id)
    if isinstance(message, AIMessage) and message.tool_calls:
        called = "; ".join(f"{call['name']} {call['args']}" for call in message.tool_calls)
        return AIMessage(f"{message.text}\n(I called {called})".strip(), id=message.id)
    return message
