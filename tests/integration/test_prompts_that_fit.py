"""Prompts of real loops: whichever model is asked, its window holds them, the task included."""

import json
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from noctule.core.llm.attempts import Purpose, Usage
from noctule.core.llm.proofs import Proof, ProofKey, ProofOutcome
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from noctule.models.base.client import ModelRequest
from noctule.models.request.meter import Meter
from tests.support.stage import Act, Stage, refused
from tests.support.theatre import Theatre, open_theatre
from tests.support.toolkit import Board, Look, calls

WORK = {"kind": SessionKind.RUN, "role": "engineer"}
TASK = "Rename Bat to Noctule in every file, word for word."
LOOK = {"engineer": {"tools": ["look", "put", "send", "ask"]}}


OWN_TOOL = '''
from langchain_core.tools import tool

@tool(parse_docstring=True)
def extra_{number}(place: str, depth: int = 3, unit: str = "metres") -> str:
    """Return the water level at a place, as its keeper wrote it down last night, by hand.

    Args:
        place: the place, by the name it has on the map, or by the name people there use for it.
        depth: how many of the neighbouring places are told too, the nearest first of all.
        unit: in which unit it is told: metres, feet, or as the keeper wrote it down himself.
    """
    return place
'''


def asked(theatre: Theatre, model: str) -> list[ModelRequest]:
    """Return what a model was asked as an agent; summaries are asked for otherwise."""
    requests = [r for r in theatre.stage.client.requests if r.model == model]
    return [r for r in requests if not r.messages[0].text.startswith("You sum up")]


def wrong_with(request: ModelRequest, window: int, task: str = TASK) -> list[str]:
    """Return what a strict reader of this window finds wrong with a request."""
    tokens = Meter().count(request.messages, request.tools)
    found = [] if tokens < window * 1.05 else [f"{tokens} tokens of {window}"]
    if task not in [m.text for m in request.messages if isinstance(m, HumanMessage)]:
        found.append(f"the task is gone: {[m.text[:60] for m in request.messages]}")
    due: list[str] = []
    for message in request.messages:
        if isinstance(message, ToolMessage):
            found += [] if message.tool_call_id in due else ["a result without its call"]
            due = [call for call in due if call != message.tool_call_id]
        elif isinstance(message, AIMessage):
            due += [str(call["id"]) for call in message.tool_calls]
    return [*found, *(["a call without its result"] if due else [])]


def pages(count: int, words: int) -> dict[str, str]:
    return {
        str(number): f"page {number}: " + "several words of it " * words for number in range(count)
    }


async def test_the_usual_engineer_keeps_its_task_in_small_windows(tmp_path):
    """4,096 tokens with eleven tools, 6,144 with outputs of 8 KB, 8,192 with ten tools more."""
    wrong: list[str] = []
    for context, words, more in ((4096, 60, 0), (6144, 400, 0), (8192, 400, 10)):
        folder = tmp_path / str(context)
        own = folder / "own"
        own.mkdir(parents=True)
        (own / "many.py").write_text("".join(OWN_TOOL.format(number=n) for n in range(more)))
        models = {"first": {"context": context}}
        stage = Stage(models=models, role={"fallback": []}, tools={"folder": str(own)})
        async with open_theatre(folder, stage) as theatre:
            for number in range(10):
                line = f"for i in $(seq {words}); do echo several words of line $i {number}; done"
                theatre.stage.will("first", calls(("shell", {"command": line})))
            theatre.stage.will("first", "Done.")
            turn = await theatre.say(TASK, **WORK)
            assert (turn.status, turn.reply) == (Status.DONE, "Done."), turn.error
            names = {t["function"]["name"] for t in asked(theatre, "first")[0].tools}
            wrong += [f"{context}: no extra_{n}" for n in range(more) if f"extra_{n}" not in names]
            for number, request in enumerate(asked(theatre, "first")):
                wrong += [f"{context}, call {number}: {w}" for w in wrong_with(request, context)]
    assert wrong == []


async def test_a_small_stand_in_takes_nothing_from_the_large_primary(tmp_path):
    """A fallback of 4,096 tokens gets what it holds; the primary of 200,000 gets it all back."""
    board = Board(shown=pages(8, 300))
    models = {"first": {"context": 200_000}, "second": {"context": 4096}}
    stage = Stage(models=models, roles=LOOK, limits={"compact_tokens": 100_000})
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        for number in range(4):
            theatre.stage.will("first", calls(("look", {"where": str(number)})))
        theatre.stage.will("first", refused(429, retry_after=60))
        theatre.stage.will("second", calls(("look", {"where": "4"})))
        theatre.stage.will("second", calls(("look", {"where": "5"})))
        theatre.stage.will("second", Act(text="", error=refused(503)))
        theatre.stage.will("first", "Done.")
        turn = await theatre.say(TASK, **WORK)
        assert turn.status is Status.PARKED
        await theatre.clock.advance(120)
        turn = await theatre.rest(turn)
        assert (turn.status, turn.reply) == (Status.DONE, "Done."), turn.error
        large, small = asked(theatre, "first"), asked(theatre, "second")
        assert [w for request in small for w in wrong_with(request, 4096)] == []
        assert len(small[0].messages) < len(large[-2].messages)
        whole = [m.text for m in large[-1].messages if isinstance(m, ToolMessage)]
        assert whole == [board.shown[str(number)] for number in range(6)]
        assert _purposes(await theatre.attempts(), Purpose.SUMMARY) == 0


