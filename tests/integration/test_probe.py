"""Probes over real HTTP: what models do that speak to us as OpenAI, Ollama and Anthropic do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.attempts import Attempt, Purpose
from noctule.core.llm.calls import CallContext
from noctule.core.llm.proofs import Proof, ProofOutcome
from noctule.core.provider_errors.outcomes import Outcome
from noctule.models.base.reply import Reply as Answer
from noctule.models.binding.models import Models
from noctule.models.capabilities.probe_cases import ProbeCase
from noctule.models.request.chat_request import ChatRequest
from noctule.models.spend.prices import Prices
from storage.sqlite.database import SqliteDatabase
from tests.support.good_replies import right_reply
from tests.support.imitations import CLEAR, OFFERED, UNCLEAR
from tests.support.probing import case_of, probed, right_arguments
from tests.support.provider import FakeModel, Provider, Reply, Request
from tests.support.replies import Fault, ToolCall
from tests.support.scratch import scratch_database
from tests.support.stage import RecordingSink, make_settings

KINDS = ["openai", "ollama", "anthropic"]
ON_ALL_KINDS = pytest.mark.parametrize("kind", KINDS)
TOOLS = [
    {"name": name, "description": "Does it.", "parameters": schema}
    for name, schema in OFFERED.items()
]


@dataclass
class Shop:
    """Two models behind real HTTP, and the layer that proves before it offers tools."""

    models: Models
    database: SqliteDatabase
    first: Provider
    second: Provider
    sink: RecordingSink

    async def proof(self, model: str = "first") -> Proof | None:
        [proved] = await self.models.prove([model])
        return proved.proof

    async def ask(self, *, role: Role = Role.WRITER, **call: Any) -> Answer:
        context = CallContext(role=role, stream=True, sink=self.sink)
        return await self.models.call(
            ChatRequest(messages=[HumanMessage("Hello")], tools=TOOLS, **call), context
        )

    async def attempts(self) -> list[Attempt]:
        async with self.database.read() as work:
            return list(reversed(await work.attempts.list()))

    async def stored(self) -> list[Proof]:
        async with self.database.read() as work:
            return await work.proofs.list()


@asynccontextmanager
async def shop(kind: str = "openai", **changes: Any) -> AsyncIterator[Shop]:
    listed = [FakeModel("first-model"), FakeModel("second-model")]
    decide = probed()
    async with (
        Provider(decide=decide, models=listed, proves=False) as first,
        Provider(decide=decide, models=listed, proves=False) as second,
    ):
        url = "openai_url" if kind == "openai" else "url"
        endpoints = {
            "here": {"kind": kind, "url": getattr(first, url), "local": True},
            "cloud": {"kind": kind, "url": getattr(second, url), "key": "sk-x"},
        }
        settings = make_settings(endpoints=endpoints, **changes)
        database = scratch_database()
        prices = Prices(settings.endpoints, settings.models)
        models = Models(settings, database, SystemClock(), price=prices.cost)
        models.insist_on_proofs()
        try:
            yield Shop(models, database, first, second, RecordingSink())
        finally:
            await models.close()


def written(case: ProbeCase) -> Reply:
    """A model that writes its calls as fenced JSON."""
    if not case.wanted:
        return Reply(text="Cold.")
    calls = [{"name": name, "arguments": args} for name, args in right_arguments(case)]
    body = "\n".join(json.dumps(call) for call in calls)
    return Reply(text=f"```json\n{body}\n```")


def deaf(case: ProbeCase) -> Reply:
    return Reply(text="I cannot do that.")


def eager(case: ProbeCase) -> Reply:
    """A model that calls something whatever it is asked."""
    if case.wanted:
        return right_reply(case)
    name = next(iter(case.tools))
    return Reply(text="", tool_calls=(ToolCall(name, {"symbol": "HOT"}),))


def no_tools(case: ProbeCase) -> Reply:
    return Reply.refusal(400, "registry.ollama.ai/library/gemma:2b does not support tools")


def broken(case: ProbeCase) -> Reply:
    if not case.wanted:
        return Reply(text="Cold.")
    words = "The model produced output that does not match the expected peg-native format"
    return Reply.refusal(500, words)


@ON_ALL_KINDS
async def test_every_outcome_in_every_format(kind: str) -> None:
    """The verdict is the same whoever speaks; score and raw replies are kept, a hopeless one ends.

    Two wrong cases from the start settle it; calls written as text are asked for in words again.
    """
    wrong = []
    for answers, outcome, right, of, requests in (
        (right_reply, ProofOutcome.PROVEN, 7, 7, 7),
        (written, ProofOutcome.TEXT_IMITATION, 0, 2, 4),
        (deaf, ProofOutcome.IGNORED, 0, 2, 2),
        (eager, ProofOutcome.DECLARED_ONLY, 6, 7, 7),
        (no_tools, ProofOutcome.REFUSED_BY_SERVER, 0, 1, 1),
        (broken, ProofOutcome.BROKEN_OUTPUT, 0, 2, 4),
    ):
        async with shop(kind) as there:
            there.first.decide = probed(answers)
            proof = await there.proof()
            assert proof is not None
            attempts = await there.attempts()
            found = (
                proof.outcome,
                sum(bool(case["passed"]) for case in proof.cases),
                proof.score,
                len(there.first.requests),
                all(case["said"] for case in proof.cases),
                await there.stored() == [proof],
                {attempt.purpose for attempt in attempts},
                len(attempts),
            )
            due = (outcome, right, right / of, requests, True, True, {Purpose.PROBE}, requests)
            if found != due:
                wrong.append((answers.__name__, found, due))
    assert not wrong


@ON_ALL_KINDS
async def test_a_model_is_asked_once_for_all_who_wait(kind: str) -> None:
    """Ten calls at once wait for one probe, and the answer is kept for the next process."""
    async with shop(kind) as there:
        answers = await asyncio.gather(*(there.ask() for _ in range(10)))
        assert {answer.attempt.model for answer in answers} == {"first"}
        probes = [request for request in there.first.requests if case_of(request)]
        assert len(probes) == 7
        assert there.second.requests == []
        again = Models(
            there.models._layer.settings,
            there.database,
            SystemClock(),
            price=there.models._layer.price,
        )
        again.insist_on_proofs()
        try:
            context = CallContext(role=Role.WRITER)
            await again.call(ChatRequest(messages=[HumanMessage("Hello")], tools=TOOLS), context)
        finally:
            await again.close()
        assert len([request for request in there.first.requests if case_of(request)]) == 7


async def test_calls_without_tools_wait_for_no_probe() -> None:
    """A model that nobody needs to call tools is never asked whether it does."""
    async with shop() as there:
        await there.models.call(
            ChatRequest(messages=[HumanMessage("Hi")]), CallContext(role=Role.CHAT)
        )
        assert len(there.first.requests) == 1
        assert await there.stored() == []


async def test_the_next_candidate_is_proven_when_its_turn_comes() -> None:
    """An imitator is passed over with the evidence, and only then is the fallback asked."""
    async with shop() as there:
        there.first.decide = probed(written)
        reply = await there.ask()
        assert reply.attempt.model == "second"
        [skip] = reply.attempt.skipped
        assert skip.model == "first"
        assert "writes tool calls as text (text_imitation, 0 of 4 right" in skip.reason
        assert [proof.outcome for proof in await there.stored()] == [
            ProofOutcome.PROVEN,
            ProofOutcome.TEXT_IMITATION,
        ]
        abilities = await there.models.tools_of(Role.WRITER)
        assert [(one.model, one.able) for one in abilities] == [("first", False), ("second", True)]


async def test_a_fallback_nobody_needs_is_not_asked() -> None:
    """The primary is proven, so that nothing is known of the fallback."""
    async with shop() as there:
        await there.ask()
        abilities = await there.models.tools_of(Role.WRITER, prove=True)
        assert [(one.model, one.able) for one in abilities] == [("first", True), ("second", None)]
        assert there.second.requests == []


async def test_a_role_without_a_proven_model_is_refused_by_name() -> None:
    """The sentence names the role, each model with its evidence, and who would do."""
    async with shop(roles={Role.UTILITY: {"primary": "third", "fallback": []}}) as there:
        await there.models.prove(["third"])
        first_deaf = probed(deaf)
        there.first.decide = first_deaf
        there.second.decide = probed(no_tools)
        with pytest.raises(NoModelError) as caught:
            await there.ask()
        words = str(caught.value)
        for part in (
            "writer: no model could answer.",
            "first: cannot call tools: answers as if there were no tools (ignored, 0 of 2 right",
            "second: cannot call tools: its server takes no tools for it (refused_by_server",
            "Bind one that is proven to call tools to roles.writer: third.",
        ):
            assert part in words
        assert [answer for answer in there.first.requests if not case_of(answer)] == []


async def test_what_the_configuration_denies_is_not_asked() -> None:
    """``tools: false`` passes a model over; only a person who names it has it asked."""
    async with shop(models={"first": {"tools": False}}) as there:
        reply = await there.ask()
        assert reply.attempt.model == "second"
        assert reply.attempt.skipped[0].reason == "cannot call tools: models.first.tools is false"
        assert there.first.requests == []
        [proved] = await there.models.prove(["first"])
        assert (proved.able, proved.proof) == (False, None)
        [proved] = await there.models.prove(["first"], denied=["first"])
        assert proved.proof is not None
        assert proved.proof.outcome is ProofOutcome.PROVEN


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply.refusal(429, headers={"Retry-After": "3000"}), LimitError, "Too fast."),
        (Reply(fault=Fault.RESET), LimitError, "asking it failed"),
        (Reply.refusal(401, "Incorrect API key provided"), NoModelError, "auth"),
        (Reply.refusal(400, "temperature must be 1"), NoModelError, "temperature must be 1"),
        (Reply.refusal(404, "The model `first-model` does not exist"), NoModelError, "exist"),
    ],
)
async def test_what_stops_a_probe_is_no_verdict(
    reply: Reply, error: type[Exception], words: str
) -> None:
    """A limit, an outage, a wrong key or a bad request store nothing, and the call says so."""
    limits = {"queue_timeout": "0s"}
    async with shop(role={"fallback": []}, limits=limits) as there:
        there.first.decide = lambda _: reply
        with pytest.raises(error, match=words):
            await there.ask()
        assert await there.stored() == []
        [proved] = await there.models.prove(["first"])
        assert (proved.able, proved.proof) == (None, None)
        assert proved.note is not None
        assert proved.note.startswith("no verdict, nothing stored: ")
        there.first.decide = probed()
        await there.models.limits.clear()
        [proved] = await there.models.prove(["first"])
        assert proved.able is True


async def test_a_probe_is_paid_for_like_any_call() -> None:
    """Holds are placed on the role's budget; one that is used up stops it without a verdict."""
    priced = {"price": {"input": 1000, "output": 1000}}
    changes: dict[str, Any] = {
        "models": {"first": priced},
        "role": {"fallback": [], "budget": {"usd": Decimal("0.01"), "window": "5h"}},
    }
    async with shop(**changes) as there:
        with pytest.raises((LimitError, NoModelError), match="budget"):
            await there.ask()
        assert there.first.requests == []
        assert await there.stored() == []


