from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.base.client import ModelRequest
from noctule.models.tool_calls.leading import is_small
from noctule.models.tool_calls.manner import FINISH, Manner
from noctule.models.tool_calls.one_call import OneCall
from tests.support.stage import make_settings

LOOK: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look.",
        "parameters": {
            "type": "object",
            "properties": {"where": {"type": "string"}},
            "required": ["where"],
        },
    },
}
MESSAGES = [
    SystemMessage("You are careful."),
    HumanMessage("Find it."),
    AIMessage("I look.", tool_calls=[tool_call(name="look", args={"where": "a"}, id="1")]),
    ToolMessage("nothing", tool_call_id="1", name="look"),
]


def request(**changes):
    return ModelRequest(**{"model": "m", "messages": MESSAGES, "tools": [LOOK], **changes})


def called(*names_and_args, text=""):
    calls = [tool_call(name=n, args=a, id=f"c{i}") for i, (n, a) in enumerate(names_and_args)]
    return AIMessage(text, tool_calls=calls)


def names(tools):
    return [tool["function"]["name"] for tool in tools]


def test_a_model_is_told_how_to_call_only_in_a_loop():
    """The system message says how many calls a reply takes; outside a loop nothing is added."""
    plain = request()
    assert Manner().shaped(plain).messages == MESSAGES
    for manner, words in (
        (Manner(), "Call several tools at once"),
        (Manner(several=False), "Call one tool at a time."),
        (Manner(led=True), "Call one tool in every reply. When the task is done, call finish"),
    ):
        first = manner.shaped(plain, loop=True).messages[0]
        assert first.text.startswith("You are careful.\n\n")
        assert words in first.text
    untooled = request(tools=())
    assert Manner(led=True).shaped(untooled, loop=True) == untooled


def test_a_led_model_has_to_call_and_may_finish():
    """finish stands last, something must be called; a tool of that name keeps it unled."""
    shaped = Manner(led=True).shaped(request(), loop=True)
    assert (names(shaped.tools), shaped.tool_choice) == (["look", FINISH], "required")
    own = {"type": "function", "function": {**LOOK["function"], "name": FINISH}}
    shaped = Manner(led=True).shaped(request(tools=[own]), loop=True)
    assert (names(shaped.tools), shaped.tool_choice) == ([FINISH], None)


def test_by_text_nothing_is_left_of_tools_but_words():
    """Tools, calls and results are text, so that no template has to know of tools."""
    shaped = Manner(by_text=True, several=False).shaped(request(), loop=True)
    assert (tuple(shaped.tools), shaped.json_schema) == ((), None)
    said: list[Any] = [*shaped.messages]
    system, task, call, result = said
    assert '{"name": "look", "description": "Look."' in system.text
    assert task.text == "Find it."
    assert call.text == 'I look.\n```json\n{"name": "look", "arguments": {"where": "a"}}\n```'
    assert not call.tool_calls
    assert (result.type, result.text) == ("human", "<tool_response>\nnothing\n</tool_response>")


def test_led_by_text_an_answer_has_to_be_one_call():
    """The schema allows a call of each tool and of finish, and nothing else."""
    shaped = Manner(by_text=True, led=True).shaped(request(), loop=True)
    calls = [one["properties"]["name"]["const"] for one in shaped.json_schema["anyOf"]]
    assert calls == ["look", FINISH]
    assert "answer in words" not in shaped.messages[0].text


def test_calls_as_text_are_read_with_or_without_words_around():
    """One fenced block, bare JSON, words before it; prose stays an answer."""
    manner, asked = Manner(by_text=True, several=False), request()
    call = '{"name": "look", "arguments": {"where": "b"}}'
    wrong = []
    for text in (call, f"```json\n{call}\n```", f"I will.\n```json\n{call}\n```"):
        read = manner.read(asked, AIMessage(text))
        if [(c["name"], c["args"]) for c in read.tool_calls] != [("look", {"where": "b"})]:
            wrong.append(text)
    assert not wrong
    assert manner.read(asked, AIMessage("It is in b.")).text == "It is in b."
    cut = manner.read(asked, AIMessage('```json\n{"name": "look", "arguments": {"where": "b'))
    assert isinstance(cut, Refusal)
    assert cut.outcome is Outcome.MALFORMED_TOOL_CALL


