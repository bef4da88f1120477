import difflib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.base.tool import ToolContext, ToolError, ToolResult
from tools.files.patches import PatchError, apply_hunks, read_patch
from tools.files.patching import ApplyPatch, PatchArguments

LINES = st.lists(
    st.sampled_from(["a\n", "b\n", "\n", "-- x\n", "++ y\n", "  c\n", "@@ -1 +1 @@\n", "\\ z\n"])
)
TEXTS = st.tuples(LINES, st.sampled_from(["", "end", "-- end"])).map(lambda t: "".join(t[0]) + t[1])


def diff_of(old: str, new: str, path: str = "f") -> str:
    """What ``diff -u`` writes."""
    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(text: str) -> list[str]:
    parts = [f"{part}\n" for part in text.split("\n")]
    parts[-1] = parts[-1][:-1]
    return [part for part in parts if part]


@given(TEXTS, TEXTS)
def test_a_diff_of_two_texts_makes_the_second_of_the_first(old: str, new: str):
    """Whatever the lines look like, and whether or not they end with a line break."""
    patch = diff_of(old, new)
    if not patch:
        return
    (file,) = read_patch(patch)
    assert (file.old, file.new) == ("f", "f")
    assert apply_hunks("f", old, file.hunks) == new


@given(TEXTS, TEXTS, st.lists(st.sampled_from(["p\n", "q\n"]), max_size=9).map("".join))
def test_a_diff_fits_where_lines_have_moved(old: str, new: str, above: str):
    """Lines that were added above change nothing, if what is replaced stands there once."""
    lines = _lines(old)
    patch = diff_of(old, new)
    if not patch or not old.endswith("\n") or not lines or len(set(lines)) != len(lines):
        return
    (file,) = read_patch(patch)
    if all(hunk.old for hunk in file.hunks):
        assert apply_hunks("f", above + old, file.hunks) == above + new


@given(TEXTS, TEXTS, TEXTS)
def test_a_diff_of_other_lines_is_refused_or_keeps_the_rest(old: str, new: str, other: str):
    """A text that a diff was not made of is changed where it fits, or not at all."""
    patch = diff_of(old, new)
    if not patch:
        return
    (file,) = read_patch(patch)
    try:
        changed = apply_hunks("f", other, file.hunks)
    except PatchError:
        return
    grown = sum(len(hunk.new) - len(hunk.old) for hunk in file.hunks)
    assert len(_lines(changed)) == len(_lines(other)) + grown


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str):
    """What is no patch is refused, and never with another error."""
    with suppress(PatchError):
        assert read_patch(text)


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "a.py").write_text("one\ntwo\nthree\nfour\n")
    (tmp_path / "b.py").write_text("x = 1\n")
    return a_context(a_workspace(tmp_path))


async def patching(context: ToolContext, patch: str) -> ToolResult:
    return await ApplyPatch(ToolsSettings()).run(PatchArguments(patch=patch), context)


def state(context: ToolContext) -> dict[str, str]:
    return {path.name: path.read_text() for path in context.workspace.root.iterdir()}


BOTH = (
    "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n"
    "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    "--- /dev/null\n+++ b/new/c.py\n@@ -0,0 +1,2 @@\n+made\n+here\n"
    "--- a/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 1\n"
)


async def test_a_patch_changes_makes_and_deletes_files(context: ToolContext):
    """The result names each file and what became of it."""
    result = await patching(context, BOTH)
    assert result.text == "Patch applied: changed a.py, made new/c.py, deleted b.py."
    root = context.workspace.root
    assert (root / "a.py").read_text() == "one\n2\nthree\nfour\n"
    assert (root / "new" / "c.py").read_text() == "made\nhere\n"
    assert not (root / "b.py").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        "--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n-y = 1\n+y = 2\n",
        "--- a/none.py\n+++ b/none.py\n@@ -1 +1 @@\n-y = 1\n+y = 2\n",
        "--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+y = 2\n",
        "--- a/../a.py\n+++ b/../a.py\n@@ -1 +1 @@\n-one\n+1\n",
        "--- /dev/null\n+++ /etc/new\n@@ -0,0 +1 @@\n+y = 2\n",
        "--- a/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n",
    ],
)
async def test_when_one_change_does_not_fit_no_file_is_changed(context: ToolContext, wrong: str):
    """All or nothing, whatever is wrong with it, and a sentence says what."""
    before = state(context)
    with pytest.raises(ToolError, match=r"[.:]"):
        await patching(context, BOTH + wrong)
    assert state(context) == before


async def test_a_patch_that_cannot_be_written_is_taken_back(context: ToolContext):
    """The second file is a folder by now; the first is as it was."""
    (context.workspace.root / "new").write_text("in the way")
    before = state(context)
    with pytest.raises(ToolError):
        await patching(context, BOTH)
    assert state(context) == before


async def test_a_patch_with_wrong_numbers_and_words_around_it_fits(context: ToolContext):
    """Models miscount, leave numbers out and write a fence around it."""
    patch = (
        "Here it is:\n```diff\n--- a.py\n+++ a.py\n@@ -90,7 +80 @@ def f():\n two\n-three\n+3\n"
        "@@\n-four\n+4\n```\n"
    )
    await patching(context, patch)
    assert (context.workspace.root / "a.py").read_text() == "one\ntwo\n3\n4\n"


