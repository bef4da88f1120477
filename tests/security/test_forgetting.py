"""Once a turn has ended its secrets are nowhere in the data folder: rows, state, pages, logs."""

import asyncio
import re
import sqlite3
from collections.abc import Collection
from contextlib import aclosing, closing
from pathlib import Path

import psycopg
import pytest

from noctule.channels.discretion import masked_body, masked_document
from noctule.core.base.secrets import Replacer
from noctule.sessions.turns.forgetting import AFTER_SECONDS
from storage.sqlite.home_files import HomeFiles
from storage.sqlite.wiping import holds, wipe
from tests.support.command_line import CommandLine, wait_until
from tests.support.provider import Provider, Reply
from tests.support.stage import Stage
from tests.support.telegram_rig import open_bot
from tests.support.theatre import open_theatre
from tests.support.toolkit import Board, calls

KEY = "sk-proj-Zq3vN8xL1mB6tR4yW9kD"
PASSWORD = "tr0ub4dor-and-3-horses"
SAID = f"Deploy with {KEY}, and put DB_PASSWORD={PASSWORD} into the job."


def holding(home: Path, *texts: str) -> list[str]:
    """Return which files hold one of some texts, or a long piece of one."""
    pieces = [text[at : at + 12].encode() for text in texts for at in range(0, len(text) - 11, 4)]
    return [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and any(piece in path.read_bytes() for piece in pieces)
    ]


def placeholders(line: CommandLine) -> list[str]:
    with sqlite3.connect(line.home / "noctule.db") as connection:
        rows = connection.execute("SELECT text FROM turns ORDER BY id").fetchall()
    return [found for (text,) in rows for found in re.findall(r"\[secret:[0-9a-f]{12}\]", text)]


def test_nothing_of_a_persons_secrets_is_left_after_the_turn(tmp_path: Path):
    """In databases, and in logs, histories and backups beside them, which keep their length.

    The same secret has the same placeholder in every turn; a link is not followed.
    """
    line = CommandLine(tmp_path)
    line.play({"small": [{"reply": f"I used {KEY} and {PASSWORD}."}] * 5})
    beside = [line.home / name for name in ("noctule.log", "history", "backups/1/noctule.db")]
    text, theirs = f"before {KEY} and {PASSWORD} after", tmp_path / "theirs.txt"
    for path in beside:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text)
    theirs.write_text(KEY)
    (line.home / "link.txt").symlink_to(theirs)
    assert line.run("chat", SAID).returncode == 0
    assert holding(line.home, KEY, PASSWORD) == ["link.txt"]
    assert all(path.read_text().startswith("before [secret:") for path in beside)
    assert len(beside[1].read_text()) == len(text)
    assert theirs.read_text() == KEY
    assert line.run("run", SAID).returncode == 0
    assert holding(line.home, KEY, PASSWORD) == ["link.txt"]
    first, second, *again = placeholders(line)
    assert first != second
    assert again == [first, second]


def test_it_stays_while_the_turn_sleeps_and_goes_when_it_is_cancelled(tmp_path: Path):
    """Its agents need it when they wake; for its owner alone."""
    line = CommandLine(tmp_path)
    refusal = {"status": 429, "headers": {"Retry-After": "3600"}, "body": "come back later"}
    line.play({"small": [{"match": ".", "error": refusal}]})
    assert line.run("run", SAID).returncode == 75
    kept = holding(line.home, KEY, PASSWORD)
    assert kept
    assert all((line.home / name).stat().st_mode & 0o077 == 0 for name in kept)
    assert line.run("sessions", "cancel", "last").returncode == 0
    assert line.run("chat", "hello").returncode == 75
    assert holding(line.home, KEY, PASSWORD) == []


def test_a_kill_before_it_was_done_leaves_it_to_the_next_start(tmp_path: Path):
    """The rows still have it then, and free pages of databases may."""
    line = CommandLine(tmp_path)
    line.play({"small": [{"reply": f"I used {KEY}."}] * 3})
    worker = line.start("serve")
    try:
        wait_until((line.home / "engine.db").exists)
        assert line.run("run", "--detach", SAID).returncode == 0
        wait_until(lambda: status_of_last(line) == "done")
    finally:
        worker.kill()
        worker.communicate(timeout=60)
    assert holding(line.home, KEY, PASSWORD) != []
    assert line.run("chat", "hello").returncode == 0
    assert holding(line.home, KEY, PASSWORD) == []


