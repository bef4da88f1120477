"""The words in front of a piece of work."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.channels.telegram.commands.run_words import RunWords, Unsure, parse_run

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def read(text: str) -> RunWords:
    found = parse_run(text, now=NOW, zone=BERLIN, models=["gemma", "coder"])
    assert isinstance(found, RunWords), found
    return found


def test_every_option_is_read_in_any_order() -> None:
    """What is left is the work."""
    words = read("at 02:00 budget 2 allow shell,web role engineer model gemma Tidy the logs")
    assert words == RunWords(
        "Tidy the logs",
        not_before=datetime(2026, 11, 23, 1, 0, tzinfo=UTC),
        budget_usd=Decimal(2),
        allow=("shell", "web"),
        role="engineer",
        model="gemma",
    )
    assert read("budget $0.50 at +2h Do it").budget_usd == Decimal("0.50")
    for budget in ("budget .50", "budget 0.50 dollars", "budget 0.50 USD", "budget=,5"):
        assert read(f"{budget} Do it") == RunWords("Do it", budget_usd=Decimal("0.5")), budget


@pytest.mark.parametrize(
    "text",
    [
        "at the end of the file add a line",
        "budget the whole year",
        "allow me to explain",
        "role play as a pirate",
        "model trains are fun",
        "private matters",
        "Tidy at 02:00",
    ],
)
def test_a_word_that_is_followed_by_nothing_of_its_kind_begins_the_work(text: str) -> None:
    """People write sentences."""
    assert read(text) == RunWords(text)


def test_usual_forms_of_times_are_read_in_the_zone_of_the_person() -> None:
    """With and without minutes, by day, as a wait, with a sign; what follows is the work."""
    meant = {
        "at 9am X": "2026-11-23 09:00",
        "at 9 fix it": "2026-11-23 09:00",
        "at 23:30 X": "2026-11-22 23:30",
        "tomorrow 9:00 X": "2026-11-23 09:00",
        "tomorrow at 9 fix it": "2026-11-23 09:00",
        "monday 8:00 X": "2026-11-23 08:00",
        "in 2h X": "2026-11-22 23:00",
        "in 90 minutes X": "2026-11-22 22:30",
        "+30m X": "2026-11-22 21:30",
        "--at 9am X": "2026-11-23 09:00",
        "--at=9 fix": "2026-11-23 09:00",
        "at=23:30 X": "2026-11-22 23:30",
        "2026-12-01T08:00 X": "2026-12-01 08:00",
    }
    wrong = {}
    for text, moment in meant.items():
        words = read(text)
        shown = words.not_before and f"{words.not_before.astimezone(BERLIN):%Y-%m-%d %H:%M}"
        if shown != moment or words.text not in {"X", "fix it", "fix"}:
            wrong[text] = words
    assert wrong == {}


def test_what_is_nearly_an_option_is_asked_about() -> None:
    """Better than to begin at the wrong time, or without a bound; the last offer is the text."""
    offered: dict[str, list[str]] = {
        "budget abc X": [],
        "budget 2x X": ["budget 2 X"],
        "--budget much X": [],
        "--budget -3 X": [],
        "buget 2 X": ["budget 2 X"],
        "--budjet=3 X": ["budget 3 X"],
        "model=smal X": [],
        "model=gema X": ["model gemma X"],
        "model codr X": ["model coder X"],
        "role enginer X": ["role engineer X"],
        "allow shel X": ["allow shell X"],
        "allow shell,webb X": ["allow shell,web X"],
        "at 25:00 X": [],
        "--at soon X": [],
        "tomorow 9:00 X": [],
        "at nine X": [],
        "at 3 places there is a bug": ["at 2026-11-23T02:00:00+00:00 places there is a bug"],
        "in 2 hours of video find cats": ["at 2026-11-22T22:00:00+00:00 of video find cats"],
        "at 9 X": ["at 2026-11-23T08:00:00+00:00 X"],
    }
    wrong = {}
    for text, expected in offered.items():
        doubt = parse_run(text, now=NOW, zone=BERLIN, models=["gemma", "coder"])
        found = [offer.text for offer in doubt.offers] if isinstance(doubt, Unsure) else None
        if found is None or found[:-1] != expected:
            wrong[text] = found
            continue
        if not isinstance(parse_run(found[-1], now=NOW, zone=BERLIN, models=[]), RunWords):
            wrong[text] = found
    assert wrong == {}


def test_behind_two_dashes_everything_is_the_work() -> None:
    """Also what looks like an option."""
    assert read("budget 2 -- at 9am budget 3 X") == RunWords(
        "at 9am budget 3 X", budget_usd=Decimal(2)
    )


def test_options_with_dashes_work_like_those_of_the_command_line() -> None:
    """``--budget=2`` and ``--private`` too; a phone may make one long dash of two."""
    words = read("--budget=2 —private --allow shell:git --role writer Do it")
    assert words == RunWords(
        "Do it", budget_usd=Decimal(2), allow=("shell:git",), role="writer", private=True
    )


def test_the_text_keeps_its_lines() -> None:
    """Only what stands around it goes."""
    assert read("budget 1\nFirst line\n  second line\n").text == "First line\n  second line"


@given(st.text(max_size=200))
def test_whatever_is_written_is_read_or_asked_about(text: str) -> None:
    """Nothing is raised, and no text is made up."""
    found = parse_run(text, now=NOW, zone=BERLIN, models=["gemma", "coder"])
    if isinstance(found, RunWords):
        assert found.text in text
    else:
        assert found.offers[-1].option is None


def test_a_second_tool_that_may_be_part_of_the_work_is_asked_about() -> None:
    """Tools stand in one word; "shell, web" may be two: nothing is allowed by a guess."""
    for text in (
        "allow shell, web fix it",
        "allow shell and web fix it",
        "allow shell, and web fix it",
    ):
        found = parse_run(text, now=NOW, zone=BERLIN, models=[])
        assert isinstance(found, Unsure), text
        assert [offer.text for offer in found.offers] == ["allow shell,web fix it", f"-- {text}"]
    assert read("allow shell, fix it") == RunWords("fix it", allow=("shell",))
    assert read("allow shell and fix it").allow == ("shell",)
