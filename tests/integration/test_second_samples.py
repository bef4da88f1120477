from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from noctule.core.errors import LimitError, ModelFailureError, NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.base.errors import TooLongError
from noctule.models.request.chat_request import ChatRequest
from tests.support.stage import Act, Stage, refused

TOOL = {
    "name": "look",
    "description": "Look.",
    "parameters": {
        "type": "object",
        "properties": {"at": {"type": "string"}},
        "required": ["at"],
    },
}
TOOLS = ChatRequest(messages=[HumanMessage("x")], tools=[TOOL])
EMPTY, BLANK = Act(text=""), Act(text="  \n")
TORN = Act(text="", tool=("look", '{"at": '))
CUT = Act(text="", tool=("look", '{"at": "a'), finish="length")
WRITTEN = Act(text='Sure.\n<tool_call>{"name": "look", "arguments": {"where": 1}}</tool_call>')
THOUGHT = Act(text="", finish="length")
REFUSED = Act(text="", finish="malformed_tool_call")
SPOILT = {
    "empty": (EMPTY, Outcome.EMPTY_REPLY, "empty"),
    "blank": (BLANK, Outcome.EMPTY_REPLY, "empty"),
    "all thinking": (THOUGHT, Outcome.EMPTY_REPLY, "Think briefly"),
    "torn arguments": (TORN, Outcome.MALFORMED_TOOL_CALL, "no JSON object"),
    "cut arguments": (CUT, Outcome.MALFORMED_TOOL_CALL, "cut off at max_tokens"),
    "written as text": (WRITTEN, Outcome.MALFORMED_TOOL_CALL, "as text"),
    "unread by its server": (REFUSED, Outcome.MALFORMED_TOOL_CALL, "could not be read"),
}


def told(messages: list) -> str:
    """What stands behind the conversation, results of calls that could not be read included."""
    last = messages[-1]
    if isinstance(last, AIMessage):
        return " ".join(str(call["error"]) for call in last.invalid_tool_calls)
    return str(last.content)


@pytest.mark.parametrize("stream", [True, False])
async def test_one_bad_reply_is_asked_anew_of_the_same_model(stream: bool) -> None:  # noqa: FBT001 - a parameter
    """A second sample is told what was wrong, is right, and both are in the ledger."""
    wrong = {}
    for name, (act, outcome, words) in SPOILT.items():
        stage = Stage()
        stage.will("first", act)
        reply = await stage.ask(call=TOOLS, stream=stream)
        failed, answered = await stage.attempts()
        first, second = stage.client.requests
        if (
            (reply.attempt.model, failed.outcome) != ("first", outcome)
            or failed.call_id != answered.call_id
            or answered.fallback_from is not None
            or len(first.messages) != 1
            or words not in told(list(second.messages))
        ):
            wrong[name] = (failed, second.messages)
    assert wrong == {}


async def test_then_the_fallback_and_at_the_end_a_last_sample() -> None:
    """Asked twice, then whoever stands in; only with nobody left a third time."""
    for act, *_ in SPOILT.values():
        stage = Stage()
        stage.always("first", act)
        assert (await stage.ask(call=TOOLS)).attempt.model == "second"
        assert stage.client.asked == ["first", "first", "second"]
        stage = Stage()
        stage.will("first", act, act)
        stage.always("second", refused(401))
        assert (await stage.ask(call=TOOLS)).attempt.model == "first"
        assert stage.client.asked == ["first", "first", "second", "first"]
        assert (await stage.attempts())[-1].fallback_from == "second"


async def test_samples_are_bounded_and_can_be_had_none() -> None:
    """Three requests by default where nobody stands in, then it is said what the replies were."""
    stage = Stage(role={"fallback": []})
    stage.always("first", EMPTY)
    with pytest.raises(NoModelError, match="empty"):
        await stage.ask()
    assert stage.client.asked == ["first"] * 3
    stage = Stage(role={"fallback": []}, limits={"second_samples": 0})
    stage.always("first", EMPTY)
    with pytest.raises(NoModelError, match="empty"):
        await stage.ask()
    assert stage.client.asked == ["first"]


async def test_a_probe_sees_the_first_reply_alone() -> None:
    """What a model does the first time is what a probe is for."""
    stage = Stage(role={"fallback": []})
    stage.will("first", EMPTY)
    with pytest.raises(NoModelError):
        await stage.ask(purpose=Purpose.PROBE)
    assert stage.client.asked == ["first"]


async def test_a_torn_stream_is_asked_for_once_more_where_nobody_stands_in() -> None:
    """The server is up: nobody sleeps over one answer that broke off, in whatever way."""
    for torn in (
        Act("Half an", finish=None),
        Act("Half an", error=OSError("reset")),
        Act("Half", error=refused(500)),
        Act("Half", finish="error"),
    ):
        stage = Stage(role={"fallback": []})
        stage.will("first", torn)
        reply = await stage.ask(stream=True)
        assert reply.message.text == "Hello."
        assert [row.outcome for row in await stage.attempts()] == [
            Outcome.UNAVAILABLE,
            Outcome.SUCCESS,
        ]
        assert (await stage.attempts())[0].discarded
    stage = Stage(role={"fallback": []})
    stage.always("first", Act("Half", finish=None))
    with pytest.raises(LimitError):
        await stage.ask(stream=True)
    assert stage.client.asked == ["first"] * 2