def _purposes(attempts, purpose) -> int:
    return sum(attempt.purpose is purpose for attempt in attempts)


async def test_no_summary_is_paid_for_that_is_not_sent(tmp_path):
    """Where a summary has no room beside task and newest call nobody is asked for one."""
    wrong: list[str] = []
    for context in (2048, 3000, 4096, 8192, 16_384):
        folder = tmp_path / str(context)
        folder.mkdir()
        board = Board(shown=pages(14, 200))
        stage = Stage(
            models={"first": {"context": context}},
            roles={**LOOK, "utility": {"primary": "third", "fallback": []}},
            role={"fallback": []},
            limits={"compact_tokens": 6000},
        )
        async with open_theatre(folder, stage, tools=board.tools()) as theatre:
            for number in range(14):
                look = ("look", {"where": str(number)})
                theatre.stage.will("first", calls(look, text="I look further. " * 40))
                theatre.stage.will("third", f"SUMMARY-{number}.")
            theatre.stage.will("first", "Done.")
            turn = await theatre.say(TASK, **WORK)
            assert turn.status is Status.DONE, turn.error
            sent = json.dumps([[m.text for m in r.messages] for r in asked(theatre, "first")])
            paid = _purposes(await theatre.attempts(), Purpose.SUMMARY)
            wrong += [f"{context}: {n}" for n in range(paid) if f"SUMMARY-{n}." not in sent]
            wrong += [w for r in asked(theatre, "first") for w in wrong_with(r, context)]
    assert wrong == []


async def test_estimates_come_near_what_the_provider_counts_from_the_third_call_on(tmp_path):
    """Never below, and at most 15 % above, for hosts that count otherwise than we estimate."""
    wrong: list[str] = []
    for rate in (0.75, 1.0, 1.3):
        folder = tmp_path / str(rate)
        folder.mkdir()
        board = Board(shown=pages(8, 120))
        stage = Stage(roles=LOOK, models={"first": {"context": 100_000}})
        true = _counted_by_provider(stage, rate)
        async with open_theatre(folder, stage, tools=board.tools()) as theatre:
            for number in range(8):
                theatre.stage.will("first", calls(("look", {"where": str(number)})))
            turn = await theatre.say(TASK, **WORK)
            assert turn.status is Status.DONE
        wrong += [
            f"{rate}, call {n}: estimated {estimate}, counted {tokens}"
            for n, (estimate, tokens) in enumerate(true)
            if n >= 2 and not tokens <= estimate <= tokens * 1.15
        ]
        assert len(true) == 9
    assert wrong == []


def _counted_by_provider(stage: Stage, rate: float) -> list[tuple[int, int]]:
    """Have a provider report its own count; return ours before each call beside it."""
    seen: list[tuple[int, int]] = []
    client, meter = cast("Any", stage.client), stage.models.reader(stage.context()).counter
    play = client._play

    async def counting(request: ModelRequest):
        tokens = _true([*request.messages], [*request.tools], rate)
        seen.append((meter.count(request.messages, request.tools), tokens))
        acts = client.acts[request.model]
        act = acts[0] if acts else client.usual.setdefault(request.model, Act())
        act.usage = Usage(input_tokens=tokens, output_tokens=10)
        async for piece in play(request):
            yield piece

    client._play = counting
    return seen


def _true(messages: list[BaseMessage], tools: list[object], rate: float) -> int:
    """Count as some provider does: words and signs at its own rate, and its own frame."""
    texts = [m.text + json.dumps(getattr(m, "tool_calls", [])) for m in messages]
    size = len(" ".join(texts).split()) + len(json.dumps(tools)) / 4 + 5 * len(messages)
    return int(size * rate)


async def test_the_tool_of_a_primary_that_calls_none_is_offered_from_the_first_call_on(tmp_path):
    """A new process knows it before it asks, so that the beginning of a prompt stays as it was."""
    stage = Stage(
        endpoints={"there": {"kind": "openai", "url": "http://127.0.0.1:9/v1"}},
        models={name: {"endpoint": "there"} for name in ("first", "second")},
        roles={"engineer": {"tools": ["put"]}},
    )
    async with stage.database.work() as work:
        for name, outcome in (("first", ProofOutcome.IGNORED), ("second", ProofOutcome.PROVEN)):
            key = ProofKey("there", f"{name}-model", "")
            await work.proofs.put(Proof(key, outcome, 1.0, None, stage.clock.now()))
        await work.commit()
    board = Board()
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        theatre.stage.will("second", calls(("put", {"what": "a"})), "Done.")
        turn = await theatre.say(TASK, **WORK)
        assert turn.status is Status.DONE, turn.error
        offered = [[t["function"]["name"] for t in r.tools] for r in asked(theatre, "second")]
        assert offered == [["put", "write_code"]] * 2


