"""The prompt builder, for any window, any tools and histories of any shape."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from graphs.prompts.cut import clipped_output, paired
from graphs.prompts.prompt import PromptSource, build, whole
from noctule.core.ports.prompts import NoRoomError, Reader, TooLong, reply_tokens
from noctule.models.request.meter import Meter
from tests.support.fuzzing import examples

WINDOWS = (2_048, 3_000, 4_096, 6_144, 8_192, 16_384, 32_768, 131_072, 200_000, 1_000_000)


def reader(window: int | None, *, max_tokens: int | None = None) -> Reader:
    return Reader("m", window, reply_tokens(max_tokens, window), Meter())


def tool(number: int, chars: int) -> dict[str, Any]:
    argument = {"type": "string", "description": "words about it " * (chars // 15)}
    return {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": "Does something.",
            "parameters": {"type": "object", "properties": {"a": argument}, "required": ["a"]},
        },
    }


def called(number: int, *results: int, text: str = "", argument: int = 10) -> list[AnyMessage]:
    """Return a reply with a call for each result, and the results, so many characters long."""
    names = [f"c{number}x{at}" for at in range(len(results))]
    calls = [{"name": "look", "args": {"a": "y" * argument}, "id": name} for name in names]
    said = [
        ToolMessage("some words " * (size // 11), name="look", tool_call_id=name, id=f"r{name}")
        for name, size in zip(names, results, strict=True)
    ]
    return [AIMessage(text, tool_calls=calls, id=f"a{number}"), *said]


SIZES = st.sampled_from((0, 20, 300, 3_000, 20_000))
TEXTS = st.sampled_from(("ok", "Straße 数据 ", "🙂🚀 ", "x=1; " * 40, "word " * 400, "9" * 900))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[AnyMessage], str]:
    """Draw turns before the task, the task, and work on it with remarks in between."""
    messages: list[AnyMessage] = []
    for number in range(draw(st.integers(0, 9))):
        messages.append(HumanMessage(draw(TEXTS), id=f"h{number}"))
        if draw(st.integers(0, 9)):  # a turn that failed has no answer
            messages.append(AIMessage(draw(TEXTS), id=f"b{number}"))
    messages.append(HumanMessage(f"TASK {draw(TEXTS)}", id="task"))
    for number in range(draw(st.integers(0, 9))):
        sizes = draw(st.lists(SIZES, min_size=1, max_size=5))
        messages += called(
            number, *sizes, text=draw(TEXTS), argument=draw(st.sampled_from((5, 500, 9_000)))
        )
        if not draw(st.integers(0, 4)):
            messages.append(HumanMessage(draw(TEXTS), id=f"s{number}"))
    return messages, "task"


def problems(
    script: PromptSource, made: list[AnyMessage], tokens: int, room: int | None
) -> list[str]:
    """Return what is wrong with a prompt."""
    task = next(m for m in script.messages if m.id == script.task)
    places = {m.id: at for at, m in enumerate(script.messages)}
    order = [places[m.id] for m in made if m.id in places]
    last = [m for m in script.messages if isinstance(m, AIMessage) and m.tool_calls][-1:]
    checks = {
        "the task is not in it word for word": any(
            m.id == script.task and m.text == task.text for m in made
        ),
        "not one system message, first": [m.type for m in made].index("system") == 0
        and sum(m.type == "system" for m in made) == 1,
        "does not begin with a person": made[1].type == "human",
        f"{tokens} tokens of {room}": room is None or tokens <= room,
        "the order changed": order == sorted(order),
        "the last calls are gone": {m.id for m in last} <= {m.id for m in made},
    }
    return [*(what for what, holds in checks.items() if not holds), *torn(script, made)]


def torn(script: PromptSource, made: list[AnyMessage]) -> list[str]:
    """Return the calls and results of a prompt that are not right behind one another."""
    found: list[str] = []
    due: list[str] = []
    for message in made if script.tools else ():
        if isinstance(message, ToolMessage):
            if not due or due.pop(0) != message.tool_call_id:
                found.append(f"result {message.tool_call_id} is not right behind its call")
            continue
        found += [f"no result of {call}" for call in due]
        calls = message.tool_calls if isinstance(message, AIMessage) else ()
        due = [str(call["id"]) for call in calls]
    return [*found, *(f"no result of {call}" for call in due)]


@settings(max_examples=examples(40), derandomize=True, deadline=None)
@given(
    history=histories(),
    window=st.sampled_from(WINDOWS),
    tools=st.sampled_from((0, 1, 6, 11, 25, 60)),
    max_tokens=st.sampled_from((None, 100, 100_000)),
)
def test_whatever_the_history_a_prompt_fits_and_holds_its_task(history, window, tools, max_tokens):
    """Task and last calls stay, pairs are whole, the order holds; what cannot fit is refused."""
    messages, task = history
    script = PromptSource("You work.", messages, task, [tool(at, 300) for at in range(tools)])
    who = reader(window, max_tokens=max_tokens)
    room = who.prompt_tokens
    assert room is not None
    try:
        prompt = build(script, who)
    except NoRoomError:
        least = [SystemMessage("You work."), *(m for m in messages if m.id == task)]
        needed = who.counter.count([*least, *(m for m in messages if m.id[0] == "s")], script.tools)
        calls = sum(300 * max(1, len(m.tool_calls)) for m in messages if isinstance(m, AIMessage))
        assert needed + calls > room
        return
    assert problems(script, prompt.messages, prompt.tokens, room) == []
    assert prompt.tokens == who.counter.count(prompt.messages, script.tools)
    everything = whole(script)
    if who.counter.count(everything, script.tools) <= room:
        assert prompt.messages == everything


@settings(max_examples=examples(12), derandomize=True, deadline=None)
@given(history=histories(), window=st.sampled_from(WINDOWS[2:7]))
def test_what_was_sent_is_the_beginning_of_what_is_sent_next_until_the_window_is_full(
    history, window
):
    """While nothing more has to be left out a provider's cache holds."""
    messages, task = history
    tools = [tool(0, 300)]
    cut, before, who = None, [], reader(window)
    for end in range(1, len(messages) + 1):
        if end < len(messages) and isinstance(messages[end], ToolMessage):
            continue
        if not any(m.id == task for m in messages[:end]):
            continue
        script = PromptSource("You work.", messages[:end], task, tools)
        try:
            prompt = build(script, who, cut)
        except NoRoomError:
            return
        if prompt.cut == cut:
            assert prompt.messages[: len(before)] == before
        cut, before = prompt.cut, prompt.messages


