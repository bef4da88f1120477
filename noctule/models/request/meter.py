"""Meter: counts prompts as one model counts them, and learns from every count it is told.

Three sources, the best first: what was counted before (a prompt that begins like one whose tokens
are known costs those and what was added), what a tokenizer at hand says, and an estimate times the
model's own factor. Each report is laid on the messages it was the first to cover, so that they
keep their cost when others are left out.
"""

import json
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from noctule.models.request.picture_tokens import is_picture, picture_tokens
from noctule.models.request.token_estimate import estimate_tokens

FIRST_FACTOR = 1.35
"""Of a model that nobody has counted for: above every tokenizer looked at (see the estimate)."""

_SAFETY = (1.1, 1.06, 1.04)
"""On top of the factors seen, by how many there are."""

_SHARED = 1.06
"""On top of what a report laid on one of several messages: it may have been another's share."""

_CALIBRATED = 3
"""Factors after which prompts are bounded by counts."""

_BOUND = 1.25
"""On top of a count, as a bound: a report above it ends bounding by counts."""

_SEEN_FACTORS = 8
_PLAUSIBLE = (0.55, 3.0)
"""Reports outside it are not believed: some servers leave out what they had in their cache."""

_LEAST_TO_LEARN = 60.0
_PER_MESSAGE = 6.0  # role and separators, in tokens
_PER_CALL = 10.0
_PER_TOOL = 8.0
_MOST_PREFIXES = 512
_MOST_TEXTS = 8192


