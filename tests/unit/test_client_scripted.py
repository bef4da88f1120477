import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage

from noctule.core.clock import Clock, ManualClock
from noctule.core.errors import ConfigError
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest
from noctule.models.clients.build import build_client
from noctule.models.clients.script import Line, Script, ScriptedError, ScriptedToolCall
from noctule.models.clients.scripted import ScriptedRefusal
from noctule.models.wire.chunks import join

MODELS = {"small": ModelSettings(endpoint="play", name="played", context=4096)}


def playing(script: Script | None = None, clock: Clock | None = None) -> Client:
    settings = EndpointSettings(kind=EndpointKind.SCRIPTED)
    return build_client("play", settings, MODELS, clock=clock or ManualClock(), script=script)


def playing_file(path: Path) -> Client:
    settings = EndpointSettings(kind=EndpointKind.SCRIPTED, script=path)
    return build_client("play", settings, MODELS, clock=ManualClock())


def lines(*entries: Line | dict, **script: object) -> Script:
    return Script(models={"small": [Line.model_validate(e) for e in entries]}, **script)


def request(text: str = "Hello", system: str = "Be brief.") -> ModelRequest:
    return ModelRequest(model="small", messages=[SystemMessage(system), HumanMessage(text)])


async def said(client: Client, text: str = "Hello", system: str = "Be brief.") -> str:
    return (await client.answer(request(text, system))).text


async def test_without_a_script_it_echoes():
    """What is said comes back, counted by words."""
    client = playing()
    message = await client.answer(request("Is anybody there?"))
    conclusion = client.conclude(request(), message)
    assert message.text == "Is anybody there?"
    assert conclusion.finish_reason == "stop"
    assert (conclusion.usage.input_tokens, conclusion.usage.output_tokens) == (5, 3)


async def test_lines_without_a_condition_are_a_sequence():
    """Each plays once, in order; then it echoes."""
    client = playing(lines({"reply": "one"}, {"reply": "two", "times": 2}))
    assert [await said(client) for _ in range(4)] == ["one", "two", "two", "Hello"]


async def test_lines_are_chosen_by_what_was_said():
    """The first line that fits and is not used up plays, whatever the case."""
    client = playing(
        lines(
            {"match": "^route", "system": "router", "reply": "chat"},
            {"match": "weather", "reply": "Rain.", "times": 1},
            {"match": "weather", "reply": "Still {user}"},
        )
    )
    assert await said(client, "ROUTE me", system="You are a router") == "chat"
    assert await said(client, "route me") == "route me"
    assert await said(client, "the weather?") == "Rain."
    assert await said(client, "the weather?") == "Still the weather?"


async def test_a_text_is_a_reply_for_ever_and_a_star_any_model():
    """The shortest script."""
    client = playing(Script.model_validate({"models": {"*": "Always this."}}))
    assert [await said(client) for _ in range(3)] == ["Always this."] * 3


async def test_pieces_add_up_to_the_whole():
    """Streamed text, thinking and tool calls are those of the whole answer."""
    line = {
        "reply": "Two  words\nand more ",
        "thinking": "Hm.",
        "tool_calls": [{"name": "add", "args": {"a": 1}}],
        "cost_usd": "0.002",
        "times": "forever",
    }
    client = playing(lines(line))
    pieces = [piece async for piece in client.stream(request())]
    message = join(pieces)
    assert message.text == "Two  words\nand more "
    assert len([piece for piece in pieces if piece.text]) > 3
    assert message.additional_kwargs == {"reasoning_content": "Hm."}
    assert message.tool_calls[0]["args"] == {"a": 1}
    conclusion = client.conclude(request(), message)
    assert conclusion.finish_reason == "tool_calls"
    assert conclusion.usage.reported_usd == Decimal("0.002")


async def test_usage_is_what_the_script_says():
    """Given counts are reported, others are unknown; unknown reports nothing at all."""
    client = playing(
        lines({"usage": {"input": 90, "output": 4, "cached": 60}}, {"usage": "unknown"})
    )
    usage = client.conclude(request(), await client.answer(request())).usage
    assert (usage.input_tokens, usage.cached_tokens, usage.reasoning_tokens) == (90, 60, None)
    usage = client.conclude(request(), await client.answer(request())).usage
    assert usage.input_tokens is None