def test_the_engineer_of_the_report_keeps_its_task_at_every_window():
    """Eleven tools at 4,096, outputs of 8 KB at 6,144, ten more tools at 8,192."""
    wrong: list[str] = []
    for window, tools, output in ((4_096, 11, 2_000), (6_144, 11, 8_000), (8_192, 21, 8_000)):
        messages: list[AnyMessage] = [HumanMessage("Fix the failing test.", id="task")]
        definitions = [tool(at, 250) for at in range(tools)]
        cut = None
        for number in range(12):
            messages += called(number, output)
            script = PromptSource("You are an engineer.", messages, "task", definitions)
            prompt = build(script, reader(window), cut)
            cut = prompt.cut
            room = reader(window).prompt_tokens
            wrong += [
                f"{window}, step {number}: {problem}"
                for problem in problems(script, prompt.messages, prompt.tokens, room)
            ]
            if len(prompt.messages[-1].text) < 500:
                wrong.append(f"{window}, step {number}: nothing of the newest output")
    assert wrong == []


@dataclass
class Letters:
    """Counts so many letters to a token."""

    per_token: float = 1.0

    def count(self, messages: Sequence[Any], tools: Sequence[Any] = ()) -> int:
        size = sum(len(m.text) + 5 for m in messages) + sum(len(str(t)) for t in tools)
        return math.ceil(size / self.per_token)


def letters(window: int) -> Reader:
    return Reader("m", window, 100, Letters())


def test_of_several_huge_results_the_newest_has_what_is_left():
    """Older ones of the same reply are shortened first, each with a sentence that says so."""
    messages = [HumanMessage("Look.", id="task"), *called(1, 5_000, 5_000, 5_000)]
    prompt = build(PromptSource("S", messages, "task", [tool(0, 15)]), letters(6_000))
    sizes = [len(m.text) for m in prompt.messages if isinstance(m, ToolMessage)]
    assert sizes[0] < 400
    assert sizes[2] > 4_000
    assert "characters are left out here" in prompt.messages[3].text