async def test_a_server_that_is_down_is_not_asked_twice() -> None:
    """Nobody listens: a second request at once would not help."""
    stage = Stage(role={"fallback": []})
    stage.always("first", OSError("connection refused"))
    with pytest.raises(LimitError):
        await stage.ask(stream=True)
    assert stage.client.asked == ["first"]


@pytest.mark.parametrize("stream", [True, False])
async def test_whole_calls_before_a_cut_are_kept(stream: bool) -> None:  # noqa: FBT001 - a parameter
    """What is whole is carried out; the call that was cut is kept as one that could not be read."""
    stage = Stage()
    calls = [("look", '{"at": "a"}'), ("look", '{"at": "b"}'), ("look", '{"at": "c')]
    stage.will("first", Act(text="", tools=calls, finish="length"))
    message = (await stage.ask(call=TOOLS, stream=stream)).message
    assert [call["args"] for call in message.tool_calls] == [{"at": "a"}, {"at": "b"}]
    [lost] = message.invalid_tool_calls
    assert lost["name"] == "look"
    assert "cut off at max_tokens" in lost["error"]
    assert stage.client.asked == ["first"]


async def test_a_window_that_the_server_names_is_learned() -> None:
    """What it says counts from then on, for the whole process, when it is less than was known."""
    stage = Stage(models={"first": {"context": 32_000}})
    facts = stage.models._layer.facts
    assert facts.window_tokens("first") == 32_000
    assert not facts.learn_window("first", 40_000)
    assert not facts.learn_window("first", 0)
    assert facts.told_window("first") is None
    assert facts.learn_window("first", 4096)
    assert (facts.window_tokens("first"), facts.told_window("first")) == (4096, 4096)
    assert stage.models.facts()["first"].context_tokens == 4096
    assert not facts.learn_window("first", 4096)


async def test_a_smaller_window_told_in_mid_run_is_asked_for_anew_once() -> None:
    """A call that fits what the server has is sent again; after the same word again it is not."""
    told = Refusal(Outcome.CONTEXT_OVERFLOW, "n_ctx is 4096", context_tokens=4096)
    stage = Stage(role={"fallback": []}, models={"first": {"context": 32_000}})
    stage.will("first", ModelFailureError(told))
    assert (await stage.ask()).message.text == "Hello."
    assert stage.client.asked == ["first"] * 2
    stage = Stage(role={"fallback": []}, models={"first": {"context": 32_000}})
    stage.always("first", ModelFailureError(told))
    with pytest.raises(TooLongError):
        await stage.ask()
    assert stage.client.asked == ["first"] * 2


async def test_after_an_overflow_the_one_with_a_larger_window_is_asked() -> None:
    """What the first server holds is known now: only a model that holds more is asked."""
    told = Refusal(Outcome.CONTEXT_OVERFLOW, "n_ctx is 4096", context_tokens=4096)
    models = {"first": {"context": 32_000}, "second": {"context": 32_000}}
    long = ChatRequest(messages=[HumanMessage("words " * 4000)])
    stage = Stage(models=models)
    stage.always("first", ModelFailureError(told))
    assert (await stage.ask(call=long)).attempt.model == "second"
    assert stage.client.asked == ["first", "second"]


async def test_local_models_are_asked_for_calls_at_a_low_temperature() -> None:
    """Where tools are offered and nobody set one; set is set, and others keep their own."""

    async def sent(call: ChatRequest, **changes: Any) -> float | None:
        stage = Stage(**changes)
        await stage.ask(call=call)
        return stage.client.requests[0].temperature

    plain, role = ChatRequest(messages=[HumanMessage("x")]), {"primary": "second"}
    assert await sent(TOOLS) == 0.2
    assert await sent(plain) is None
    assert await sent(TOOLS, role=role) is None
    assert await sent(TOOLS, role={"temperature": 0.7}) == 0.7
    for body in ({"temperature": 1}, {"options": {"temperature": 1}}):
        assert await sent(TOOLS, models={"first": {"extra_body": body}}) is None


async def test_a_call_cut_before_its_arguments_is_not_made_without_them() -> None:
    """An empty text is no arguments, unless the reply ended there because it was too long."""
    begun = Act(text="", tools=[("look", '{"at": "a"}'), ("look", "")], finish="length")
    stage = Stage()
    stage.will("first", begun)
    message = (await stage.ask(call=TOOLS)).message
    assert [call["args"] for call in message.tool_calls] == [{"at": "a"}]
    assert [call["name"] for call in message.invalid_tool_calls] == ["look"]


async def test_a_tool_named_in_another_way_is_the_one_that_is_meant() -> None:
    """Prefixes of templates, another case, marks behind the name; a stranger stays one."""
    for name in (
        "functions.look",
        "default_api:look",
        "Look",
        "look<|channel|>commentary",
        "look ",
    ):
        stage = Stage()
        stage.will("first", Act(text="", tool=(name, '{"at": "a"}')))
        message = (await stage.ask(call=TOOLS)).message
        assert [call["name"] for call in message.tool_calls] == ["look"]
    stage = Stage()
    stage.will("first", Act(text="", tool=("overlook", "{}")))
    assert (await stage.ask(call=TOOLS)).message.tool_calls[0]["name"] == "overlook"
