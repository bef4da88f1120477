import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
)

from noctule.models.wire.message_order import ORPHAN, UNANSWERED, orderly
from noctule.models.wire.texts import text_of
from tests.support.fuzzing import examples
from tests.support.strict_servers import complaints


def call(id_: str, name: str = "look", **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": id_, "type": "tool_call"}


def roles(messages: list[BaseMessage]) -> list[str]:
    return [message.type for message in messages]


def broken(messages: list[BaseMessage]) -> list[str]:
    sent = convert_to_openai_messages(messages)
    for message in sent:
        if message.get("tool_calls") and not message["content"]:
            del message["content"]
    return complaints("/v1/chat/completions", {"messages": sent})


def test_a_failed_turn_leaves_two_messages_of_a_person_that_become_one() -> None:
    """Strict templates refuse user after user; the words of both are kept in order."""
    history = [
        SystemMessage("S"),
        HumanMessage("a"),
        AIMessage("b"),
        HumanMessage("c"),
        HumanMessage("d"),
    ]
    assert [m.content for m in orderly(history)] == ["S", "a", "b", "c\n\nd"]


def test_a_compacted_history_is_in_order() -> None:
    """Task and summary are both the person's; a call and its result stay together behind them."""
    history = [
        SystemMessage("S"),
        HumanMessage("task"),
        HumanMessage("summary"),
        AIMessage("", tool_calls=[call("call_0")]),
        ToolMessage("found", tool_call_id="call_0"),
    ]
    said: list[Any] = orderly(history)
    assert roles(said) == ["system", "human", "ai", "tool"]
    assert said[2].tool_calls[0]["id"] == said[3].tool_call_id
    assert not broken(said)


def test_results_stand_behind_their_calls_whatever_came_between() -> None:
    """A result that came late, two out of order, one missing, one of a call that is gone."""
    history = [
        HumanMessage("go"),
        ToolMessage("old", tool_call_id="gone"),
        AIMessage("x", tool_calls=[call("a"), call("b"), call("c")]),
        HumanMessage("hurry"),
        ToolMessage("B", tool_call_id="b"),
        ToolMessage("A", tool_call_id="a"),
    ]
    said: list[Any] = orderly(history)
    assert roles(said) == ["human", "ai", "tool", "tool", "tool", "ai", "human"]
    assert said[0].content == f"go\n\n{ORPHAN}\n\nold"
    assert [m.content for m in said[2:4]] == ["A", "B"]
    assert "interrupted" in said[4].content
    assert said[5].content == UNANSWERED
    assert not broken(said)


def test_ids_are_the_same_each_time_and_used_once() -> None:
    """``call_0`` in every reply becomes different ids, the same ones whenever it is sent again."""
    turn = [
        AIMessage("", tool_calls=[call("call_0")]),
        ToolMessage("r", tool_call_id="call_0"),
    ]
    history = [HumanMessage("go"), *turn, *turn]
    first, longer = orderly(history), orderly([*history, AIMessage("done"), HumanMessage("more")])
    ids = [m.tool_calls[0]["id"] for m in first if isinstance(m, AIMessage)]
    assert len(set(ids)) == 2
    assert first == longer[: len(first)]
    kept: list[Any] = orderly([HumanMessage("go"), AIMessage("", tool_calls=[call("abc123XYZ")])])
    assert kept[1].tool_calls[0]["id"] == "abc123XYZ"


def test_signatures_and_blocks_follow_the_new_ids() -> None:
    """Gemini's signatures are kept by id beside the message, Anthropic repeats ids in blocks."""
    said = AIMessage(
        [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}],
        tool_calls=[call("toolu_1")],
        additional_kwargs={"tool_call_extras": {"toolu_1": "signature"}},
    )
    for blocks in (True, False):
        made: Any = orderly([HumanMessage("go"), said], blocks=blocks)[1]
        new = made.tool_calls[0]["id"]
        assert made.additional_kwargs["tool_call_extras"] == {new: "signature"}
        if blocks:
            assert made.content[0]["id"] == new


def test_a_call_that_could_not_be_read_is_sent_with_that_as_its_result() -> None:
    """The model is told what became of its cut call, in the form that every server takes."""
    torn = {"name": "look", "args": '{"a', "id": "t1", "error": "cut off at max_tokens"}
    said: list[Any] = orderly([HumanMessage("go"), AIMessage("", invalid_tool_calls=[torn])])
    assert said[1].tool_calls[0]["args"] == {}
    assert "could not be read (cut off at max_tokens)" in said[2].content
    assert not broken(said)


def test_nothing_empty_is_sent() -> None:
    """Blank texts go, an empty result says so, and a system message alone gets a person."""
    history = [
        HumanMessage("go"),
        AIMessage(" "),
        HumanMessage(""),
        AIMessage("", tool_calls=[call("a")]),
        ToolMessage("", tool_call_id="a"),
    ]
    said: list[Any] = orderly(history)
    assert roles(said) == ["human", "ai", "tool"]
    assert said[2].content == "(no output)"
    assert roles(orderly([SystemMessage("S")])) == ["system", "human"]
    assert not broken(said)


_TEXTS = st.sampled_from(["", " ", "a", "b\nc", "<think>x</think>y", "é"])
_IDS = st.sampled_from(["call_0", "call_1", "abc123XYZ", "x", ""])
_CALLS = st.lists(st.builds(call, _IDS), max_size=3)
_TORN = st.lists(
    st.builds(lambda i: {"name": "look", "args": "{", "id": i, "error": None}, _IDS), max_size=1
)
_CONTENT = st.one_of(_TEXTS, _TEXTS.map(lambda text: [{"type": "text", "text": text}]))
_MESSAGES = st.lists(
    st.one_of(
        st.builds(HumanMessage, _CONTENT),
        st.builds(SystemMessage, _TEXTS),
        st.builds(
            lambda text, calls, torn: AIMessage(text, tool_calls=calls, invalid_tool_calls=torn),
            _CONTENT,
            _CALLS,
            _TORN,
        ),
        st.builds(lambda text, id_: ToolMessage(text, tool_call_id=id_), _TEXTS, _IDS),
    ),
    max_size=12,
)


@settings(max_examples=examples(150))
@given(_MESSAGES)
def test_any_history_becomes_one_that_every_server_takes(history: list[BaseMessage]) -> None:
    """In order whatever it was; every text is still there, calls and results are counted."""
    for blocks in (False, True):
        said: list[Any] = orderly(history, blocks=blocks)
        if not blocks:
            assert broken(said) == []
        sent = json.dumps([text_of(m.content) for m in said])
        for message in history:
            text = text_of(message.content).strip()
            assert json.dumps(text)[1:-1] in sent
        assert sum(len(m.tool_calls) for m in said if isinstance(m, AIMessage)) == sum(
            len(m.tool_calls) + len(m.invalid_tool_calls)
            for m in history
            if isinstance(m, AIMessage)
        )
        assert orderly(said, blocks=blocks) == said


@settings(max_examples=examples(60))
@given(_MESSAGES)
def test_those_who_spoke_keep_their_order(history: list[BaseMessage]) -> None:
    """The texts of persons and models come in the order in which they were said."""
    numbered = [
        message.model_copy(update={"content": f"text {number};"})
        for number, message in enumerate(history)
        if not isinstance(message, SystemMessage | ToolMessage)
    ]
    said = "".join(text_of(message.content) for message in orderly(numbered))
    places = [said.index(f"text {text_of(m.content).split()[1]}") for m in numbered]
    assert places == sorted(places)
