import json
from typing import Any

from langchain_core.messages import AIMessageChunk

from noctule.models.wire.call_arguments import read_arguments
from noctule.models.wire.call_reader import CallReader
from noctule.models.wire.chunks import join

ARGS = {"path": "a.txt", "content": "alpha"}
TEXT = json.dumps(ARGS)
WRITE = ("write_file", ARGS)


def part(arguments: Any = None, name: str | None = None, **more: Any) -> dict[str, Any]:
    function = {} if name is None else {"name": name}
    if arguments is not None:
        function["arguments"] = arguments
    return {"function": function, **more}


def read(*deltas: Any) -> list[tuple[str, Any]]:
    """The calls that deltas add up to; ids must differ."""
    reader = CallReader()
    pieces = [AIMessageChunk(content="", tool_call_chunks=reader.read(raw)) for raw in deltas]
    message = join(pieces)
    ids = [call["id"] for call in message.tool_calls]
    assert len(set(ids)) == len(ids)
    assert all(ids)
    lost = [(call["name"], None) for call in message.invalid_tool_calls]
    return [(call["name"], call["args"]) for call in message.tool_calls] + lost


HALVES = (TEXT[:9], TEXT[9:])
ONE = {
    "as OpenAI has it": (
        [part("", "write_file", index=0, id="a")],
        *([part(h, index=0)] for h in HALVES),
    ),
    "the name in each part": tuple([part(h, "write_file", index=0, id="a")] for h in HALVES),
    "the name in each part, no id": tuple([part(h, "write_file", index=0)] for h in HALVES),
    "no index": tuple([part(h, "write_file", id="a")] for h in HALVES),
    "neither, name first": ([part(HALVES[0], "write_file")], [part(HALVES[1])]),
    "another id each time": (
        [part(HALVES[0], "write_file", index=0, id="a")],
        [part(HALVES[1], index=0, id="b")],
    ),
    "another id and the name each time": (
        [part(HALVES[0], "write_file", index=0, id="a")],
        [part(HALVES[1], "write_file", index=0, id="b")],
    ),
    "an index that moves on": (
        [part(HALVES[0], "write_file", index=0, id="a")],
        [part(HALVES[1], index=1)],
    ),
    "an index that moves on, all repeated": tuple(
        [part(h, "write_file", index=n, id="a")] for n, h in enumerate(HALVES)
    ),
    "id and name apart": (
        [part(None, None, index=0, id="a")],
        [part(None, "write_file", index=0)],
        *([part(h, index=0)] for h in HALVES),
    ),
    "the id after the name": (
        [part("", "write_file", index=0)],
        [part(TEXT, None, index=0, id="a")],
    ),
    "the name in parts": (
        [part("", "write_", index=0)],
        [part("", "file", index=0)],
        [part(TEXT, index=0)],
    ),
    "the name so far": (
        [part("", "write", index=0)],
        [part("", "write_file", index=0)],
        [part(TEXT, index=0)],
    ),
    "arguments so far": tuple(
        [part(so_far, "write_file", index=0, id="a")] for so_far in (TEXT[:9], TEXT[:20], TEXT)
    ),
    "whole once more at the end": (
        [part(TEXT, "write_file", index=0, id="a")],
        [part(TEXT, "write_file", index=0, id="a")],
    ),
    "whole once more without id": (
        [part(TEXT, "write_file", index=0, id="a")],
        [part(TEXT, "write_file")],
    ),
    "an object": ([part(ARGS, "write_file", index=0)],),
    "encoded twice": ([part(json.dumps(TEXT), "write_file", index=0)],),
    "in a list": ([part([ARGS], "write_file")],),
    "{} and then the object": (
        [part("{}", "write_file", index=0, id="a")],
        [part(TEXT, index=0)],
    ),
    "one bracket too many": ([part(TEXT + "}", "write_file", index=0)],),
    "an index as text": ([part(TEXT, "write_file", index="0", id="a")],),
    "the older function_call": (
        {"name": "write_file", "arguments": HALVES[0]},
        {"arguments": HALVES[1]},
    ),
    "flat": ([{"name": "write_file", "arguments": TEXT, "id": "a"}],),
    "arguments as parameters": ([{"name": "write_file", "parameters": ARGS}],),
    "Python's way of writing": ([part(str(ARGS), "write_file")],),
    "a number as id": ([part(TEXT, "write_file", index=0, id=7)],),
    "half a pair at each end": (
        [part(HALVES[0], "write_file", index=0)],
        [part(HALVES[1], index=0)],
    ),
}


