"""``kind: scripted``: a fake endpoint that plays a script; for tests, examples and rehearsals."""

import asyncio
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk

from noctule.core.clock import Clock
from noctule.core.llm.attempts import Usage
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Conclusion, ModelRequest, PresentModel
from noctule.models.clients.script import Line, Script, ScriptedUsage
from noctule.models.wire.finish import STOP, TOOL_CALLS, finish_reason
from noctule.models.wire.texts import text_of

_TOKEN = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+")


class ScriptedRefusal(Exception):  # noqa: N818 - it is what a provider said, not our error
    """The script answered with an error; ``models.completion.failures`` reads it like a provider's.

    Args:
        answer: status, headers and body as they would have come over the wire.
    """

    def __init__(self, answer: ProviderResponse) -> None:
        super().__init__(f"HTTP {answer.status}: {answer.body[:200]}")
        self.answer = answer


class ScriptedClient:
    """One scripted endpoint.

    Args:
        script: what it plays; an empty one echoes.
        models: the endpoint's models by name.
        clock: delays go through it.
    """

    def __init__(
        self, script: Script, models: Mapping[str, ModelSettings], *, clock: Clock
    ) -> None:
        self._script = script
        self._models = models
        self._clock = clock
        self._played: Counter[tuple[str, int]] = Counter()
        self._calls = itertools.count(1)
        self._tool_calls = itertools.count(1)

    async def answer(self, request: ModelRequest) -> AIMessage:
        """Play a line and return it whole.

        Raises:
            ScriptedRefusal: the line is an error.
            httpx.ConnectError: the line refuses the connection.
        """
        whole = AIMessageChunk(content="")
        async for piece in self.stream(request):
            whole += piece
        message = message_chunk_to_message(whole)
        assert isinstance(message, AIMessage)  # noqa: S101 - for the type checker
        return message

    async def stream(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        """Play a line token by token.

        Raises:
            ScriptedRefusal: the line is an error.
            httpx.ConnectError: the line refuses the connection.
        """
        line = self._choose(request)
        with self._logged(request) as outcome:
            if line.refuse_connection:
                outcome["outcome"] = "refused"
                raise _nobody_listens()
            async for piece in self._play(line, request):
                yield piece
            outcome["outcome"] = "reply"

    def conclude(self, request: ModelRequest, message: AIMessage) -> Conclusion:
        """Read usage and finish reason out of a complete answer."""
        del request
        said = message.response_metadata
        cost = said.get("cost_usd")
        counts: Mapping[str, int | None] = said.get("usage") or {}
        usage = Usage(**counts, reported_usd=None if cost is None else Decimal(cost))
        return Conclusion(usage=usage, finish_reason=finish_reason(said.get("finish_reason")))

    async def present(self) -> list[PresentModel]:
        """Return every model configured on the endpoint."""
        return [
            PresentModel(name=model.name, context=model.context) for model in self._models.values()
        ]

    async def warm(self, model: str) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def _choose(self, request: ModelRequest) -> Line:
        user, system = _last_user(request.messages), _system(request.messages)
        results = len(_results(request.messages))
        for position, line in enumerate(self._script.lines_for(request.model)):
            spent = line.plays is not None and self._played[request.model, position] >= line.plays
            if not spent and line.fits(user, system, results):
                self._played[request.model, position] += 1
                return line
        return Line(reply="{user}")

    async def _play(self, line: Line, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        results = _results(request.messages)
        reply = line.reply.replace("{user}", _last_user(request.messages))
        tokens = _TOKEN.findall(reply.replace("{result}", results[-1] if results else ""))
        shown = tokens if line.breaks_after is None else tokens[: line.breaks_after]
        await self._pause(line.delay, self._script.delay)
        if line.thinking:
            yield AIMessageChunk(content="", additional_kwargs={"reasoning_content": line.thinking})
        for count, token in enumerate(shown):
            if count:
                await self._pause(line.per_token, self._script.per_token)
            yield AIMessageChunk(content=token)
        if line.stall_after is not None:
            await asyncio.Event().wait()
        if line.error is not None:
            raise ScriptedRefusal(
                ProviderResponse(line.error.status, line.error.headers, line.error.text)
            )
        if line.tear_after is None:
            for piece in self._tool_pieces(line):
                yield piece
            yield _last_piece(line, request.messages, tokens)

    def _tool_pieces(self, line: Line) -> Iterator[AIMessageChunk]:
        for index, call in enumerate(line.tool_calls):
            args = call.args if isinstance(call.args, str) else json.dumps(call.args)
            named = call.id or f"call-{next(self._tool_calls)}"
            for id_, name, part in ((named, call.name, ""), (None, None, args)):
                chunk = tool_call_chunk(id=id_, name=name, args=part, index=index)
                yield AIMessageChunk(content="", tool_call_chunks=[chunk])

    async def _pause(self, own: timedelta | None, usual: timedelta) -> None:
        seconds = (usual if own is None else own).total_seconds()
        if seconds:
            await self._clock.sleep(seconds)

    @contextmanager
    def _logged(self, request: ModelRequest) -> Iterator[dict[str, str]]:
        outcome = {"outcome": "error"}
        call = f"{os.getpid()}-{next(self._calls)}"
        entry = {"call": call, "model": request.model, "user": _last_user(request.messages)}
        self._note({"event": "start", **entry})
        try:
            yield outcome
        except (asyncio.CancelledError, GeneratorExit):
            outcome["outcome"] = "cancelled"
            raise
        finally:
            self._note({"event": "end", **entry, **outcome})

    def _note(self, entry: Mapping[str, str]) -> None:
        """Append in one write, so that lines of several processes do not mix."""
        if self._script.log is None:
            return
        line = json.dumps({"at": self._clock.now().isoformat(), **entry}) + "\n"
        handle = os.open(self._script.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def _last_piece(line: Line, sent: Sequence[BaseMessage], tokens: list[str]) -> AIMessageChunk:
    usage = _usage(line, sent, tokens)
    told: dict[str, Any] = {"model_provider": "scripted", "usage": usage}
    finish = (TOOL_CALLS if line.tool_calls else STOP) if line.finish == "auto" else line.finish
    if finish is not None:
        told["finish_reason"] = finish
    if line.cost_usd is not None:
        told["cost_usd"] = str(line.cost_usd)
    return AIMessageChunk(
        content="",
        response_metadata=told,
        usage_metadata=_in_langchains_form(usage),
        chunk_position="last",
    )


def _usage(line: Line, sent: Sequence[BaseMessage], tokens: list[str]) -> dict[str, int | None]:
    if line.usage == "unknown":
        return {}
    counts = line.usage
    if not isinstance(counts, ScriptedUsage):
        words = sum(len(_TOKEN.findall(text_of(message.content))) for message in sent)
        counts = ScriptedUsage(input=words, output=len(tokens) + len(line.tool_calls))
    return {f"{name}_tokens": count for name, count in counts.model_dump().items()}


def _in_langchains_form(usage: Mapping[str, int | None]) -> UsageMetadata | None:
    sent, received = usage.get("input_tokens"), usage.get("output_tokens")
    if sent is None or received is None:
        return None
    return UsageMetadata(input_tokens=sent, output_tokens=received, total_tokens=sent + received)


def _last_user(messages: Sequence[BaseMessage]) -> str:
    said = (m for m in reversed(messages) if isinstance(m, HumanMessage))
    return next((text_of(message.content) for message in said), "")


def _results(messages: Sequence[BaseMessage]) -> list[str]:
    """Return the tool results behind the last user message."""
    results: list[str] = []
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
        if isinstance(message, ToolMessage):
            results.insert(0, text_of(message.content))
    return results


def _system(messages: Sequence[BaseMessage]) -> str:
    return "\n".join(text_of(m.content) for m in messages if isinstance(m, SystemMessage))


def _nobody_listens() -> Exception:
    from httpx import ConnectError  # noqa: PLC0415 - only a line that refuses needs it

    return ConnectError("All connection attempts failed")