async def test_a_model_that_changes_is_proven_again() -> None:
    """Ollama's digest says that another model stands behind the name."""
    async with shop("ollama") as there:
        first = await there.proof()
        assert first is not None
        assert first.key.version == "0" * 64
        assert await there.proof() == first
        assert len(there.first.requests) == 7
        there.first.models[0] = replace(there.first.models[0], digest="f" * 64)
        there.first.decide = probed(deaf)
        [same] = await there.models.prove(["first"])
        assert same.proof == first  # the list was looked at a moment ago
        [proved] = await there.models.prove(["first"], fresh=True)
        assert proved.proof is not None
        assert proved.proof.key.version == "f" * 64
        assert proved.proof.outcome is ProofOutcome.IGNORED
        assert len(await there.stored()) == 2


async def test_fresh_asks_again() -> None:
    """Whatever is known."""
    async with shop() as there:
        await there.proof()
        there.first.decide = probed(deaf)
        [proved] = await there.models.prove(["first"], fresh=True)
        assert proved.asked
        assert proved.able is False


def at_work(reply: Reply) -> Callable[[Request], Reply | None]:
    return probed(otherwise=lambda _: reply)


@ON_ALL_KINDS
async def test_a_clear_imitation_is_made_and_never_shown(kind: str) -> None:
    """The call that was written is in the message, no text of it reached anybody."""
    async with shop(kind) as there:
        there.first.decide = at_work(Reply(text=CLEAR["fenced (qwen)"]))
        reply = await there.ask()
        assert reply.attempt.model == "first"
        [call] = reply.message.tool_calls
        assert (call["name"], call["args"]) == ("get_weather", {"city": "Rome"})
        assert reply.message.text == ""
        assert [kind.value for kind in there.sink.kinds if kind.value == "delta"] == []
        [proof] = await there.stored()
        assert (proof.imitations, proof.calls, proof.is_proven) == (1, 0, True)


