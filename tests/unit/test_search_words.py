import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.base.words import closeness, holds_all, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("meeting", "meetings"),
        ("running", "run"),
        ("scheduled", "schedule"),
        ("boxes", "box"),
        ("parties", "party"),
        ("Müller", "MULLER"),
        ("Straße", "strasse"),
        ("Termine", "termin"),
    ],
)
def test_words_that_differ_in_form_are_one(one, other):
    """Case, accents, plurals and plain endings do not hide a note."""
    assert words_of(one) == words_of(other)


@pytest.mark.parametrize("word", ["note", "need", "king", "string", "bus", "status", "is", "red"])
def test_short_words_keep_what_only_looks_like_an_ending(word):
    """Nothing is left of them otherwise."""
    assert words_of(word) == (word,)


@given(st.text(max_size=300))
def test_words_are_letters_and_digits_alone(text):
    """No quote, operator or space ever reaches a database's query language."""
    words = words_of(text)
    assert all(word.isalnum() and len(word) <= 40 for word in words)


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_text_holds_its_own_words(text, more):
    """Whatever stands around them."""
    assert holds_all(words_of(f"{more} {text}"), words_of(text))


def test_a_title_weighs_more_than_a_text():
    """And in a short text a word weighs more than in a long one."""
    wanted = words_of("bats")
    title = closeness("bats", "sleep by day", wanted)
    short = closeness("old", "all about bats", wanted)
    long = closeness("old", "bats " + "and others " * 20, wanted)
    assert title > short > long > 0
