from noctule.core.llm.events import EventKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from tests.support.stage import Stage
from tests.support.theatre import open_theatre
from tests.support.toolkit import Board, calls

RUN = {"kind": SessionKind.RUN, "role": "engineer"}
TOOLED = {name: {"tools": ["look", "put", "ask"]} for name in ("engineer", "chat", "writer")}
LOOK, BROKEN = ("look", {"where": "here"}), ("look", {"where": "nowhere"})
PUT = ("put", {"what": "hammer"})


async def played(folder, *acts, says="Do it.", how=RUN):
    """Play replies; return the answer, how many requests it took, and what the nudges said."""
    folder.mkdir(exist_ok=True)
    board = Board(shown={"here": "a hammer"})
    async with open_theatre(folder, Stage(roles=TOOLED), tools=board.tools()) as theatre:
        # The stage loses spaces between words.
        said = [one.replace(" ", "\t") if isinstance(one, str) else one for one in acts]
        theatre.stage.will("first", *said)
        turn = await theatre.say(says, **how)
        assert turn.status is Status.DONE
        requests = theatre.stage.client.requests
        nudges = [m.text for m in requests[-1].messages if "This is Noctule" in m.text]
        events = await theatre.events(turn.session_id)
        return str(turn.reply).replace("\t", " "), len(requests), nudges, events


async def test_a_run_that_ends_without_having_done_anything_is_asked_once(tmp_path):
    """What it is told is true: it called nothing, only looked, or nothing came of its calls."""
    announced = "I'll write it to the board now."
    wrong = []
    for name, before, words in (
        ("nothing", [], "You called nothing"),
        ("failed", [calls(BROKEN)], "None of your calls came to anything"),
        ("looked", [calls(LOOK)], "You only looked"),
    ):
        reply, count, nudges, _ = await played(
            tmp_path / name, *before, announced, calls(PUT), "Written."
        )
        found = (reply, count - len(before), [words in nudge for nudge in nudges])
        if found != ("Written.", 3, [True]):
            wrong.append((name, found, nudges))
    assert not wrong


async def test_it_is_asked_once_only(tmp_path):
    """A second reply in prose ends the run, whatever it says."""
    reply, count, _, _ = await played(tmp_path, "I will begin.", "I will begin soon.")
    assert (reply, count) == ("I will begin soon.", 2)


async def test_an_answer_that_was_complete_stands(tmp_path):
    """One word says so; nobody is shown that word as the answer."""
    reply, count, _, events = await played(tmp_path, "I'll say it: 42.", "COMPLETE")
    assert (reply, count) == ("I'll say it: 42.", 2)
    assert [e for e in events if e.kind is EventKind.ATTEMPT_DISCARDED]


async def test_whoever_did_something_or_only_talks_is_not_asked(tmp_path):
    """Work that was done, a report after looking, a chat, and roles that write."""
    chat, writer = {**RUN, "kind": SessionKind.CHAT}, {**RUN, "role": "writer"}
    wrong = []
    for name, acts, how in (
        ("done", [calls(PUT), "I'll be back."], RUN),
        ("reported", [calls(LOOK), "There is a hammer. Let me know if you need more."], RUN),
        ("answered", ["It is 42."], RUN),
        ("chat", ["I'll do that."], chat),
        ("writer", ["I'll do that."], writer),
    ):
        reply, count, _, _ = await played(tmp_path / name, *acts, how=how)
        if (reply, count) != (acts[-1], len(acts)):
            wrong.append((name, reply, count))
    assert not wrong


async def test_announcements_and_claims_are_known_in_several_languages(tmp_path):
    """After a look an announcement, a claim or a program in the answer is asked about."""
    wrong = []
    for number, text in enumerate(
        (
            "Ich werde die Datei jetzt \u00e4ndern.",
            "Je vais modifier le fichier.",
            "Let me fix that next",
            "Here is the file:\n```python\nx = 1\n```",
            "\u6211\u5c06\u4fee\u6539\u6587\u4ef6\u3002",
            "Now the fix:",
            "I have fixed the bug.",
            "The file has been updated successfully.",
            "Ich habe die Datei umbenannt.",
            "J'ai corrig\u00e9 le test.",
        )
    ):
        _, count, nudges, _ = await played(tmp_path / str(number), calls(LOOK), text, "COMPLETE")
        if (count, len(nudges)) != (3, 1):
            wrong.append(text)
    assert not wrong
