from datetime import UTC, datetime
from io import StringIO

import pytest

from noctule.channels.terminal.screens.plain import PlainScreen
from noctule.channels.terminal.screens.view import TurnView
from noctule.core.llm.events import Event, EventKind

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Stage:
    """A view on plain streams, told one event at a time."""

    def __init__(self, *, tell_route=False):
        self.out, self.err = StringIO(), StringIO()
        self.view = TurnView(PlainScreen(self.out, self.err), tell_route=tell_route)

    def tell(self, kind, **data):
        self.view.show(Event("session", 1, "turn", EventKind(kind), data, NOW))

    def route(self, *roles):
        self.tell("route", roles=list(roles), by="rule", reason="a test", complexity="simple")

    def starts(self, attempt, role, purpose="answer", fallback_from=None):
        self.tell(
            "attempt_started",
            attempt=attempt,
            role=role,
            model="smol",
            purpose=purpose,
            fallback_from=fallback_from,
        )

    def says(self, attempt, text, role="chat"):
        self.tell("delta", attempt=attempt, role=role, text=text)

    def ends(self, attempt, outcome="success"):
        self.tell("attempt_ended", attempt=attempt, outcome=outcome)

    def shown(self, reply=None):
        self.view.finish(reply)
        return self.out.getvalue()


@pytest.fixture
def stage():
    return Stage()


def test_text_is_shown_as_it_comes(stage):
    """Deltas of one attempt add up, and what is stored adds nothing to them."""
    stage.route("chat")
    stage.starts("a", "chat")
    stage.says("a", "Good ")
    assert stage.out.getvalue() == "Good "
    stage.says("a", "evening.")
    stage.ends("a")
    assert stage.shown("Good evening.") == "Good evening.\n"


def test_text_that_came_too_fast_is_completed(stage):
    """Deltas that were dropped before they were read are made up for from the stored reply."""
    stage.route("chat")
    stage.starts("a", "chat")
    stage.says("a", "Good ")
    assert stage.shown("Good evening.") == "Good evening.\n"


def test_a_reply_without_any_delta_is_shown_whole(stage):
    """Where no text came at all, the stored reply is shown."""
    stage.route("chat")
    assert stage.shown("Good evening.") == "Good evening.\n"


def test_another_reply_than_what_was_shown_is_shown(stage):
    """What is stored counts: text that differs from it is followed by the reply."""
    stage.starts("a", "chat")
    stage.says("a", "Half a tho")
    assert stage.shown("Whole.") == "Half a tho\nWhole.\n"


def test_an_attempt_that_is_given_up_is_taken_back(stage):
    """A discarded attempt is marked, and the next one begins clean."""
    stage.route("chat")
    stage.starts("a", "chat")
    stage.says("a", "Good mor")
    stage.tell("attempt_discarded", attempt="a", reason="it was torn")
    stage.ends("a", "unavailable")
    stage.starts("b", "chat", fallback_from="smol")
    stage.says("b", "Hello.")
    stage.ends("b")
    assert stage.shown("Hello.") == "Good mor\n[discarded: it was torn]\nHello.\n"


def test_a_whole_answer_can_be_taken_back(stage):
    """An attempt that ended well and handed the turn over is taken back, too."""
    stage.route("chat")
    stage.starts("a", "chat")
    stage.says("a", "HANDOVER: code")
    stage.ends("a")
    stage.tell("attempt_discarded", attempt="a", reason="handed over: code")
    stage.route("engineer")
    stage.starts("b", "engineer")
    stage.says("b", "Code.", "engineer")
    stage.ends("b")
    assert stage.shown("Code.") == "HANDOVER: code\n[discarded: handed over: code]\nCode.\n"


