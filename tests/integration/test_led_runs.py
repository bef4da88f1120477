"""Whole runs of models that need to be led, over real HTTP: they end, and floods cost nothing."""

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

from noctule.bootstrap import open_records, open_runtime
from noctule.config import Loaded
from noctule.core.clock import SystemClock
from noctule.core.llm.events import EventKind
from noctule.core.llm.proofs import ProofOutcome
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from noctule.models.binding.models import Models
from noctule.models.spend.prices import Prices
from noctule.models.tool_calls.manner import FINISH
from noctule.sessions.service.service import Request as Wanted
from tests.integration.test_manners import in_words, is_probe, single, writes
from tests.support.provider import FakeModel, Provider, Reply, Request
from tests.support.replies import ToolCall
from tests.support.scratch import scratch_database
from tests.support.stage import make_settings
from tests.support.toolkit import Board
from tools.registry import Toolbox

PUT = {"what": "hammer"}


@asynccontextmanager
async def closing(models: Models):
    """Let go of connections at the end."""
    try:
        yield
    finally:
        await models.close()


@asynccontextmanager
async def house(folder: Path, decide: Callable[[Request], Reply], board: Board):
    """A whole Noctule with one real endpoint; yields it and its provider."""
    listed = [FakeModel("first-model")]
    async with Provider(decide=decide, models=listed, proves=False) as provider:
        settings = make_settings(
            endpoints={"here": {"kind": "openai", "url": provider.openai_url, "local": True}},
            role={"fallback": []},
            roles={"engineer": {"tools": ["look", "put"]}},
        )
        clock, database = SystemClock(), scratch_database()
        price = Prices(settings.endpoints, settings.models).cost
        models = Models(settings, database, clock, price=price)
        models.insist_on_proofs()
        loaded = Loaded(settings, folder / "config.yaml", folder)
        async with (
            closing(models),
            open_records(loaded, clock=clock, database=database) as records,
            open_runtime(
                records,
                models=models,
                toolbox=Toolbox(settings, clock=clock, tools=board.tools()),
            ) as runtime,
        ):
            yield runtime, provider


async def ran(folder: Path, probe: Callable[[Request], Reply | None], *replies: Reply):
    """Run one piece of work; return its turn, the board, the requests of the work, the events."""
    board, left = Board(shown={"here": "a hammer"}), list(replies)

    def decide(request: Request) -> Reply:
        return (probe(request) if is_probe(request) else None) or left.pop(0)

    async with house(folder, decide, board) as (runtime, provider):
        wanted = Wanted("Write hammer.", kind=SessionKind.RUN, role="engineer")
        turn = await runtime.records.service.submit(wanted)
        progress = await runtime.advancer.advance(turn.id)
        async with runtime.records.database.read() as work:
            events = await work.events.after(turn.session_id, 0)
            proofs = await work.proofs.list()
        asked = [request for request in provider.requests if not is_probe(request)]
        return progress.turn, board, asked, events, proofs


async def test_a_led_run_ends_with_the_report_of_its_model(tmp_path):
    """A call in each step, one of a flood, and finish is the answer."""
    flood = tuple(ToolCall("put", PUT, id=f"c{n}") for n in range(12))
    done = Reply(text="", tool_calls=(ToolCall(FINISH, {"report": "The hammer is written."}),))
    turn, board, asked, events, proofs = await ran(
        tmp_path, single, Reply(text="", tool_calls=flood), done
    )
    assert (turn.status, turn.reply) == (Status.DONE, "The hammer is written.")
    assert board.written == ["hammer"]
    assert [request.body["tool_choice"] for request in asked] == ["required", "required"]
    assert [proof.outcome for proof in proofs] == [ProofOutcome.PROVEN]
    notices = [e.data["text"] for e in events if e.kind is EventKind.NOTICE]
    assert [text for text in notices if text.startswith("Checking whether first can call tools")]


async def test_a_run_by_text_goes_through_calls_and_results_to_its_report(tmp_path):
    """A role that names its tools is served by a model that is proven by text."""
    turn, board, asked, _, proofs = await ran(
        tmp_path,
        writes,
        Reply(text=json.dumps({"name": "look", "arguments": {"where": "here"}})),
        Reply(text=in_words("put", PUT)),
        Reply(text=json.dumps({"name": FINISH, "arguments": {"report": "Written."}})),
    )
    assert (turn.status, turn.reply) == (Status.DONE, "Written.")
    assert (board.read, board.written) == (["here"], ["hammer"])
    assert [proof.outcome for proof in proofs] == [ProofOutcome.PROVEN_BY_TEXT]
    last = asked[-1].body
    assert not last.get("tools")
    told = json.dumps(last["messages"])
    assert "<tool_response>" in told
    assert "a hammer" in told
    assert all(message["role"] in {"system", "user", "assistant"} for message in last["messages"])


async def test_a_model_that_finishes_without_having_done_anything_is_asked_once(tmp_path):
    """The end is an act, and it may come too early."""

    def done(text: str) -> Reply:
        return Reply(text="", tool_calls=(ToolCall(FINISH, {"report": text}),))

    put = Reply(text="", tool_calls=(ToolCall("put", PUT),))
    turn, board, asked, _, _ = await ran(
        tmp_path, single, done("I will write it."), put, done("Written.")
    )
    assert (turn.status, turn.reply, board.written) == (Status.DONE, "Written.", ["hammer"])
    assert "You called nothing" in json.dumps(asked[1].body["messages"])
