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

from agents.agent import read_prompt
from graphs.loop.loop_limits import tool_results_since_model
from graphs.prompts.cut import without_output
from graphs.prompts.loop_prompt import LoopPrompt
from graphs.prompts.summary_prompt import SummaryPrompt
from graphs.state.context import TurnContext
from graphs.state.state import NOTES
from graphs.tools.work_log import work_record
from noctule.core.base.roles import Role
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.ports.prompts import Reader

_KEPT_OUTPUTS = 3
"""How many of the newest tool results always stay."""

_ENOUGH = 0.6
"""Clearing output has to bring a prompt below this share of the bound, or work is summed up."""

_RECENT = 0.3
"""The share of the bound that the newest messages may take after work was summed up."""

_WORTH = 0.2
"""The share of the bound that has to be there to sum up: each summary is a model call."""

_WORK_SHARE = 0.6
"""The part of a window that work may fill before some of it is left out."""

SUMMARY_TOKENS = 700
"""The longest summary: the prompt asks for 400 words."""

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
    said = [
        message.id
        for message in messages
        if isinstance(message, HumanMessage) and NOTES not in message.additional_kwargs
    ]
    return Digest(task=said[-1] if said else None)


def shown(messages: Sequence[AnyMessage], digest: Digest) -> list[AnyMessage]:
    """Return a loop's messages as its model sees them."""
    place = {message.id: at for at, message in enumerate(messages)}
    first = place.get(digest.upto, -1) + 1
    cleared = place.get(digest.cleared, -1)
    kept = [
        without_output(message) if at <= cleared else message
        for at, message in enumerate(messages[first:], start=first)
    ]
    if first == 0:
        return kept
    task = place.get(digest.task, 0)
    words = [m for m in messages[task:first] if isinstance(m, HumanMessage)]
    told = f"What was done for it so far, in short:\n{digest.text}"
    summary = HumanMessage(told, id=f"summary-{digest.upto}")
    return [*words, summary, *kept] if digest.text else [*words, *kept]


async def compacted(prompt: LoopPrompt, digest: Digest, reader: Reader) -> Digest:
    """Return a digest under which a loop's prompt is short enough to be worth its price.

    What does not fit a window all the same is left out when the prompt is made for a model; here
    is decided what nobody is sent any more, and what of it is summed up.

    Args:
        prompt: of the loop, with all its messages.
        digest: as it is.
        reader: the model that would be asked now.
    """
    messages, context = prompt.messages, prompt.context
    outputs = [message.id for message in messages if isinstance(message, ToolMessage)]
    if not outputs:
        return digest  # a conversation without work is cut where its window ends
    size = _Size(prompt, reader)
    most = size.room(context.limits.compact_tokens)
    if size.is_surely_short(messages, most) or size.of(messages, digest) <= most:
        return digest
    kept = max(_KEPT_OUTPUTS, tool_results_since_model(messages))
    before = outputs.index(digest.cleared) if digest.cleared in outputs else -1
    if len(outputs) - kept - 1 > before:
        digest = replace(digest, cleared=outputs[-kept - 1])
    if size.of(messages, digest) > most * _ENOUGH:
        upto = _boundary(messages, digest, size, int(most * _RECENT))
        if upto is not None and _is_worth_it(messages, digest, upto, size, int(most * _WORTH)):
            digest = await _summed_up(messages, digest, upto, context, size)
    return digest


class _Size:
    """How long a loop's messages are for the model that would be asked, and how long they may be.

    Args:
        prompt: of the loop.
        reader: the model.
    """

    def __init__(self, prompt: LoopPrompt, reader: Reader) -> None:
        face = prompt.face(reader)
        self._counter = reader.counter
        self._room = reader.prompt_tokens
        self._frame = reader.counter.count([SystemMessage(face.system)], face.tools)

    def room(self, most: int) -> int:
        """Return how many tokens of messages there may be before some are left out.

        Args:
            most: where the window does not decide.
        """
        if self._room is None:
            return most
        return max(1, min(most, int(self._room * _WORK_SHARE) - self._frame))

    def of(self, messages: Sequence[AnyMessage], digest: Digest) -> int:
        """Return the tokens of a loop's messages under a digest."""
        return self.bare(shown(messages, digest))

    def bare(self, messages: Sequence[AnyMessage]) -> int:
        """Return the tokens of messages."""
        return self._counter.count(messages)

    def can_show(self, messages: Sequence[AnyMessage], upto: int) -> bool:
        """Say whether a summary has room beside what must be shown anyway."""
        if self._room is None:
            return True
        left = self._room - self._frame - self.bare(messages[upto + 1 :])
        words = [m for m in messages[: upto + 1] if isinstance(m, HumanMessage)]
        return left - self.bare(words) >= SUMMARY_TOKENS

    @staticmethod
    def is_surely_short(messages: Sequence[AnyMessage], most: int) -> bool:
        """Say at a glance that a loop is far from too long, as most are: a token is no byte."""
        left = most - _GLANCE_PER_MESSAGE * len(messages)
        for message in messages:
            if not isinstance(message.content, str):
                return False
            left -= len(message.content.encode(errors="replace"))
            if isinstance(message, AIMessage):
                left -= sum(len(str(call["args"]).encode()) for call in message.tool_calls)
            if left < 0:
                return False
        return True


def _boundary(messages: Sequence[AnyMessage], digest: Digest, size: _Size, most: int) -> int | None:
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
        if size.bare(rest) <= most:
            break
    return best


def _is_worth_it(
    messages: Sequence[AnyMessage], digest: Digest, upto: int, size: _Size, least: int
) -> bool:
    told = messages[_first(messages, digest) : upto + 1]
    return size.bare([without_output(message) for message in told]) >= least


def _first(messages: Sequence[AnyMessage], digest: Digest) -> int:
    """Return the first message the summary does not tell of."""
    ids = [message.id for message in messages]
    return ids.index(digest.upto) + 1 if digest.upto in ids else 0


async def _summed_up(
    messages: Sequence[AnyMessage], digest: Digest, upto: int, context: TurnContext, size: _Size
) -> Digest:
    """Return a digest that tells of work in short: by a model, where what it says can be shown."""
    told = messages[_first(messages, digest) : upto + 1]
    said = await _told(told, digest.text, context) if size.can_show(messages, upto) else None
    # A summary is not worth sleeping for: what was called stands in the calls themselves.
    text = said or f"{digest.text}\n{work_record(told)}".strip()
    return replace(digest, upto=messages[upto].id, text=text) if text else digest


async def _told(told: Sequence[AnyMessage], before: str, context: TurnContext) -> str | None:
    """Have the utility role's model sum work up; None when it cannot now."""
    call = context.call(Role.UTILITY, Purpose.SUMMARY)
    work = get_buffer_string([without_output(message) for message in told])
    script = f"So far:\n{before}\n\nThen:\n{work}" if before else work
    try:
        model = context.models.bind(call, SummaryPrompt(read_prompt("summary"), script))
        said = await model.ainvoke(
            [SystemMessage(read_prompt("summary")), HumanMessage(script)],
            max_tokens=SUMMARY_TOKENS,
        )
    except (LimitError, NoModelError):
        return None
    return said.text.strip() or None
