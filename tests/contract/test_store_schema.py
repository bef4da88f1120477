import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import storage.migrations
from noctule.core.clock import SystemClock
from noctule.core.llm.attempts import Attempt, Usage
from noctule.core.llm.token_parts import TokenParts
from noctule.core.sessions.grants import Grant
from noctule.core.sessions.sessions import Session, Turn
from noctule.core.sessions.steers import Steer
from storage.migrations import NEWEST, REVISIONS
from storage.open import open_database
from storage.tables import attempts, grants, metadata, sessions, steers, turns
from storage.tables.notes import WORDS_INDEX
from tests.support.stored_records import a_note, a_session, an_attempt


def _is_ours(name: str | None, _kind: str, _parents: object) -> bool:
    """Whether the tables of the code speak of it; full-text indexes are made by migration alone."""
    return name is None or not name.startswith(WORDS_INDEX)


def _differences(engine: sa.Engine) -> list[Any]:
    try:
        with engine.connect() as connection:
            options = {"compare_type": True, "include_name": _is_ours}
            context = MigrationContext.configure(connection, opts=options)
            return list(compare_metadata(context, metadata))
    finally:
        engine.dispose()


def test_migrations_make_the_tables_of_the_code_on_sqlite(sqlite_url: str) -> None:
    """Nothing is missing, left over or of another type."""
    assert _differences(sa.create_engine(sqlite_url)) == []


@pytest.mark.postgres
def test_migrations_make_the_tables_of_the_code_on_postgres(empty_postgres_url: str) -> None:
    """Nothing is missing, left over or of another type."""
    url = sa.make_url(empty_postgres_url).set(drivername="postgresql+psycopg")
    options = {"options": "-c search_path=noctule"}
    assert _differences(sa.create_engine(url, connect_args=options)) == []


def test_the_known_versions_are_those_of_the_migrations() -> None:
    """The list that spares us Alembic at every start is complete and in order."""
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    walked = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS
    assert script.get_current_head() == NEWEST


@pytest.mark.parametrize(
    ("table", "record"),
    [(sessions, Session), (turns, Turn), (grants, Grant), (steers, Steer)],
)
def test_columns_stand_in_the_order_of_the_record(table: sa.Table, record: type[Any]) -> None:
    """Rows of these tables become records by position."""
    assert [c.key for c in table.columns] == [field.name for field in dataclasses.fields(record)]


def test_columns_of_attempts_stand_in_the_order_of_the_record() -> None:
    """The usage and the parts stand where their fields are, spread out."""
    fields = [field.name for field in dataclasses.fields(Attempt)]
    for name, record in (("usage", Usage), ("parts", TokenParts)):
        where = fields.index(name)
        fields[where : where + 1] = [field.name for field in dataclasses.fields(record)]
    assert [c.name.replace("_nano_", "_") for c in attempts.columns] == fields


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("turns WHERE session_id = 's' AND {unfinished} ORDER BY id", "ix_turns_unfinished"),
        ("turns WHERE {unfinished} AND status IN ('parked') AND wake_at <= 'x'", "ix_turns_due"),
        ("attempts WHERE session_id = 's' ORDER BY id DESC", "ix_attempts_session_id_id"),
        ("attempts WHERE turn_id = 't' ORDER BY id DESC", "ix_attempts_turn_id_id"),
        ("parkings WHERE woken_at IS NULL AND wake_at <= 'x' ORDER BY wake_at", "asleep"),
        ("questions WHERE answered_at IS NULL AND turn_id = 't'", "ix_questions_unanswered"),
        ("note_words WHERE note_words MATCH '\"bat\"*'", "VIRTUAL TABLE INDEX"),
    ],
)
def test_what_is_asked_often_uses_an_index(sqlite_url: str, question: str, index: str) -> None:
    """A long history does not slow down a turn."""
    finished = "status NOT IN ('done', 'failed', 'cancelled')"
    query = f"EXPLAIN QUERY PLAN SELECT * FROM {question.format(unfinished=finished)}"
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        plan = " ".join(row[3] for row in connection.execute(query))
    assert index in plan


