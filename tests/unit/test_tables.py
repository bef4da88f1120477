import io
import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.cli.frame.tables import CellFit, Column, cell_width, print_table, shortened

COLUMNS = (
    Column("id", rank=0),
    Column("time", rank=4),
    Column("outcome", rank=0),
    Column("model", CellFit.SHORTEN, rank=2),
    Column("tokens", rank=3, is_number=True),
    Column("reason", CellFit.BELOW, rank=5),
)
WORDS = (
    *("the", "provider", "said", "429", "too", "many", "requests", "請求太多", "retry", "later"),
    *("🙂", "quota"),
)


def _rows(seed: int) -> list[list[str]]:
    pick = random.Random(seed)
    return [
        [
            f"{pick.getrandbits(32):08x}",
            "2026-11-29 03:24",
            pick.choice(["success", "malformed tool call", "quota exhausted"]),
            pick.choice(["qwen", "anthropic/claude-opus-4-7-preview", "模型" * 9]),
            str(pick.randrange(10**6)),
            " ".join(pick.choices(WORDS, k=pick.randrange(30))),
        ]
        for _ in range(pick.randrange(1, 6))
    ]


def _printed(rows, width, monkeypatch) -> list[str]:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    print_table(COLUMNS, rows, width=width)
    monkeypatch.undo()
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120, None])
def test_nothing_a_person_would_copy_is_ever_broken(width, monkeypatch):
    """At any width ids, times, outcomes and numbers stand whole on one line, and lines fit."""
    faults = []
    for seed in range(60):
        rows = _rows(seed)
        lines = _printed(rows, width, monkeypatch)
        for row in rows:
            faults += [
                f"{seed}: {cell!r} is broken"
                for cell in (row[0], row[1], row[2], row[4])
                if not any(cell in line for line in lines)
            ]
            missing = [word for word in row[5].split() if not any(word in line for line in lines)]
            faults += [f"{seed}: {word!r} is missing" for word in missing]
        if width is not None:
            faults += [f"{seed}: {line!r}" for line in lines if cell_width(line) > width]
    assert not faults


def test_a_piped_table_is_as_wide_as_what_is_in_it(monkeypatch):
    """Without a width each row is one line, whatever it says."""
    rows = _rows(7)
    assert len(_printed(rows, None, monkeypatch)) == len(rows) + 1


@given(st.text(min_size=0, max_size=30), st.integers(1, 30))
def test_a_shortened_text_fits_and_says_that_something_is_missing(text, width):
    """It has at most the width, and ends with an ellipsis when it is not the whole text."""
    short = shortened(text, width)
    assert cell_width(short) <= width
    assert short == text or short.endswith("…")
