"""Conversations in the order that every server takes, the strictest included.

Templates of Mistral and Gemma (on vLLM, llama.cpp, SGLang) and several APIs refuse a conversation
for its form alone: two messages of one role in a row, a system message in the middle, a result
whose call is missing, a call whose result is missing or comes later, an empty message, a call's id
that is not nine letters and digits, an assistant's message at the end. Our history has all of
these: a failed turn, a compaction, a person who speaks while tools run. So each request is put in
order when it is built. What is stored stays as it was.
"""

import hashlib
import re
import string
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call

from noctule.models.wire.texts import plain, text_of

OPENING = "(The conversation goes on.)"
UNANSWERED = "(No answer yet.)"
GO_ON = "(Please go on.)"
NO_OUTPUT = "(no output)"
NO_RESULT = "There is no result: this call was interrupted, and it is not known what it did."
ORPHAN = "(The result of an earlier tool call, shown without the call. It is data.)"
_UNREADABLE = "Not carried out: the arguments of this call could not be read"

_ID = re.compile(r"[A-Za-z0-9]{9}")
_ID_CHARS = 9
_LETTERS = string.ascii_lowercase + string.digits
_NO_WORDS = frozenset({"text", "thinking", "redacted_thinking", "reasoning"})
_BLOCKS_OF_CALLS = frozenset({"tool_use", "tool_call"})


def orderly(messages: Sequence[BaseMessage], *, blocks: bool = False) -> list[BaseMessage]:
    """Return the same conversation in an order that every server takes.

    One system message in front; then person and model in turns, the person first and last; the
    results of all calls right behind them, each call with an id of nine letters and digits, the
    same one each time. Nothing that was said is left out.

    Args:
        messages: the history, in any shape.
        blocks: True keeps the blocks of the content (Anthropic's signed thinking), and allows a
            person's words right behind results; False makes the content text.
    """
    said = list(messages) if blocks else plain(messages)
    texts = [text_of(message.content) for message in said if isinstance(message, SystemMessage)]
    system = [text for text in texts if text.strip()]
    paired = _Pairing([m for m in said if not isinstance(m, SystemMessage)]).paired()
    turns = _in_turns((m for m in paired if _says_something(m)), bridged=not blocks)
    if not turns or not isinstance(turns[0], HumanMessage):
        turns.insert(0, HumanMessage(OPENING))
    if isinstance(turns[-1], AIMessage):
        turns.append(HumanMessage(GO_ON))
    return [SystemMessage("\n\n".join(system)), *turns] if system else turns


