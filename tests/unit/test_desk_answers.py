from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from noctule.config.loading import load_text
from noctule.core.clock import ManualClock
from noctule.core.errors import NotFoundError, UsageError
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import Database
from noctule.core.sessions.choices import approvals_for
from noctule.core.sessions.grants import Grant
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import ParkingKind
from noctule.core.sessions.questions import QuestionKind
from noctule.core.sessions.sessions import Turn
from noctule.sessions.service.service import Request, SessionService
from noctule.sessions.service.workspaces import workspace_of
from tests.support.scratch import scratch_database
from tests.support.small_config import CONFIG
from tests.support.stored_records import NOON, a_parking, a_question, a_session, a_turn
from tools.base.workspace import open_workspace


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    """An empty one."""
    opened = scratch_database()
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """At noon."""
    return ManualClock(NOON)


def a_desk(
    database: Database, clock: ManualClock, home: Path | None = None, more: str = ""
) -> SessionService:
    settings = load_text(CONFIG + more, environ={}, folder=Path(), file="config.yaml")
    return SessionService(settings, database, clock, home=home)


@pytest.fixture
def service(database: Database, clock: ManualClock) -> SessionService:
    """With the small configuration."""
    return a_desk(database, clock)


async def waiting(database: Database, *names: str, owner: str = "local") -> None:
    """Let turn t1 of session s1 wait for the answers to questions of these names."""
    async with database.work() as work:
        await work.sessions.add(a_session(owner=owner))
        await work.turns.add(a_turn(status=Status.WAITING))
        for name in names:
            await work.questions.add(
                a_question(name, choices=tuple(map(str, approvals_for("shell"))))
            )
            parking = a_parking(
                f"p of {name}",
                kind=ParkingKind.QUESTION,
                wake_at=None,
                key=None,
                tool_call_id=f"call of {name}",
            )
            await work.parkings.add(parking)
        await work.commit()


async def the_turn(database: Database) -> Turn:
    async with database.read() as work:
        return await work.turns.get("t1")


async def test_an_answer_wakes_the_branch_that_asked_and_no_other(
    service: SessionService, database: Database
) -> None:
    """The other question stays open, and its branch asleep."""
    await waiting(database, "q1", "q2")
    answered = await service.answer("q1", "once")
    assert (answered.answer, answered.answered_by) == ("once", "local")
    assert (await the_turn(database)).wake_at == NOON
    async with database.read() as work:
        woken = {p.id: p.wake_at for p in await work.parkings.open_of_turn("t1")}
        events = await work.events.after("s1", 0)
    assert woken == {"p of q1": NOON, "p of q2": None}
    assert [(e.kind, e.data["text"]) for e in events] == [(EventKind.NOTICE, "Answered: once")]
    assert [q.id for q in await service.questions(session_id="s1")] == ["q2"]
    assert await service.grants() == []


async def test_all_commands_are_granted_to_their_session_alone(
    service: SessionService, database: Database
) -> None:
    """``all`` covers shell and code of the session that asked, and of no other."""
    await waiting(database, "q1", owner="tg:7")
    await service.answer("q1", "all", by="tg:7")
    (grant,) = await service.grants("tg:7")
    assert (grant.rule, grant.session_id) == ("shell", "s1")


async def test_a_reason_is_part_of_the_answer(service: SessionService, database: Database) -> None:
    """``no, because …`` is a no that grants nothing and keeps the person's words."""
    await waiting(database, "q1", owner="tg:7")
    answered = await service.answer("q1", "no, because it is mine", by="tg:7")
    assert answered.answer == "no: because it is mine"
    assert await service.grants("tg:7") == []


