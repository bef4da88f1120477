from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from noctule.models.base.client import Client, ModelRequest
from noctule.models.completion.streaming import apart
from noctule.models.wire.chunks import join
from noctule.models.wire.texts import text_of, thought_of
from tests.support.every_client import MODEL, every_client
from tests.support.provider import Provider, Reply
from tests.support.strange_replies import (
    ANTHROPIC,
    OLLAMA,
    OPENAI_STREAMED,
    OPENAI_WHOLE,
    Meant,
    deltas,
    ollama,
    whole,
)

ASKED = ModelRequest(MODEL, [HumanMessage("x")])
KINDS = {
    "openai": (OPENAI_STREAMED, OPENAI_WHOLE),
    "embedded": (OPENAI_STREAMED, OPENAI_WHOLE),
    "ollama": (OLLAMA, OLLAMA),
    "anthropic": (ANTHROPIC, {}),
}


async def ask(client: Client, *, stream: bool) -> AIMessage:
    if stream:
        return join([piece async for piece in client.stream(ASKED)])
    return await client.answer(ASKED)


def meant(message: AIMessage, wanted: Meant) -> Meant:
    calls = tuple((call["name"], call["args"]) for call in message.tool_calls)
    beside = message.additional_kwargs.get("reasoning_content", "") + thought_of(message.content)
    return Meant(text_of(message.content), calls, beside if wanted.thought else "")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_can_only_mean_one_thing_is_taken(kind: str) -> None:
    """Odd frames, odd fields, odd calls: each reply is what it means, whole and streamed."""
    wrong: dict[Any, Any] = {}
    async with Provider() as provider, every_client(provider) as clients:
        for stream, replies in zip((True, False), KINDS[kind], strict=True):
            for name, (reply, wanted) in replies.items():
                provider.enqueue(reply)
                try:
                    message = await ask(clients[kind], stream=stream)
                    found = meant(message, wanted)
                    finished = clients[kind].conclude(ASKED, message).finish_reason
                except Exception as error:  # noqa: BLE001 - each library has its own
                    wrong[name, stream] = repr(error)
                else:
                    if found != wanted or finished is None:
                        wrong[name, stream] = (found, finished)
    assert wrong == {}


async def test_thinking_in_the_text_is_told_apart_for_every_client() -> None:
    """The mark in chunks of one letter, whole, and its end alone."""
    text = "PLAN\n</think>\n\nHi there"
    replies: dict[str, tuple[Reply, Reply]] = {
        "openai": (deltas(*({"content": c} for c in text)), whole({"content": text})),
        "ollama": (ollama(*({"content": c} for c in text)), ollama({"content": text})),
    }
    replies["embedded"] = replies["openai"]
    async with Provider() as provider, every_client(provider) as clients:
        for kind, (streamed, plain) in replies.items():
            for stream, reply in ((True, streamed), (False, plain)):
                provider.enqueue(reply)
                message = apart(await ask(clients[kind], stream=stream))
                assert text_of(message.content) == "Hi there", kind
                assert message.additional_kwargs["reasoning_content"] == "PLAN"