class _Pairing:
    """Puts each call's result right behind it, and says so where there is none."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self._messages = messages
        self._results: dict[tuple[int, int], list[ToolMessage]] = {}
        self._orphans: set[int] = set()
        self._uses: Counter[str] = Counter()
        self._match()

    def paired(self) -> list[BaseMessage]:
        """Return the messages with every result at its place."""
        placed: list[BaseMessage] = []
        for at, message in enumerate(self._messages):
            if isinstance(message, ToolMessage):
                if at in self._orphans:
                    placed.append(HumanMessage(f"{ORPHAN}\n\n{text_of(message.content)}"))
            elif isinstance(message, AIMessage) and _calls(message):
                placed += self._with_results(at, message)
            else:
                placed.append(message)
        return placed

    def _match(self) -> None:
        open_calls: dict[str, deque[tuple[int, int]]] = {}
        latest: dict[str, tuple[int, int]] = {}
        for at, message in enumerate(self._messages):
            if isinstance(message, AIMessage):
                calls = _calls(message)
                for call in calls:  # an id that is used again means the newer call from here on
                    open_calls[call["id"] or ""] = deque()
                for number, call in enumerate(calls):
                    open_calls[call["id"] or ""].append((at, number))
            elif isinstance(message, ToolMessage):
                waiting = open_calls.get(message.tool_call_id)
                if waiting:
                    latest[message.tool_call_id] = waiting.popleft()
                if message.tool_call_id in latest:
                    place = latest[message.tool_call_id]
                    self._results.setdefault(place, []).append(message)
                else:
                    self._orphans.add(at)

    def _with_results(self, at: int, message: AIMessage) -> list[BaseMessage]:
        calls: list[ToolCall] = []
        renamed: dict[str, str] = {}
        results: list[BaseMessage] = []
        errors = {call["id"] or "": call["error"] for call in message.invalid_tool_calls}
        for number, call in enumerate(_calls(message)):
            old = call["id"] or ""
            new = self._new_id(old)
            renamed[old] = new
            calls.append(tool_call(name=call["name"], args=call["args"], id=new))
            found = self._results.get((at, number), [])
            unread = f"{_UNREADABLE}{_because(errors[old])}" if old in errors else NO_RESULT
            results.append(_result(found, new, call["name"], unread))
        return [_recalled(message, calls, renamed), *results]

    def _new_id(self, old: str) -> str:
        """Return nine letters and digits for an id, others for each further use of it."""
        self._uses[old] += 1
        if self._uses[old] == 1 and _ID.fullmatch(old):
            return old
        number = int.from_bytes(hashlib.sha256(f"{old}#{self._uses[old]}".encode()).digest()[:8])
        letters = []
        for _ in range(_ID_CHARS):
            number, letter = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[letter])
        return "".join(letters)


def _calls(message: AIMessage) -> list[ToolCall]:
    """Return the calls of a message; those that could not be read are among them, without any."""
    unread = [
        tool_call(name=call["name"], args={}, id=call["id"])
        for call in message.invalid_tool_calls
        if call["name"]
    ]
    return [*message.tool_calls, *unread]


def _result(found: Sequence[ToolMessage], id_: str, name: str, missing: str) -> ToolMessage:
    if not found:
        return ToolMessage(missing, tool_call_id=id_, name=name, status="error")
    first, *more = found
    content = first.content
    for message in more:
        content = _both(content, message.content)
    if not content or not (text_of(content).strip() or isinstance(content, list)):
        content = NO_OUTPUT
    return first.model_copy(update={"content": content, "tool_call_id": id_})


def _recalled(
    message: AIMessage, calls: Sequence[ToolCall], renamed: Mapping[str, str]
) -> AIMessage:
    """Return a message with the ids of its calls renamed wherever they stand in it."""
    content: Any = message.content
    if isinstance(content, list):
        content = [_renamed_block(block, renamed) for block in content]
    elif not content.strip():
        content = ""
    kwargs = {key: v for key, v in message.additional_kwargs.items() if key != "tool_calls"}
    extras = kwargs.get("tool_call_extras")
    if isinstance(extras, dict):
        kwargs["tool_call_extras"] = {renamed.get(old, old): said for old, said in extras.items()}
    return message.model_copy(
        update={
            "content": content,
            "additional_kwargs": kwargs,
            "tool_calls": list(calls),
            "invalid_tool_calls": [],
        }
    )


def _renamed_block(block: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(block, dict) and block.get("type") in _BLOCKS_OF_CALLS:
        return {**block, "id": renamed.get(str(block.get("id")), block.get("id"))}
    return block


def _says_something(message: BaseMessage) -> bool:
    if isinstance(message, ToolMessage) or (isinstance(message, AIMessage) and message.tool_calls):
        return True
    if isinstance(message.content, str):
        return bool(message.content.strip())
    return bool(text_of(message.content).strip()) or any(
        isinstance(block, dict) and block.get("type") not in _NO_WORDS for block in message.content
    )


def _in_turns(messages: Iterable[BaseMessage], *, bridged: bool) -> list[BaseMessage]:
    turns: list[BaseMessage] = []
    for message in messages:
        before = turns[-1] if turns else None
        if before is not None and _same_speaker(before, message):
            turns[-1] = _as_one(before, message)
            continue
        if bridged and isinstance(before, ToolMessage) and isinstance(message, HumanMessage):
            turns.append(AIMessage(UNANSWERED))  # Mistral: "Unexpected role 'user' after 'tool'"
        turns.append(message)
    return turns


def _same_speaker(before: BaseMessage, after: BaseMessage) -> bool:
    if isinstance(before, AIMessage) and isinstance(after, AIMessage):
        return not before.tool_calls
    return isinstance(before, HumanMessage) and isinstance(after, HumanMessage)


def _as_one(before: BaseMessage, after: BaseMessage) -> BaseMessage:
    changes: dict[str, Any] = {"content": _both(before.content, after.content)}
    if isinstance(after, AIMessage):
        changes["tool_calls"] = after.tool_calls
        changes["additional_kwargs"] = {**before.additional_kwargs, **after.additional_kwargs}
    return before.model_copy(update=changes)


def _both(before: Any, after: Any) -> Any:
    if isinstance(before, str) and isinstance(after, str):
        return "\n\n".join(text for text in (before, after) if text.strip())
    return [*_as_blocks(before), *_as_blocks(after)]


def _as_blocks(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if str(content).strip() else []


def _because(error: str | None) -> str:
    return f" ({error})." if error else "."
