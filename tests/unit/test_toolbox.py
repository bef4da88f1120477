import logging
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel

from agents.engineer import ENGINEER
from noctule.core.base.roles import Role
from noctule.core.base.tool_names import BUILT_IN
from noctule.core.clock import ManualClock
from noctule.core.settings import Settings
from noctule.core.tools.effects import EffectClass
from tests.support.tool_calls import a_context, call
from tools.base.tool import Tool, ToolError, ToolResult
from tools.registry import Toolbox

BASE = {
    "endpoints": {"near": {"kind": "scripted"}},
    "models": {"small": {"endpoint": "near", "name": "s"}},
    "roles": {role.value: {"primary": "small"} for role in Role},
}


def settings_with(tools=None, **roles):
    merged = {name: {**binding, **roles.get(name, {})} for name, binding in BASE["roles"].items()}
    return Settings.model_validate({**BASE, "roles": merged, "tools": tools or {}})


def a_toolbox(tools=None, **roles):
    return Toolbox(settings_with(tools, **roles), clock=ManualClock())


def names(tools):
    return [tool.name for tool in tools]


def test_the_names_a_configuration_may_use_are_those_there_are():
    """The list in core is what the toolbox really holds, family by family."""
    families = {}
    for tool in a_toolbox().tools:
        families.setdefault(tool.family, []).append(tool.name)
    assert {family: set(tools) for family, tools in families.items()} == {
        family: set(tools) for family, tools in BUILT_IN.items()
    }


def test_every_tool_says_what_a_model_needs_to_know():
    """A name every provider takes, a short description, a schema with each argument described."""
    for tool in a_toolbox().tools:
        assert tool.name.replace("_", "").isalnum()
        assert 20 < len(tool.description) < 700, tool.name
        for field in tool.arguments.model_fields.values():
            assert field.description or field.annotation is bool, (tool.name, field)
        assert tool.schema()["type"] == "object"


def test_a_role_has_its_usual_tools_unless_its_configuration_names_others():
    """Families, single names and nothing at all; each tool once, always in the same order."""
    box = a_toolbox(
        writer={"tools": ("fetch", "notes", "web")}, utility={"tools": ()}, chat={"tools": ("ask",)}
    )
    usual = ("ask", "web", "web_search")
    assert names(box.for_role(Role.ENGINEER, usual)) == ["web_search", "fetch", "ask"]
    expected = ["web_search", "fetch", "remember", "recall", "forget"]
    assert names(box.for_role(Role.WRITER, usual)) == expected
    assert box.for_role(Role.UTILITY, usual) == ()
    assert box.for_role(Role.ENGINEER, ()) == ()
    assert names(box.for_role(Role.CHAT, usual)) == ["ask"]
    assert box.find("fetch") is box.for_role(Role.WRITER, usual)[1]
    assert box.find("fly") is None


def test_a_name_that_means_nothing_is_said_with_what_there_is():
    """The role gets the rest, and a sentence with the likeliest meaning."""
    box = a_toolbox(writer={"tools": ("web-search", "ask", "mcp:gone", "mcp", "own")})
    assert names(box.for_role(Role.WRITER, ())) == ["ask"]
    first, second = box.missing(Role.WRITER, ())
    assert first.startswith("There is no tool 'web-search'. Did you mean 'web_search'? Known are: ")
    assert "'mcp:gone'" in second


class Nothing(BaseModel):
    """No arguments."""


class Bat(Tool[Nothing]):
    """A tool of this test."""

    name: ClassVar[str] = "bat"
    family: ClassVar[str] = "files"
    description: ClassVar[str] = "Fly."
    arguments = Nothing
    effect = EffectClass.READ

    async def run(self, arguments, context):
        return ToolResult("flap")


async def test_tools_may_be_given_instead_of_configured():
    """A toolbox of one's own knows nothing else, and of two namesakes keeps the first."""
    first, second = Bat(), Bat()
    box = Toolbox(settings_with(), clock=ManualClock(), tools=[first, second])
    async with box:
        await box.prepare(Role.CHAT, ("files",))
        assert box.for_role(Role.CHAT, ("files",)) == (first,)
        (problem,) = box.problems
        assert "Two tools are called 'bat'" in problem


OWN = """
from langchain_core.tools import tool, InjectedToolArg, ToolException
from typing import Annotated
from pydantic import BaseModel

class Place(BaseModel):
    name: str
    height: int = 0

@tool
def level(place: Place, unit: str = "m") -> dict:
    '''Return the water level
    at a place.'''
    return {"place": place.name, "unit": unit}

level.metadata = {"effect": "read", "outside": False}

@tool
async def order(what: str) -> str:
    '''Order something.'''
    raise ToolException("sold out")

@tool
def breaks() -> str:
    '''Break.'''
    raise RuntimeError("bug\\nin it")

@tool
def nothing() -> None:
    '''Return nothing.'''

@tool
def injected(a: str, b: Annotated[str, InjectedToolArg]) -> str:
    '''Want too much.'''
    return a

@tool
def wrong() -> str:
    '''Have an effect nobody knows.'''

wrong.metadata = {"effect": "some"}
again = level
not_a_tool = 3
"""