def test_of_several_calls_the_first_whole_one_is_taken():
    """A flood, and a second one that was cut, leave one call; who may call several keeps all."""
    asked = request()
    flood = called(*[("look", {"where": "a"})] * 26)
    assert len(Manner(several=False).read(asked, flood).tool_calls) == 1
    assert len(Manner().read(asked, flood).tool_calls) == 26
    cut = flood.model_copy(
        update={
            "invalid_tool_calls": [invalid_tool_call(name="look", args="{", id="x", error=None)]
        }
    )
    read = Manner(several=False).read(asked, cut)
    assert (len(read.tool_calls), read.invalid_tool_calls) == (1, [])


def test_finish_ends_the_loop_with_its_report():
    """The report is the answer; beside other calls it is put off; without words it is empty."""
    manner, asked = Manner(led=True), request()
    read = manner.read(asked, called((FINISH, {"report": "It is in b."})), loop=True)
    assert (read.text, read.tool_calls) == ("It is in b.", [])
    both = called(("look", {"where": "b"}), (FINISH, {"report": "Done."}))
    read = manner.read(asked, both, loop=True)
    assert [call["name"] for call in read.tool_calls] == ["look"]
    empty = manner.read(asked, called((FINISH, {"report": "  "})), loop=True)
    assert empty.outcome is Outcome.EMPTY_REPLY
    by_text = Manner(by_text=True, led=True, several=False)
    said = AIMessage('{"name": "finish", "arguments": {"report": "It is in b."}}')
    assert by_text.read(asked, said, loop=True).text == "It is in b."


def piece(*chunks, text=""):
    from langchain_core.messages import AIMessageChunk  # noqa: PLC0415 - as the tests read

    return AIMessageChunk(
        content=text,
        tool_call_chunks=[
            {"name": n, "args": a, "id": i, "index": x, "type": "tool_call_chunk"}
            for n, a, i, x in chunks
        ],
    )


def test_a_stream_is_over_when_a_second_call_begins():
    """By its index, or by its id where there is none; the second piece is of no use."""
    one = OneCall(Manner(several=False), ["look"])
    assert one.take(piece(("look", "", "a", 0)))
    assert one.take(piece((None, '{"where": "a"}', None, 0)))
    assert not one.is_complete
    assert not one.take(piece(("look", "", "b", 1)))
    assert one.is_complete
    whole = OneCall(Manner(several=False), ["look"])
    assert whole.take(piece(("look", "{}", "a", None), ("look", "{}", "b", None)))
    assert whole.is_complete
    several = OneCall(Manner(), ["look"])
    assert several.take(piece(("look", "{}", "a", 0), ("look", "{}", "b", 1)))
    assert not several.is_complete


def test_a_stream_of_text_is_over_when_the_block_of_a_call_is_closed():
    """A block of something else ends nothing."""
    call = '```json\n{"name": "look", "arguments": {"where": "b"}}\n'
    one = OneCall(Manner(by_text=True, several=False), ["look"])
    assert one.take(piece(text=call))
    assert not one.is_complete
    one.take(piece(text="```"))
    assert one.is_complete
    thought = OneCall(Manner(by_text=True, several=False), ["look"])
    thought.take(piece(text=f"<think>Perhaps\n{call}```"))
    assert not thought.is_complete
    other = OneCall(Manner(by_text=True, several=False), ["look"])
    other.take(piece(text="```python\nprint(1)\n```\nlook out"))
    assert not other.is_complete


def test_weights_without_a_size_in_their_name_are_known_by_their_file(tmp_path):
    """What a small file holds is a small model."""
    file = tmp_path / "main.gguf"
    endpoint = {"here": {"kind": "embedded", "weights": str(file)}}
    settings = make_settings(endpoints=endpoint, models={"first": {"name": "main"}})
    assert not is_small(settings, "first")
    file.write_bytes(b"GGUF")
    assert is_small(settings, "first")


def test_small_models_are_known_by_their_names():
    """By the largest number of parameters in the name; a version is none."""
    sizes = {
        "qwen2.5-coder:1.5b": True,
        "Qwen2.5-Coder-0.5B-Instruct": True,
        "smollm2-135m-instruct": True,
        "gemma-3-270m": True,
        "llama3.2:3b": True,
        "qwen3:8b": False,
        "mixtral-8x7b": False,
        "gpt-5.1": False,
        "qwen3.5:latest": False,
        "llama-3.3-70b-versatile": False,
    }
    wrong = [
        name
        for name, small in sizes.items()
        if is_small(make_settings(models={"first": {"name": name}}), "first") is not small
    ]
    assert not wrong
