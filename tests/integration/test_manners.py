"""How models are asked for calls after what they showed, over real HTTP."""

import json
from typing import Any

from noctule.core.base.roles import Role
from noctule.core.llm.proofs import BY_TEXT, Proof, ProofOutcome
from noctule.models.capabilities.probe_cases import GUIDED, SYSTEM, TEXT_CASES, ProbeCase
from noctule.models.tool_calls.manner import FINISH
from tests.integration.test_probe import Shop, shop
from tests.support.good_replies import case_in, right_reply
from tests.support.imitations import OFFERED
from tests.support.probing import right_arguments
from tests.support.provider import Reply, Request
from tests.support.replies import ToolCall

RAIN = {"city": "Rome"}
FINISHED = {"report": "The balance is 120 USD."}


def text_of(request: Request) -> str:
    return json.dumps(request.body, ensure_ascii=False)


def is_probe(request: Request) -> bool:
    return SYSTEM in text_of(request)


def is_guided(request: Request) -> bool:
    return "balance_usd" in text_of(request)


def in_words(name: str, arguments: dict[str, Any]) -> str:
    return f"```json\n{json.dumps({'name': name, 'arguments': arguments})}\n```"


def writes(request: Request) -> Reply | None:
    """A model that writes every call as text, also where the API would have it otherwise."""
    if not is_probe(request):
        return None
    if is_guided(request):
        return Reply(text=json.dumps({"name": FINISH, "arguments": FINISHED}))
    asked = text_of(request)
    case = next(c for c in TEXT_CASES if str(c.messages[1].content) in asked)
    if not case.wanted:
        return Reply(text="Cold.")
    return Reply(text="\n".join(in_words(*call) for call in right_arguments(case)))


def single(request: Request) -> Reply | None:
    """A model that calls tools, one in a reply, and ends by finish when it must call."""
    if is_guided(request):
        return Reply(text="", tool_calls=(ToolCall(FINISH, FINISHED),))
    case = case_in(request.body)
    if case is None:
        return None
    return one_call_of(case)


def one_call_of(case: ProbeCase) -> Reply:
    reply = right_reply(case)
    return Reply(text=reply.text, tool_calls=reply.tool_calls[:1])


async def in_loop(there: Shop, **call: Any) -> Any:
    """Ask as a loop does."""
    from langchain_core.messages import HumanMessage  # noqa: PLC0415 - as the shop does

    from noctule.core.llm.calls import CallContext  # noqa: PLC0415 - as the shop does
    from noctule.models.request.chat_request import ChatRequest  # noqa: PLC0415 - as the shop does

    tools = [
        {"name": name, "description": "Does it.", "parameters": schema}
        for name, schema in OFFERED.items()
    ]
    context = CallContext(role=Role.WRITER, stream=True, sink=there.sink, loop=True)
    return await there.models.call(
        ChatRequest(messages=[HumanMessage("Hello")], tools=tools, **call), context
    )


def deltas(there: Shop) -> str:
    return "".join(data["text"] for kind, data in there.sink.events if kind.value == "delta")


async def test_a_model_that_writes_its_calls_is_proven_by_text_and_serves_so() -> None:
    """Two native cases, four in words, one led; at work it sees no tools and its call is made."""
    for kind in ("openai", "ollama"):
        async with shop(kind) as there:
            there.first.decide = lambda request: (
                writes(request) or Reply(text=in_words("get_weather", RAIN))
            )
            reply = await in_loop(there)
            [proof] = await there.stored()
            assert proof.outcome is ProofOutcome.PROVEN_BY_TEXT
            assert (proof.score, len(proof.cases)) == (1.0, 5)
            assert [r for r in there.first.requests if is_probe(r)].__len__() == 7
            assert "proven_by_text, 4 of 4 right" in proof.words
            assert reply.attempt.model == "first"
            [made] = reply.message.tool_calls
            assert (made["name"], made["args"]) == ("get_weather", RAIN)
            assert deltas(there) == ""
            sent = there.first.requests[-1].body
            assert not sent.get("tools")
            assert '\\"name\\": \\"get_weather\\"' in json.dumps(sent["messages"])
            schema = sent["format"] if kind == "ollama" else sent["response_format"]
            assert FINISH in json.dumps(schema)


async def test_a_report_of_a_model_led_by_text_is_its_answer() -> None:
    """finish is no call to whoever asked, and the report is shown."""
    async with shop() as there:
        done = json.dumps({"name": FINISH, "arguments": {"report": "It is done."}})
        there.first.decide = lambda request: writes(request) or Reply(text=done)
        reply = await in_loop(there)
        assert (reply.message.text, reply.message.tool_calls) == ("It is done.", [])
        assert deltas(there) == "It is done."


async def test_a_model_that_calls_one_tool_at_a_time_is_led_where_its_server_can() -> None:
    """It missed ``parallel``: something has to be called, and finish ends the work.

    Ollama has no tool_choice: there the call is held to a schema.
    """
    for kind in ("openai", "ollama"):
        async with shop(kind) as there:

            def decide(request: Request) -> Reply:
                probe = single(request)
                if "format" in request.body:
                    return Reply(text=json.dumps({"name": FINISH, "arguments": FINISHED}))
                return probe or Reply(text="", tool_calls=(ToolCall(FINISH, FINISHED),))

            there.first.decide = decide
            reply = await in_loop(there)
            [proof] = await there.stored()
            assert proof.outcome is ProofOutcome.PROVEN
            guided = f"{BY_TEXT}{GUIDED.name}" if kind == "ollama" else GUIDED.name
            assert proof.has_passed(guided)
            assert "6 of 7 right" in proof.words
            assert (reply.message.text, reply.message.tool_calls) == (FINISHED["report"], [])
            sent = there.first.requests[-1].body
            if kind == "openai":
                assert sent["tool_choice"] == "required"
                assert sent["tools"][-1]["function"]["name"] == FINISH
            assert "When the task is done, call finish" in json.dumps(sent["messages"])


