"""ChatOllama as we need it: thinking kept, nothing guessed, a torn stream recognisable.

The installed ``ChatOllama`` (1.1.0) streams even when asked for a whole answer, so that one that
breaks off looks complete; it drops the thinking of models that think by default; it parses text
arguments of tools that happen to be JSON into objects, so that no tool could be handed the
contents of a JSON file; and the library below it takes no answer that is a type off. Here the parts
of an answer are read by us (``ollama_reader``).

Importing this takes about half a second: ``client.py`` does it in a thread.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import httpx
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_ollama import ChatOllama
from ollama import AsyncClient

from noctule.models.clients.ollama.reader import OllamaReader, refused
from noctule.models.wire.chunks import join
from noctule.models.wire.documents import documents, documents_in
from noctule.models.wire.sending import watch

_timeout: ContextVar[httpx.Timeout] = ContextVar("_timeout")


class NativeChat(ChatOllama):
    """Every model of one Ollama server; the model's name comes with each request."""

    async def answer(self, messages: Sequence[BaseMessage], **options: Any) -> AIMessage:
        """Return a complete answer, really asked for as a whole.

        Raises:
            ollama.ResponseError: the server refused.
            httpx.HTTPError: it could not be reached, or the connection failed.
            ValueError: the body is no JSON.
            ModelFailureError: what came is no answer of Ollama's.
        """
        response = await self._send(messages, {**options, "stream": False})
        await response.aread()
        reader = OllamaReader()
        pieces = [piece for part in _parts(response) if (piece := reader.take(part))]
        return join(reader.checked(pieces))

    async def pieces(
        self, messages: Sequence[BaseMessage], **options: Any
    ) -> AsyncGenerator[AIMessageChunk]:
        """Yield an answer as it comes; only the last piece of a whole one has metadata.

        Raises:
            ollama.ResponseError: the server refused, also in the middle of the stream.
            httpx.HTTPError: it could not be reached, or the connection failed.
            ValueError: a line is no JSON.
            ModelFailureError: what came is no answer of Ollama's.
        """
        response = await self._send(messages, {**options, "stream": True})
        reader = OllamaReader()
        try:
            async with aclosing(documents(response.aiter_bytes())) as parts:
                async for part in parts:
                    if piece := reader.take(part.value):
                        yield piece
            reader.checked([])
        finally:
            await response.aclose()

    async def _send(self, messages: Sequence[BaseMessage], options: dict[str, Any]) -> Any:
        """Send a request with the library's pool; its own parser refuses answers a type off.

        Raises:
            ollama.ResponseError: the server refused.
            httpx.HTTPError: it could not be reached, or the connection failed.
        """
        asked = self._chat_params(list(messages), **options)
        body = {name: value for name, value in asked.items() if value is not None}
        body["messages"] = [_without_blanks(message) for message in body["messages"]]
        http: httpx.AsyncClient = self.native._client  # noqa: SLF001 - the library lends it to nobody
        response = await http.send(http.build_request("POST", "/api/chat", json=body), stream=True)
        if response.is_error:
            await response.aread()
            await response.aclose()
            raise refused(response.text, response.status_code)
        return response

    @property
    def native(self) -> AsyncClient:
        """Ollama's own client, with the pool of connections."""
        return self._async_client


def build_chat(
    *, url: str, key: str | None, headers: Mapping[str, str], trust_env: bool
) -> NativeChat:
    """Return a server's chat models with one pool of connections.

    Args:
        url: where Ollama listens.
        key: the API key of Ollama's cloud; None sends none, whatever the environment holds.
        headers: added to every request.
        trust_env: whether proxy variables of the environment apply.
    """
    sent = dict(headers)
    if key is not None:
        sent["authorization"] = f"Bearer {key}"

    async def prepare(request: httpx.Request) -> None:
        request.extensions["timeout"] = _timeout.get(httpx.Timeout(None)).as_dict()
        if key is None:  # the library takes OLLAMA_API_KEY to any server
            request.headers.pop("authorization", None)

    return NativeChat(
        model="unnamed",
        base_url=url,
        client_kwargs={"headers": sent, "trust_env": trust_env},
        async_client_kwargs={"event_hooks": {"request": [prepare, watch]}},
    )


def set_timeout(*, connect_s: float, total_s: float) -> None:
    """Set the timeouts of the requests that this task makes from now on.

    The library knows only timeouts of the whole client.
    """
    _timeout.set(httpx.Timeout(total_s, connect=connect_s))


def _without_blanks(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if value not in (None, "", [])}


def _parts(response: httpx.Response) -> list[Any]:
    try:
        return [response.json()]
    except ValueError:  # several lines, though a whole answer was asked for
        return [document.value for document in documents_in(response.content)]
