"""The words in which providers say that a request is larger than the model's window, as data.

Sources: the servers' own code and their users' reports, one entry per wording under
tests/fixtures/refusals, each with its address (checked 2026-11).
"""

import re
from collections.abc import Iterator
from itertools import chain

_N = r"\(?\[?(?:\d{1,3}(?:[,_]\d{3})+|\d{1,9})"
"""A number of tokens as written, thousands marked or not."""

_W = rf"(?P<window>{_N})"
_TOKENS = r"(?:\s*(?:input |output |total )?tokens?)?"

_WINDOW_NAMED = (
    # OpenAI, vLLM, DeepSeek, NIM, OpenRouter, SGLang, SambaNova
    rf"maximum context length (?:of (?:[\w./-]+ )?(?:is )?|is |\()?{_W}",
    # Fireworks
    rf"model maximum context length: {_W}",
    # OpenAI's Responses, gpt-5
    rf"input tokens exceed the configured limit of {_W}",
    # Anthropic, Bedrock, Vertex
    rf"prompt (?:is )?too long: {_N}{_TOKENS} > {_W}",
    rf"exceed context limit: {_N} \+ {_N} > {_W}",
    # Gemini, Vertex
    rf"input token count.{{0,40}}exceeds the maximum number of tokens allowed {_W}",
    rf"input token count is {_N} but (?:the )?model only supports up to {_W}",
    # xAI
    rf"maximum prompt length is {_W}",
    # Mistral
    rf"too large for model with {_W} maximum context length",
    # Copilot
    rf"prompt token count of {_N} exceeds the limit of {_W}",
    # Moonshot, Kimi
    rf"exceeded model token limit: {_W}",
    # Cohere
    rf"number of tokens in the prompt cannot exceed {_W}",
    rf"size limit exceeded by {_N} tokens.{{0,80}}limit for this model is {_W}",
    # Cerebras
    rf"current length is {_N} while limit is {_W}",
    # Together, LM Studio
    rf"longer than the model'?s context length {_W}",
    rf"context length (?:of|is) only {_W}",
    rf"n_keep: ?{_N} ?>= ?n_ctx: ?{_W}",
    rf"reached context length of {_W} tokens",
    # llama.cpp and what is built on it
    rf"exceeds (?:the )?available context size {_W}",
    rf"configured context size is {_W}",
    rf"context (?:window|size|length) (?:limit )?\({_W}",
    # vLLM, TensorRT-LLM
    rf"longer than the maximum model length of {_W}",
    rf"exceeds (?:the )?max(?:imum)? (?:allowed )?(?:input|prompt|sequence) length (?:of )?{_W}",
    rf"input length {_N}{_TOKENS}\)? exceeds the maximum allowed length {_W}",
    # TGI and the Hugging Face router
    rf"`inputs` tokens \+ `max_new_tokens` must be <= {_W}",
    rf"`inputs` must have less than {_W} tokens",
    # DashScope
    rf"range of input length should be \[\d+, ?{_W}",
    # Cloudflare Workers AI
    rf"exceeded this model context window limit {_W}",
    # GitHub Models
    rf"request body too large for .{{1,80}} model\. max size: {_W} tokens",
    # in the words of many
    rf"max(?:imum)? context(?: length| window| size)?(?: limit)?:? (?:of |is |\()?{_W}",
    rf"context (?:window|length|size)(?: limit)? (?:of|is)(?: only)? {_W}",
    rf"max(?:imum)? input tokens:? {_W}",
    rf"input length exceeds the limit (?:of )?{_W}",
    # in Chinese
    rf"最大(?:上下文|输入)?长度(?:为|是|限制)?[^\d]{{0,8}}{_W}",
)
_WINDOW_NOT_NAMED = (
    "maximum context length",
    (
        r"exceeds? (?:the |its |your |this )?(?:available |maximum |max |model'?s? ?)*"
        r"(?:context|prompt length)"
    ),
    r"(?:exceeded|exceeding) (?:the )?(?:max(?:imum)? )?context (?:length|window|size)",
    r"context (?:size|length|window)(?: has been)? exceed(?:ed|s)",
    r"(?:greater|longer) than the context length",
    r"(?:larger|longer) than the (?:model'?s )?(?:max(?:imum)? )?context",
    r"token length exceeds? (?:the )?model limit",
    r"long context (?:requests|beta)",
    r"contextwindowexceeded",
    r"context[_ ]length[_ ]exceeded",
    r"prompt (?:tokens? )?(?:is |are )?too long",
    r"input (?:is )?too long",
    r"input token count.{0,40}exceeds",
    r"input tokens exceed",
    r"input length (?:and|exceeds)",
    r"too many (?:input|prompt) tokens",
    r"too many tokens: (?:total|size)",
    r"tokens in (?:the )?request more than max tokens allowed",
    r"reduce the length of the (?:messages|prompt|input)",
    r"request too large for",
    r"request exceeds the maximum (?:size|allowed)",
    r"total tokens of image and text exceed max message tokens",
    r"does not currently support mid-generation context overflow",
    r"too many total text bytes",
    r"prompt exceeds (?:the )?max",
    r"(?:prompt|输入|上下文|内容|消息)[^。]{0,12}(?:超长|过长|超限)",
    r"(?:prompt|输入|上下文|内容|消息)[^。]{0,8}长度[^。]{0,4}超[过出]",
    r"超[过出](?:了)?(?:模型)?(?:的)?(?:最大)?(?:上下文|输入|长度)",
    r"超[过出][^。]{0,10}(?:最大|上下文)(?:输入)?(?:长度|窗口)",
)
_NAMED = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _WINDOW_NAMED)
_OVERFLOW = re.compile("|".join(_WINDOW_NOT_NAMED), re.IGNORECASE)
_NO_WINDOW = re.compile(
    r"per (?:min|day|hour)|\b(?:TPM|TPD|RPM)\b|too many total text bytes", re.IGNORECASE
)
"""A limit of tokens per minute that no wait will fit, and limits in bytes, tell no window."""

WINDOW_FIELDS = (
    "n_ctx",
    "context_window",
    "max_context_length",
    "max_model_len",
    "context_length",
)
"""The names under which bodies tell the window as a number."""

_SMALLEST, _LARGEST = 128, 100_000_000


def says_overflow(words: str) -> bool:
    """Say whether a provider's words mean that the request is too large for the model."""
    return _OVERFLOW.search(words) is not None or any(p.search(words) for p in _NAMED)


def window_in(words: str, values: Iterator[object]) -> int | None:
    """Return the window that a provider names, in tokens; None when it names none.

    Args:
        words: its message.
        values: what its body holds under the names in :data:`WINDOW_FIELDS`.
    """
    if _NO_WINDOW.search(words):
        return None
    told = (value for value in values if isinstance(value, int))
    found = (pattern.search(words) for pattern in _NAMED)
    written = (int(re.sub(r"\D", "", match["window"])) for match in found if match)
    return next((n for n in chain(told, written) if _SMALLEST <= n <= _LARGEST), None)
