from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from noctule.channels.terminal.input.completion import SlashCompleter
from noctule.channels.terminal.input.suggestions import session_suggestions

SESSIONS = [
    ("01a2-0000-bbbbaaaaaaaa", "Fix the failing test"),
    ("01a2-0000-cccc12345678", "A toast\nfor Émile\x1b]0;x\x07"),
]


def completed(text):
    """Return what a prompt's text may become."""
    completer = SlashCompleter(("qwen", "haiku"), lambda: SESSIONS)
    found = completer.get_completions(Document(text), CompleteEvent())
    return [text[: len(text) + each.start_position] + each.text for each in found]


def test_commands_roles_models_and_sessions_are_completed():
    """Tab knows what may stand behind a slash, and leaves messages alone."""
    wrong = {
        typed: found
        for typed, right in {
            "/mo": ["/model"],
            "/r": ["/role", "/research"],
            "/role e": ["/role engineer"],
            "/model ": ["/model qwen", "/model haiku"],
            "/session 123": ["/session 12345678"],
            "/session tests": [],
            "/session fix": ["/session aaaaaaaa"],
            "/session last": [],
            "/role engineer x": [],
            "/etc/ho": [],
            "role e": [],
            "Tell me about /ro": [],
            "/role e\n/mo": [],
        }.items()
        if (found := completed(typed)) != right
    }
    assert not wrong


def test_sessions_are_suggested_by_id_or_title():
    """A short end, the beginning of the whole id or of a word of the title will do."""
    wrong = {
        typed: found
        for typed, right in {
            "": ["aaaaaaaa", "12345678"],
            "1": ["12345678"],
            "01a2-0000-c": ["12345678"],
            "émi": ["12345678"],
            "FAIL": ["aaaaaaaa"],
            "ail": [],
            "la": ["last"],
        }.items()
        if (found := [each.value for each in session_suggestions(SESSIONS, typed)]) != right
    }
    assert not wrong
    (toast,) = session_suggestions(SESSIONS, "toast")
    assert toast.says == "A toast for Émile"
    assert list(session_suggestions([], "la")) == []
