"""What replaces secrets leaves alone what is a person's and what stored things are made of."""

import sqlite3
from contextlib import closing
from pathlib import Path

from noctule.core.base.plain_files import overwrite
from noctule.core.base.secrets import Replacer
from storage.sqlite.wiping import wipe
from tests.support.command_line import CommandLine

KEY = "sk-proj-Zq3vN8xL1mB6tR4yW9kD"


def test_what_is_a_persons_in_the_data_folder_stays(tmp_path: Path):
    """Keys in an environment file, the folder's own key, what was trusted, tools of their own."""
    home, mark = tmp_path / "home", Replacer(b"key").mark
    theirs = ("environment", "secret-key", "trusted-configurations.json", "noctule/environment",
              "given-folders", "config.yaml", "tools/mine.py", "noctule/config.yaml")  # fmt: skip
    for name in (*theirs, "noctule.log.1", "backups/0001/noctule.db"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"OPENAI_API_KEY={KEY}\n")
    assert overwrite(home, {KEY}, mark) == 2
    assert [name for name in theirs if KEY not in (home / name).read_text()] == []


def test_a_backup_can_still_be_used(tmp_path: Path):
    """Whatever an agent calls a password: words of the schema, times, short numbers."""
    path = tmp_path / "backups" / "0001" / "noctule.db"
    path.parent.mkdir(parents=True)
    moment = "2026-11-29T10:04:25.446862+00:00"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE turns (id TEXT PRIMARY KEY, submitted_at2 TEXT, t TEXT)")
        connection.execute("INSERT INTO turns VALUES ('1', ?, ?)", (moment, f"use {KEY} now"))
        connection.commit()
    gone = {"sqlite_autoindex_turns_1", "submitted_at2", "446862", "2026-11-29", "10:04:25", KEY}
    assert overwrite(tmp_path, {*gone, "format 3"}, Replacer(b"key").mark) == 1
    with closing(sqlite3.connect(path)) as connection:
        (row,) = connection.execute("SELECT * FROM turns WHERE id = '1'").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert row[1] == moment
    assert KEY not in row[2]


def test_what_rows_go_on_holding_is_not_wiped_again_and_again(tmp_path: Path):
    """A password that is a part of every time would have the file written anew for ever."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES ('2026-11-29T10:04:25')")
        connection.commit()
    assert wipe(path, {"2026-11-29"})


def test_a_password_that_times_ids_or_versions_hold_breaks_nothing(tmp_path: Path):
    """The session goes on, and what is told of it has its times and its models."""
    line = CommandLine(tmp_path)
    line.play({"small": [{"reply": "Fine."}] * 9})
    said = "My password is 00000000, the token is 2026-11-29 or 01a2-01; password: small-1"
    assert line.run("chat", said).returncode == 0
    done = line.run("chat", "--session", "last", "hello")
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(line.home / "noctule.db") as connection:
        told = str(connection.execute("SELECT data FROM events").fetchall())
        (text,) = connection.execute("SELECT text FROM turns ORDER BY id").fetchone()
    assert [part for part in ("00000000", "2026-11-29", "small-1") if part in text] == []
    assert '"started_at":"20' in told
    assert '"started_at":"[' not in told
