import shutil
from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.base.tool import ToolContext, ToolError
from tools.files.file_search import FileSearchArguments, SearchFiles
from tools.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.process

SETTINGS = ToolsSettings()


@pytest.fixture(params=["ripgrep", "ripgrep in the sandbox", "own"])
def tool(request: pytest.FixtureRequest) -> SearchFiles:
    if request.param == "own":
        return SearchFiles(SETTINGS, Sandbox(SETTINGS), ripgrep="")
    return SearchFiles(SETTINGS, Sandbox(SETTINGS) if "sandbox" in request.param else None)


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    root = tmp_path / "work"
    for name, text in {
        "a.py": "import os\nx = 1  # One\n",
        "a/b.py": "y = 'one.two'\n",
        "a-c.txt": "one\r\none\n",
        ".env": "one=1\n",
        ".gitignore": "ignored\n",
        "ignored": "one\n",
        ".git/config": "one\n",
        "node_modules/m.js": "one\n",
        ".noctule/call_1.txt": "one\n",
        "long.js": "x" * 5000 + "one\n",
        "bin": "one\0\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("one secret\n")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    return a_context(a_workspace(root))


async def finding(tool: SearchFiles, context: ToolContext, pattern: str, **more) -> list[str]:
    result = await tool.run(FileSearchArguments(pattern=pattern, **more), context)
    return result.text.splitlines()


async def test_lines_are_found_in_the_order_of_their_paths(tool: SearchFiles, context: ToolContext):
    """Hidden and ignored files too, but neither links nor binaries nor what tools have made."""
    assert await finding(tool, context, "one") == [
        ".env:1: one=1",
        "a/b.py:1: y = 'one.two'",
        "a-c.txt:1: one",
        "a-c.txt:2: one",
        "ignored:1: one",
        f"long.js:1: {'x' * 250} ...",
    ]


async def test_a_search_is_narrowed(tool: SearchFiles, context: ToolContext):
    """By path, name, case, and by taking the pattern as plain text."""
    assert await finding(tool, context, "one", path="a") == ["a/b.py:1: y = 'one.two'"]
    assert await finding(tool, context, "one", path="a-c.txt", most=1) == [
        "a-c.txt:1: one",
        "... and perhaps more. Narrow the pattern, the path or the glob.",
    ]
    found = await finding(tool, context, "ONE", ignore_case=True, glob="*.py")
    assert [line.split(":")[0] for line in found] == ["a/b.py", "a.py"]
    assert await finding(tool, context, "e.t", literal=True) == ["a/b.py:1: y = 'one.two'"]
    assert await finding(tool, context, "no such thing") == ["No line fits."]
    assert await finding(tool, context, "-e") == ["No line fits."]


async def test_a_folder_that_tools_made_is_searched_when_it_is_named(
    tool: SearchFiles, context: ToolContext
):
    """Kept output can be searched, and is marked as data from outside."""
    result = await tool.run(FileSearchArguments(pattern="one", path=".noctule"), context)
    assert result.text == ".noctule/call_1.txt:1: one"
    assert result.outside
    assert await finding(tool, context, "one", path=".git") == [".git/config:1: one"]


async def test_what_cannot_be_searched_is_said(tool: SearchFiles, context: ToolContext):
    """Wrong expressions and paths come back as sentences."""
    with pytest.raises(ToolError, match="no regular expression"):
        await finding(tool, context, "(")
    for path in ("..", "link", "link.txt", "/etc", "none"):
        with pytest.raises(ToolError, match="workspace"):
            await finding(tool, context, "one", path=path)
    with pytest.raises(ToolError, match="NUL"):
        await finding(tool, context, "a\0b")


async def test_thousands_of_finds_are_bounded(tool: SearchFiles, context: ToolContext):
    """They do not fill the model's context."""
    (context.workspace.root / "many").write_text("found it here\n" * 100_000)
    result = await tool.run(FileSearchArguments(pattern="found", most=1000), context)
    assert len(result.text) <= SETTINGS.output_bytes
    assert "perhaps more" in result.text


def test_ripgrep_is_at_hand():
    """What is under test above is what it says."""
    assert shutil.which("rg") or SearchFiles(SETTINGS)._program()


async def test_an_expression_that_takes_for_ever_is_ended(context: ToolContext):
    """Python's own expressions can; the event loop goes on, and a sentence comes back."""
    (context.workspace.root / "a.py").write_text("a" * 60 + "b")
    tool = SearchFiles(SETTINGS, ripgrep="", seconds=0.5)
    with pytest.raises(ToolError, match=r"ran longer than 0.5 s.*simpler pattern"):
        await finding(tool, context, "(a+)+$")
