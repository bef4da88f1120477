import asyncio
import json
import os
import re
from typing import Any

import pytest
from pydantic import ValidationError

from graphs.tools.tool_selection import schemas
from noctule.core.clock import ManualClock, SystemClock
from noctule.core.settings import Permission
from noctule.core.tools.effects import EffectClass
from tests.support.mcp_stage import (
    a_hub,
    a_program,
    a_url,
    free_port,
    http_program,
    tool_called,
)
from tests.support.tool_calls import a_context, call
from tools.base.tool import ToolError

pytestmark = pytest.mark.process


async def test_a_program_and_a_url_serve_the_same_tools():
    """Over stdio and over streamable HTTP: prefixed, described, validated, marked as outside."""
    port = free_port()
    async with http_program(port), a_hub(near=a_program("stdio"), far=a_url(port)) as hub:
        assert hub.problems(["near", "far"]) == []
        for server in ("near", "far"):
            add = tool_called(hub, f"{server}_add")
            assert add.description.startswith(f"From the MCP server {server}, which says: <data-")
            assert ">Add two whole numbers.</data-" in add.description
            assert (add.family, add.effect) == ("mcp", EffectClass.OUTSIDE)
            assert (add.server, add.permission) == (server, Permission.ASK)
            assert add.schema()["properties"]["a"]["type"] == "integer"
            result = await call(add, {"a": 2, "b": 40})
            assert (result.text, result.outside) == ("42", True)
            with pytest.raises(ValidationError, match="'b' is a required property"):
                await call(add, {"a": 2})
            with pytest.raises(ValidationError, match="'x' is not of type 'integer'"):
                await call(add, {"a": "x", "b": 1})


async def test_names_that_mean_something_to_langchain_arrive():
    """Arguments called config, runtime or run_manager are arguments like others."""
    async with a_hub(near=a_program("stdio")) as hub:
        names = {"config": "a", "runtime": "b", "run_manager": "c"}
        assert (await call(tool_called(hub, "near_configure"), names)).text == "a b c"
        assert (await call(tool_called(hub, "near_odd_name_with_spaces"), {})).text == "odd"


async def test_what_is_no_text_is_named_and_what_fails_is_an_error():
    """An image is not put into the message; a tool's own error comes back in its words."""
    async with a_hub(near=a_program("stdio")) as hub:
        picture = await call(tool_called(hub, "near_picture"), {})
        assert picture.text == "[image of image/png, not shown]"
        with pytest.raises(ToolError, match="the moon is full") as failed:
            await call(tool_called(hub, "near_fail"), {"reason": "the moon is full"})
        assert failed.value.outside
        assert (await call(tool_called(hub, "near_add"), {"a": 1, "b": 1})).text == "2"


async def test_only_the_tools_that_are_wanted_are_taken():
    """Patterns choose among them; one that fits nothing is said with what there is."""
    settings = a_program("stdio", tools=("a*", "b?g", "nothing"), permission="deny")
    async with a_hub(near=settings) as hub:
        tools = list(hub.tools())
        assert [tool.name for tool in tools] == ["near_add", "near_big"]
        assert tools[0].permission is Permission.DENY
        assert list(hub.tools()) == tools
        (problem,) = hub.problems(["near"])
        assert "'nothing' fits none of its tools; it offers add, environment" in problem


