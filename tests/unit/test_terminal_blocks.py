from hypothesis import given
from hypothesis import strategies as st

from noctule.channels.terminal.screens.blocks import finished_length
from noctule.channels.terminal.screens.printable import printable

LINES = st.sampled_from(
    ["", "text", "- item", "1. one", "   more", "```python", "```", "~~~", "# head", "| a | b |"]
)


def test_a_paragraph_is_finished_when_the_next_begins():
    """The cut stands before the first line behind a blank one."""
    assert finished_length("one\ntwo\n\n") == 0
    assert finished_length("one\ntwo\n\nthree") == len("one\ntwo\n\n")


def test_code_is_never_cut():
    """Blank lines inside a fence are part of the code, whatever stands in it."""
    code = "```\na\n\nb\n\n~~~\n\nc\n"
    assert finished_length(code) == 0
    assert finished_length(code + "```\n\nafter") == len(code + "```\n\n")


def test_a_list_stays_together():
    """Items and indented lines behind a blank line still belong to the list."""
    assert finished_length("- a\n\n- b\n\n  more of b\n\n1. c\n") == 0
    assert finished_length("- a\n\nafter") == len("- a\n\n")


@given(st.lists(LINES, max_size=20), st.integers(0, 200))
def test_what_is_finished_stays_finished(lines, length):
    """However a text grows, a cut that was made is one of the cuts of the whole text."""
    text = "\n".join(lines)
    first = finished_length(text[:length])
    assert 0 <= first <= min(length, len(text))
    assert finished_length(text) >= first or not text[:length].endswith("\n")


def test_a_terminal_gets_no_control_characters():
    """Escapes, bells, carriage returns and lone surrogates go; line ends, tabs and letters stay."""
    assert printable("a\x1b[31mb\x07\r\n\tc\x9b\ud800ü蝙") == "ab\n\tcü蝙"
