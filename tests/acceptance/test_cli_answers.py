import pytest

from tests.support.command_line import CommandLine
from tests.support.terminal import terminal

pytestmark = pytest.mark.process

ASKS = {"after": 0, "match": "paint"}
COLOUR = {"question": "Which colour?", "choices": ["red", "green"]}
WRITES = {"after": 0, "match": "write"}
WORK = ("--role", "engineer")


@pytest.fixture
def noctule(tmp_path):
    noctule = CommandLine(tmp_path)
    noctule.play(
        {
            "smol": [
                {**ASKS, "tool_calls": [{"name": "ask", "args": COLOUR, "id": "c1"}]},
                {
                    **WRITES,
                    "tool_calls": [
                        {"name": "write_file", "args": {"path": name, "content": name}, "id": name}
                        for name in ("a.txt", "b.txt")
                    ],
                },
                {"after": 1, "reply": "Painted: {result}", "times": "forever"},
                {"reply": "Said so.", "times": "forever"},
            ]
        },
        tools={"permissions": {"write_file": "ask", "python": "deny"}},
    )
    (tmp_path / "project").mkdir()
    return noctule


def asked(noctule, *words):
    """Run what asks; return its document."""
    code, document = noctule.json("run", *WORK, *words)
    assert (code, document["status"]) == (75, "waiting"), document
    return document


def test_a_question_waits_until_somebody_answers_it(noctule):
    """Everywhere the session is shown; a wrong answer changes nothing, a second one is refused."""
    ran = noctule.run("run", *WORK, "paint the shed")
    assert ran.returncode == 75
    assert (
        "Which colour?\n  1  \u201cred\u201d\n  2  \u201cgreen\u201d\nAnswer with `noctule "
        "sessions answer " in ran.stderr
    )
    (entry,) = noctule.json("sessions")[1]
    assert (entry["status"], entry["questions"]) == ("waiting", 1)
    assert "waiting, asks you" in noctule.run("sessions").stdout
    page = noctule.run("sessions", "show", entry["id"]).stdout
    assert "Which colour?\n  1  \u201cred\u201d\n  2  \u201cgreen\u201d\n" in page
    (question,) = noctule.json("sessions", "show", entry["id"])[1]["questions"]
    assert (question["kind"], question["answer"]) == ("question", None)
    assert [choice["value"] for choice in question["choices"]] == ["red", "green"]

    assert "  2  \u201cgreen\u201d" in noctule.run("sessions", "answer", entry["id"]).stdout
    assert noctule.json("sessions", "answer", question["id"])[1] == [question]
    empty = noctule.run("sessions", "answer", entry["id"], " ")
    assert (empty.returncode, "empty" in empty.stderr) == (2, True)

    code, document = noctule.json("sessions", "answer", entry["id"], "2")
    assert (code, document["status"]) == (0, "done")
    assert document["reply"] == "Painted: The person answered: green"
    late = noctule.run("sessions", "answer", question["id"], "red")
    assert (late.returncode, "answered before ('green')" in late.stderr) == (2, True)
    nothing = noctule.run("sessions", "answer", entry["id"], "red")
    assert (nothing.returncode, "is not waiting for an answer" in nothing.stderr) == (2, True)
    log = noctule.run("sessions", "log", entry["id"]).stdout
    for words in (
        "asks     The agent asks: Which colour?",
        "waiting  for an answer",
        "Answered: green",
    ):
        assert words in log


