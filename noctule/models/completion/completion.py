"""Exchange: one request to one model, from sending it to the last piece of the answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from noctule.core.clock import Clock
from noctule.core.errors import ModelFailureError, NoctuleError
from noctule.core.llm.attempts import Usage
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.times.durations import show_duration
from noctule.models.base.client import Client, ModelRequest
from noctule.models.base.timeouts import Timeouts
from noctule.models.completion.failures import was_torn
from noctule.models.completion.response_validation import find_flaw, lost_calls, with_reasons
from noctule.models.completion.retry_hints import lesson
from noctule.models.completion.streaming import ReplyStream, apart
from noctule.models.tool_calls.manner import Terms, only_first
from noctule.models.tool_calls.one_call import OneCall
from noctule.models.tool_calls.quotations import Quotations
from noctule.models.tool_calls.tool_call_repair import offered_names, repair, rightly_named
from noctule.models.wire.chunks import join, says_something
from noctule.models.wire.finish import LENGTH, TOOL_CALLS
from noctule.models.wire.texts import text_of

_CLOSING_S = 2.0

Explain = Callable[[Exception], Refusal]


class Completion:
    """Sends a request and judges what comes back; whatever happens is in its fields.

    Args:
        request: what is asked.
        timeouts: how long each part may take.
        clock: measures the first token.
        explain: reads what a client raised.
        begins: called at the first token of a streamed answer.
        telling: shows the text as it comes; None asks for the whole answer at once.
        terms: how the model is asked for calls; None takes them as the API has them.

    Attributes:
        message: the answer; None while there is none, or none that can be used.
        refusal: why there is none; None on success, and when it was cancelled.
        usage: tokens and cost, as far as the provider said.
        first_token_s: seconds to the first token; None when none came or it was not streamed.
        note: what was odd about a usable answer; None when nothing was.
        imitated: whether a tool call was written as text.
        truncated: whether the provider dropped part of the prompt, so that it did not count it all.
    """

    def __init__(
        self,
        request: ModelRequest,
        timeouts: Timeouts,
        clock: Clock,
        *,
        explain: Explain,
        begins: Callable[[], None],
        telling: ReplyStream | None,
        terms: Terms | None = None,
    ) -> None:
        self._begins = begins
        self._request = request
        self._terms = terms or Terms()
        self._manner = self._terms.manner
        self._sent = self._manner.shaped(request, loop=self._terms.loop)
        self._timeouts = timeouts
        self._clock = clock
        self._explain = explain
        self._telling = telling
        offered = frozenset[str]() if self._terms.raw else offered_names(request)
        read = Quotations(request.messages)
        self._one = OneCall(self._manner, offered, read) if self._terms.closes else None
        self._reads_text = self._manner.by_text and bool(offered)
        self.message: AIMessage | None = None
        self.refusal: Refusal | None = None
        self.usage = Usage()
        self.first_token_s: float | None = None
        self.note: str | None = None
        self.imitated = False
        self._spoilt: AIMessage | None = None
        self._cut = False
        self.truncated = False

    async def run(self, get_client: Callable[[], Client]) -> None:
        """Ask; only a cancellation is raised.

        Args:
            get_client: returns the endpoint's client; an endpoint that cannot be used as it is
                configured is a failure like any other.
        """
        try:
            client = get_client()
            if self._telling is None:
                message = await self._answer(client)
            else:
                message = await self._stream(client, self._telling)
            self._judge(client, message)
        except ModelFailureError as error:
            self.refusal = error.refusal
        except NoctuleError as error:
            self.refusal = Refusal(
                Outcome.UNAVAILABLE, str(error), needs_person=True, never_sent=True
            )
        except Exception as error:  # noqa: BLE001 - no library's exception leaves the model layer
            refusal = self._explain(error)
            torn = refusal.outcome is Outcome.UNAVAILABLE and (
                self.first_token_s is not None or was_torn(error)
            )
            self.refusal = replace(refusal, torn=torn)

    def lesson(self, refusal: Refusal) -> list[BaseMessage]:
        """Return what the model is told of this reply when it is asked anew."""
        offered = bool(offered_names(self._request))
        return lesson(refusal, self._spoilt, written=self.imitated, cut=self._cut, offered=offered)

    async def _answer(self, client: Client) -> AIMessage:
        total_s = self._timeouts.total_s
        limit = asyncio.timeout(total_s)
        try:
            async with limit:
                return await client.answer(self._sent)
        except Exception as error:
            if limit.expired():
                raise _late("no answer", total_s) from error
            raise

    async def _stream(self, client: Client, telling: ReplyStream) -> AIMessage:
        begun = self._clock.monotonic()
        now = asyncio.get_running_loop().time
        end, until = now() + self._timeouts.total_s, now() + self._timeouts.first_token_s
        pieces: list[AIMessageChunk] = []
        stream = client.stream(self._sent)
        try:
            while (piece := await self._next(stream, until=until, end=end)) is not None:
                if self._one is None or self._one.take(piece):
                    pieces.append(piece)
                if self.first_token_s is None and says_something(piece):
                    self.first_token_s = self._clock.monotonic() - begun
                    self._begins()
                if self.first_token_s is not None:
                    until = now() + self._timeouts.stall_s
                if not self._reads_text:
                    telling.add(piece)
                if self._one is not None and self._one.is_complete:
                    break
        finally:
            await _close(stream)
        return join(pieces)

    async def _next(
        self, stream: AsyncIterator[AIMessageChunk], *, until: float, end: float
    ) -> AIMessageChunk | None:
        limit = asyncio.timeout_at(min(until, end))
        try:
            async with limit:
                return await anext(stream, None)
        except Exception as error:
            if not limit.expired():
                raise
            if end <= until:
                raise _late("no end of the answer", self._timeouts.total_s) from error
            if self.first_token_s is None:
                raise _late("no first token", self._timeouts.first_token_s) from error
            raise _late("the answer stalled, nothing more", self._timeouts.stall_s) from error

    def _judge(self, client: Client, message: AIMessage) -> None:
        conclusion = client.conclude(self._sent, message)
        if self._one is not None and self._one.is_complete:
            conclusion = replace(conclusion, finish_reason=TOOL_CALLS)
        self.usage = conclusion.usage
        self._cut = conclusion.finish_reason == LENGTH
        message = with_reasons(apart(message), cut=self._cut)
        if not self._terms.raw:
            message = rightly_named(self._sent, message)
        if not self._terms.raw and not self._manner.several:
            message = only_first(message)
        self.refusal = find_flaw(message, conclusion, streamed=self._telling is not None)
        if self.refusal is None:
            self._take(message)
        if self.refusal is not None:
            self._spoilt = message
        self.truncated = conclusion.truncated_prompt
        if conclusion.truncated_prompt:
            self.note = "the endpoint dropped part of the prompt: its context is smaller than set"

    def _take(self, message: AIMessage) -> None:
        """Take the answer, unless it is a tool call that was written and not made."""
        native = not self._terms.raw and not self._reads_text
        repaired = repair(self._request, message, self._terms.known) if native else None
        if repaired is None:
            if self._telling is not None:
                self._telling.release()
            self.note = lost_calls(message, cut=self._cut)
            self._read(message)
            return
        self.imitated = True
        if isinstance(repaired, Refusal):
            self.refusal = repaired
            return
        self._read(repaired)
        names = " and ".join(call["name"] for call in repaired.tool_calls)
        self.note = f"it wrote the call of {names} as text; it is taken as made"

    def _read(self, message: AIMessage) -> None:
        """Read an answer in the manner in which it was asked for; a probe reads by itself."""
        read = message
        if not self._terms.raw:
            found = self._manner.read(self._request, message, loop=self._terms.loop)
            if isinstance(found, Refusal):
                self.refusal = found
                return
            read = found
        self.message = read
        text = text_of(read.content)
        unseen = self._reads_text or text != text_of(message.content)
        if unseen and text.strip() and self._telling is not None:
            self._telling.say(f"\n\n{text}" if self._telling.told else text)


def _late(what: str, seconds: float) -> ModelFailureError:
    return ModelFailureError(Refusal(Outcome.TIMEOUT, f"{what} within {show_duration(seconds)}"))


async def _close(stream: Any) -> None:
    """Let go of the connection, however the stream ended, without waiting for a dead server."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSING_S):
                await close()