class Likely:
    """Counts as a meter does, but for what an unknown model may take more than usual.

    Args:
        meter: of the model.
    """

    def __init__(self, meter: "Meter") -> None:
        self._meter = meter

    def count(self, messages: Sequence[BaseMessage], tools: Sequence[Any] = ()) -> int:
        """Return the tokens of a prompt; a tenth too few at worst for usual text."""
        tokens = self._meter.count(messages, tools)
        return tokens if self._meter.is_learned else math.ceil(tokens / FIRST_FACTOR)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a prompt: what it is, and about how many tokens it takes."""

    key: int
    raw: float


class Meter:
    """Counts for one model; satisfies ``TokenCounter``."""

    def __init__(self) -> None:
        self._factors: deque[float] = deque(maxlen=_SEEN_FACTORS)
        self._raw: OrderedDict[int, float] = OrderedDict()
        self._known: OrderedDict[int, float] = OrderedDict()
        self._prefixes: OrderedDict[int, int] = OrderedDict()
        self._penalty = 1.0
        self._surprised = False

    @property
    def is_calibrated(self) -> bool:
        """Whether money may be reserved by ``bound``: several counts were told, none above it."""
        return len(self._factors) >= _CALIBRATED and not self._surprised

    @property
    def is_learned(self) -> bool:
        """Whether anybody has counted for the model yet."""
        return bool(self._factors)

    @property
    def factor(self) -> float:
        """What an estimate is multiplied with, of a text that was never counted."""
        if not self._factors:
            return FIRST_FACTOR * self._penalty
        safety = _SAFETY[min(len(self._factors), len(_SAFETY)) - 1]
        return max(self._factors) * safety * self._penalty

    def count(self, messages: Sequence[BaseMessage], tools: Sequence[Any] = ()) -> int:
        """Return the tokens of a prompt, rather too many than too few.

        Args:
            messages: system message first.
            tools: definitions, as ``bind_tools`` takes them.
        """
        parts = self._parts(messages, tools)
        tokens, covered = self._longest_known(parts)
        return math.ceil(tokens + sum(map(self._cost, parts[covered:])) - 1e-6)

    def bound(self, messages: Sequence[BaseMessage], tools: Sequence[Any] = ()) -> float:
        """Return the tokens that a prompt of text will not exceed, as far as was seen till now.

        What was never counted is taken as the worst tokenizer looked at takes it: the factor of
        English says little of Thai.

        Args:
            messages: system message first.
            tools: definitions, as ``bind_tools`` takes them.
        """
        parts = self._parts(messages, tools)
        tokens, covered = self._longest_known(parts)
        worst = sum(max(self._cost(part), part.raw * FIRST_FACTOR) for part in parts[covered:])
        return max(self.count(messages, tools) * _BOUND, tokens + worst)

    def likely(self) -> "Likely":
        """Return what counts without being on the safe side: for a first try at a tight fit."""
        return Likely(self)

    def knows(self, messages: Sequence[BaseMessage], tools: Sequence[Any] = ()) -> bool:
        """Return whether this very prompt was counted by the model itself."""
        parts = self._parts(messages, tools)
        return self._longest_known(parts)[1] == len(parts)

    def learn(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any], tokens: int | None
    ) -> None:
        """Take what a server or tokenizer counted for a prompt.

        Args:
            messages: of the prompt.
            tools: likewise.
            tokens: what it counted; None teaches nothing.
        """
        if tokens is None:
            return
        if self.is_calibrated and tokens > self.bound(messages, tools):
            self._surprised = True
        parts = self._parts(messages, tools)
        before, covered = self._longest_known(parts)
        if covered == len(parts) and before == tokens:
            return
        if tokens <= before or covered == len(parts):
            before, covered = 0, 0  # it counts otherwise than it did
        new = parts[covered:]
        raw, counted = sum(part.raw for part in new), tokens - before
        if not _PLAUSIBLE[0] <= counted / max(raw, 1.0) <= _PLAUSIBLE[1]:
            new, raw, counted = parts, sum(part.raw for part in parts), tokens
            if not _PLAUSIBLE[0] <= counted / max(raw, 1.0) <= _PLAUSIBLE[1]:
                return
        if raw >= _LEAST_TO_LEARN:
            self._factors.append(counted / raw)
        self._penalty = 1.0
        for part in new:
            _put(self._known, part.key, part.raw * counted / raw, _MOST_TEXTS)
        _put(self._prefixes, _digest(parts), tokens, _MOST_PREFIXES)

    def overflowed(self) -> None:
        """Note that a prompt that was counted as short enough was too long for the server."""
        self._penalty = min(self._penalty * 1.25, 2.5)
        self._prefixes.clear()
        self._known.clear()

    def _cost(self, part: _Part) -> float:
        known = self._known.get(part.key)
        return part.raw * self.factor if known is None else known * _SHARED

    def _longest_known(self, parts: Sequence[_Part]) -> tuple[int, int]:
        """Return the tokens of the longest beginning whose count is known, and its parts."""
        best, digest = (0, 0), 0
        for index, part in enumerate(parts, start=1):
            digest = hash((digest, part.key))
            if digest in self._prefixes:
                best = (self._prefixes[digest], index)
        return best

    def _parts(self, messages: Sequence[BaseMessage], tools: Sequence[Any]) -> list[_Part]:
        shown = json.dumps(list(tools), default=str) if tools else ""
        weight = self._weigh(shown, estimate_tokens) + _PER_TOOL * len(tools) + _PER_CALL
        frame = _Part(hash(("tools", shown)), weight)
        return [frame, *map(self._part, messages)]

    def _part(self, message: BaseMessage) -> _Part:
        texts, pictures = _texts(message)
        weight = _PER_MESSAGE + sum(self._weigh(text, estimate_tokens) for text in texts)
        weight += sum(self._weigh(picture, picture_tokens) for picture in pictures)
        return _Part(hash((message.type, *texts, *pictures)), weight)

    def _weigh(self, text: str, weigh: Callable[[str], float]) -> float:
        key = hash(text)  # texts are long: none is kept here
        if key not in self._raw:
            _put(self._raw, key, weigh(text), _MOST_TEXTS)
        return self._raw[key]


def _texts(message: BaseMessage) -> tuple[list[str], list[str]]:
    """Return what is written in a message, and its pictures as they are sent."""
    texts: list[str] = []
    pictures: list[str] = []
    if isinstance(message.content, str):
        texts.append(message.content)
    else:
        for block in message.content:
            if is_picture(block):
                pictures.append(json.dumps(block, default=str))
            elif not (isinstance(block, dict) and block.get("type") in {"tool_use", "tool_call"}):
                texts.append(_written(block))
    if isinstance(message, AIMessage) and message.tool_calls:
        texts += [f"{call['name']} {_json(call['args'])}" for call in message.tool_calls]
        texts += ["tool_call type function id 123456789"] * len(message.tool_calls)
        if isinstance(thought := message.additional_kwargs.get("reasoning_content"), str):
            texts.append(thought)  # given back beside calls, to hosts that want it
    if isinstance(message, ToolMessage):
        texts.append(f"tool {message.name or ''} 123456789")
    return texts, pictures


def _written(block: object) -> str:
    text = block.get("text") if isinstance(block, dict) else block
    return text if isinstance(text, str) else _json(block)


def _json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _digest(parts: Sequence[_Part]) -> int:
    digest = 0
    for part in parts:
        digest = hash((digest, part.key))
    return digest


def _put(store: OrderedDict[int, Any], key: int, value: float, most: int) -> None:
    store[key] = value
    store.move_to_end(key)
    while len(store) > most:
        store.popitem(last=False)
