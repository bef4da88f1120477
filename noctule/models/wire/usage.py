"""Token counts as providers write them, read into one form.

Whoever reports cached tokens apart (Anthropic) has them added to the input here, so that
``Usage.input_tokens`` is always the whole prompt and nobody bills a token twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from noctule.core.llm.attempts import Usage

NO_USAGE = Usage()

_MOST_TOKENS = 1_000_000_000
_MOST_USD = 1_000_000
"""More than one call can take or cost: such a report is a mistake and says nothing."""
_MOST_UNNAMED = 1_000_000
"""A total that leaves more than this beside prompt and answer counts something else as well."""

_PROMPTS = ("prompt_tokens", "input_tokens", "promptTokenCount")
_ANSWERS = ("completion_tokens", "output_tokens", "candidatesTokenCount")


def openai_usage(raw: Mapping[str, Any] | None, *, header_usd: str | None = None) -> Usage:
    """Read the ``usage`` block of the chat completions format.

    Besides OpenAI's own fields it knows OpenRouter's ``cost`` and ``cache_write_tokens``,
    DeepSeek's ``prompt_cache_hit_tokens``, Moonshot's ``cached_tokens``, LiteLLM's Anthropic
    names, Gemini's own and thinking that is reported beside the answer (checked 2026-11).

    Args:
        raw: the block; None means the provider sent none.
        header_usd: LiteLLM's ``x-litellm-response-cost`` header, used where the body has no cost.
    """
    raw = raw or {}
    sent, received = _details(raw, "prompt"), _details(raw, "completion")
    read = _first(
        sent.get("cached_tokens"),
        raw.get("cache_read_input_tokens"),
        raw.get("prompt_cache_hit_tokens"),
        raw.get("cached_tokens"),
        raw.get("cachedContentTokenCount"),
    )
    written = _first(sent.get("cache_write_tokens"), raw.get("cache_creation_input_tokens"))
    thought = _first(
        received.get("reasoning_tokens"),
        raw.get("reasoning_tokens"),
        raw.get("thoughts_token_count"),
        raw.get("thoughtsTokenCount"),
    )
    counts = _Counts(
        prompt=_first(*(raw.get(name) for name in _PROMPTS)),
        answer=_first(*(raw.get(name) for name in _ANSWERS)),
        total=_first(raw.get("total_tokens"), raw.get("totalTokenCount")),
        cached=(read or 0) + (written or 0),
        thought=thought or 0,
    )
    return Usage(
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=thought,
        reported_usd=_reported_usd(raw, header_usd),
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts as they were written, and what they mean.

    The total settles what they leave open: whether thinking stands beside the answer (xAI, Gemini)
    or in it (OpenAI), and whether the cached part stands beside the prompt. Without a total, a part
    that is larger than its whole stands beside it.
    """

    prompt: int | None
    answer: int | None
    total: int | None
    cached: int
    thought: int

    @property
    def input_tokens(self) -> int | None:
        if not self.prompt:
            return None  # no prompt has no tokens
        is_left = self.cached > 0 and self._left == self.cached and self._left != self.thought
        beside = self.cached > self.prompt or is_left
        return self.prompt + self.cached if beside else self.prompt

    @property
    def output_tokens(self) -> int | None:
        if not self.answer and not self.prompt:
            return None  # a block of zeros is a server that does not count
        if self.answer is None:
            return None if self._left <= 0 else self._left
        if self.total is None:
            return self.answer + (self.thought if self.thought > self.answer else 0)
        rest = self._left - ((self.input_tokens or 0) - (self.prompt or 0))
        return self.answer + max(rest, 0)

    @property
    def _left(self) -> int:
        """The tokens of the total that are neither prompt nor answer."""
        if self.total is None or not self.prompt:
            return 0
        left = self.total - self.prompt - (self.answer or 0)
        return left if left <= _MOST_UNNAMED else 0


def anthropic_usage(reports: Iterable[Mapping[str, Any]]) -> Usage:
    """Read what Anthropic reported, in the order it came.

    A stream reports at its start and, cumulatively, at each ``message_delta``. Servers that
    imitate the API leave the input out of the later ones or call it 0, so the last number given
    that is not 0 counts; some tell the whole prompt in one report and its parts in the other,
    which is one prompt all the same (Envoy AI Gateway #1631, Bifrost #6598, SGLang #20678).

    Args:
        reports: ``usage`` blocks, oldest first; none at all means nothing is known.
    """
    last: dict[str, Any] = {}
    for report in reports:
        told = {key: value for key, value in report.items() if value or key not in last}
        last |= _without_cached(told, last)
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


def _cache_writes(raw: Mapping[str, Any]) -> int | None:
    by_lifetime = _mapping(raw.get("cache_creation"))
    counts = [count for value in by_lifetime.values() if (count := _count(value)) is not None]
    return sum(counts) if any(counts) else _count(raw.get("cache_creation_input_tokens"))


def _without_cached(report: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Take the cached tokens that are known off an input that holds them, as its size shows."""
    whole, fresh = _count(report.get("input_tokens")), _count(before.get("input_tokens"))
    cached = (_count(before.get("cache_read_input_tokens")) or 0) + (_cache_writes(before) or 0)
    if whole is None or fresh is None or not cached or any("cache" in key for key in report):
        return report
    return report | {"input_tokens": whole - cached} if whole >= fresh + cached else report


def _reported_usd(raw: Mapping[str, Any], header_usd: str | None) -> Decimal | None:
    """With a key of one's own at the upstream, ``cost`` is only OpenRouter's fee."""
    if raw.get("cost") is None:
        return _header_usd(header_usd)
    cost = _money(_mapping(raw["cost"]).get("total_cost", raw["cost"]))  # Perplexity nests it
    if cost is None or raw.get("is_byok") is not True:
        return cost
    upstream = _money(_mapping(raw.get("cost_details")).get("upstream_inference_cost"))
    return None if upstream is None else cost + upstream


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
    return amount if amount.is_finite() and 0 <= amount <= _MOST_USD else None


def _details(raw: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    other = {"prompt": "input", "completion": "output"}[side]
    return _mapping(raw.get(f"{side}_tokens_details") or raw.get(f"{other}_tokens_details"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(*values: object) -> int | None:
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None