async def test_a_patch_that_does_not_fit_shows_what_is_nearest(context: ToolContext):
    """The agent sees the lines it meant, with their numbers."""
    with pytest.raises(ToolError, match=r"(?s)Change 1 of a.py.*2\ttwo"):
        await patching(context, "--- a/a.py\n+++ b/a.py\n@@ -2,2 +2,2 @@\n twoo\n-three\n+3\n")


async def test_a_file_is_renamed_by_a_patch(context: ToolContext):
    """With changes or without, as git writes it."""
    patch = (
        "diff --git a/a.py b/z.py\nsimilarity index 90%\nrename from a.py\nrename to z.py\n"
        "--- a/a.py\n+++ b/z.py\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n"
        "diff --git a/b.py b/y.py\nsimilarity index 100%\nrename from b.py\nrename to y.py\n"
    )
    await patching(context, patch)
    assert state(context) == {"z.py": "1\ntwo\nthree\nfour\n", "y.py": "x = 1\n"}


async def test_line_breaks_of_a_file_are_kept(context: ToolContext):
    """A file with Windows line breaks has them afterwards; one without a last one has none."""
    root = context.workspace.root
    (root / "a.py").write_bytes(b"one\r\ntwo\r\n")
    (root / "b.py").write_text("x = 1\ny = 2")
    await patching(
        context,
        "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
        "--- a/b.py\n+++ b/b.py\n@@ -1,2 +1,2 @@\n x = 1\n-y = 2\n+y = 3\n",
    )
    assert (root / "a.py").read_bytes() == b"one\r\n2\r\n"
    assert (root / "b.py").read_text() == "x = 1\ny = 3"


def test_the_subject_of_a_patch_is_every_path_it_touches():
    """A rule about a path holds wherever in a patch the path stands."""
    tool = ApplyPatch(ToolsSettings())
    assert tool.subject(PatchArguments(patch=BOTH)) == "a.py\nnew/c.py\nb.py"
    assert tool.subject(PatchArguments(patch="nothing")) is None


@pytest.mark.parametrize("cut", range(4))
async def test_a_patch_cut_off_by_a_crash_is_decided_and_finished(
    context: ToolContext, tmp_path_factory: pytest.TempPathFactory, cut: int
):
    """Before its first file it did not happen; after it, what is left is done once."""
    tool, arguments = ApplyPatch(ToolsSettings()), PatchArguments(patch=BOTH)
    before = await tool.before(arguments, context)
    assert list(before) == ["a.py", "new/c.py", "b.py"]
    root = context.workspace.root
    steps = [
        lambda: (root / "a.py").write_text("one\n2\nthree\nfour\n"),
        lambda: ((root / "new").mkdir(), (root / "new" / "c.py").write_text("made\nhere\n")),
        (root / "b.py").unlink,
    ]
    for step in steps[:cut]:
        step()
    answer = await tool.happened(arguments, context, before)
    if cut == 0:
        assert answer is False
        await tool.run(arguments, context)
    else:
        assert isinstance(answer, ToolResult)
        assert answer.files == ("a.py", "new/c.py", "b.py")
    assert (root / "a.py").read_text() == "one\n2\nthree\nfour\n"
    assert (root / "new" / "c.py").read_text() == "made\nhere\n"
    assert not (root / "b.py").exists()


async def test_a_patch_whose_files_somebody_else_changed_is_put_to_the_person(
    context: ToolContext,
):
    """Neither as it was nor as it was to be: nobody can tell."""
    tool, arguments = ApplyPatch(ToolsSettings()), PatchArguments(patch=BOTH)
    before = await tool.before(arguments, context)
    (context.workspace.root / "a.py").write_text("other\n")
    assert await tool.happened(arguments, context, before) is None


def test_changes_without_line_numbers_take_no_longer_than_they_must():
    """Thousands of changes in a long file find their places, or are given up."""
    content = "x\n" * 100_000
    (patch,) = read_patch("--- a/f\n+++ b/f\n" + "@@\n-x\n+z\n" * 3_000)
    assert apply_hunks("f", content, patch.hunks) == "z\n" * 3_000 + "x\n" * 97_000
    (patch,) = read_patch("--- a/f\n+++ b/f\n" + "@@ -99999 @@\n-x\n-x\n-y\n+z\n" * 3_000)
    with pytest.raises(PatchError):
        apply_hunks("f", content, patch.hunks)
    far = "".join(f"a{n}\n" + "x\n" * 50_000 for n in range(19))
    (patch,) = read_patch("--- a/f\n+++ b/f\n" + "".join(f"@@\n-a{n}\n+z\n" for n in range(19)))
    assert apply_hunks("f", far, patch.hunks).count("z\n") == 19
    with pytest.raises(PatchError, match="1,000,000 lines"):
        apply_hunks("f", "\n" * 1_000_001, patch.hunks)