@pytest.fixture
def own_folder(tmp_path):
    (tmp_path / "a_water.py").write_text(OWN)
    (tmp_path / "b_broken.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "c_syntax.py").write_text("def x(:\n")
    (tmp_path / "d_exit.py").write_text("raise SystemExit('bye')\n")
    (tmp_path / "e_twice.py").write_text(
        "from langchain_core.tools import tool\n"
        "@tool\ndef fetch(url: str) -> str:\n    '''Fetch otherwise.'''\n    return url\n"
        "@tool\ndef sleeps() -> str:\n    '''Sleep.'''\n"
        "    import time\n    time.sleep(1)\n    return 'x'\n"
    )
    (tmp_path / "notes.txt").write_text("no Python")
    return tmp_path


async def test_functions_of_a_folder_are_tools(own_folder):
    """With their arguments, docstrings and effects; results that are no text become JSON."""
    box = a_toolbox({"folder": own_folder})
    own = [tool for tool in box.for_role(Role.ENGINEER, ("ask",)) if tool.family == "own"]
    assert names(own) == ["level", "order", "breaks", "nothing", "sleeps"]
    level, order, breaks, nothing, _ = own
    assert (level.effect, order.effect) == (EffectClass.READ, EffectClass.OUTSIDE)
    assert level.description == "Return the water level at a place."
    assert level.schema()["required"] == ["place"]
    result = await call(level, {"place": {"name": "Ems"}})
    assert result == ToolResult('{"place": "Ems", "unit": "m"}')
    assert level.subject(level.arguments(place={"name": "Ems"})) == '{"place": {"name": "Ems"}}'
    with pytest.raises(ToolError, match="order: sold out"):
        await call(order, {"what": "moths"})
    with pytest.raises(ToolError, match="breaks failed with RuntimeError: bug"):
        await call(breaks, {})
    done = await call(nothing, {})
    assert (done.text, done.outside) == ("Done; it returned nothing.", True)


async def test_what_cannot_be_a_tool_is_said_and_the_rest_works(own_folder, caplog):
    """Each broken file with its error, each odd function with its reason, each namesake."""
    box = a_toolbox({"folder": own_folder})
    with caplog.at_level(logging.WARNING):
        async with box:
            pass
    said = "\n".join(box.problems)
    for part in (
        f"{own_folder / 'b_broken.py'}: its tools are missing, because it cannot be run: Module",
        "No module named 'nowhere_to_be_found'",
        "c_syntax.py: its tools are missing, because it cannot be run: SyntaxError",
        "d_exit.py: its tools are missing, because it cannot be run: SystemExit: bye",
        "a_water.py: the tool 'injected' takes arguments that only LangGraph could inject",
        "a_water.py: the tool 'wrong' has the effect 'some'; metadata[\"effect\"] is read, write",
        "Two tools are called 'fetch': the one of the family 'web' is used",
    ):
        assert part in said
    assert "d_exit.py" in caplog.text


async def test_a_function_that_takes_too_long_is_left_behind(own_folder):
    """The agent goes on; what becomes of the function nobody knows."""
    box = a_toolbox({"folder": own_folder, "command_timeout": "100ms"})
    with pytest.raises(ToolError, match=r"sleeps did not end within 0\.1 s"):
        await call(box.find("sleeps"), {})


def test_a_private_session_asks_before_an_effect_outside(own_folder):
    """A function that only reads does not ask; one that acts outside does."""
    box = a_toolbox({"folder": own_folder})
    order, level = box.find("order"), box.find("level")
    private = a_context(private=True)
    assert "private" in order.needs_person(order.arguments(what="x"), private)
    assert level.needs_person(level.arguments(place={"name": "x"}), private) is None


def test_a_folder_that_is_not_there_is_said():
    """The path, and what to do."""
    (problem,) = a_toolbox({"folder": Path("/nowhere/tools")}).problems
    assert problem.startswith("tools.folder: there is no folder /nowhere/tools.")


async def test_ask_hands_the_answer_on_and_is_never_run():
    """The person's words, or that there are none; only the loop can wait for them."""
    ask = a_toolbox().find("ask")
    assert ask.asks_person
    assert ask.answered("the red one").text == "The person answered: the red one"
    assert "did not answer" in ask.answered(None).text
    assert ask.subject(ask.arguments(question="Which?", choices=["a"])) == "Which?"
    with pytest.raises(ToolError, match="Nobody can be asked"):
        await call(ask, {"question": "Which?"})


def test_a_name_that_is_a_tool_and_a_family_means_the_tool_alone():
    """``tools: [shell]`` leaves ``python`` out, and the engineer's usual set has both."""
    box = a_toolbox(writer={"tools": ("shell",)}, utility={"tools": ("shell", "python")})
    assert names(box.for_role(Role.WRITER, ())) == ["shell"]
    assert names(box.for_role(Role.UTILITY, ())) == ["shell", "python"]
    usual = names(box.for_role(Role.ENGINEER, ENGINEER.tools))
    assert {"shell", "python"} <= set(usual)