async def test_one_bad_tool_is_left_out_and_the_others_are_there(tmp_path):
    """Whatever a server offers, what can be told to a model is, and the rest is a line each."""
    fine = {"name": "fine", "inputSchema": {"type": "object"}}
    nested = {
        "name": "nested",
        "inputSchema": {
            "$defs": {"Bat": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "type": "object",
            "properties": {"bat": {"$ref": "#/$defs/Bat"}},
        },
    }
    top = {
        "name": "top",
        "inputSchema": {
            "type": "object",
            "oneOf": [
                {"properties": {"a": {"const": 1}}, "required": ["a"]},
                {"properties": {"b": {"type": "string", "default": {"title": 1}}}},
            ],
        },
    }
    bad = [
        {"name": "remote", "inputSchema": {"$ref": "http://127.0.0.1:9/"}},
        {"name": "nowhere", "inputSchema": {"properties": {"x": {"$ref": "#/$defs/x"}}}},
        {"name": "none", "inputSchema": {"properties": {"x": {"type": "nonsense"}}}},
        {"name": "odata", "inputSchema": {"properties": {"$filter": {"type": "string"}}}},
        {"name": "schemaless"},
        {"name": 7, "inputSchema": {}},
        {"name": "fi\u200bne/", "inputSchema": {}},
        {"name": "fi_ne_", "inputSchema": {}},
        "no tool at all",
    ]
    offers = tmp_path / "offers.json"
    offers.write_text(json.dumps([*bad, fine, nested, top]))
    async with a_hub(odd=a_program("offers", str(offers))) as hub:
        names = [tool.name for tool in hub.tools()]
        assert names == ["odd_fi_ne_", "odd_fine", "odd_nested", "odd_top"]
        sent = {one["function"]["name"]: one["function"] for one in schemas(list(hub.tools()))}
        bat = sent["odd_nested"]["parameters"]["properties"]["bat"]
        assert bat["properties"]["n"]["type"] == "integer"
        assert set(sent["odd_top"]["parameters"]) == {"type", "properties"}
        assert set(sent["odd_top"]["parameters"]["properties"]) == {"a", "b"}
        assert (await call(tool_called(hub, "odd_nested"), {"bat": {"n": 1}})).text == "nested"
        with pytest.raises(ValidationError, match="'x' is not of type 'integer'"):
            await call(tool_called(hub, "odd_nested"), {"bat": {"n": "x"}})
        problems = hub.problems(["odd"])
    assert len(problems) == len(bad) - 1
    assert all("of the MCP server 'odd' is left out" in problem for problem in problems)


async def test_a_server_cannot_give_a_tool_the_name_of_another_server_s(tmp_path):
    """What a rule or a grant says of ``tickets_prod_close`` holds for ``tickets_prod`` alone."""
    (tmp_path / "a").write_text(json.dumps([{"name": "prod_close", "inputSchema": {}}]))
    (tmp_path / "b").write_text(json.dumps([{"name": "close", "inputSchema": {}}]))
    servers = {
        "tickets": a_program("offers", str(tmp_path / "a")),
        "tickets_prod": a_program("offers", str(tmp_path / "b")),
    }
    async with a_hub(**dict[str, Any](servers)) as hub:
        tools = [(tool.name, tool.server) for tool in hub.tools()]
        assert tools == [("tickets_prod_close", "tickets_prod")]
        (problem,) = hub.problems(["tickets"])
    assert "is how tools of the server 'tickets_prod' are called" in problem


async def test_a_program_gets_path_home_and_what_is_configured(monkeypatch):
    """Nothing else of our environment, and no variable put into a value."""
    monkeypatch.setenv("NOCTULE_SECRET", "s3cret")
    async with a_hub(near=a_program("stdio", env={"TOKEN": "${NOCTULE_SECRET}"})) as hub:
        names = (await call(tool_called(hub, "near_environment"), {})).text.split()
    given = {"PATH", "HOME", "TOKEN", "PYTHONPYCACHEPREFIX"}
    assert set(names) - {"LC_CTYPE"} == given  # Python itself adds LC_CTYPE


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            a_program("dies", env={"TOKEN": "s3cret-value"}),
            r"it has ended; it said: .* with \*\*\*",
        ),
        (a_program("silent", seconds=0.5), r"did not answer within 0\.5 s"),
        (a_program("babbles"), "does not speak MCP"),
        (a_program("floods"), "more than 4,000,000 bytes"),
        (a_program(command=("/nowhere/server",)), "No such file"),
        (a_url(9, seconds=5), "connection attempts failed"),
    ],
    ids=["dies", "silent", "babbles", "floods", "missing", "refused"],
)
async def test_a_server_that_cannot_be_used_is_one_line(settings, said, caplog):
    """For the agent and in the log, without its secrets; the other server works as ever."""
    async with a_hub(near=a_program("stdio"), bad=settings) as hub:
        (problem,) = hub.problems(["near", "bad"])
        assert problem.startswith("The MCP server 'bad' cannot be used: ")
        assert "\n" not in problem
        assert re.search(said, problem), problem
        assert "s3cret" not in problem + caplog.text
        assert "'bad' cannot be used" in caplog.text
        assert (await call(tool_called(hub, "near_add"), {"a": 1, "b": 2})).text == "3"
        absent = tool_called(hub, "bad_unavailable")
        assert [tool for tool in hub.tools() if tool.server == "bad"] == [absent]
        assert (absent.effect, absent.permission) == (EffectClass.READ, Permission.ALLOW)
        assert "its tools are missing" in absent.description
        with pytest.raises(
            ToolError, match=r"cannot be used: .* tried again in 5 s at the earliest"
        ):
            await call(absent, {})


async def test_a_greeting_before_the_protocol_does_no_harm():
    """Lines that are no messages are skipped, as long as there are not too many."""
    async with a_hub(near=a_program("chatty")) as hub:
        assert (await call(tool_called(hub, "near_add"), {"a": 1, "b": 2})).text == "3"


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_hundred_megabytes_are_not_read(way):
    """The connection ends with a clear line, and the next call makes a new one."""
    port = free_port()
    settings = a_program("stdio") if way == "stdio" else a_url(port)
    async with http_program(port), a_hub(near=settings) as hub:
        with pytest.raises(ToolError, match=r"failed during the call: .*more than 4,000,000 bytes"):
            await call(tool_called(hub, "near_big"), {"megabytes": 100})
        assert len((await call(tool_called(hub, "near_big"), {"megabytes": 1})).text) == 1_000_000


