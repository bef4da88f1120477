"""Bounds: the most a call can cost, so that a hold is hardly ever too small.

A token of any tokenizer stands for at least one byte of text, so the bytes of everything sent are
a count that cannot be low. It is about four times too high, though. So a model that has reported
the tokens of a few prompts is held to what its meter counts, with a margin, until a report is
above that. The answer, thinking included, is bounded by ``max_tokens``.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from noctule.core.budgets.budgets import whole_nanos
from noctule.core.llm.attempts import CostSource, Usage
from noctule.models.base.client import ModelRequest
from noctule.models.request.chat_request import ChatRequest
from noctule.models.request.meter import Meter

DEFAULT_MAX_TOKENS = 4096
"""The longest answer of a priced call that sets none."""

LEAST_ANSWER_TOKENS = 1024
"""The shortest answer that the rest of a budget is spent on; most answers are shorter."""

ListCost = Callable[[str, Usage, datetime], tuple[Decimal | None, CostSource | None]]
"""Returns what tokens cost on a model by its list price; None for unknown."""

_PER_CALL = 64  # the template's own beginning and end
_PER_MESSAGE = 16  # role and separators of every template we have seen are below ten
_PER_PICTURE = 20_000  # above the dearest tiling of any provider (checked 2026-11)
_WITH_TOOLS = 1024  # what providers write around tool definitions (Anthropic: up to 700)
_WITH_SCHEMA = 512
_OUTPUT_BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
_TEXTS = frozenset({"text", "tool_use", "tool_call", "thinking", "reasoning"})
_PICTURES = frozenset({"image", "image_url", "input_image"})


def most_input_tokens(request: ModelRequest | ChatRequest, meter: Meter | None = None) -> int:
    """Return a number of tokens that what is sent cannot exceed, or hardly ever.

    Args:
        request: what is sent.
        meter: of the model. Once it is calibrated, prompts of text are held to what it counts,
            and to no more than their bytes; what pictures take is never taken from it. None, or
            one that is not: the bytes, which cannot be exceeded.
    """
    beside = _beside(request)
    size = beside + sum(_message(message) for message in request.messages)
    size += sum(_tool(tool) for tool in request.tools)
    if meter is None or not meter.is_calibrated or any(map(_has_picture, request.messages)):
        return size
    return min(size, beside + math.ceil(meter.bound(request.messages, request.tools)))


def _beside(request: ModelRequest | ChatRequest) -> int:
    """Return the most that everything but the messages and the tools themselves takes."""
    size = _PER_CALL + (_WITH_TOOLS if request.tools else 0)
    if request.json_schema is not None:
        # Where an endpoint cannot hold the answer to a schema it is also written into the prompt.
        size += _WITH_SCHEMA + 2 * _json(request.json_schema)
    return size + (_json(request.extra) if request.extra else 0)


def most_output_tokens(most: int, *bodies: Mapping[str, Any]) -> int:
    """Return the most tokens that are received, thinking included.

    Args:
        most: the call's own bound.
        bodies: fields that go into the request as they are and may say more.
    """
    answers = 1
    for body in bodies:
        for name in _OUTPUT_BOUNDS:
            if isinstance(value := body.get(name), int):
                most = max(most, value)
        if isinstance(value := body.get("n"), int):
            answers = max(answers, value)
    return most * answers


def most_usd(
    list_cost: ListCost, model: str, at: datetime, *, input_tokens: int, output_tokens: int
) -> Decimal | None:
    """Return the most a call can cost in USD, in whole nano-dollars; None: its price is unknown.

    Args:
        list_cost: the prices.
        model: its name in the configuration.
        at: when it is made.
        input_tokens: the most that is sent; taken as fresh, as read from the provider's cache or
            as written to it, whichever is dearest.
        output_tokens: the most that is received, thinking included.
    """
    ways = (
        Usage(input_tokens, output_tokens),
        Usage(input_tokens, output_tokens, cached_tokens=input_tokens),
        Usage(input_tokens, output_tokens, cache_write_tokens=input_tokens),
    )
    costs = [list_cost(model, usage, at)[0] for usage in ways]
    known = [cost for cost in costs if cost is not None]
    if costs[0] is None or not known:
        return None
    return whole_nanos(max(known))


def _message(message: BaseMessage) -> int:
    size = _PER_MESSAGE + _content(message.content)
    if isinstance(message, AIMessage):
        if message.tool_calls:
            size += _json(message.tool_calls)
        if message.invalid_tool_calls:
            size += _json(message.invalid_tool_calls)
    if message.additional_kwargs:
        size += _json(message.additional_kwargs)
    return size + len(message.name or "")


def _content(content: str | Sequence[Any]) -> int:
    if isinstance(content, str):
        return _bytes(content)
    size = 0
    for block in content:
        if isinstance(block, dict) and block.get("type") in _PICTURES:
            size += _PER_PICTURE
        else:
            size += _bytes(block) if isinstance(block, str) else _json(block)
    return size


def _has_picture(message: BaseMessage) -> bool:
    return not isinstance(message.content, str) and any(
        isinstance(block, dict) and block.get("type") not in _TEXTS for block in message.content
    )


def _tool(tool: Any) -> int:
    try:
        return _json(convert_to_openai_tool(tool))
    except (TypeError, ValueError):  # a provider's own tool, sent as it is
        return _json(tool)


def _json(value: Any) -> int:
    return _bytes(json.dumps(value, default=str, ensure_ascii=False))


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