def test_branches_of_a_plan_do_not_mix(stage):
    """Who speaks second waits until the first is done, then goes on live."""
    stage.route("research", "writer")
    for attempt, role in (("a", "research"), ("b", "writer")):
        stage.starts(attempt, role)
    stage.says("a", "Bats ", "research")
    stage.says("b", "Once ", "writer")
    stage.says("a", "sleep.", "research")
    stage.says("b", "upon ", "writer")
    stage.ends("a")
    assert stage.out.getvalue() == "research:\nBats sleep.\n\nwriter:\nOnce upon "
    stage.says("b", "a time.", "writer")
    stage.ends("b")
    reply = "**research**\n\nBats sleep.\n\n**writer**\n\nOnce upon a time."
    assert stage.shown(reply) == "research:\nBats sleep.\n\nwriter:\nOnce upon a time.\n\n"


def test_a_waiting_branch_that_is_given_up_is_never_shown(stage):
    """What a branch said while it waited disappears when its attempt is discarded."""
    stage.route("research", "writer")
    stage.starts("a", "research")
    stage.starts("b", "writer")
    stage.says("a", "Bats.", "research")
    stage.says("b", "Onc", "writer")
    stage.tell("attempt_discarded", attempt="b", reason="torn")
    stage.ends("b", "unavailable")
    stage.ends("a")
    assert stage.shown() == "research:\nBats.\n\n"


def test_several_finished_branches_follow_one_another(stage):
    """Branches that ended while another spoke are shown one after the other, each whole."""
    stage.route("chat", "engineer", "writer")
    for attempt, role in (("a", "chat"), ("b", "engineer"), ("c", "writer")):
        stage.starts(attempt, role)
        stage.says(attempt, f"{role} says", role)
    stage.ends("b")
    stage.ends("c")
    stage.ends("a")
    assert stage.shown() == (
        "chat:\nchat says\n\nengineer:\nengineer says\n\nwriter:\nwriter says\n\n"
    )


def test_routes_and_plans_are_told_beside_the_reply():
    """Who decided, the plan and what happened on the way stand on the other stream."""
    stage = Stage(tell_route=True)
    stage.tell("turn_started", text="x")
    stage.route("research", "writer")
    stage.tell(
        "plan",
        assignments=[
            {"id": "a", "role": "research", "needs": []},
            {"id": "b", "role": "writer", "needs": ["a"]},
        ],
        by="rule",
    )
    stage.tell("woken", reason="reset", slept_s=7200.0)
    stage.tell("notice", attempt="a", text="part of the prompt was dropped")
    stage.starts("r", "orchestrator", purpose="route")
    stage.tell("question", text="of a kind nobody shows yet")
    assert stage.err.getvalue().splitlines() == [
        "→ research, writer (rule: a test)",
        "plan: a (research); b (writer) after a",
        "woke after 2 h 00 min",
        "part of the prompt was dropped",
    ]
    assert stage.shown() == ""


def test_a_tool_call_is_one_line_once_it_has_ended(stage):
    """Tool, what it acts on, duration, failure, files; calls may end in another order."""
    for call, tool, subject in (("1", "shell", "make\n  test"), ("2", "write_file", "a.txt")):
        stage.tell("tool_started", call=call, tool=tool, subject=subject, role="engineer")
    assert stage.err.getvalue() == ""
    stage.tell("tool_ended", call="2", tool="write_file", duration_s=0.04, files=["a.txt"])
    stage.tell("tool_ended", call="1", tool="shell", duration_s=62.0, failed=True, files=["b", "c"])
    stage.tell("tool_ended", call="3", tool="recall", failed=False)
    assert stage.err.getvalue().splitlines() == [
        "  write_file a.txt · 0.0 s",
        "  shell make test · 1 min · failed · b, c",
        "  recall",
    ]


def test_a_long_tool_line_is_cut(stage):
    """A program that is handed to a shell does not fill the screen, nor do many files."""
    stage.tell("tool_started", call="1", tool="shell", subject="x" * 500)
    stage.tell("tool_ended", call="1", tool="shell", files=[f"f{n}" for n in range(9)])
    (line,) = stage.err.getvalue().splitlines()
    assert line.endswith("x … · f0, f1, f2 and 6 more")
    assert len(line) < 120
