"""The words in front of a piece of work."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.channels.telegram.commands.run_words import RunWords, parse_run
from noctule.core.errors import UsageError

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def read(text: str) -> RunWords:
    return parse_run(text, now=NOW, zone=BERLIN, models=["gemma", "coder"])


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


@pytest.mark.parametrize(
    "text",
    [
        "at the end of the file add a line",
        "at 3 places there is a bug",
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


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("at 25:00 Do it", "at '25:00'"),
        ("--at soon Do it", "at 'soon'"),
        ("--budget much Do it", "'much' is no amount"),
        ("budget 2x Do it", "'2x' is no amount"),
        ("--budget -3 Do it", "'-3' is no amount"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(text: str, part: str) -> None:
    """Better than to begin at the wrong time, or without a bound."""
    with pytest.raises(UsageError, match=part.replace("(", r"\(")):
        read(text)


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
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    """Nothing else is raised, and no text is made up."""
    try:
        words = read(text)
    except UsageError:
        return
    assert words.text in text
