from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.llm.attempts import Attempt
from noctule.core.llm.calls import CallContext
from noctule.core.provider_errors.outcomes import Outcome
from noctule.models.base.reply import Reply as Answer
from noctule.models.binding.models import Models
from noctule.models.request.chat_request import ChatRequest
from noctule.models.spend.prices import Prices
from storage.sqlite.database import SqliteDatabase
from tests.support.provider import Fault, Provider, Reply
from tests.support.scratch import scratch_database
from tests.support.stage import RecordingSink, make_settings

TOOL = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}


@dataclass
class Street:
    """A primary and a fallback behind real HTTP, and the layer between."""

    models: Models
    database: SqliteDatabase
    primary: Provider
    fallback: Provider

    async def ask(self, *, stream: bool, **call: Any) -> Answer:
        context = CallContext(role=Role.WRITER, stream=stream, sink=RecordingSink())
        return await self.models.call(
            ChatRequest(messages=[HumanMessage("Hello")], **call), context
        )

    async def attempts(self) -> list[Attempt]:
        async with self.database.read() as work:
            return list(reversed(await work.attempts.list()))


@asynccontextmanager
async def street(kind: str) -> AsyncIterator[Street]:
    async with Provider() as primary, Provider() as fallback:
        url = "openai_url" if kind == "openai" else "url"
        settings = make_settings(
            endpoints={
                "here": {"kind": kind, "url": getattr(primary, url), "local": True},
                "cloud": {"kind": kind, "url": getattr(fallback, url), "key": "sk-x"},
            },
            limits={"first_token_timeout": "1s", "stall_timeout": "1s"},
        )
        database = scratch_database()
        price = Prices(settings.endpoints, settings.models).cost
        models = Models(settings, database, SystemClock(), price=price)
        try:
            await models.client("here").present()  # loads the libraries: 1.4 s the first time
            yield Street(models, database, primary, fallback)
        finally:
            await models.close()


KINDS = pytest.mark.parametrize("kind", ["openai", "ollama"])


@KINDS
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_comes_with_its_tokens(kind: str, stream: bool) -> None:  # noqa: FBT001 - a parameter
    """The same answer streamed or not, its tokens in the ledger, free on a machine of one's own."""
    async with street(kind) as there:
        reply = await there.ask(stream=stream)
        assert reply.message.text == "Hello there."
        assert (reply.attempt.usage.input_tokens, reply.attempt.usage.output_tokens) == (12, 3)
        assert reply.attempt.cost_usd == 0
        assert (reply.attempt.first_token_s is not None) == stream


@KINDS
async def test_a_refusal_is_answered_by_the_fallback_with_one_request(kind: str) -> None:
    """Whatever Retry-After says, the primary is asked once and not again until its time."""
    async with street(kind) as there:
        there.primary.default = Reply.refusal(429, headers={"Retry-After": "20"})
        for _ in range(5):
            assert (await there.ask(stream=True)).attempt.model == "second"
        assert len(there.primary.requests) == 1
        assert len(there.fallback.requests) == 5
        [refused, *_] = await there.attempts()
        assert (refused.outcome, refused.message) == (Outcome.RATE_LIMITED, "Too fast.")


@KINDS
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.HANG, Outcome.TIMEOUT),
        (Fault.SILENT, Outcome.TIMEOUT),
        (Fault.STALL, Outcome.TIMEOUT),
        (Fault.CUT, Outcome.UNAVAILABLE),
        (Fault.RESET, Outcome.UNAVAILABLE),
        (Fault.UNFRAMED, Outcome.UNAVAILABLE),
        (Fault.EARLY_END, Outcome.UNAVAILABLE),
        (Fault.ERROR, Outcome.UNAVAILABLE),
        (Fault.NOT_JSON, Outcome.UNAVAILABLE),
        (Fault.BAD_UTF8, Outcome.UNAVAILABLE),
    ],
)
async def test_every_way_a_stream_breaks_ends_at_the_fallback(
    kind: str, fault: Fault, outcome: Outcome
) -> None:
    """A hanging, silent, stalled, torn or garbled stream is recorded and replaced."""
    async with street(kind) as there:
        there.primary.default = Reply(text="One two three four.", fault=fault)
        reply = await there.ask(stream=True)
        assert (reply.attempt.model, reply.message.text) == ("second", "Hello there.")
        failed = (await there.attempts())[0]
        assert failed.outcome is outcome
        assert failed.message


@KINDS
@pytest.mark.parametrize("stream", [True, False])
async def test_bad_replies_end_at_the_fallback(kind: str, stream: bool) -> None:  # noqa: FBT001 - a parameter
    """Empty replies and broken tool calls are nobody's answer."""
    async with street(kind) as there:
        there.primary.default = Reply(text="")
        assert (await there.ask(stream=stream)).attempt.model == "second"
        assert (await there.attempts())[0].outcome is Outcome.EMPTY_REPLY


@pytest.mark.parametrize("stream", [True, False])
async def test_broken_arguments_end_at_the_fallback(stream: bool) -> None:  # noqa: FBT001 - a parameter
    """A tool call whose arguments are no JSON goes to the next candidate."""
    async with street("openai") as there:
        call = {"name": "look", "arguments": '{"at": ', "id": "call_1"}
        there.primary.default = Reply.read({"text": "", "tool_calls": [call]})
        assert (await there.ask(stream=stream, tools=[TOOL])).attempt.model == "second"
        assert (await there.attempts())[0].outcome is Outcome.MALFORMED_TOOL_CALL