@pytest.mark.parametrize(("said", "session"), [("session", "s1"), ("always", None)])
async def test_what_is_allowed_for_longer_becomes_a_grant(
    service: SessionService, database: Database, said: str, session: str | None
) -> None:
    """Of the session's owner, for exactly that command; it can be taken back."""
    await waiting(database, "q1", owner="tg:7")
    await service.answer("q1", said, by="tg:7")
    (grant,) = await service.grants("tg:7")
    asked = a_question()
    assert grant == Grant(
        id=grant.id,
        owner="tg:7",
        rule="shell:git push",
        granted_at=NOON,
        session_id=session,
        tool="shell",
        workspace=asked.workspace,
        seal=asked.seal,
    )
    assert await service.grants("local") == []
    with pytest.raises(NotFoundError):
        await service.revoke(grant.id, owner="local")
    assert await service.revoke(grant.id[:30]) == grant
    assert await service.grants() == []


async def test_what_was_asked_before_there_were_seals_is_allowed_for_its_session(
    service: SessionService, database: Database
) -> None:
    """Nothing says what was shown then, so ``always`` reaches no further than it must."""
    await waiting(database)
    async with database.work() as work:
        await work.questions.add(a_question("q1", seal=None))
        await work.commit()
    await service.answer("q1", "always")
    (grant,) = await service.grants()
    assert (grant.session_id, grant.is_rule) == ("s1", True)


async def test_one_answer_counts(service: SessionService, database: Database) -> None:
    """A second one is refused with the first in the sentence, and grants nothing."""
    await waiting(database, "q1")
    await service.answer("q1", "no")
    with pytest.raises(UsageError, match=r"answered before \('no'\)"):
        await service.answer("q1", "always")
    assert await service.grants() == []


async def test_somebody_else_is_refused(service: SessionService, database: Database) -> None:
    """Neither their answer nor their remark counts; the owner's and that of local do."""
    await waiting(database, "q1", "q2", owner="tg:7")
    for owner in ("tg:8", ""):
        with pytest.raises(UsageError, match="somebody else's"):
            await service.answer("q1", "once", by=owner)
        with pytest.raises(UsageError, match="somebody else's"):
            await service.steer("s1", "faster", by=owner)
    assert len(await service.questions(owner="tg:7")) == 2
    await service.answer("q1", "once", by="tg:7")
    await service.answer("q2", "once", by="local")
    assert (await the_turn(database)).wake_at == NOON


async def test_what_is_over_cannot_be_answered(service: SessionService, database: Database) -> None:
    """A cancelled turn, and one that was sent on without an answer, say so."""
    await waiting(database, "q1", "q2")
    async with database.work() as work:
        await work.questions.answer("q2", "", by="local", at=NOON)
        await work.commit()
    with pytest.raises(UsageError, match="sent on without an answer"):
        await service.answer("q2", "once")
    await service.cancel("s1")
    with pytest.raises(UsageError, match="cancelled"):
        await service.answer("q1", "once")
    with pytest.raises(NotFoundError):
        await service.answer("nothing", "once")


async def test_a_wrong_answer_leaves_the_question_open(
    service: SessionService, database: Database
) -> None:
    """Too long, broken, empty or none of the choices: nothing is stored."""
    await waiting(database, "q1")
    for said in ("maybe", "", "\udcff", "x" * 10_000_000):
        with pytest.raises(UsageError):
            await service.answer("q1", said)
    assert [q.answer for q in await service.questions()] == [None]


async def test_a_free_answer_is_kept_as_it_was_said(
    service: SessionService, database: Database
) -> None:
    """A question of the agent grants nothing, whatever is said."""
    await waiting(database)
    question = a_question("q1", kind=QuestionKind.QUESTION, choices=(), tool=None, subject=None)
    async with database.work() as work:
        await work.questions.add(question)
        await work.commit()
    answered = await service.answer("q", "always\nand ever ")
    assert answered.answer == "always\nand ever"
    assert await service.grants() == []


async def test_a_remark_waits_for_the_loop(service: SessionService, database: Database) -> None:
    """By session or turn; nothing unfinished is nothing to steer."""
    await waiting(database)
    for name in ("s1", "t1", "t"):
        await service.steer(name, "in English")
    async with database.read() as work:
        assert len(await work.steers.waiting("t1")) == 3
    await service.cancel("s1")
    for name in ("s1", "t1"):
        with pytest.raises(UsageError, match=r"finished|cancelled"):
            await service.steer(name, "too late")
    with pytest.raises(NotFoundError):
        await service.steer("nobody", "hello")
    with pytest.raises(UsageError, match="empty"):
        await service.steer("s1", " ")