class Wide(Look):
    """One of many tools, with much to say about its argument."""

    def __init__(self, board: Board, number: int) -> None:
        super().__init__(board)
        self.name = f"wide_{number}"  # type: ignore[misc]  # one class, many names

    def schema(self):
        where = {
            "type": "string",
            "description": "a place that has to be described at length " * 25,
        }
        return {"type": "object", "properties": {"where": where}, "required": ["where"]}


async def test_tools_that_leave_no_room_are_named_and_not_the_conversation_blamed(tmp_path):
    """36 definitions in a window of 8,192: refused before anybody is asked, with the cure."""
    board = Board()
    tools = [Wide(board, number) for number in range(36)]
    stage = Stage(
        models={"first": {"context": 4096}},
        roles={"engineer": {"tools": [tool.name for tool in tools]}},
        role={"fallback": []},
    )
    async with open_theatre(tmp_path, stage, tools=tools) as theatre:
        turn = await theatre.say(TASK, **WORK)
        assert turn.status is Status.FAILED
        assert not theatre.stage.client.requests
        error = str(turn.error)
        assert "first: holds 4,096 tokens" in error
        assert "the definitions of 36 tools" in error
        assert "wide_" in error
        assert "fewer tools" in error
        assert "new session" not in error


async def test_a_message_longer_than_the_window_is_said_as_that(tmp_path):
    """With sizes; nobody is asked, and a model that holds it is."""
    long = "some words that go on " * 3_000
    models = {"first": {"context": 4096}, "second": {"context": 200_000}}
    async with open_theatre(tmp_path, Stage(models=models)) as theatre:
        theatre.stage.will("second", "Read.")
        turn = await theatre.say(long, role="chat")
        assert (turn.status, turn.reply) == (Status.DONE, "Read.")
        assert [r.model for r in theatre.stage.client.requests] == ["second"]
    alone = Stage(models=models, role={"fallback": []})
    (tmp_path / "alone").mkdir()
    async with open_theatre(tmp_path / "alone", alone) as theatre:
        turn = await theatre.say(long, role="chat")
        assert turn.status is Status.FAILED
        assert "holds 4,096 tokens" in str(turn.error)
        assert "the message takes" in str(turn.error)
        assert not theatre.stage.client.requests


async def test_a_window_that_turns_out_smaller_in_mid_run_is_fitted_anew(tmp_path):
    """The server names its window in an error; the same model is asked again within it."""
    board = Board(shown=pages(6, 200))
    roles = {**LOOK, "utility": {"primary": "third", "fallback": []}}
    stage = Stage(models={"first": {"context": 32_000}}, roles=roles, role={"fallback": []})
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        for number in range(5):
            theatre.stage.will("first", calls(("look", {"where": str(number)})))
        words = "This model's maximum context length is 4096 tokens. However, you requested 5000."
        theatre.stage.will("first", refused(400, code="context_length_exceeded", message=words))
        theatre.stage.will("first", calls(("look", {"where": "5"})), "Done.")
        turn = await theatre.say(TASK, **WORK)
        assert (turn.status, turn.reply) == (Status.DONE, "Done."), turn.error
        small = asked(theatre, "first")[6:]
        assert len(small) == 2
        assert [w for request in small for w in wrong_with(request, 4096)] == []


async def test_a_server_that_counts_more_than_we_do_is_sent_less(tmp_path):
    """An overflow without a number teaches the count; the model is asked again with less."""
    board = Board(shown=pages(6, 300))
    roles = {**LOOK, "utility": {"primary": "third", "fallback": []}}
    stage = Stage(models={"first": {"context": 8192}}, roles=roles, role={"fallback": []})
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        for number in range(5):
            theatre.stage.will("first", calls(("look", {"where": str(number)})))
        theatre.stage.will("first", refused(400, message="the request exceeds the context size"))
        theatre.stage.will("first", "Done.")
        turn = await theatre.say(TASK, **WORK)
        assert (turn.status, turn.reply) == (Status.DONE, "Done."), turn.error
        before, after = asked(theatre, "first")[-2:]
        assert size(after) < size(before)


def size(request: ModelRequest) -> int:
    return sum(len(message.text) for message in request.messages)


async def test_long_notes_of_others_are_shortened_and_the_request_is_not(tmp_path):
    """A plan's later part keeps its request word for word, whatever the earlier ones wrote."""
    models = {"first": {"context": 200_000}, "second": {"context": 4096}}
    roles = {"writer": {"primary": "second", "fallback": []}}
    stage = Stage(models=models, roles=roles, role={"fallback": []})
    async with open_theatre(tmp_path, stage, tools=[]) as theatre:
        theatre.stage.will("first", "a long report goes on " * 3_000)
        theatre.stage.will("second", "Written.")
        task = "@research @writer something about bats"
        turn = await theatre.say(task)
        assert (turn.status, turn.reply) == (Status.DONE, "Written."), turn.error
        (request,) = asked(theatre, "second")
        assert wrong_with(request, 4096, task) == []
        assert "characters are left out here" in request.messages[-1].text
