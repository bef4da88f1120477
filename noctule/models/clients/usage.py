"""Token counts as providers write them, read into one form.

Whoever reports cached tokens apart (Anthropic) has them added to the input here, so that
``Usage.input_tokens`` is always the whole prompt and nobody bills a token twice.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from noctule.core.attempts import Usage

NO_USAGE = Usage()


def openai_usage(raw: Mapping[str, Any] | None, *, header_usd: str | None = None) -> Usage:
    """Read the ``usage`` block of the chat completions format.

    Besides OpenAI's own fields it knows OpenRouter's ``cost`` and ``cache_write_tokens``,
    DeepSeek's ``prompt_cache_hit_tokens``, Moonshot's ``cached_tokens`` and LiteLLM's Anthropic
    names (checked 2026-11).

    Args:
        raw: the block; None means the provider sent none.
        header_usd: LiteLLM's ``x-litellm-response-cost`` header, used where the body has no cost.
    """
    raw = raw or {}
    sent, received = _details(raw, "prompt"), _details(raw, "completion")
    return Usage(
        input_tokens=_count(raw.get("prompt_tokens")) or None,  # no prompt has no tokens
        output_tokens=_output(raw),
        cached_tokens=_first(
            sent.get("cached_tokens"),
            raw.get("cache_read_input_tokens"),
            raw.get("prompt_cache_hit_tokens"),
            raw.get("cached_tokens"),
        ),
        cache_write_tokens=_first(
            sent.get("cache_write_tokens"), raw.get("cache_creation_input_tokens")
        ),
        reasoning_tokens=_first(received.get("reasoning_tokens"), raw.get("reasoning_tokens")),
        reported_usd=_openrouter_usd(raw) if "cost" in raw else _header_usd(header_usd),
    )


def anthropic_usage(reports: Iterable[Mapping[str, Any]]) -> Usage:
    """Read what Anthropic reported, in the order it came.

    A stream reports at its start and, cumulatively, at each ``message_delta``; servers that
    imitate the API leave the input out of the later ones, so the last number given counts.

    Args:
        reports: ``usage`` blocks, oldest first; none at all means nothing is known.
    """
    last: dict[str, Any] = {}
    for report in reports:
        last |= {key: value for key, value in report.items() if value is not None}
    fresh = _count(last.get("input_tokens"))
    read, written = _count(last.get("cache_read_input_tokens")), _cache_writes(last)
    parts = [part for part in (fresh, read, written) if part is not None]
    return Usage(
        input_tokens=sum(parts) or None,
        output_tokens=_count(last.get("output_tokens")),
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=_count(_mapping(last.get("output_tokens_details")).get("thinking_tokens")),
    )


def ollama_usage(raw: Mapping[str, Any]) -> Usage:
    """Read the counters of Ollama's last chunk.

    ``prompt_eval_count`` is the whole prompt, its cached part included (Ollama 0.6 and newer),
    and is missing where nothing at all had to be evaluated.

    Args:
        raw: the chunk that says ``done``, or the response metadata made of it.
    """
    return Usage(
        input_tokens=_count(raw.get("prompt_eval_count")) or None,
        output_tokens=_count(raw.get("eval_count")),
    )


def _output(raw: Mapping[str, Any]) -> int | None:
    tokens = _count(raw.get("completion_tokens"))
    if tokens == 0 and not _count(raw.get("prompt_tokens")):
        return None  # a block of zeros is a server that does not count
    return tokens


def _cache_writes(raw: Mapping[str, Any]) -> int | None:
    by_lifetime = _mapping(raw.get("cache_creation"))
    counts = [count for value in by_lifetime.values() if (count := _count(value)) is not None]
    return sum(counts) if any(counts) else _count(raw.get("cache_creation_input_tokens"))


def _openrouter_usd(raw: Mapping[str, Any]) -> Decimal | None:
    """With a key of one's own at the upstream, ``cost`` is only OpenRouter's fee."""
    cost = _money(raw.get("cost"))
    if cost is None or raw.get("is_byok") is not True:
        return cost
    upstream = _money(_mapping(raw.get("cost_details")).get("upstream_inference_cost"))
    return cost + (upstream or Decimal(0))


def _header_usd(text: str | None) -> Decimal | None:
    """LiteLLM writes 0 for models it has no price of, so 0 means unknown."""
    return _money(text) or None


def _money(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _details(raw: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    return _mapping(raw.get(f"{side}_tokens_details"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(*values: object) -> int | None:
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value