async def test_a_call_that_hangs_ends_at_the_timeout():
    """The agent hears that nobody knows whether it happened; the next call finds a server."""
    async with a_hub(near=a_program("stdio", seconds=3)) as hub:
        with pytest.raises(ToolError, match=r"did not answer within 3 s\. Nobody knows"):
            await call(tool_called(hub, "near_doze"), {"seconds": 60})
        assert (await call(tool_called(hub, "near_add"), {"a": 1, "b": 2})).text == "3"


async def test_a_server_that_dies_in_a_call_is_started_again_at_the_next():
    """The call that was under way is not repeated."""
    async with a_hub(near=a_program("stdio")) as hub:
        with pytest.raises(ToolError, match=r"failed during the call: .* Nobody knows whether"):
            await call(tool_called(hub, "near_die"), {})
        assert (await call(tool_called(hub, "near_add"), {"a": 1, "b": 2})).text == "3"


async def test_a_server_over_http_that_goes_and_comes_back():
    """While it is away calls fail at once; after a pause it is tried again."""
    port, clock = free_port(), ManualClock()
    async with http_program(port) as process, a_hub(clock, far=a_url(port)) as hub:
        add = tool_called(hub, "far_add")
        process.kill()
        await process.wait()
        with pytest.raises(ToolError, match="failed during the call"):
            await call(add, {"a": 1, "b": 2})
        with pytest.raises(ToolError, match="cannot be used"):
            await call(add, {"a": 1, "b": 2})
        with pytest.raises(ToolError, match="tried again in 5 s"):
            await call(add, {"a": 1, "b": 2})
        async with http_program(port):
            await clock.advance(6)
            assert (await call(add, {"a": 1, "b": 2})).text == "3"
            assert hub.problems(["far"]) == []


async def test_a_server_that_does_not_start_is_tried_again_after_a_pause(tmp_path):
    """In the background at the next turn, or when the agent asks for it."""
    clock = ManualClock()
    one, two = (a_program("once", str(tmp_path / name)) for name in ("one", "two"))
    async with a_hub(clock, one=one, two=two) as hub:
        await hub.ready(["one", "two"])
        assert ["not yet" in problem for problem in hub.problems(["one", "two"])] == [True, True]
        absent = tool_called(hub, "two_unavailable")
        await clock.advance(5)
        await hub.ready(["one"])
        assert "from your next step on" in (await call(absent, {})).text
        assert (await call(tool_called(hub, "two_add"), {"a": 1, "b": 1})).text == "2"
        for _ in range(400):
            if hub.problems(["one"]) == []:
                break
            await SystemClock().sleep(0.05)
        assert tool_called(hub, "one_add")


async def test_a_server_that_does_not_want_to_go_is_ended(tmp_path):
    """Closing ends a program that ignores SIGTERM."""
    pid_file = tmp_path / "pid"
    async with a_hub(near=a_program("stubborn", str(pid_file), seconds=2)) as hub:
        assert hub.problems(["near"])
    pid = int(pid_file.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_calls_side_by_side_come_back_to_their_callers():
    """Twenty at once over one connection."""
    async with a_hub(near=a_program("stdio")) as hub:
        add = tool_called(hub, "near_add")
        answers = await asyncio.gather(*(call(add, {"a": n, "b": 1}) for n in range(20)))
    assert [answer.text for answer in answers] == [str(n + 1) for n in range(20)]


async def test_a_cancelled_call_leaves_the_server_usable():
    """A turn that is stopped in the middle of a call does not take the server with it."""
    async with a_hub(near=a_program("stdio")) as hub:
        dozing = asyncio.ensure_future(call(tool_called(hub, "near_doze"), {"seconds": 1}))
        await asyncio.sleep(0)  # noqa: TID251 - lets it begin
        dozing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dozing
        assert (await call(tool_called(hub, "near_add"), {"a": 1, "b": 2})).text == "3"


async def test_a_private_session_asks_and_shows_the_arguments():
    """What a server does with its arguments nobody here knows."""
    async with a_hub(near=a_program("stdio")) as hub:
        add = tool_called(hub, "near_add")
        arguments = add.arguments.model_validate({"a": 1, "b": 2})
        assert add.subject(arguments) == '{"a": 1, "b": 2}'
        long = add.arguments.model_validate({"b": 2, "note": "x" * 5000, "a": 1})
        assert add.subject(long).endswith('"a": 1}')  # rules and people see all of it
        assert add.needs_person(arguments, a_context()) is None
        assert "'near'" in add.needs_person(arguments, a_context(private=True))