def status_of_last(line: CommandLine) -> str | None:
    with sqlite3.connect(line.home / "noctule.db") as connection:
        row = connection.execute("SELECT status FROM turns ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])


@pytest.mark.postgres
def test_nothing_of_it_is_left_in_rows_of_postgresql(tmp_path: Path, postgres_url: str):
    """Of ours, of the checkpoints and of the engine."""
    line = CommandLine(tmp_path)
    line.play(
        {"small": [{"reply": f"I used {KEY} and {PASSWORD}."}] * 3}, storage={"url": postgres_url}
    )
    assert line.run("chat", SAID).returncode == 0
    assert holding(line.home, KEY, PASSWORD) == []
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        texts = [
            str(row[0])
            for schema, table in tables
            for row in connection.execute(f'SELECT t::text FROM "{schema}"."{table}" AS t')
        ]
    assert any("[secret:" in text for text in texts)
    hidden = [text.encode().hex() for text in (KEY, PASSWORD)]
    for secret in (KEY, PASSWORD, *hidden):
        assert [text for text in texts if secret in text] == []


def test_a_text_that_was_cut_over_pages_is_found(tmp_path: Path):
    """A long row goes on elsewhere in the file: a half of it is enough to write all anew."""
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA secure_delete=OFF")  # as most builds have it
        connection.execute("CREATE TABLE t (x)")
        for fill in range(3900, 4100):
            connection.execute("INSERT INTO t VALUES (?)", ("a" * fill + PASSWORD,))
        connection.commit()
        connection.execute("DELETE FROM t")
        connection.commit()
    connection.close()
    assert holds(path, {PASSWORD})
    assert wipe(path, {PASSWORD})
    assert not holds(path, {PASSWORD})
    assert PASSWORD[:8].encode() not in path.read_bytes()


def test_a_reader_in_the_way_is_waited_for_another_time(tmp_path: Path):
    """It sees what was there when it began: the pages it reads cannot be written over."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (?)", (PASSWORD,))
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT x FROM t").fetchall() == [(PASSWORD,)]
            connection.execute("DELETE FROM t")
            assert not wipe(path, {PASSWORD}, wait_s=0.05)
            reader.execute("ROLLBACK")
        assert wipe(path, {PASSWORD})
    assert holding(tmp_path, PASSWORD) == []


def test_what_is_listed_while_a_turn_sleeps_shows_no_secret(tmp_path: Path):
    """Titles, messages, events, explanations, exports, documents; and the log."""
    line = CommandLine(tmp_path)
    refusal = {"status": 429, "headers": {"Retry-After": "3600"}, "body": f"no: {KEY}"}
    line.play({"small": [{"match": ".", "error": refusal}]})
    assert line.run("run", f"{KEY} DB_PASSWORD={PASSWORD} deploy").returncode == 75
    for command in (
        ["sessions"],
        ["sessions", "--json"],
        ["sessions", "show", "last"],
        ["sessions", "show", "last", "--json"],
        ["sessions", "log", "last"],
        ["sessions", "export", "last"],
        ["why", "--json"],
        ["attempts"],
    ):
        done = line.run(*command)
        assert done.stdout, (command, done.stderr)
        told = done.stdout + done.stderr
        assert KEY not in told, command
        assert PASSWORD not in told, command
    log = line.home / "noctule.log"
    assert not log.exists() or KEY not in log.read_text()


def test_messages_for_a_messenger_keep_the_places_of_their_marks():
    """A mask has as many units as what it hides: links and code stay where they are."""
    text = f"🦇 use {KEY} and `x`"
    body = masked_body({"text": text, "entities": [{"offset": 40}], "path": f"/a/{KEY}"})
    assert KEY not in body["text"]
    assert len(body["text"]) == len(text)
    assert body["path"] == f"/a/{KEY}"
    assert masked_document({"reply": KEY, "text": KEY}, but=("reply",)) == {
        "reply": KEY,
        "text": "[masked]",
    }


async def test_a_later_turn_finds_a_placeholder_and_is_told_what_it_is(tmp_path: Path):
    """While the turn runs its agent has the key, in its calls too; the next one has to ask."""
    board = Board(shown={KEY: "here"})
    roles = {"engineer": {"tools": ["look", "put"]}}
    async with open_theatre(tmp_path, Stage(roles=roles), tools=board.tools()) as theatre:
        theatre.stage.will("first", calls(("look", {"where": KEY})), f"Used {KEY}.")
        first = await theatre.say(SAID, role="engineer")
        assert board.read == [KEY]
        theatre.stage.will("first", "Which key?")
        await theatre.say("Once more.", role="engineer", session_id=first.session_id)
        texts = [str(message) for message in theatre.stage.client.requests[-1].messages]
        await theatre.clock.advance(AFTER_SECONDS + 1)
        await theatre.runtime.forgetting.close()
        events = str(await theatre.events(first.session_id))
    told = "\n".join(texts)
    assert KEY not in told
    assert PASSWORD not in told
    assert "[secret:" in told
    assert "say that you need it again" in texts[0]
    assert KEY not in events
    assert holding(tmp_path, KEY, PASSWORD) == []


@pytest.mark.process
async def test_neither_chat_nor_mail_keeps_what_somebody_sent_a_bot(tmp_path: Path):
    """The messenger is sent a mask; what came in and went out is replaced in the rows."""
    async with (
        Provider(default=Reply(text=f"I used **{KEY}** and `x`.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        bot.owner.says(SAID)
        answer = await bot.owner.until(
            lambda seen: next((m for m in reversed(seen) if m.from_bot and m.button_texts), None)
        )
        assert KEY not in str(answer)
        assert "I used [masked]" in answer.text
        assert [entity["type"] for entity in answer.entities][:2] == ["bold", "code"]
        home = bot.records.home

        async with asyncio.timeout(60), aclosing(bot.records.database.changes()) as changes:
            async for _ in changes:
                if not holding(home, KEY, PASSWORD):
                    break
    assert holding(home, KEY, PASSWORD) == []


async def test_what_was_cut_off_before_pages_were_wiped_is_made_up_for(tmp_path: Path):
    """Nobody knows the secret any more: databases are written anew, and only then it is done."""

    class Refusing(HomeFiles):
        async def wipe(self, gone: Collection[str], *, whole: bool) -> bool:
            return False

    class Noting(HomeFiles):
        async def wipe(self, gone: Collection[str], *, whole: bool) -> bool:
            wiped.append((set(gone), whole))
            return await super().wipe(gone, whole=whole)

    wiped: list[tuple[set[str], bool]] = []
    stage = Stage()
    for kind in (Refusing, Noting):
        async with open_theatre(tmp_path, stage) as theatre:
            forgetting = theatre.runtime.forgetting
            forgetting._disk = kind(tmp_path, [tmp_path / "noctule.db"], lambda: Replacer(b"key"))
            if kind is Refusing:
                theatre.stage.will("first", "Fine.")
                await theatre.say(SAID)
            else:
                await forgetting.take_up()
                await forgetting.take_up()
    assert wiped == [(set(), True)]
