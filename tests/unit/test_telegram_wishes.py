"""Wishes, hours and words of the Telegram channel: the pure parts."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from noctule.channels.telegram.base.error_text import error_text
from noctule.channels.telegram.base.hours import hour, left
from noctule.channels.telegram.commands.requests import (
    TurnOptions,
    after_session,
    after_turn,
    wishes_of,
    with_setting,
    with_wish,
)
from noctule.channels.telegram.delivery.markdown import bare
from noctule.channels.telegram.delivery.outgoing import split
from noctule.core.messaging.chats import Chat

CHAT = Chat("telegram", "7", "local", settings={"footer": False})
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
FILE_NAME = re.compile(r"[\w+./-]*\.[a-z]{2,3}|/[a-z]{3,4}")


def test_a_wish_for_the_next_turn_stands_over_one_that_stays_and_ends_with_the_turn() -> None:
    """Then the other one counts again."""
    chat = with_wish(CHAT, "model", "gemma", stays=True)
    chat = with_wish(chat, "model", "coder", stays=False)
    assert wishes_of(chat) == TurnOptions(model="coder")
    assert wishes_of(after_turn(chat)) == TurnOptions(model="gemma")


def test_auto_takes_both_back() -> None:
    """Nothing is wished for any more."""
    chat = with_wish(with_wish(CHAT, "role", "writer", stays=True), "role", "chat", stays=False)
    assert with_wish(chat, "role", None, stays=False) == CHAT


def test_a_new_session_keeps_nothing_but_privacy() -> None:
    """Somebody who asked for privacy must not lose it by /new."""
    chat = with_setting(with_wish(CHAT, "role", "writer", stays=True), "private", value=True)
    assert wishes_of(after_session(chat)) == TurnOptions(private=True)
    assert after_session(chat).settings["footer"] is False


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (NOON, "12:00"),
        (NOON + timedelta(days=1), "tomorrow 12:00"),
        (NOON - timedelta(days=1), "yesterday 12:00"),
        (NOON + timedelta(days=3), "Wed 25 Nov 12:00"),
        (NOON + timedelta(hours=12), "tomorrow 00:00"),
    ],
)
def test_a_moment_is_shown_as_short_as_is_clear(moment: datetime, shown: str) -> None:
    """In the person's zone."""
    assert hour(moment, BERLIN, NOON) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "any moment"),
        (59, "any moment"),
        (240, "in about 4 min"),
        (3000, "in about 50 min"),
        (5 * 3600, "in about 5 h"),
        (72 * 3600, "in about 3 days"),
    ],
)
def test_what_is_left_is_told_coarsely(seconds: float, shown: str) -> None:
    """A countdown by the second would be an edit by the second."""
    assert left(seconds) == shown


@given(st.text(min_size=1, max_size=200))
@example("/bin")
@example("`a` **b** [c](http://d) notes.md")
def test_words_of_others_never_become_markup(text: str) -> None:
    """What stands in the message is what was written; only names of files are set as code.

    Those are, written with marks or without: Telegram would make commands and addresses of them.
    """
    line = " ".join(text.split())
    ((shown, entities), *more) = split(bare(line)) if line else [("", [])]
    if line.isprintable() and line:
        assert (shown, more) == (line, [])
        raw = line.encode("utf-16-le")
        for mark in entities:
            at, units = mark["offset"], mark["length"]
            name = raw[2 * at : 2 * (at + units)].decode("utf-16-le")
            assert (mark["type"], bool(FILE_NAME.fullmatch(name))) == ("code", True)


def test_an_error_is_told_without_commands_of_the_terminal() -> None:
    """They help nobody on a phone; when there is nothing else, it is said all the same."""
    both = (
        "Session 7 is idle: only a running one can be parked. `noctule sessions` lists what runs."
    )
    assert error_text(both) == "Session 7 is idle: only a running one can be parked."
    assert error_text("`noctule limits` shows why.") == "`noctule limits` shows why."
