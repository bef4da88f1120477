from langchain_core.messages import AIMessage, ToolMessage
from pydantic import BaseModel

from graphs.loop.loop_limits import seconds_since_model
from graphs.tools.model_calls import MOST_CALLS, fit_calls, refused_call
from graphs.tools.tool_call import ToldResult
from graphs.tools.tool_selection import schemas
from graphs.tools.work_log import spelled_out, with_record, work_record
from noctule.core.tools.effects import EffectClass
from tools.base.tool import Tool, ToolResult


def reply(count: int, **changes) -> AIMessage:
    calls = [{"name": "look", "args": {"n": n}, "id": f"call_{n}"} for n in range(count)]
    return AIMessage(**{"content": "", "tool_calls": calls, **changes})


def test_every_call_gets_an_id_of_its_own_in_the_strictest_form():
    """Providers number from the start in each reply: ours never meet, nine letters and digits."""
    ids = [call["id"] for _ in range(50) for call in fit_calls(reply(3)).tool_calls]
    assert len(set(ids)) == 150
    assert all(len(id_) == 9 and id_.isalnum() and id_.isascii() for id_ in ids)


def test_what_else_names_a_call_is_renamed_with_it():
    """Blocks of the content and what a provider wants back with the call follow."""
    blocks = [
        {"type": "text", "text": "Hm."},
        {"type": "tool_use", "id": "call_0", "name": "look", "input": {}, "partial_json": "{"},
    ]
    extras = {"tool_call_extras": {"call_0": "signature"}, "tool_calls": ["raw"]}
    fitted = fit_calls(reply(1, content=blocks, additional_kwargs=extras))
    (call,) = fitted.tool_calls
    assert fitted.content == [
        blocks[0],
        {"type": "tool_use", "id": call["id"], "name": "look", "input": {"n": 0}},
    ]
    assert fitted.additional_kwargs == {"tool_call_extras": {call["id"]: "signature"}}


def test_too_many_calls_and_too_long_arguments_are_refused_one_by_one():
    """The others are taken; the arguments of those that are not are not kept."""
    fitted = fit_calls(reply(MOST_CALLS + 2))
    refusals = [refused_call(call["args"]) for call in fitted.tool_calls]
    assert [why is None for why in refusals] == [True] * MOST_CALLS + [False] * 2
    long = fit_calls(reply(1, tool_calls=[{"name": "a", "args": {"x": "y" * 10**6}, "id": "1"}]))
    assert "1,000,0" in str(refused_call(long.tool_calls[0]["args"]))
    assert len(str(long)) < 2000


class Inner(BaseModel):
    title: str


class Arguments(BaseModel):
    title: str
    inner: Inner


class Titled(Tool[Arguments]):
    name = "titled"
    family = "own"
    description = "Title it."
    arguments = Arguments
    effect = EffectClass.READ

    async def run(self, arguments, context):
        return ToolResult("")


def test_a_schema_has_no_references_and_keeps_arguments_called_title():
    """Some servers read no references; a title is left out only where it is pydantic's own."""
    (told,) = schemas([Titled()])
    parameters = told["function"]["parameters"]
    assert "$ref" not in str(parameters)
    assert "$defs" not in parameters
    assert "title" not in parameters
    assert list(parameters["properties"]) == ["title", "inner"]
    assert list(parameters["properties"]["inner"]["properties"]) == ["title"]


def test_the_time_of_calls_that_ran_at_once_is_that_of_the_longest():
    """Only those the last model call led to count."""
    early = ToldResult("a", duration_s=50.0).message(call_id="0", tool="look")
    late = [ToldResult("a", duration_s=s).message(call_id=str(s), tool="look") for s in (1.0, 3.0)]
    assert seconds_since_model([reply(1), early, reply(2), *late]) == 3.0
    assert seconds_since_model([reply(1)]) == 0.0


def test_the_record_is_short_and_stands_with_the_answer():
    """The newest twenty calls, a line each, are read by the turns that follow."""
    calls = [
        message
        for n in range(30)
        for message in (
            AIMessage("", tool_calls=[{"name": "look", "args": {"n": n}, "id": str(n)}]),
            ToolMessage(f"\nfound {n} " + "x" * 500, tool_call_id=str(n)),
        )
    ]
    record = work_record(calls)
    assert len(record.splitlines()) == 21
    assert record.startswith('- 10 calls before\n- look {"n": 10}: found 10 x')
    assert len(record) < 3000
    answer = with_record(AIMessage("Done."), record)
    assert answer.text == "Done."
    assert spelled_out(answer).text == f"Done.\n\n(What was called for this:\n{record})"
    assert with_record(AIMessage("Done."), "") == AIMessage("Done.")