def test_every_odd_way_to_say_one_call_is_that_call() -> None:
    """One name, its arguments whole, whatever is repeated, missing or moved."""
    wrong = {name: found for name, deltas in ONE.items() if (found := read(*deltas)) != [WRITE]}
    assert wrong == {}


def test_a_tool_without_arguments() -> None:
    """Nothing, null, an empty text and an empty object are the same."""
    for given in ("", None, "null", "{}", {}, '""', " "):
        assert read([part(given, "list_files", index=0, id="a")]) == [("list_files", {})]


def test_several_calls_stay_several() -> None:
    """Told apart by id, by index, or because each is whole."""
    other = ("look", {"at": 1})
    alike = [
        ([part(TEXT, "write_file", index=0, id="a"), part('{"at": 1}', "look", index=1, id="b")],),
        ([part(TEXT, "write_file", index=0, id="a")], [part('{"at": 1}', "look", index=0, id="b")]),
        ([part(TEXT, "write_file", index=0)], [part('{"at": 1}', "look", index=0)]),
        ([part(TEXT, "write_file")], [part('{"at": 1}', "look")]),
        ([part(TEXT, "write_file"), part('{"at": 1}', "look")],),
        ([part(TEXT, "write_file", index=0), part('{"at": 1}', "look", index=0)],),
        ([part(TEXT, "write_file", id="x", index=0), part('{"at": 1}', "look", id="x", index=1)],),
        (
            [part("", "write_file", index=0, id="a"), part("", "look", index=1, id="b")],
            [part('{"at"', index=1), part(TEXT[:5], index=0)],
            [part(": 1}", index=1), part(TEXT[5:], index=0)],
        ),
    ]
    assert [read(*deltas) for deltas in alike] == [[WRITE, other]] * len(alike)
    same = [part('{"at": 1}', "look", id="a"), part('{"at": 2}', "look", id="b")]
    assert read(same) == [("look", {"at": 1}), ("look", {"at": 2})]
    nothing = [part(None, "one"), part(None, "two")]
    assert read(nothing) == [("one", {}), ("two", {})]


def test_half_an_object_is_never_completed() -> None:
    """Nor is anything else guessed that does not mean one object."""
    for torn in (TEXT[:-1], '{"a": [1, 2', "[1, 2]", "7", '"text"', '{"a": 1}{"b": 2}', "{a: b}"):
        assert read([part(torn, "write_file", index=0)]) == [("write_file", None)]


def test_what_no_column_holds_is_put_right() -> None:
    """Halves of surrogates, NUL, endless numbers and endless nesting."""
    assert read_arguments('{"a": "\\ud83d\\ude00 \\ud83d \\u0000"}') == {"a": "\U0001f600 \ufffd "}
    assert read_arguments('{"a": 1e999, "b": NaN, "c": 99999999999999999999}') == {
        "a": "inf",
        "b": "nan",
        "c": "99999999999999999999",
    }
    assert read_arguments('{"a": ' * 100 + "1" + "}" * 100) is None
    assert read_arguments("[" * 100_000) is None


def test_an_emoji_split_over_two_parts_of_the_arguments_is_whole() -> None:
    """As raw halves in the JSON of two chunks."""
    deltas = ([part('{"a": "\ud83d', "say", index=0)], [part('\ude00"}', index=0)])
    assert read(*deltas) == [("say", {"a": "\U0001f600"})]
