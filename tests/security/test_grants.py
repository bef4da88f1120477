"""What was allowed covers what was shown, and nothing that came after."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from noctule.core.sessions.grants import Grant, changes
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import SessionKind
from tests.support.mcp_stage import a_program
from tests.support.stage import Stage
from tests.support.stored_records import NOON
from tests.support.theatre import Theatre, open_theatre
from tests.support.toolkit import calls
from tools.shell.command_seal import command_seal

WORK: dict[str, Any] = {"kind": SessionKind.RUN, "role": "engineer"}
BUILD = ("shell", {"command": "sh build.sh"})


def a_stage(*, sandbox: str = "none", **tools: Any) -> Stage:
    roles = {"engineer": {"tools": ["shell", "python", "read_file", "mcp"]}}
    return Stage(roles=roles, tools={"sandbox": sandbox, **tools})


def a_project(folder: Path, name: str = "project", script: str = "echo built") -> str:
    (folder / name).mkdir()
    (folder / name / "build.sh").write_text(script)
    return str(folder / name)


def home_in(folder: Path) -> Path:
    (folder / "home").mkdir(exist_ok=True)
    return folder / "home"


async def open_question(theatre: Theatre, turn: Any) -> Question:
    (question,) = await theatre.service.questions(session_id=turn.session_id)
    return question


async def answered(theatre: Theatre, turn: Any, said: str) -> Any:
    await theatre.service.answer((await open_question(theatre, turn)).id, said)
    return await theatre.rest(turn)


def told(theatre: Theatre) -> str:
    messages = theatre.stage.client.requests[-1].messages
    return [message.text for message in messages if isinstance(message, ToolMessage)][-1]


async def test_always_for_a_script_ends_when_the_script_changes(tmp_path):
    """The same words with another script behind them are asked about, with what has changed."""
    project = a_project(tmp_path)
    async with open_theatre(home_in(tmp_path), a_stage()) as theatre:
        theatre.stage.always("first", "Done.")
        theatre.stage.will("first", calls(BUILD))
        turn = await theatre.say("build", workspace=project, **WORK)
        question = await open_question(theatre, turn)
        assert "exactly this command, with build.sh as it is now" in question.text
        assert "What these call, import or read is not covered" in question.text
        turn = await answered(theatre, turn, "always")
        assert (turn.status, "built" in told(theatre)) == (Status.DONE, True)

        theatre.stage.will("first", calls(BUILD))
        assert (await theatre.say("again", workspace=project, **WORK)).status is Status.DONE
        (tmp_path / "project/build.sh").write_text("echo evil!")
        theatre.stage.will("first", calls(BUILD))
        turn = await theatre.say("once more", workspace=project, **WORK)
        assert turn.status is Status.WAITING
        assert "since then build.sh changed" in (await open_question(theatre, turn)).text


async def test_always_in_one_project_is_nothing_in_another(tmp_path):
    """A folder that somebody prepared has the same words and the same bytes, and asks."""
    here, there = a_project(tmp_path), a_project(tmp_path, "hostile")
    async with open_theatre(home_in(tmp_path), a_stage()) as theatre:
        theatre.stage.always("first", "Done.")
        theatre.stage.will("first", calls(BUILD))
        await answered(theatre, await theatre.say("build", workspace=here, **WORK), "always")
        theatre.stage.will("first", calls(BUILD))
        turn = await theatre.say("build", workspace=there, **WORK)
        assert turn.status is Status.WAITING
        assert f"was allowed in {here}, which" in (await open_question(theatre, turn)).text
        theatre.stage.will("first", calls(BUILD))
        assert (await theatre.say("build", **WORK)).status is Status.WAITING


async def test_what_changes_between_the_question_and_the_answer_is_asked_about_again(tmp_path):
    """A yes to what lay there at noon is none to what lies there at night; thrice is enough."""
    project = a_project(tmp_path)
    async with open_theatre(home_in(tmp_path), a_stage()) as theatre:
        theatre.stage.always("first", "Done.")
        theatre.stage.will("first", calls(BUILD))
        turn = await theatre.say("build", workspace=project, **WORK)
        for number in range(2):
            (tmp_path / "project/build.sh").write_text(f"echo evil{number}")
            turn = await answered(theatre, turn, "once" if number else "session")
            assert turn.status is Status.WAITING
            assert (
                "until it could run build.sh changed" in (await open_question(theatre, turn)).text
            )
        turn = await answered(theatre, turn, "once")
        assert (turn.status, "evil1" in told(theatre)) == (Status.DONE, True)

        theatre.stage.will("first", calls(BUILD))
        turn = await theatre.say("build", workspace=project, **WORK)
        for number in range(3):
            (tmp_path / "project/build.sh").write_text(f"echo night{number}")
            turn = await answered(theatre, turn, "once")
        assert (turn.status, "had changed each time" in told(theatre)) == (Status.DONE, True)


NAMED = [
    "sh build.sh",
    "sh ./build.sh a b",
    "bash -c 'sh build.sh'",
    'bash -lc "cd . && sh build.sh"',
    "sh bu''ild.sh",
    "sh bu\\ild.sh",
    "sh $'build.sh'",
    "cat build.sh | sh",
    "sh <build.sh",
    "sh < build.sh > out",
    ". ./build.sh",
    "x=build.sh; sh $x",
    "sh $PWD/build.sh",
    'sh "${PWD}/build.sh"',
    "sh *.sh",
    "sh b[u]ild.s?",
    "sh {build,other}.sh",
    "bash --rcfile=build.sh -i",
    "make -fbuild.sh",
    "sh 'unfinished build.sh",
    "env A=b sh build.sh",
    "xargs -n1 sh <<< build.sh",
    "echo $(sh build.sh)",
    "echo `sh build.sh`",
    "cd inner && sh deep.sh",
    "make -C inner -f deep.sh",
    "sh linked.sh",
    "sh inner/../build.sh",
    "sh ../project/build.sh",
    "echo hello > build.sh; sh build.sh",
    "python3 -m pkg.tool",
    "make",
    "npm run it",
    "python3 -m pytest",
    "python3 -c 'import pkg.tool'",
    "python3 -c 'from pkg import tool'",
]


@pytest.mark.parametrize("line", NAMED)
def test_a_file_is_covered_however_a_line_names_it(tmp_path, line):
    """Rewritten with the same length and the same times, it is another one."""
    root = tmp_path / "project"
    (root / "inner").mkdir(parents=True)
    (root / "pkg").mkdir()
    names = ("build.sh", "inner/deep.sh", "pkg/tool.py", "Makefile", "package.json", "conftest.py")
    for name in names:
        (root / name).write_text("old")
    (root / "linked.sh").symlink_to("build.sh")
    before = command_seal(line, root)
    assert before == command_seal(line, root)
    for name in names:
        found = (root / name).stat()
        (root / name).write_text("new")
        os.utime(root / name, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert "changed" in changes(before, command_seal(line, root))


def test_a_new_file_behind_a_pattern_and_another_target_of_a_link_are_changes(tmp_path):
    """What is added is as foreign as what is changed."""
    (tmp_path / "a.sh").write_text("a")
    (tmp_path / "b.sh").symlink_to("a.sh")
    before = command_seal("cat *.sh | sh", tmp_path)
    (tmp_path / "c.sh").write_text("c")
    assert "c.sh is new" in changes(before, command_seal("cat *.sh | sh", tmp_path))
    linked = command_seal("sh b.sh", tmp_path)
    (tmp_path / "b.sh").unlink()
    (tmp_path / "b.sh").symlink_to("c.sh")
    assert changes(linked, command_seal("sh b.sh", tmp_path)) == (
        "a.sh is gone, c.sh is new, where b.sh leads changed"
    )


def test_what_a_line_only_writes_and_what_is_odd_does_not_stand_in_its_way(tmp_path):
    """An output may be there or not; pipes, endless lines and huge files are no trap."""
    before = command_seal("ls > out.txt 2>>log", tmp_path)
    (tmp_path / "out.txt").write_text("x")
    (tmp_path / "log").write_text("x")
    assert command_seal("ls > out.txt 2>>log", tmp_path) == before
    os.mkfifo(tmp_path / "pipe")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    first = command_seal("cat pipe huge", tmp_path)
    assert command_seal("cat pipe huge", tmp_path) == first
    with huge.open("r+b") as file:
        file.write(b"x")
    assert "huge changed" in changes(first, command_seal("cat pipe huge", tmp_path))
    for line in ("{a,b}" * 9000, "'" * 90_001, "sh " + "a/" * 40_000, "x " * 45_000, "*" * 50_000):
        assert "the command" in command_seal(line, tmp_path)


@pytest.mark.parametrize(
    ("line", "link", "to"),
    [
        ("echo hi > out", "out", "/etc/passwd"),
        ("echo hi >> d/out", "d", "other"),
        ("gcc -o x x.c", "x", "build.sh"),
        ("cp build.sh d/new", "d", "/etc"),
        ("cd d && touch new", "d", "/etc"),
        ("mkdir -p d/e/f", "d", "/etc"),
        ("sh d/../build.sh", "d", "/etc/ssl"),
    ],
)
def test_a_link_that_takes_the_place_of_what_is_written_is_a_change(tmp_path, line, link, to):
    """What was allowed wrote into the folder; it does not write where a link leads by now."""
    for folder in ("d", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "build.sh").write_text("echo built")
    before = command_seal(line, tmp_path)
    if link == "d":
        (tmp_path / "d").rmdir()
    (tmp_path / link).symlink_to(to)
    assert changes(before, command_seal(line, tmp_path)) != "nothing changed"


def test_what_a_compiler_writes_may_be_there_or_not_unless_it_is_used_too(tmp_path):
    """``gcc -o x x.c`` is asked about once; one that runs x, reads it or looks like it is not."""
    written = (
        "gcc -o x x.c",
        "cc x.c -Wall -ox",
        "CC=1 true; aarch64-linux-gnu-g++-12 -O2 x.c -o x",
    )
    used = (
        "gcc -o x x.c; ./x", "gcc -o x @x", "gcc -o x -specs=x y.c", "sh -o x", "sh x -o x",
        "gcc y.c | sh -o x", "gcc -o x x.c && sh $PWD/x", "gcc -o x y.c -include x", "gcc -o x *",
    )  # fmt: skip
    for name in ("x.c", "y.c"):
        (tmp_path / name).write_text("int main(){}")
    before = {line: command_seal(line, tmp_path) for line in (*written, *used)}
    (tmp_path / "x").write_text("anything")
    same = {line for line in before if command_seal(line, tmp_path) == before[line]}
    assert same == set(written)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("python3 d", "d/__main__.py"),
        ("PYTHONPATH=d python3 -V", "d/sitecustomize.py"),
        ("node tool", "tool.js"),
        ("node d", "d/index.js"),
        ("cargo build", ".cargo/config.toml"),
        ("docker compose up", "compose.override.yml"),
        ("poetry install", "pyproject.toml"),
        ("sh ~+/new.sh", "new.sh"),
        ("cd d && sh $OLDPWD/new.sh", "new.sh"),
        ("sh ${PWD%/}/new.sh", "new.sh"),
    ],
)
def test_what_a_program_obeys_unasked_is_named(tmp_path, line, name):
    """A file that was not there when it was allowed, and that the program takes by itself."""
    (tmp_path / "d").mkdir()
    before = command_seal(line, tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x")
    assert changes(before, command_seal(line, tmp_path)) == f"{name} is new"


@pytest.mark.parametrize(
    "line",
    [
        f": {' '.join(f'w{number}' for number in range(5100))}; sh build.sh",
        f"{'; '.join(f'cd d{number}; cd ..' for number in range(12))}; cd d12; sh build.sh",
        f": {' '.join(f'x{number}*' for number in range(80))}; sh b*.sh",
        "sh many/*",
    ],
)
async def test_what_names_more_than_is_looked_at_is_never_allowed_for_longer(tmp_path, line):
    """Nothing hides behind a heap of words, folders, patterns or files: it is asked each time."""
    root = tmp_path / "project"
    for number in range(13):
        (root / f"d{number}").mkdir(parents=True)
    (root / "many").mkdir()
    for number in range(600):
        (root / f"many/{number}").touch()
    stage = a_stage(ask_after_outside=False)
    stage.always("first", "Done.")
    async with open_theatre(home_in(tmp_path), stage) as theatre:
        stage.will("first", calls(("shell", {"command": line})))
        turn = await theatre.say("do it", workspace=str(root), **WORK)
        assert "only this once, because it names more" in (await open_question(theatre, turn)).text
        assert (await answered(theatre, turn, "always")).status is Status.DONE
        stage.will("first", calls(("shell", {"command": line})))
        turn = await theatre.say("again", workspace=str(root), **WORK)
        assert turn.status is Status.WAITING
        assert "asked about each time" in (await open_question(theatre, turn)).text


async def test_an_answer_to_one_call_is_none_to_another_of_the_same_id(tmp_path):
    """A model that names its calls alike is asked about each."""
    stage = a_stage()
    stage.always("first", "Done.")
    async with open_theatre(home_in(tmp_path), stage) as theatre:
        session_id = None
        for code in ("print(1)", "print(2)"):
            stage.will("first", calls(("python", {"code": code})))  # each reply calls "call-1"
            turn = await theatre.say("do it", **WORK, session_id=session_id)
            assert code in (await open_question(theatre, turn)).text
            turn = await answered(theatre, turn, "once")
            session_id = turn.session_id


async def test_code_is_allowed_as_it_was_written(tmp_path):
    """Another program is another question, however alike."""
    stage = a_stage()
    async with open_theatre(home_in(tmp_path), stage) as theatre:
        stage.always("first", "Done.")
        stage.will("first", calls(("python", {"code": "print(6*7)"})))
        turn = await answered(theatre, await theatre.say("calculate", **WORK), "always")
        assert (turn.status, "42" in told(theatre)) == (Status.DONE, True)
        stage.will("first", calls(("python", {"code": "print(6*7)"})))
        assert (await theatre.say("again", **WORK)).status is Status.DONE
        stage.will("first", calls(("python", {"code": "print(6*8)"})))
        assert (await theatre.say("again", **WORK)).status is Status.WAITING


def offered(**changed: Any) -> str:
    tool = {"name": "close", "description": "Close an issue.", "inputSchema": {}, **changed}
    return json.dumps([tool])


@pytest.mark.process
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, None),
        ({"description": "Close an issue and mail its text."}, "its description changed"),
        (
            {"inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}}},
            "its arguments changed",
        ),
    ],
)
async def test_a_server_s_tool_is_allowed_as_it_described_itself(tmp_path, changed, says):
    """Another description or other arguments, and it is asked about."""
    offers = tmp_path / "offers.json"
    offers.write_text(offered())
    server = a_program("offers", str(offers)).model_dump(exclude_defaults=True)
    stage = a_stage(mcp={"tickets": server}, ask_after_outside=False)
    stage.always("first", "Done.")
    async with open_theatre(home_in(tmp_path), stage) as theatre:
        stage.will("first", calls(("tickets_close", {})))
        turn = await theatre.say("close it", **WORK)
        assert (
            "(MCP server 'tickets') as it describes itself now"
            in (await open_question(theatre, turn)).text
        )
        assert (await answered(theatre, turn, "always")).status is Status.DONE
        (grant,) = await theatre.service.grants()
    offers.write_text(offered(**changed))
    again = a_stage(mcp={"tickets": server}, ask_after_outside=False)
    again.always("first", "Done.")
    async with open_theatre(home_in(tmp_path), again) as theatre:
        async with theatre.runtime.records.database.work() as work:
            await work.grants.add(grant)
            await work.commit()
        again.will("first", calls(("tickets_close", {})))
        turn = await theatre.say("close it", **WORK)
        assert turn.status is (Status.WAITING if says else Status.DONE)
        if says:
            assert f"since then {says}" in (await open_question(theatre, turn)).text


@pytest.mark.process
async def test_a_permission_goes_by_server_and_tool_not_by_their_joined_name(tmp_path):
    """``prod_close`` of ``tickets`` is called like ``close`` of ``tickets_prod``."""
    offers = tmp_path / "offers.json"
    offers.write_text(json.dumps([{"name": "close", "inputSchema": {}}]))
    prod = a_program("offers", str(offers)).model_dump(exclude_defaults=True)
    stage = a_stage(mcp={"tickets_prod": prod}, ask_after_outside=False)
    stage.always("first", "Done.")
    async with open_theatre(home_in(tmp_path), stage) as theatre:
        stage.will("first", calls(("tickets_prod_close", {})))
        assert (
            await answered(theatre, await theatre.say("close", **WORK), "always")
        ).status is Status.DONE
        (grant,) = await theatre.service.grants()
    offers.write_text(json.dumps([{"name": "prod_close", "inputSchema": {}}]))
    again = a_stage(mcp={"tickets": prod}, ask_after_outside=False)
    again.always("first", "Done.")
    async with open_theatre(home_in(tmp_path), again) as theatre:
        async with theatre.runtime.records.database.work() as work:
            await work.grants.add(grant)
            await work.commit()
        again.will("first", calls(("tickets_prod_close", {})))
        turn = await theatre.say("close", **WORK)
        assert turn.status is Status.WAITING
        assert (
            "belongs to the MCP server 'tickets_prod'" in (await open_question(theatre, turn)).text
        )


async def test_a_lasting_grant_of_before_seals_is_asked_about_once(tmp_path):
    """It says too little to be held to; one of a session goes on holding there."""
    project = a_project(tmp_path)
    async with open_theatre(home_in(tmp_path), a_stage(ask_after_outside=False)) as theatre:
        theatre.stage.always("first", "Done.")
        async with theatre.runtime.records.database.work() as work:
            await work.grants.add(Grant("0old", "local", "shell:sh build.sh", NOON))
            await work.commit()
        theatre.stage.will("first", calls(BUILD))
        turn = await theatre.say("build", workspace=project, **WORK)
        assert "asked once more" in (await open_question(theatre, turn)).text
        turn = await answered(theatre, turn, "once")
        async with theatre.runtime.records.database.work() as work:
            old = Grant("1old", "local", "shell:sh build.sh", NOON, turn.session_id)
            await work.grants.add(old)
            await work.commit()
        theatre.stage.will("first", calls(BUILD))
        turn = await theatre.say("again", session_id=turn.session_id, role="engineer")
        assert turn.status is Status.DONE


@pytest.mark.parametrize(("kind", "goes_on"), [(SessionKind.RUN, True), (SessionKind.CHAT, False)])
async def test_a_run_allowed_commands_before_it_began_is_not_stopped_at_night(
    tmp_path, kind, goes_on
):
    """Where there is no sandbox, what was allowed for a run holds although it has read files."""
    project = a_project(tmp_path)
    async with open_theatre(home_in(tmp_path), a_stage()) as theatre:
        theatre.stage.always("first", "Done.")
        theatre.stage.will("first", calls(("read_file", {"path": "build.sh"})), calls(BUILD))
        turn = await theatre.say(
            "build", workspace=project, kind=kind, role="engineer", allow=("shell",)
        )
        session_id = turn.session_id
        async with theatre.runtime.records.database.read() as work:
            assert (await work.sessions.get(session_id)).outside_since is not None
        assert (turn.status is Status.DONE) == goes_on
