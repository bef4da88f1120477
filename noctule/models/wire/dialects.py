"""What OpenAI-compatible hosts want said differently, above all about thinking.

There is no common word for "think" or "do not think". Known hosts are told by their name, models
behind unknown hosts (gateways, servers of one's own) by theirs. Checked against the hosts'
documentation 2026-11; the table stands in ``docs/decisions/0005-model-clients.md``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

OFFICIAL_URL = "https://api.openai.com/v1"

_OPENAI_THINKERS = re.compile(r"^(o\d|gpt-[5-9])")
_CAN_STOP_THINKING = re.compile(r"^gpt-(5\.[1-9]|[6-9])")

_ThinkingFields = Callable[[str, bool], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one host is spoken to.

    Args:
        name: for messages and tests.
        thinking: gives the body fields that ask the named model to think or not to; nothing
            for a model that has no choice.
        max_tokens: the field that bounds the answer.
        echoes_thinking: whether the host wants the thinking of earlier steps of a turn back
            beside their tool calls (and refuses the request without it).
    """

    name: str
    thinking: _ThinkingFields
    max_tokens: str = "max_tokens"
    echoes_thinking: bool = False


def dialect_of(url: str | None) -> Dialect:
    """Return how the host of a base URL is spoken to.

    Args:
        url: the endpoint's base URL; None means OpenAI's own.
    """
    host = urlsplit(url or OFFICIAL_URL).hostname or ""
    for suffix, dialect in _HOSTS.items():
        if host == suffix or host.endswith(f".{suffix}"):
            return dialect
    return _ANY_HOST


def fixes_temperature(model: str, body: Mapping[str, Any]) -> bool:
    """Whether OpenAI itself would refuse a temperature for this model and body (400)."""
    return _thinks_at_openai(model) and body.get("reasoning_effort") != "none"


def family(model: str) -> str:
    """Return a model's own name in lower case, without the vendor before a slash."""
    return model.lower().rsplit("/", 1)[-1]


def _thinks_at_openai(model: str) -> bool:
    name = family(model)
    return bool(_OPENAI_THINKERS.match(name)) and "chat" not in name


def _openai(model: str, thinking: bool) -> dict[str, Any]:  # noqa: FBT001 - it is the subject
    if not _thinks_at_openai(model):
        return {}
    if thinking:
        return {"reasoning_effort": "medium"}
    name = family(model)
    if _CAN_STOP_THINKING.match(name):
        return {"reasoning_effort": "none"}
    least = "minimal" if name.startswith("gpt-5") and "codex" not in name else "low"
    return {"reasoning_effort": least}


def _openrouter(model: str, thinking: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - one shape
    return {"reasoning": {"enabled": thinking}}


def _typed(model: str, thinking: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - one shape
    return {"thinking": {"type": "enabled" if thinking else "disabled"}}


def _dashscope(model: str, thinking: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - one shape
    return {"enable_thinking": thinking}


def _groq(model: str, thinking: bool) -> dict[str, Any]:  # noqa: FBT001 - it is the subject
    name = family(model)
    if name.startswith("qwen"):
        return {"reasoning_effort": "default" if thinking else "none"}
    return _gpt_oss(thinking) if name.startswith("gpt-oss") else {}


def _gemini(model: str, thinking: bool) -> dict[str, Any]:  # noqa: FBT001 - it is the subject
    name = family(model)
    newest = not name.startswith(("gemini-1", "gemini-2"))
    if "pro" in name:  # cannot be stopped from thinking
        most = "high" if newest else "medium"
        return {"reasoning_effort": most if thinking else "low"}
    least = "minimal" if newest else "none"
    return {"reasoning_effort": "medium" if thinking else least}


def _by_template(model: str, thinking: bool) -> dict[str, Any]:  # noqa: FBT001 - the subject
    """For vLLM, SGLang, llama.cpp, LM Studio and gateways: by what the model is called."""
    name = family(model)
    if _thinks_at_openai(model):
        return _openai(model, thinking)
    if name.startswith("gemini"):
        return _gemini(model, thinking)
    if name.startswith("claude"):
        return {"reasoning_effort": "medium"} if thinking else {}
    if "gpt-oss" in name:
        return _gpt_oss(thinking)
    return {"chat_template_kwargs": {"enable_thinking": thinking, "thinking": thinking}}


def _gpt_oss(thinking: bool) -> dict[str, Any]:  # noqa: FBT001 - it is the subject
    return {"reasoning_effort": "medium" if thinking else "low"}


def _silent(model: str, thinking: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - one shape
    return {}


_ANY_HOST = Dialect("any", _by_template)
_HOSTS = {
    "openai.com": Dialect("openai", _openai, max_tokens="max_completion_tokens"),
    "openai.azure.com": Dialect("azure", _openai, max_tokens="max_completion_tokens"),
    "openrouter.ai": Dialect("openrouter", _openrouter),
    "groq.com": Dialect("groq", _groq),
    "googleapis.com": Dialect("gemini", _gemini),
    "deepseek.com": Dialect("deepseek", _typed, echoes_thinking=True),
    "z.ai": Dialect("zhipu", _typed, echoes_thinking=True),
    "bigmodel.cn": Dialect("zhipu", _typed, echoes_thinking=True),
    "moonshot.ai": Dialect("moonshot", _typed, echoes_thinking=True),
    "moonshot.cn": Dialect("moonshot", _typed, echoes_thinking=True),
    "aliyuncs.com": Dialect("dashscope", _dashscope),
    "mistral.ai": Dialect("mistral", _silent),
    "x.ai": Dialect("xai", _silent),
}
