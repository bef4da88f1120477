import pytest

from noctule.channels.terminal.input.slash import HELP, Slash, read_slash


@pytest.mark.parametrize(
    ("text", "slash"),
    [
        ("/help", Slash("help")),
        ("  /role engineer ", Slash("role", "engineer")),
        ("/exit", Slash("quit")),
        ("/sleep", Slash("sleep")),
        ("/model  qwen", Slash("model", "qwen")),
    ],
)
def test_a_line_that_is_a_command_is_read(text, slash):
    """A slash, a word and at most an argument make a command, also one that does not exist."""
    assert read_slash(text) == slash


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "/engineer fix it",
        "/engineer",
        "/etc/hosts has what?",
        "/tmp is full",
        "/role a\nand more",
        "what is /help?",
        "/",
    ],
)
def test_everything_else_is_a_message(text):
    """Paths, roles that are addressed, and text of several lines go to Noctule."""
    assert read_slash(text) is None


def test_every_command_has_a_help():
    """Each command is explained by one line."""
    assert [name for name, text in HELP.items() if not text] == []
