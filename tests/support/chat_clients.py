"""The real LangChain clients, pointed at the loopback provider as Noctule configures them."""

from contextlib import suppress

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.support.provider import Provider

KEY = "sk-loopback-0123456789abcdef"


def chat_client(kind: str, provider: Provider, *, timeout: float = 10.0) -> BaseChatModel:
    """Build a client that tries once.

    Args:
        kind: ``openai``, ``anthropic`` or ``ollama``.
        provider: whom it talks to.
        timeout: seconds that each read may take.
    """
    key = SecretStr(KEY)
    if kind == "openai":
        return ChatOpenAI(
            model="model",
            base_url=provider.openai_url,
            api_key=key,
            max_retries=0,
            timeout=timeout,
            stream_usage=True,
            stream_chunk_timeout=None,
        )
    if kind == "anthropic":
        return ChatAnthropic(
            model="model",
            base_url=provider.url,
            api_key=key,
            max_retries=0,
            timeout=timeout,
        )
    return ChatOllama(model="model", base_url=provider.url, client_kwargs={"timeout": timeout})


async def close_client(client: BaseChatModel) -> None:
    """Close the connections that LangChain's clients leave open."""
    for name in ("root_async_client", "_async_client"):
        with suppress(AttributeError):
            await getattr(client, name).close()


async def ask(client: BaseChatModel, *, stream: bool) -> AIMessageChunk | None:
    """Ask one question; returns the whole reply, None when a stream had nothing in it."""
    if not stream:
        return AIMessageChunk(**(await client.ainvoke("hi")).model_dump(exclude={"type"}))
    whole: AIMessageChunk | None = None
    async for chunk in client.astream("hi"):
        whole = chunk if whole is None else whole + chunk
    return whole