async def test_a_server_that_cannot_be_made_to_call_leads_nobody() -> None:
    """It answered in words where something had to be called: then it is only asked."""
    async with shop() as there:
        there.first.decide = lambda request: (
            Reply(text="120 USD.") if is_guided(request) else single(request) or Reply(text="Hi.")
        )
        reply = await in_loop(there)
        assert reply.message.text == "Hi."
        sent = there.first.requests[-1].body
        assert sent.get("tool_choice") is None
        assert FINISH not in [tool["function"]["name"] for tool in sent["tools"]]
        assert "Call one tool at a time." in json.dumps(sent["messages"])


async def test_guided_false_leads_nobody_and_asks_nothing_about_it() -> None:
    """The setting stands above the proof."""
    async with shop(models={"first": {"guided": False}}) as there:
        there.first.decide = lambda request: single(request) or Reply(text="Hi.")
        await in_loop(there)
        assert not [request for request in there.first.requests if is_guided(request)]


async def test_a_flood_is_cut_at_the_second_call() -> None:
    """Of a local model the stream is closed; the one call that came is whole and taken."""
    flood = tuple(ToolCall("get_weather", RAIN, id=f"call_{n}") for n in range(26))
    async with shop(models={"first": {"guided": False}}) as there:
        there.first.decide = lambda request: (
            single(request) or Reply(text="", tool_calls=flood, between_tokens=0.2)
        )
        reply = await in_loop(there)
        assert len(reply.message.tool_calls) == 1
        await there.first.until(lambda first: first.busy == 0)
        assert there.first.requests[-1].result == "gone"
        assert reply.attempt.usage.output_tokens is None


async def test_who_passed_parallel_is_told_so_and_keeps_all_its_calls() -> None:
    """Seven of seven: nothing is led or cut."""
    several = tuple(ToolCall("get_weather", {"city": c}, id=c) for c in ("Rome", "Oslo"))
    async with shop() as there:
        decide = there.first.decide
        there.first.decide = lambda request: decide(request) or Reply(text="", tool_calls=several)
        reply = await in_loop(there)
        assert len(reply.message.tool_calls) == 2
        sent = there.first.requests[-1].body
        assert sent.get("tool_choice") is None
        assert "Call several tools at once" in json.dumps(sent["messages"])


async def test_a_server_that_fails_over_results_alone_gets_a_verdict() -> None:
    """A 500 or 400 that comes with results in the conversation twice, and only then, is stored."""
    for status in (500, 400):
        async with shop(role={"fallback": []}) as there:
            failure = Reply.refusal(status, "list index out of range")
            decide = there.first.decide

            def fails(request: Any, decide: Any = decide, failure: Reply = failure) -> Any:
                return failure if "4711" in text_of(request) else decide(request)

            there.first.decide = fails
            proof = await there.proof()
            assert proof is not None
            assert proof.outcome is ProofOutcome.BROKEN_OUTPUT, status
            assert "results of tools" in next(c["why"] for c in proof.cases if not c["passed"])
            before = len(there.first.requests)
            again = await there.proof()
            assert (again, len(there.first.requests)) == (proof, before)


async def test_a_server_that_fails_over_everything_is_no_verdict() -> None:
    """When the next case fails as well it is an outage, unless a necessary case was missed."""
    async with shop(role={"fallback": []}, limits={"queue_timeout": "0s"}) as there:
        decide = there.first.decide
        late = Reply.refusal(500, "internal error")
        there.first.decide = lambda request: (
            late if len(there.first.requests) > 4 else decide(request)
        )
        assert await there.proof() is None
        assert await there.stored() == []


async def test_a_necessary_case_missed_settles_it_whatever_fails_later() -> None:
    """The liar: its replies are prose, a conversation with results makes it fail."""
    async with shop(role={"fallback": []}, limits={"queue_timeout": "0s"}) as there:
        there.first.decide = lambda request: (
            Reply.refusal(500, "unexpected field")
            if "4711" in text_of(request)
            else Reply(text="Sure, I will do that.")
        )
        proof = await there.proof()
        assert proof is not None
        assert proof.outcome is ProofOutcome.IGNORED
        assert len(there.first.requests) == 2


async def test_people_are_told_that_a_model_is_asked_first() -> None:
    """Once, before the first question, by the name of the model."""
    async with shop() as there:
        await there.ask()
        await there.ask()
        notices = [data["text"] for kind, data in there.sink.events if kind.value == "notice"]
        assert notices == [
            "Checking whether first can call tools: a few short questions, once per version of it."
        ]


async def test_a_proof_of_an_earlier_version_that_was_never_tried_by_text_is_made_anew() -> None:
    """Models that 0.1 turned away as imitators are asked in words once."""
    async with shop() as there:
        there.first.decide = writes
        [proved] = await there.models.prove(["first"])
        assert proved.proof is not None
        cases = ({"case": "typed", "passed": False, "said": "x", "why": "y"},)
        old = Proof(
            proved.proof.key,
            ProofOutcome.TEXT_IMITATION,
            0.0,
            1.0,
            proved.proof.probed_at,
            cases,
        )
        await there.models._layer.proofs.put(old)
        assert there.models._layer.proofs.calls_tools("first") == (None, None)
        [again] = await there.models.prove(["first"])
        assert again.proof is not None
        assert again.proof.outcome is ProofOutcome.PROVEN_BY_TEXT
