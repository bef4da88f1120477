import pytest

from noctule.core.errors import UsageError
from noctule.core.sessions.choices import (
    approvals_for,
    choices_of,
    granted_rule,
    read_answer,
    reason_of,
)
from noctule.core.sessions.questions import Approval, CheckAnswer, QuestionKind
from tests.support.stored_records import a_question

CHECK = a_question(kind=QuestionKind.CHECK, choices=tuple(CheckAnswer))
FREE = a_question(kind=QuestionKind.QUESTION, choices=(), tool=None, subject=None)
COLOURS = a_question(
    kind=QuestionKind.QUESTION, choices=("Red", "Green", "3"), tool=None, subject=None
)


@pytest.mark.parametrize(
    ("question", "said", "answer"),
    [
        (a_question(), "once", "once"),
        (a_question(), " ALWAYS\n", "always"),
        (a_question(), "2", "session"),
        (a_question(), "s", "session"),
        (a_question(), "y", "once"),
        (a_question(), "Yes", "once"),
        (a_question(), "n", "no"),
        (CHECK, "again", "again"),
        (CHECK, "1", "done"),
        (FREE, "  whatever you like ", "whatever you like"),
        (FREE, "1", "1"),
        (COLOURS, "green", "Green"),
        (COLOURS, "1", "Red"),
        (COLOURS, "3", "3"),
        (COLOURS, "4", "4"),
        (COLOURS, "gr", "gr"),
        (COLOURS, "yes", "yes"),
    ],
)
def test_answers_are_read_as_people_give_them(question, said, answer):
    """By value, number or beginning; a question of the agent takes any other text."""
    assert read_answer(question, said) == answer


@pytest.mark.parametrize("said", ["", "  ", "maybe", "0", "6", "-1", "once more"])
def test_what_is_no_answer_to_an_approval_is_refused(said):
    """The sentence names the answers there are; ``yes`` to a check would mean nothing."""
    with pytest.raises(UsageError, match="once, session, always, no"):
        read_answer(a_question(), said)
    with pytest.raises(UsageError, match="done, again, skip"):
        read_answer(CHECK, "yes")


def test_an_empty_answer_to_a_free_question_is_refused():
    """Nobody says nothing on purpose."""
    with pytest.raises(UsageError, match="in your own words"):
        read_answer(FREE, " ")


@pytest.mark.parametrize(
    ("tool", "subject", "rule"),
    [
        ("shell", "git push", "shell:git push"),
        ("shell", "ls *.py", "shell:ls [*].py"),
        ("python", "print(1)", "python:print(1)"),
        ("write_file", "a.env", "write_file:a.env"),
        ("fetch", "https://example.org/a", "fetch:example.org"),
        ("web_search", "bats", "web_search"),
        ("github_create_issue", "title", "github_create_issue"),
    ],
)
def test_what_is_allowed_for_longer_is_what_a_person_would_think(tool, subject, rule):
    """Exactly this command or file; every call of any other tool."""
    assert granted_rule(a_question(tool=tool, subject=subject), "session") == rule


def test_choices_say_what_they_cover():
    """Each answer of an approval and a check has words of its own."""
    approval = {choice.value: choice.text for choice in choices_of(a_question())}
    assert list(approval) == ["once", "session", "always", "no"]
    assert approval["session"] == "yes, and exactly this command until this session ends"
    assert approval["always"] == (
        "yes, and exactly this command in every session of mine in /home/anna/bats"
    )
    fetch = a_question(tool="fetch", subject="https://a.b", workspace=None, seal={})
    web = {c.value: c.text for c in choices_of(fetch)}
    assert web["always"] == (
        "yes, and everything fetch is asked to do in every session of mine that has a folder of "
        "its own"
    )
    old = {c.value: c.text for c in choices_of(a_question(seal=None))}
    assert old["always"].startswith("yes, and exactly this command until this session ends")
    files = {c.value: c.text for c in choices_of(a_question(tool="write_file", subject="x"))}
    assert files["session"] == "yes, and write_file on exactly this file until this session ends"
    assert len({choice.text for choice in choices_of(CHECK)}) == 3
    assert [choice.text for choice in choices_of(COLOURS)] == ["Red", "Green", "3"]
    assert choices_of(FREE) == ()


def test_a_no_may_say_why():
    """The reason is kept for the agent; a bare no has none, and other words are no answer."""
    wrong = {
        said: answer
        for said, reason in {
            "no, because it deletes my notes": "because it deletes my notes",
            "No: use the copy": "use the copy",
            "n - first run the tests\nthen ask": "first run the tests\nthen ask",
            "no": None,
        }.items()
        if reason_of(answer := read_answer(a_question(), said)) != reason
        or not answer.startswith("no")
    }
    assert not wrong
    for said in ("nope, never", "not that", "once, because I say so", "no,"):
        with pytest.raises(UsageError):
            read_answer(a_question(), said)
    assert reason_of("once") is None
    assert reason_of(None) is None


def test_every_command_can_be_allowed_where_commands_are_asked_about():
    """``all`` is offered for commands and code alone, says that it covers both, and grants both."""
    asked = {tool: Approval.ALL in approvals_for(tool) for tool in ("shell", "python", "fetch")}
    assert asked == {"shell": True, "python": True, "fetch": False}
    assert approvals_for("shell")[-1] is Approval.ALL
    question = a_question(tool="shell", subject="make clean", choices=approvals_for("shell"))
    assert granted_rule(question, "all") == "shell"
    assert granted_rule(a_question(tool="fetch", subject="https://a.b"), "all") == "fetch:a.b"
    texts = {choice.value: choice.text for choice in choices_of(question)}
    assert "every shell command and all Python code until this session ends" in texts["all"]