def test_money_is_kept_in_whole_numbers() -> None:
    """No column of money is a float or a NUMERIC."""
    money = [c for t in metadata.sorted_tables for c in t.columns if "usd" in c.name]
    assert len(money) == 13
    assert all(c.name.endswith("_nano_usd") for c in money)
    assert all(isinstance(c.type.dialect_impl(_SQLITE).impl, sa.BigInteger) for c in money)  # type: ignore[attr-defined]  # a TypeDecorator's


_SQLITE = sa.create_engine("sqlite://").dialect


@pytest.mark.postgres
async def test_everything_is_in_a_schema_of_its_own(empty_postgres_url: str) -> None:
    """The public schema stays as it was."""
    with psycopg.connect(empty_postgres_url) as connection:
        rows = connection.execute(
            "SELECT table_schema, count(*) FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') GROUP BY 1"
        ).fetchall()
    assert rows == [("noctule", len(metadata.tables) + 1)]


async def test_a_database_of_the_first_version_is_upgraded(tmp_path: Path) -> None:
    """What was there stays as it was; what nobody had noted of it is unknown."""
    place = tmp_path / "noctule.db"
    _make_first_version(place)
    columns = "id, call_id, role, purpose, model, endpoint, outcome, started_at, wait_s, "
    columns += "duration_s, input_tokens, skipped, discarded, tier, local"
    values = (
        "'a1', 'c1', 'chat', 'answer', 'm', 'e', 'success', '2026-11-22T12:00:00.000000+00:00', 0, "
    )
    values += "1, 100, '[]', 0, 'mid', 0"
    with closing(sqlite3.connect(place)) as connection:
        connection.execute(f"INSERT INTO attempts ({columns}) VALUES ({values})")
        connection.execute(
            "INSERT INTO sessions (id, owner, kind, created_at, private) "
            "VALUES ('s1', 'local', 'chat', '2026-11-22T12:00:00.123456+00:00', 0)"
        )
        connection.commit()
    url = f"sqlite:///{place}"
    database = await open_database(url, data_folder=tmp_path, clock=SystemClock())
    try:
        async with database.work() as work:
            await work.attempts.add(an_attempt("a2"))
            await work.commit()
            newer, older = await work.attempts.list()
            assert await work.sessions.get("s1") == a_session()
            await work.notes.put(a_note())
            assert await work.notes.search("local", "sleeping") == [a_note()]
    finally:
        await database.close()
    assert (older.usage.input_tokens, older.parts) == (100, None)
    assert newer == an_attempt("a2")
    assert _differences(sa.create_engine(url)) == []


async def test_older_notes_of_sessions_that_are_gone_count_as_private(tmp_path: Path) -> None:
    """Nobody knows any more what those sessions were."""
    place = tmp_path / "noctule.db"
    _make_version(place, "0015")
    written = "'2026-11-22T12:00:00.123456+00:00'"
    with closing(sqlite3.connect(place)) as connection:
        for session, private in (("open", 0), ("shut", 1)):
            connection.execute(
                "INSERT INTO sessions (id, owner, kind, created_at, private) "
                f"VALUES ('{session}', 'local', 'chat', {written}, {private})"
            )
        for n, session in enumerate(("'open'", "'shut'", "'gone'", "NULL")):
            connection.execute(
                "INSERT INTO notes (id, owner, title, text, written_at, session_id, words) "
                f"VALUES ('n{n}', 'local', 't{n}', 'x', {written}, {session}, 'x')"
            )
        connection.commit()
    url = f"sqlite:///{place}"
    database = await open_database(url, data_folder=tmp_path, clock=SystemClock())
    try:
        async with database.read() as work:
            found = await work.notes.search("local", "x", private=False)
    finally:
        await database.close()
    assert sorted(str(note.session_id) for note in found) == ["None", "open"]


def _make_first_version(place: Path) -> None:
    _make_version(place, REVISIONS[0])


def _make_version(place: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    engine = sa.create_engine(f"sqlite:///{place}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