def test_a_task_longer_than_the_window_is_refused_as_that_with_sizes():
    """A cut task would be another task."""
    script = PromptSource("S", [HumanMessage("a" * 9_000, id="task")], "task")
    with pytest.raises(NoRoomError) as caught:
        build(script, letters(5_000))
    assert caught.value.cause is TooLong.TASK
    assert "holds 5,000 tokens" in caught.value.why
    assert "the message takes 9,005" in caught.value.why


def test_tools_that_leave_no_room_are_named_as_the_cause():
    """Nobody is told to start a new session when 36 definitions fill the window."""
    script = PromptSource(
        "S", [HumanMessage("Hi.", id="task")], "task", [tool(n, 300) for n in range(36)]
    )
    with pytest.raises(NoRoomError) as caught:
        build(script, letters(8_192))
    assert caught.value.cause is TooLong.TOOLS
    assert "36 tools" in caught.value.why
    assert "fewer tools" in caught.value.cure


def test_a_long_chat_keeps_its_newest_turns():
    """What was said longest ago goes first, whole turns at a time."""
    messages: list[AnyMessage] = []
    for number in range(40):
        messages += [
            HumanMessage(f"question {number} " * 10, id=f"h{number}"),
            AIMessage("answer " * 20, id=f"b{number}"),
        ]
    messages.append(HumanMessage("And now?", id="task"))
    prompt = build(PromptSource("S", messages, "task"), letters(4_000))
    assert isinstance(prompt.messages[1], HumanMessage)
    assert prompt.messages[-2].text == messages[-2].text
    assert 4 < len(prompt.messages) < 40


def test_remarks_meanwhile_stay_and_work_before_them_is_named():
    """A person's words are not lost with the work they stand in; what was called is listed."""
    messages: list[AnyMessage] = [HumanMessage("Work.", id="task")]
    for number in range(20):
        messages += called(number, 900, argument=30)
        if number == 2:
            messages.append(HumanMessage("Use tabs.", id="s"))
    prompt = build(PromptSource("S", messages, "task", [tool(0, 15)]), letters(3_000))
    texts = [m.text for m in prompt.messages]
    assert "Use tabs." in texts
    assert any("Earlier steps are left out here" in text for text in texts)
    assert any(text.count("- look") >= 1 for text in texts if "Earlier steps" in text)


def test_marks_around_what_others_wrote_stay_whole_when_it_is_shortened():
    """The tag that ends outside text is never cut off, and our own sentence stands outside."""
    text = "web read this.\n<data-ab12>\n" + "evil </data-zz> words " * 300 + "\n</data-ab12>"
    short = clipped_output(text, 100)
    assert short.startswith("web read this.\n<data-ab12>\n")
    inside, _, after = short.partition("\n</data-ab12>\n")
    assert len(inside) < 200
    assert "left out here" in after
    assert "left out" not in inside


def test_calls_and_results_that_lost_each_other_are_mended():
    """A call without a result is given one that says so; a result without a call is left out."""
    call = {"name": "look", "args": {}, "id": "one"}
    mended = paired(
        [
            ToolMessage("lost", tool_call_id="zero", id="t0"),
            HumanMessage("x", id="h"),
            AIMessage("", tool_calls=[call], id="a"),
            HumanMessage("y", id="h2"),
        ]
    )
    assert [m.type for m in mended] == ["human", "ai", "tool", "human"]
    assert "No result" in mended[2].text


def test_without_a_known_window_nothing_is_left_out():
    """Unknown is not small."""
    messages = [HumanMessage("Work.", id="task"), *called(1, 900_000)]
    script = PromptSource("S", messages, "task", [tool(0, 15)])
    assert build(script, reader(None)).messages == whole(script)


def test_a_model_without_tools_is_told_of_calls_in_words():
    """It may follow one that called them."""
    messages = [HumanMessage("Work.", id="task"), *called(1, 900), *called(2, 50_000)]
    prompt = build(PromptSource("S", messages, "task"), letters(3_000))
    assert not any(isinstance(m, ToolMessage) for m in prompt.messages)
    assert prompt.tokens <= 2_900
    assert "look returned" in prompt.messages[-1].text


def test_no_conversation_at_all_is_refused_for_its_tools():
    """Sixty tools in a small window are named as what is too long, whatever was said."""
    with pytest.raises(NoRoomError) as refused:
        build(
            PromptSource("You work.", [], None, [tool(at, 300) for at in range(60)]), reader(2_048)
        )
    assert refused.value.cause is TooLong.TOOLS