async def test_what_is_allowed_at_submit_holds_for_the_session(
    service: SessionService, database: Database
) -> None:
    """A new one or an old one; each rule once."""
    turn = await service.submit(Request("go", allow=("web", "shell:git push*", "web")))
    await service.submit(Request("on", session_id=turn.session_id, allow=("mcp",)))
    grants = await service.grants("local")
    assert sorted(grant.rule for grant in grants) == ["mcp", "shell:git push*", "web"]
    assert {grant.session_id for grant in grants} == {turn.session_id}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("sehll", "Did you mean 'shell'"),
        ("", "allows nothing"),
        ("shell:", "allows nothing"),
        (":x", "allows nothing"),
        ("mcp:nowhere", "no tool 'mcp:nowhere'"),
        ("mcp:files:read*", "no tool 'mcp:files'"),
        ("fetch", "tools.permissions says web: deny"),
    ],
)
async def test_a_rule_that_allows_nothing_is_refused(
    database: Database, clock: ManualClock, rule: str, words: str
) -> None:
    """Nothing is submitted, and the sentence says what to write."""
    service = a_desk(database, clock, more="tools: {permissions: {web: deny}}\n")
    with pytest.raises(UsageError, match=words):
        await service.submit(Request("go", allow=("notes", rule)))
    async with database.read() as work:
        assert await work.sessions.list() == []


async def test_tools_of_servers_and_of_ones_own_can_be_allowed(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Nobody but them knows their names, so what could be one counts as one."""
    more = f"tools: {{folder: {tmp_path}, mcp: {{git: {{command: [git-mcp]}}}}}}\n"
    service = a_desk(database, clock, more=more)
    rules = ("mcp:git", "git_commit", "mcp:git:push*", "my_tool", "own")
    await service.submit(Request("go", allow=rules))
    assert {grant.rule for grant in await service.grants()} == set(rules)


async def test_a_session_works_in_the_folder_it_was_given(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """With symlinks resolved; an old session keeps its own."""
    home, project = tmp_path / "home", tmp_path / "project"
    for folder in (home, project):
        folder.mkdir()
    (tmp_path / "link").symlink_to(project)
    service = a_desk(database, clock, home)
    turn = await service.submit(Request("go", workspace=str(tmp_path / "link")))
    async with database.read() as work:
        session = await work.sessions.get(turn.session_id)
    assert session.workspace == str(project)
    with pytest.raises(UsageError, match="has its workspace already"):
        await service.submit(Request("on", session_id=session.id, workspace=str(project)))


@pytest.mark.parametrize(
    "folder",
    [
        "relative",
        "{tmp}/nowhere",
        "{tmp}/file",
        "{tmp}/home",
        "{tmp}/home/inner",
        "{tmp}",
        "/",
        "\0",
    ],
)
async def test_a_folder_no_agent_may_have_is_refused(
    database: Database, clock: ManualClock, tmp_path: Path, folder: str
) -> None:
    """Relative, missing, no folder, the root, or one that overlaps with the data folder."""
    (tmp_path / "home" / "inner").mkdir(parents=True)
    (tmp_path / "file").touch()
    service = a_desk(database, clock, tmp_path / "home")
    with pytest.raises(UsageError, match=r"\. "):
        await service.submit(Request("go", workspace=folder.format(tmp=tmp_path)))
    async with database.read() as work:
        assert await work.sessions.list() == []


async def test_the_folder_of_a_session_is_where_its_tools_work(tmp_path: Path) -> None:
    """What people are shown is what tools open; nothing before there is one."""
    given = a_session("s2", workspace=str(tmp_path / "project"))
    assert workspace_of(a_session(), tmp_path) is None
    opened = open_workspace(tmp_path, "s1", None, most_bytes=1)
    assert workspace_of(a_session(), tmp_path) == str(opened.root)
    assert workspace_of(given, tmp_path) == given.workspace