def test_approvals_are_given_one_by_one_in_the_folder_of_the_person(noctule):
    """Only what was allowed is written; what was allowed for good is listed and taken back."""
    project = noctule.folder / "project"
    document = asked(noctule, "--workspace", "project", "write two files")
    first, second = document["questions"]
    assert {first["subject"], second["subject"]} == {"a.txt", "b.txt"}
    assert not list(project.iterdir())
    session = document["session"]
    assert noctule.json("sessions", "show", session)[1]["workspace"] == str(project)
    vague = noctule.run("sessions", "answer", session, "once")
    assert vague.returncode == 2
    assert first["id"] in vague.stderr

    code, document = noctule.json("sessions", "answer", first["id"], "always")
    assert (code, [q["id"] for q in document["questions"]]) == (75, [second["id"]])
    assert [file.name for file in project.iterdir()] == [first["subject"]]
    assert noctule.run("sessions", "answer", second["id"], "no").returncode == 0
    assert [file.name for file in project.iterdir()] == [first["subject"]]
    tools = [e for e in noctule.json("sessions", "log", session)[1] if e["kind"] == "tool_ended"]
    assert [event["tool"] for event in tools if not event["failed"]] == ["write_file"]

    (grant,) = noctule.json("sessions", "grants")[1]
    assert (grant["rule"], grant["session"]) == (f"write_file:{first['subject']}", None)
    assert (
        f"every session  write_file:{first['subject']}" in noctule.run("sessions", "grants").stdout
    )
    assert noctule.json("sessions", "grants", "revoke", grant["id"]) == (0, grant)
    assert noctule.json("sessions", "grants")[1] == []
    again = noctule.run("sessions", "grants", "revoke", grant["id"])
    assert (again.returncode, "There is no grant" in again.stderr) == (2, True)


def test_what_is_allowed_beforehand_is_not_asked(noctule):
    """For that session alone; what names no tool, or is forbidden, is refused before any work."""
    code, document = noctule.json("run", *WORK, "--allow", "web,write_file", "write two files")
    assert (code, document["status"]) == (0, "done")
    asked(noctule, "write two files")
    for words, sentence in (
        (("--allow", "wirte_file"), "Did you mean 'write_file'"),
        (("--allow", "python"), "tools.permissions says python: deny"),
        (("--allow", ""), "allows nothing"),
        (("--workspace", "nowhere"), "is no folder"),
        (("--workspace", "home"), "Noctule's own data folder"),
    ):
        for command in ("run", "chat"):
            refused = noctule.run(command, *words, "write two files")
            assert (refused.returncode, sentence in refused.stderr) == (2, True), refused.stderr
    assert len(noctule.json("sessions")[1]) == 2


def test_a_session_can_be_told_something_meanwhile(noctule):
    """A waiting one reads it when it goes on; one that has ended says so."""
    session = asked(noctule, "paint the shed")["session"]
    assert "will read it" in noctule.run("sessions", "steer", session, "And hurry.").stdout
    assert noctule.json("sessions", "steer", session, "And whistle.")[0] == 0
    assert noctule.run("sessions", "answer", session, "red").returncode == 0
    assert "Told meanwhile: And hurry." in noctule.run("sessions", "log", session).stdout
    over = noctule.run("sessions", "steer", session, "Too late.")
    assert (over.returncode, "Nothing of session" in over.stderr) == (2, True)


@pytest.mark.parametrize("command", ["chat", "run"])
def test_a_person_at_the_terminal_is_asked_there(noctule, command):
    """The answer is typed where the question appears, and the work goes on to its reply."""
    words = [command, *WORK, "paint the shed"]
    with terminal(words, env=noctule.env, cwd=noctule.folder) as shell:
        shell.wait_for("Which colour?")
        shell.wait_for("answer (1-2)>")
        shell.type("2\r")
        shell.wait_for("Painted: The person answered: green")
        assert shell.ended() == 0


def test_who_leaves_a_question_at_the_terminal_can_answer_later(noctule):
    """Ctrl-C leaves it waiting, with the command that answers it."""
    with terminal(["run", *WORK, "paint the shed"], env=noctule.env, cwd=noctule.folder) as shell:
        shell.wait_for("answer (1-2)>")
        shell.type("\x03")
        assert shell.ended() == 75
        assert "noctule sessions answer" in shell.shown
    (entry,) = noctule.json("sessions")[1]
    assert noctule.json("sessions", "answer", entry["id"], "red")[1]["status"] == "done"


def test_a_new_message_to_a_waiting_session_asks_first(noctule):
    """In a chat the question comes up again, and after its answer both replies come."""
    session = asked(noctule, "paint the shed")["session"]
    words = ["chat", *WORK, "--session", session, "hello"]
    with terminal(words, env=noctule.env, cwd=noctule.folder) as shell:
        shell.wait_for("answer (1-2)>")
        shell.type("red\r")
        shell.wait_for("Painted: The person answered: red")
        shell.wait_for("Said so.")
        assert shell.ended() == 0
