"""What other users of the machine can read."""

import sqlite3
from pathlib import Path

from graphs.checkpointers.sqlite import SqliteSaver
from noctule.core.base.masking import MASK, Masker
from noctule.core.base.private_files import keep_private
from noctule.doctor import machine
from noctule.doctor.finding import Level


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


async def test_databases_and_what_lies_beside_them_are_for_their_owner_alone(tmp_path: Path):
    """New ones are made so, and those of an older version are narrowed when they are opened."""
    for name in ("old.db", "old.db-wal"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    async with SqliteSaver.open(tmp_path / "new.db"), SqliteSaver.open(tmp_path / "old.db"):
        keep_private(tmp_path / "engine.db")
        with sqlite3.connect(tmp_path / "engine.db") as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE t (x)")
            found = modes(tmp_path)
    assert {"new.db", "new.db-wal", "old.db", "engine.db", "engine.db-wal"} <= set(found)
    assert set(found.values()) == {"0o600"}


def test_doctor_tells_of_a_data_folder_that_others_can_read(tmp_path: Path):
    """Databases in it are closed to them; attachments and workspaces may not be."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    (_, advice) = machine.data_folder(home)
    assert advice.level is Level.ADVICE
    assert "other users of this machine" in advice.sentence
    assert f"chmod 700 {home}" in advice.fix
    home.chmod(0o700)
    assert [finding.level for finding in machine.data_folder(home)] == [Level.OK]


def test_what_is_assigned_to_a_name_of_a_secret_is_masked():
    """As .env files and shells write it; numbers, variables and program text stay."""
    secret = (
        "DB_PASSWORD=hunter2hunter2",
        "export MY_APP_API_KEY='abcdef-1'",
        'SECRET_KEY="x9$y" TOKEN=abcdef',
        "AWS_SECRET_ACCESS_KEY=abc/def+ghi",
    )
    plain = (
        "MAX_TOKEN=100000",
        "TOKEN=$OTHER_VALUE",
        "PASSWORD=${FROM_ELSEWHERE}",
        "SECRET_KEY = os.environ['KEY']",
        "connect(password=given_password)",
        "TOKENS=many-of-them",
    )
    masker = Masker()
    assert [text for text in secret if masker.mask(text).count(MASK) != 1] == []
    assert [text for text in plain if masker.mask(text) != text] == []
    for text in secret:
        assert masker.mask(masker.mask(text)) == masker.mask(text)
    assert masker.mask(secret[0]) == f"DB_PASSWORD={MASK}"