@ON_ALL_KINDS
async def test_an_unclear_imitation_goes_to_the_next_model(kind: str) -> None:
    """It ends as malformed_tool_call; what had been shown of it is taken back."""
    async with shop(kind) as there:
        there.first.decide = at_work(Reply(text=UNCLEAR["words before"]))
        reply = await there.ask()
        assert reply.attempt.model == "second"
        assert reply.attempt.fallback_from == "first"
        failed = next(a for a in await there.attempts() if a.outcome is not Outcome.SUCCESS)
        assert failed.outcome is Outcome.MALFORMED_TOOL_CALL
        assert failed.message == ("it wrote the call of get_weather as text instead of making it")
        assert failed.discarded


async def test_an_imitation_nobody_else_can_answer_is_a_sentence() -> None:
    """It is not shown as an answer, even when nobody is left."""
    async with shop(role={"fallback": []}) as there:
        there.first.decide = at_work(Reply(text=UNCLEAR["python"]))
        with pytest.raises(NoModelError, match="wrote the call of get_weather as text"):
            await there.ask()


async def test_too_many_imitations_turn_the_proof() -> None:
    """Three at work that are not rare: the model is offered no tools any more, here or later."""
    async with shop() as there:
        there.first.decide = at_work(Reply(text=CLEAR["bare"]))
        models = [(await there.ask()).attempt.model for _ in range(4)]
        assert models == ["first", "first", "first", "second"]
        turned = next(proof for proof in await there.stored() if proof.key.endpoint == "here")
        assert turned.outcome is ProofOutcome.TEXT_IMITATION
        assert turned.imitations == 3


