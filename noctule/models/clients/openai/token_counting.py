"""Servers of one's own that count a prompt before they answer it: llama.cpp and vLLM.

llama.cpp (2026-10): ``POST /apply-template`` gives the text a conversation becomes, tools included;
``POST /tokenize`` its tokens. vLLM (0.11): ``POST /tokenize`` takes the conversation itself. Both
stand beside ``/v1``. What llama.cpp counts so is what it reports as ``prompt_tokens`` (tried).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noctule.models.clients.openai.wire import OpenAIWire

_TIMEOUT_S = 10.0
_ASKED = ("model", "messages", "tools", "tool_choice", "chat_template_kwargs")


async def server_count(wire: "OpenAIWire", payload: Mapping[str, Any]) -> int | None:
    """Return the tokens of a prompt as the server's own tokenizer counts them.

    Args:
        wire: to the server.
        payload: the request's body, as it would be sent.

    Returns:
        None when the server counts nothing.

    Raises:
        openai.APIConnectionError: it is not reachable.
    """
    body = {**payload, **(payload.get("extra_body") or {})}
    asked = {name: body[name] for name in _ASKED if body.get(name) is not None}
    prompt = _text(await _post(wire, "/apply-template", asked))
    if prompt is not None:
        asked = {"content": prompt, "add_special": True, "parse_special": True}
    return _count(await _post(wire, "/tokenize", asked))


async def _post(wire: "OpenAIWire", path: str, body: Mapping[str, Any]) -> object:
    import openai  # noqa: PLC0415 - heavy, and loaded already by whoever built the wire

    root = str(wire.sdk.base_url).rstrip("/").removesuffix("/v1")
    timeout = wire.timeout(connect_s=_TIMEOUT_S, total_s=_TIMEOUT_S)
    try:
        return await wire.sdk.post(
            f"{root}{path}", cast_to=object, body=body, options={"timeout": timeout}
        )
    except openai.APIStatusError:
        return None


def _text(answer: object) -> str | None:
    prompt = answer.get("prompt") if isinstance(answer, Mapping) else None
    return prompt if isinstance(prompt, str) and prompt else None


def _count(answer: object) -> int | None:
    if not isinstance(answer, Mapping):
        return None
    count, tokens = answer.get("count"), answer.get("tokens")
    if isinstance(count, int) and count > 0:
        return count
    return len(tokens) if isinstance(tokens, list) and tokens else None
