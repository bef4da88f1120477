"""Compaction: a long loop's prompt stays short, and its task stands in it word for word.

What is left out is left out of the prompt alone; the state keeps every message. First old tool
output goes (it can be had again), then old work is summed up by the utility role's model. Both in
batches: in between the prompt only grows at its end, as providers' caches like it.

LangChain's own middleware for this adds a node, and so a checkpoint, to every step, and counts
anew each time what it clears; hence ours.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    get_buffer_string,
)
from langchain_core.messages.utils import count_tokens_approximately

from agents.agent import read_prompt
from graphs.context import TurnContext
from graphs.middleware.guard import tool_results_since_model
from graphs.record import work_record
from noctule.core.attempts import Purpose
from noctule.core.errors import LimitError, NoModelError
from noctule.core.roles import Role

CLEARED = "[old output, left out here; call the tool again if you need it]"

_KEPT_OUTPUTS = 3
"""How many of the newest tool results always stay."""

_ENOUGH = 0.6
"""Clearing output has to bring a prompt below this share of the bound, or work is summed up."""

_RECENT = 0.3
"""The share of the bound that the newest messages may take after work was summed up."""

_WORTH = 0.2
"""The share of the bound that has to be there to sum up: each summary is a model call."""

_LONGEST_ARGUMENT = 400
_CHARS_PER_TOKEN = 3

_GLANCE_PER_MESSAGE = 40
"""Tokens a message takes besides its text and arguments, and then some."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What of a loop is told in short; ids of messages.

    Args:
        task: the message the loop works on; every message of a person from it on stays.
        upto: the last message that the summary tells of; None while there is no summary.
        text: the summary.
        cleared: the last message whose output is left out; None while none is.
    """

    task: str | None = None
    upto: str | None = None
    text: str = ""
    cleared: str | None = None

    def as_state(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def begin(messages: Sequence[AnyMessage]) -> Digest:
    """Return the digest of a loop that begins: its task is what a person said last."""
    said = [message.id for message in messages if isinstance(message, HumanMessage)]
    return Digest(task=said[-1] if said else None)


def shown(messages: Sequence[AnyMessage], digest: Digest) -> list[AnyMessage]:
    """Return a loop's messages as its model sees them."""
    place = {message.id: at for at, message in enumerate(messages)}
    first = place.get(digest.upto, -1) + 1
    cleared = place.get(digest.cleared, -1)
    kept = [
        _without_output(message) if at <= cleared else message
        for at, message in enumerate(messages[first:], start=first)
    ]
    if not digest.text:
        return kept
    task = place.get(digest.task, 0)
    words = [m for m in messages[task:first] if isinstance(m, HumanMessage)]
    summary = HumanMessage(f"What was done for it so far, in short:\n{digest.text}")
    return [*words, summary, *kept]


async def compacted(
    messages: Sequence[AnyMessage],
    digest: Digest,
    context: TurnContext,
    *,
    most: int,
    hard: int | None = None,
) -> Digest:
    """Return a digest under which a loop's prompt is short enough, as far as that is possible.

    Args:
        messages: of the loop.
        digest: as it is.
        context: of the turn; its utility role sums up.
        most: tokens of messages above which something is left out; results the model has not
            seen yet stay all the same.
        hard: tokens of messages above which even those are left out, the oldest first; None
            means that no such bound is known.
    """
    outputs = [message.id for message in messages if isinstance(message, ToolMessage)]
    if not outputs or _is_surely_short(messages, most) or not _too_long(messages, digest, most):
        return digest  # a conversation without work is cut where its window ends
    unseen = tool_results_since_model(messages)
    kept = max(_KEPT_OUTPUTS, unseen)
    before = outputs.index(digest.cleared) if digest.cleared in outputs else -1
    if len(outputs) - kept - 1 > before:
        digest = replace(digest, cleared=outputs[-kept - 1])
    if _too_long(messages, digest, int(most * _ENOUGH)):
        upto = _boundary(messages, digest, int(most * _RECENT))
        if upto is not None and _is_worth_it(messages, digest, upto, int(most * _WORTH)):
            text = await _summed_up(messages, digest, upto, context)
            digest = replace(digest, upto=messages[upto].id, text=text)
    for output in outputs[-kept:-1]:
        if hard is None or not _too_long(messages, digest, hard):
            break
        digest = replace(digest, cleared=output)
    return digest


def _is_surely_short(messages: Sequence[AnyMessage], most: int) -> bool:
    """Say at a glance that a loop is far from too long, as most are: a token is no character."""
    left = most - _GLANCE_PER_MESSAGE * len(messages)
    for message in messages:
        left -= len(message.content)
        if isinstance(message, AIMessage):
            left -= sum(len(str(call["args"])) for call in message.tool_calls)
        if left < 0:
            return False
    return all(isinstance(message.content, str) for message in messages)


def _too_long(messages: Sequence[AnyMessage], digest: Digest, most: int) -> bool:
    return count_tokens_approximately(shown(messages, digest)) > most


def _without_output(message: AnyMessage) -> AnyMessage:
    if isinstance(message, ToolMessage):
        return message.model_copy(update={"content": CLEARED})
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [{**call, "args": _short(call["args"])} for call in message.tool_calls]
        return message.model_copy(update={"tool_calls": calls, "content": message.text})
    return message


def _short(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        name: f"{value[:_LONGEST_ARGUMENT]} [... {len(value):,} characters in all]"
        if isinstance(value, str) and len(value) > _LONGEST_ARGUMENT
        else value
        for name, value in arguments.items()
    }


def _boundary(messages: Sequence[AnyMessage], digest: Digest, most: int) -> int | None:
    """Return the last message to be summed up; None when there is nothing before the last reply.

    Behind it stands a reply with its results or a person's words: never results without their
    call.
    """
    ids = [message.id for message in messages]
    begun = _first(messages, digest)
    task = ids.index(digest.task) if digest.task in ids else 0
    best = None
    for at in range(max(begun, task) + 1, len(messages)):
        if isinstance(messages[at], ToolMessage):
            continue
        best = at - 1
        rest = shown(messages[at:], replace(digest, text="", upto=None))
        if count_tokens_approximately(rest) <= most:
            break
    return best


def _is_worth_it(messages: Sequence[AnyMessage], digest: Digest, upto: int, least: int) -> bool:
    told = messages[_first(messages, digest) : upto + 1]
    return count_tokens_approximately([_without_output(message) for message in told]) >= least


def _first(messages: Sequence[AnyMessage], digest: Digest) -> int:
    """Return the first message the summary does not tell of."""
    ids = [message.id for message in messages]
    return ids.index(digest.upto) + 1 if digest.upto in ids else 0


async def _summed_up(
    messages: Sequence[AnyMessage], digest: Digest, upto: int, context: TurnContext
) -> str:
    told = messages[_first(messages, digest) : upto + 1]
    before = f"So far:\n{digest.text}\n\nThen:\n" if digest.text else ""
    try:
        model = context.models.bind(context.call(Role.UTILITY, Purpose.SUMMARY))
        script = before + get_buffer_string([_without_output(m) for m in told])
        window = context.models.window_tokens(Role.UTILITY)
        if window is not None:
            script = script[-window * _CHARS_PER_TOKEN // 2 :]
        said = await model.ainvoke([SystemMessage(read_prompt("summary")), HumanMessage(script)])
    except (LimitError, NoModelError):
        # A summary is not worth sleeping for: what was called stands in the calls themselves.
        return f"{digest.text}\n{work_record(told)}".strip()
    return said.text.strip()
