from typing import Any

from langchain_core.messages import ToolMessage

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from tests.support.stage import Stage
from tests.support.theatre import open_theatre
from tests.support.toolkit import calls

OLD = "def test_it():\n    assert add(1, 2) == 3\n"
NEW = "def test_it():\n    pass\n"
WRITE = ("write_file", {"path": "test_a.py", "content": NEW})
FILES = {"engineer": {"tools": ["files"]}}


async def told(folder, *acts, content=OLD, settings=None, says=("Do it.",)):
    """Play replies of an engineer in a folder with one file; return results and the file."""
    project = folder / "project"
    project.mkdir()
    (folder / "home").mkdir()
    (project / "test_a.py").write_text(content)
    stage = Stage(roles=FILES, **(settings or {}))
    async with open_theatre(folder / "home", stage) as theatre:
        stage.will("first", *acts)
        turn = None
        for text in says:
            where = {"session_id": turn.session_id} if turn else {"workspace": str(project)}
            turn = await theatre.say(text, kind=SessionKind.RUN, role="engineer", **where)
            assert turn.status is Status.DONE
        seen = [m for m in stage.client.requests[-1].messages if isinstance(m, ToolMessage)]
        async with theatre.runtime.records.database.read() as work:
            effects = await work.effects.of_session(turn.session_id)
            session = await work.sessions.get(turn.session_id)
    return seen, (project / "test_a.py").read_text(), effects, session


async def test_a_file_nobody_read_is_not_replaced_at_the_first_call(tmp_path):
    """The call is refused with what the file holds, is no effect, and is done when made again."""
    seen, after, effects, session = await told(tmp_path, calls(WRITE), "I left it.")
    (first,) = seen
    assert first.status == "error"
    assert "test_a.py exists and you have not read it (2 lines, 41 bytes)" in first.text
    assert "assert add(1, 2) == 3" in first.text
    assert first.text.startswith("Nothing was written: ")
    assert "written by others" in first.text.partition("It begins:")[2]
    assert (after, effects) == (OLD, [])
    assert session.outside_since is not None


async def test_a_second_call_replaces_it(tmp_path):
    """It is refused once: who means it calls again."""
    seen, after, _, _ = await told(tmp_path, calls(WRITE), calls(WRITE), "Done.")
    assert (seen[-1].status, after) == ("success", NEW)


async def test_what_was_read_or_shown_in_whole_may_be_replaced(tmp_path):
    """read_file, a search that showed every line, and an edit are all ways to know a file."""
    ways = {
        "read": [("read_file", {"path": "./test_a.py"})],
        "search": [("search_files", {"pattern": ".", "path": "."})],
        "edit": [("edit_file", {"path": "test_a.py", "old": "1, 2", "new": "2, 1"})],
    }
    wrong = []
    for name, way in ways.items():
        folder = tmp_path / name
        folder.mkdir()
        seen, after, _, _ = await told(folder, calls(*way), calls(WRITE), "Done.")
        if after != NEW:
            wrong.append((name, [message.text for message in seen]))
    assert not wrong


async def test_listing_or_failing_to_read_is_not_reading(tmp_path):
    """A name in a listing, and a call that came to nothing, show nobody what a file holds."""
    ways: dict[str, list[Any]] = {
        "list": [("list_files", {})],
        "other": [("read_file", {"path": "test_b.py"})],
        "beyond": [("read_file", {"path": "test_a.py", "start": 99})],
    }
    wrong = []
    for name, way in ways.items():
        folder = tmp_path / name
        folder.mkdir()
        _, after, _, _ = await told(folder, calls(*way), calls(WRITE), "Done.")
        if after != OLD:
            wrong.append(name)
    assert not wrong


async def test_what_the_session_wrote_or_read_in_an_earlier_turn_is_known(tmp_path):
    """The journal and the record of work reach over turns."""
    again = ("write_file", {"path": "test_a.py", "content": "x = 1\n"})
    acts = [calls(("read_file", {"path": "test_a.py"})), "Read.", calls(WRITE), "Done."]
    _, after, _, _ = await told(tmp_path, *acts, calls(again), "Done.", says=("a", "b", "c"))
    assert after == "x = 1\n"


async def test_an_empty_file_and_the_same_content_are_no_loss(tmp_path):
    """Nothing is refused where nothing can be lost, and the same content changes nothing."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "same").mkdir()
    _, after, _, _ = await told(tmp_path / "empty", calls(WRITE), "Done.", content="")
    assert after == NEW
    seen, _, _, _ = await told(tmp_path / "same", calls(WRITE), "Done.", content=NEW)
    assert "Nothing changed: test_a.py" in seen[0].text


async def test_a_file_that_may_not_be_read_is_not_shown(tmp_path):
    """The refusal shows nothing that the rules keep from the agent."""
    rules = {"tools": {"permissions": {"read_file:test_*": "deny"}}}
    seen, after, _, _ = await told(tmp_path, calls(WRITE), "Left it.", settings=rules)
    assert "you have not read it" in seen[0].text
    assert "assert add" not in seen[0].text
    assert after == OLD


async def test_a_file_too_large_to_be_held_is_kept_all_the_same(tmp_path):
    """Its size is said; what it holds need not be read for that."""
    big = "x" * 70_000_000
    seen, after, _, _ = await told(tmp_path, calls(WRITE), "I left it.", content=big)
    assert "you have not read it (6" in seen[0].text
    assert len(after) == len(big)
