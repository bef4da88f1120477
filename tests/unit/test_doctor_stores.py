"""The files beside the database are opened, and junk in them is found."""

import sqlite3

import pytest

from noctule.doctor.finding import Level
from noctule.doctor.stores import stores


def write(path, rows=200):
    """Make a sound SQLite file of several pages."""
    with sqlite3.connect(path) as made:
        made.execute("create table t (id integer primary key, text)")
        made.executemany("insert into t (text) values (?)", [("x" * 200,)] * rows)
        made.execute("create index i on t (text)")
    made.close()


def junk(path):
    path.write_bytes(b"this is no database" * 100)


def torn(path):
    path.write_bytes(path.read_bytes()[:9000])


def damaged(path):
    path.write_bytes(path.read_bytes()[:8192] + b"\xff" * 8192 + path.read_bytes()[16384:])


def test_sound_missing_and_empty_files_are_not_spoken_of(tmp_path):
    """A data folder in which nothing has run has neither file; a new one may be empty."""
    checkpoints, engine = tmp_path / "checkpoints.db", tmp_path / "engine.db"
    assert list(stores(checkpoints, engine)) == []
    write(checkpoints)
    engine.touch()
    assert list(stores(checkpoints, engine)) == []


@pytest.mark.parametrize("spoil", [junk, torn, damaged])
def test_each_kind_of_damage_is_found_in_either_file(tmp_path, spoil):
    """The finding names the file and what is lost with it, and nothing is changed."""
    for name in ("checkpoints.db", "engine.db"):
        paths = [tmp_path / "checkpoints.db", tmp_path / "engine.db"]
        for path in paths:
            path.unlink(missing_ok=True)
            write(path)
        spoil(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        (found,) = stores(*paths)
        assert (found.level, found.about) == (Level.ERROR, name)
        assert str(tmp_path / name) in found.sentence
        assert "backups" in found.fix
        assert (tmp_path / name).read_bytes() == before


def test_a_file_that_somebody_writes_is_no_junk(tmp_path):
    """A worker that holds the file is no damage."""
    paths = [tmp_path / "checkpoints.db", tmp_path / "engine.db"]
    for path in paths:
        write(path)
    with sqlite3.connect(paths[0], isolation_level=None) as held:
        held.execute("begin immediate")
        assert list(stores(*paths)) == []
    held.close()