async def test_proper_calls_speak_for_a_proof() -> None:
    """Twenty good calls, and three imitations among them are rare."""
    async with shop() as there:
        good = Reply(text="", tool_calls=(ToolCall("get_weather", {"city": "Rome"}),))
        there.first.decide = at_work(good)
        for _ in range(20):
            await there.ask()
        there.first.decide = at_work(Reply(text=CLEAR["bare"]))
        for _ in range(4):
            assert (await there.ask()).attempt.model == "first"
        [proof] = await there.stored()
        assert (proof.calls, proof.imitations, proof.is_proven) == (20, 4, True)


async def test_answers_in_words_are_streamed_as_they_come() -> None:
    """Tools on offer hold nothing back that does not begin like a written call."""
    async with shop() as there:
        there.first.decide = at_work(Reply(text="The weather is fine today."))
        reply = await there.ask()
        deltas = [data["text"] for kind, data in there.sink.events if kind.value == "delta"]
        assert len(deltas) > 1
        assert "".join(deltas) == reply.message.text == "The weather is fine today."


async def test_json_that_is_an_answer_is_shown_at_its_end() -> None:
    """Held back while it might be a call, and then shown whole."""
    text = '{"name": "Ada", "role": "engineer"}'
    async with shop() as there:
        there.first.decide = at_work(Reply(text=text))
        reply = await there.ask()
        deltas = [data["text"] for kind, data in there.sink.events if kind.value == "delta"]
        assert "".join(deltas) == reply.message.text == text
