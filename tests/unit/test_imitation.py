import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.models.tool_calls.stream_buffer import HeldText, may_become_imitation
from noctule.models.tool_calls.text_tool_calls import find_imitation
from tests.support.imitations import ANSWERS, CLEAR, OFFERED, UNCLEAR


@pytest.mark.parametrize("text", CLEAR.values(), ids=CLEAR)
def test_a_call_written_alone_is_read_whole(text: str) -> None:
    """Every template's form gives the tool and its arguments, and can only mean that."""
    found = find_imitation(text, OFFERED)
    assert found is not None
    assert found.alone
    assert [(call.name, call.arguments) for call in found.calls] == [
        ("get_weather", {"city": "Rome"})
    ]
    assert found.is_clear(OFFERED)


@pytest.mark.parametrize("text", UNCLEAR.values(), ids=UNCLEAR)
def test_a_call_that_needs_guessing_is_seen_and_not_made(text: str) -> None:
    """Words beside it, arguments that do not fit, or no JSON: an imitation, and nobody's order."""
    found = find_imitation(text, OFFERED)
    assert found is not None
    assert not found.is_clear(OFFERED)


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_stays_an_answer(text: str) -> None:
    """Prose, other JSON, code, illustrations and tools nobody offered are no calls."""
    assert find_imitation(text, OFFERED) is None


def test_several_calls_are_read_in_their_order() -> None:
    """One after another or in a list, each with its own arguments."""
    one = {"name": "get_weather", "arguments": {"city": "Rome"}}
    two = {"name": "read_file", "arguments": {"path": "a.txt"}}
    for text in (
        f"{json.dumps(one)}\n{json.dumps(two)}",
        json.dumps([one, two]),
        f"<tool_call>{json.dumps(one)}</tool_call>\n<tool_call>{json.dumps(two)}</tool_call>",
    ):
        found = find_imitation(text, OFFERED)
        assert found is not None
        assert [call.name for call in found.calls] == ["get_weather", "read_file"]
        assert found.is_clear(OFFERED)
        assert found.names == "get_weather and read_file"


@pytest.mark.parametrize("text", CLEAR.values(), ids=CLEAR)
def test_no_piece_of_a_clear_call_is_ever_shown(text: str) -> None:
    """However it is cut into pieces, it waits to its end, so that nothing has to be taken back."""
    for end in range(len(text.rstrip())):
        assert may_become_imitation(text[:end], OFFERED), text[:end]
    shown: list[str] = []
    held = HeldText(shown.append, OFFERED)
    for char in text:
        held.add(char)
    assert shown == []


@pytest.mark.parametrize(
    "text",
    [
        "The weather is fine.",
        "Get it from the shop.",
        "[a link](https://example.org)",
        "[ ] to do",
        "<p>Hello</p>",
        '{"colour": "red"}',
        "```rust\nfn main() {}\n```",
        "```python\nimport os\n```",
        "| a | b |",
    ],
)
def test_other_text_is_shown_as_soon_as_it_can_be_told_apart(text: str) -> None:
    """It is not held to its end, and nothing of it is lost or turned round."""
    shown: list[str] = []
    held = HeldText(shown.append, OFFERED)
    for char in text:
        held.add(char)
    assert "".join(shown) == text


@given(st.text(max_size=60), st.sampled_from([*CLEAR.values(), *UNCLEAR.values()]))
def test_what_is_released_is_what_came(before: str, call: str) -> None:
    """Held text comes out whole and once, whatever stands in it."""
    shown: list[str] = []
    held = HeldText(shown.append, OFFERED)
    text = before + call
    for start in range(0, len(text), 3):
        held.add(text[start : start + 3])
    held.release()
    assert "".join(shown) == text


@given(st.text(alphabet='{}[]"\\:,` \n<>=|/nametool_calget_weatherfunction()', max_size=120))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever a model writes is read without an error, and twice the same."""
    assert find_imitation(text, OFFERED) == find_imitation(text, OFFERED)


def test_a_very_long_answer_is_read_quickly() -> None:
    """A megabyte of brackets, tags or JSON lines costs no more than its length."""
    for piece in (
        "{[",
        "<tool_call>",
        '{"a": "get_weather"}\n',
        "```json\n",
        "[TOOL_CALLS]",
        '"\\',
    ):
        find_imitation("get_weather " + piece * (200_000 // len(piece)), OFFERED)


def test_the_marks_of_every_family_give_the_arguments() -> None:
    """What is not made on a model's behalf is read all the same, whole and without its marks."""
    families = ("dsml", "minimax", "glm", "hunyuan", "seed", "step", "grok", "a misspelt", "cline")
    samples = {name: text for name, text in UNCLEAR.items() if name.startswith(families)}
    wrong: dict[Any, Any] = {}
    for name, text in samples.items():
        found = find_imitation(text, OFFERED)
        read = found and (found.alone, [(call.name, call.arguments) for call in found.calls])
        if read != (True, [("get_weather", {"city": "Rome"})]):
            wrong[name] = read
        if (at := _shown_before_its_end(text)) is not None:
            wrong[f"{name}, shown"] = at
    assert len(samples) >= 10
    assert wrong == {}


def test_deepseeks_parameters_say_what_is_text() -> None:
    """``string="true"`` keeps digits as text, ``string="false"`` reads JSON."""
    text = (
        '<|DSML|invoke name="read_file">'
        '<|DSML|parameter name="path" string="true">7</|DSML|parameter>'
        '<|DSML|parameter name="lines" string="false">3</|DSML|parameter></|DSML|invoke>'
    )
    found = find_imitation(text, OFFERED)
    assert found is not None
    assert found.calls[0].arguments == {"path": "7", "lines": 3}


def test_two_calls_in_elements_are_two_calls() -> None:
    """GLM and Kimi write calls one after another, each with marks of its own."""
    glm = "".join(
        f"<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>{city}</arg_value>\n</tool_call>\n"
        for city in ("Rome", "Oslo")
    )
    kimi = "".join(
        f"<|tool_call_begin|>functions.get_weather:{number}<|tool_call_argument_begin|>"
        f'{{"city": "{city}"}}<|tool_call_end|>'
        for number, city in enumerate(("Rome", "Oslo"))
    )
    for text in (glm, kimi):
        found = find_imitation(text, OFFERED)
        assert found is not None
        assert [call.arguments for call in found.calls] == [{"city": "Rome"}, {"city": "Oslo"}]


def _shown_before_its_end(text: str) -> str | None:
    """Return the first beginning of a text that would be shown; None when all of it waits."""
    beginnings = (text[:end] for end in range(len(text)))
    return next((one for one in beginnings if not may_become_imitation(one, OFFERED)), None)