async def test_an_error_is_raised_with_what_a_provider_would_have_sent():
    """Status, headers and body are there to be read as evidence."""
    error = {"status": 429, "headers": {"Retry-After": "7"}, "body": {"error": "slow down"}}
    client = playing(lines({"error": error}, {"reply": "fine"}))
    with pytest.raises(ScriptedRefusal) as raised:
        await client.answer(request())
    assert raised.value.answer.status == 429
    assert raised.value.answer.header("retry-after") == "7"
    assert raised.value.answer.json == {"error": "slow down"}
    assert await said(client) == "fine"


async def test_an_error_may_come_in_the_middle_of_a_stream():
    """Some tokens, then the error."""
    error = ScriptedError(status=500, body="crashed")
    client = playing(lines(Line(reply="a b c", error=error, fail_after=2)))
    seen: list[str] = []

    async def listen() -> None:
        async for piece in client.stream(request()):
            seen.append(piece.text)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ScriptedRefusal):
        await listen()
    assert "".join(seen) == "a b"


async def test_a_torn_stream_ends_without_a_reason():
    """Neither finish reason nor usage."""
    client = playing(lines(Line(reply="a b c", tear_after=1)))
    message = await client.answer(request())
    conclusion = client.conclude(request(), message)
    assert message.text == "a"
    assert conclusion.finish_reason is None
    assert conclusion.usage.output_tokens is None


async def test_a_refused_connection_is_a_real_one():
    """The class a client over HTTP raises."""
    with pytest.raises(httpx.ConnectError):
        await said(playing(lines(Line(refuse_connection=True))))


async def test_delays_go_through_the_clock():
    """Nothing comes before its time, and no real time passes."""
    clock = ManualClock()
    script = lines({"reply": "a b", "delay": "10s"}, per_token=timedelta(seconds=2))
    seen: list[str] = []

    async def listen() -> None:
        async for piece in playing(script, clock).stream(request()):
            seen.append(piece.text)  # noqa: PERF401 - read while it fills

    task = asyncio.create_task(listen())
    await clock.advance(0)
    assert seen == []
    await clock.advance(10)
    assert seen == ["a"]
    await clock.advance(2)
    await task
    assert "".join(seen) == "a b"


async def test_every_call_is_logged_at_its_start_and_end(tmp_path):
    """Also one that is given up in the middle, in the order in which things happened."""
    log = tmp_path / "calls.jsonl"
    client = playing(lines({"reply": "fine"}, {"stall_after": 0}, log=log))
    await said(client, "first")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await said(client, "second")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(e["event"], e["user"], e.get("outcome")) for e in entries] == [
        ("start", "first", None),
        ("end", "first", "reply"),
        ("start", "second", None),
        ("end", "second", "cancelled"),
    ]
    assert entries[0]["call"] == entries[1]["call"] != entries[2]["call"]


async def test_a_script_is_read_from_its_file(tmp_path):
    """Its log stands beside it unless the path is absolute."""
    path = tmp_path / "script.yaml"
    path.write_text("log: calls.jsonl\nmodels:\n  small:\n    - {reply: hi, delay: 0s}\n")
    client = playing_file(path)
    assert await said(client) == "hi"
    assert (tmp_path / "calls.jsonl").exists()
    assert [model.name for model in await client.present()] == ["played"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models: {small: [{repyl: hi}]}", "models.small.0.repyl"),
        ("models: [", "it is not YAML"),
        ("models: {small: [{match: '('}]}", "models.small.0.match"),
    ],
)
def test_a_wrong_script_is_explained(tmp_path, text, expected):
    """File, place and what to do, and no traceback of a library."""
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"script\.yaml") as raised:
        Script.load(path)
    assert expected in str(raised.value)
    assert "noctule docs scripted" in str(raised.value)


def test_a_missing_script_is_explained(tmp_path):
    """It names the file and the setting."""
    with pytest.raises(ConfigError, match="cannot be read"):
        Script.load(tmp_path / "none.yaml")


def test_broken_arguments_can_be_played():
    """Text as arguments is sent as it is."""
    assert ScriptedToolCall(name="add", args='{"a": ').args == '{"a": '


async def test_steps_of_a_tool_loop_are_found_by_the_results_before_them():
    """A line that names how many results it follows plays there, whenever it is asked."""
    script = lines(
        {"after": 0, "tool_calls": [{"name": "look", "args": {"where": "here"}}]},
        {"after": 2, "reply": "Found {result}"},
    )
    client = playing(script)
    first = await client.answer(request("look"))
    assert [call["name"] for call in first.tool_calls] == ["look"]
    results = [ToolMessage(text, tool_call_id=text) for text in ("one", "two")]
    later = ModelRequest(model="small", messages=[HumanMessage("look"), first, *results])
    for _ in range(2):
        assert (await client.answer(later)).text == "Found two"
