from pathlib import Path

import pytest
from pydantic import ValidationError

from noctule.core.settings.tools import ToolsSettings
from noctule.core.tools.effects import EffectClass
from tests.support.workbench import a_context, a_workspace
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.files.file_reading import ListArguments, ListFiles, ReadArguments, ReadFile
from tools.files.file_writing import EditArguments, EditFile, WriteArguments, WriteFile
from tools.files.files import file_tools

SETTINGS = ToolsSettings()


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    return a_context(a_workspace(tmp_path))


async def reading(context: ToolContext, path: str, **more) -> str:
    return (await ReadFile(SETTINGS).run(ReadArguments(path=path, **more), context)).text


async def editing(context: ToolContext, old: str, new: str, **more) -> ToolResult:
    arguments = EditArguments(path="a.py", old=old, new=new, **more)
    return await EditFile(SETTINGS).run(arguments, context)


def test_every_tool_says_what_it_does_and_reads_are_reads():
    """The family offers a description, a schema and an effect for each."""
    effects = {tool.name: tool.effect for tool in file_tools(SETTINGS)}
    assert effects["read_file"] == effects["list_files"] == EffectClass.READ
    assert effects["write_file"] == effects["edit_file"] == EffectClass.WRITE
    for tool in file_tools(SETTINGS):
        assert tool.description
        assert tool.arguments.model_json_schema()["properties"]
        assert tool.family == "files"


async def test_a_file_is_written_read_and_replaced(context: ToolContext):
    """What was written is read back with line numbers, and a replacement says what it replaced."""
    tool = WriteFile(SETTINGS)
    first = await tool.run(WriteArguments(path="src/a.py", content="one\ntwo\n"), context)
    assert first.text == "Wrote src/a.py: 2 lines, 8 bytes; a new file."
    assert first.files == ("src/a.py",)
    assert await reading(context, "src/a.py") == "     1\tone\n     2\ttwo"
    second = await tool.run(WriteArguments(path="./src/a.py", content="x"), context)
    assert second.text == "Wrote src/a.py: 1 line, 1 bytes; it replaced 2 lines."


async def test_a_part_of_a_file_is_shown_and_how_to_read_on(context: ToolContext):
    """Lines are chosen by number; what does not fit is left for the next call."""
    (context.workspace.root / "long").write_text("".join(f"line {n}\n" for n in range(1, 5001)))
    assert await reading(context, "long", start=7, lines=2) == (
        "     7\tline 7\n     8\tline 8\n(line 9 and more follow)"
    )
    text = await reading(context, "long")
    assert len(text) < SETTINGS.output_bytes
    start = int(text.rsplit("start=", 1)[1].rstrip(")"))
    assert (await reading(context, "long", start=start)).startswith(f"{start:>6}\tline {start}")
    with pytest.raises(ToolError, match="has 5000 lines"):
        await reading(context, "long", start=6000)


async def test_a_line_without_end_is_cut_and_not_kept_in_memory(context: ToolContext):
    """Of one line of 20 MB its beginning is shown, and the line after it has number 2."""
    (context.workspace.root / "wide").write_bytes(b"x" * 20_000_000 + b"\nend\n")
    first, second = (await reading(context, "wide")).split("\n")
    assert len(first) < 3000
    assert "more bytes in this line" in first
    assert second == "     2\tend"


async def test_what_is_no_text_is_said_to_be_none(context: ToolContext):
    """Binary files, folders and files that are not there are refused with what to do."""
    (context.workspace.root / "b.png").write_bytes(b"\x89PNG\0\0")
    (context.workspace.root / "folder").mkdir()
    (context.workspace.root / "latin").write_bytes(b"caf\xe9\n")
    for path, words in (("b.png", "binary"), ("folder", "list_files"), ("none", "There is no")):
        with pytest.raises(ToolError, match=words):
            await reading(context, path)
    assert await reading(context, "latin") == "     1\tcaf\ufffd"
    (context.workspace.root / "empty").touch()
    assert await reading(context, "empty") == "empty is empty."


