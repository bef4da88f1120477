import json

import pytest

from docs import foreign_words


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a page, and a module with a docstring, a comment, a key and sentences."""
    (tmp_path / "config.yaml").write_text("# Nothing here.\n")
    (tmp_path / "README.md").write_text("It goes\non. There is no owl, and it is no\nlonger day.\n")
    (tmp_path / "noctule").mkdir()
    (tmp_path / "noctule/owl.py").write_text(
        '"""Whoever reads this."""\n'
        "# anew, and anew\n"
        "KEY = 'begun'\n"
        "SQL = 'BEGIN IMMEDIATE'\n"
        "def say(name):\n"
        "    '''Nobody mends it.'''\n"
        "    return f'{name} is no owl.' 'Mend it, mend it.'\n"
    )
    return tmp_path


def check(checkout, allowed, *arguments):
    """Run the check against stored counts; return its exit code and what is stored then."""
    stored = checkout / "stored.json"
    stored.write_text(json.dumps(allowed))
    code = foreign_words.main(arguments, checkout, stored)
    return code, json.loads(stored.read_text())


HERE = {"README.md": {"goes on": 1}, "noctule/owl.py": {"is no": 1, "mend": 2}}


def test_only_sentences_are_counted(checkout):
    """Pages and strings count, across line ends; docstrings, comments, keys and SQL do not."""
    assert foreign_words.count(checkout) == HERE


def test_counts_may_only_shrink(checkout, capsys):
    """One more word fails and names the file; one less fails until it is written down."""
    assert check(checkout, HERE) == (0, HERE)
    assert check(checkout, {**HERE, "README.md": {}})[0] == 1
    assert "README.md: 'goes on' 1 times, at most 0" in capsys.readouterr().err
    more = {**HERE, "README.md": {"goes on": 2}}
    assert check(checkout, more) == (1, more)
    assert "--lower" in capsys.readouterr().err
    assert check(checkout, more, "--lower") == (0, HERE)


def test_a_moved_file_may_be_written_down_but_no_new_word(checkout, capsys):
    """--lower takes words that stood elsewhere before, and refuses those that stood nowhere."""
    moved = {"README.md": {"goes on": 1}, "noctule/core/owl.py": {"is no": 1, "mend": 2}}
    assert check(checkout, moved)[0] == 1
    assert check(checkout, moved, "--lower") == (0, HERE)
    fewer = {**HERE, "noctule/owl.py": {"is no": 1, "mend": 1}}
    assert check(checkout, fewer, "--lower") == (1, fewer)
    assert "mend" in capsys.readouterr().err