async def test_a_listing_names_folders_that_it_does_not_look_into(context: ToolContext):
    """Two levels, sizes, links by their target, and nothing from inside ``.git``."""
    root = context.workspace.root
    for name in ("src/deep/x.py", ".git/config", "a.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("12345")
    (root / "link").symlink_to("/etc/passwd")
    listed = await ListFiles(SETTINGS).run(ListArguments(depth=2), context)
    assert listed.text.splitlines() == [
        ".git/  (not looked into)",
        "src/",
        "a.txt  5 bytes",
        "link -> /etc/passwd",
        "src/deep/  (not looked into)",
    ]
    chosen = await ListFiles(SETTINGS).run(ListArguments(pattern="*.py"), context)
    assert chosen.text == "src/deep/x.py  5 bytes"
    named = await ListFiles(SETTINGS).run(ListArguments(path=".git"), context)
    assert named.text == ".git/config  5 bytes"


async def test_a_long_listing_is_bounded(context: ToolContext):
    """Ten thousand files do not fill the model's context."""
    for number in range(3000):
        (context.workspace.root / f"file{number}").touch()
    listed = await ListFiles(SETTINGS).run(ListArguments(), context)
    assert len(listed.text) <= SETTINGS.output_bytes
    assert "and more" in listed.text


async def test_what_others_wrote_is_marked_as_from_outside(tmp_path: Path):
    """A given folder and kept output of tools are data; what the session wrote itself is not."""
    (tmp_path / "a").write_text("x")
    (tmp_path / ".noctule").mkdir()
    (tmp_path / ".noctule" / "call.txt").write_text("x")
    tool = ReadFile(SETTINGS)
    for own, path, outside in (
        (True, "a", False),
        (True, ".noctule/call.txt", True),
        (False, "a", True),
    ):
        context = a_context(a_workspace(tmp_path, own=own))
        assert (await tool.run(ReadArguments(path=path), context)).outside is outside


async def test_an_edit_replaces_exactly_one_text_and_shows_it(context: ToolContext):
    """The result shows the new lines with what is around them."""
    (context.workspace.root / "a.py").write_text("a\nb\nc\nd\ne\n")
    result = await editing(context, "c\n", "C1\nC2\n")
    assert (context.workspace.root / "a.py").read_text() == "a\nb\nC1\nC2\nd\ne\n"
    assert "     3\tC1\n     4\tC2" in result.text


async def test_an_edit_that_fits_twice_or_never_says_where_and_what_is_near(context: ToolContext):
    """The agent learns which lines it could have meant, and the file stays as it was."""
    file = context.workspace.root / "a.py"
    file.write_text("def total(x):\n    return x + 1\n\nprint(1)\nprint(1)\n")
    with pytest.raises(ToolError, match=r"2 times in a.py \(lines 4, 5\)"):
        await editing(context, "print(1)", "print(2)")
    with pytest.raises(ToolError, match=r"(?s)Only spaces differ.*2\t    return x \+ 1"):
        await editing(context, "\treturn x + 1", "  return x")
    with pytest.raises(ToolError, match="the same"):
        await editing(context, "print(1)", "print(1)", replace_all=True)
    await editing(context, "print(1)", "print(2)", replace_all=True)
    assert file.read_text().count("print(2)") == 2


async def test_an_edit_keeps_line_breaks_and_bytes_it_does_not_touch(context: ToolContext):
    """Windows line breaks and letters that are not UTF-8 stay as they were."""
    file = context.workspace.root / "a.py"
    file.write_bytes(b"one\r\ntwo\r\nthree \xe9\r\n")
    await editing(context, "one\ntwo\n", "1\n2\n")
    assert file.read_bytes() == b"1\r\n2\r\nthree \xe9\r\n"


def test_arguments_out_of_bounds_are_refused_by_their_model():
    """Texts of any size do not get past validation."""
    with pytest.raises(ValidationError):
        WriteArguments(path="a", content="x" * 5_000_000)
    with pytest.raises(ValidationError):
        ReadArguments(path="a", start=0)
    with pytest.raises(ValidationError, match="unicode"):
        WriteArguments(path="a", content="half a character: \ud83d")


async def test_a_write_cut_off_by_a_crash_is_decided_by_the_file(context: ToolContext):
    """New content: it happened. Old content: it did not. Anything else: nobody knows."""
    tool, arguments = WriteFile(SETTINGS), WriteArguments(path="a", content="new")
    (context.workspace.root / "a").write_text("old")
    before = await tool.before(arguments, context)
    assert await tool.happened(arguments, context, before) is False
    await tool.run(arguments, context)
    result = await tool.happened(arguments, context, before)
    assert isinstance(result, ToolResult)
    assert result.files == ("a",)
    (context.workspace.root / "a").write_text("by somebody else")
    assert await tool.happened(arguments, context, before) is None


async def test_an_edit_cut_off_by_a_crash_is_decided_by_the_file(context: ToolContext):
    """An edit that would fit again after it happened is not done again."""
    tool = EditFile(SETTINGS)
    arguments = EditArguments(path="a.py", old="x", new="xx")
    (context.workspace.root / "a.py").write_text("x\n")
    before = await tool.before(arguments, context)
    assert await tool.happened(arguments, context, before) is False
    await tool.run(arguments, context)
    assert isinstance(await tool.happened(arguments, context, before), ToolResult)


async def test_a_call_that_is_going_to_be_refused_did_not_happen(context: ToolContext):
    """Nothing was noted before it, so that it can be refused again."""
    tool, arguments = WriteFile(SETTINGS), WriteArguments(path="../a", content="x")
    before = await tool.before(arguments, context)
    assert before == {}
    assert await tool.happened(arguments, context, before) is False
    with pytest.raises(ToolError, match="out of the workspace"):
        await tool.run(arguments, context)
