import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from langchain_core.language_models import BaseChatModel

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.models.completion.failures import explain
from tests.support.chat_clients import KEY, ask, chat_client, close_client
from tests.support.provider import Fault, Provider, Reply
from tests.support.refusal_cases import CASES, GROUPS, NOW, RefusalCase
from tests.support.replies import ToolCall, Usage

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ["openai", "anthropic", "ollama"]
Clients = Callable[[str], BaseChatModel]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(provider: Provider) -> AsyncIterator[Clients]:
    made = {kind: chat_client(kind, provider) for kind in KINDS}
    yield made.__getitem__
    for client in made.values():
        await close_client(client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty_clients(provider: Provider) -> AsyncIterator[Clients]:
    made = {kind: chat_client(kind, provider, timeout=0.15) for kind in KINDS}
    yield made.__getitem__
    for client in made.values():
        await close_client(client)


async def refusal_of(
    client: BaseChatModel, *, stream: bool, case: RefusalCase | None = None
) -> Refusal:
    window = case.window if case else None
    try:
        reply = await ask(client, stream=stream)
    except Exception as error:  # noqa: BLE001 - whatever leaves a client is what is explained
        return explain(error, now=NOW, window=window, url=case.url if case else "")
    pytest.fail(f"the client saw nothing wrong: {reply!r}")


@pytest.mark.parametrize("group", GROUPS)
async def test_every_documented_format_survives_its_client(
    group: str, provider: Provider, clients: Clients
):
    """A documented refusal means the same after HTTP and the provider's own client library."""
    wrong = []
    for case in (case for case in CASES if case.group == group):
        for stream in [True] if case.stream else [False, True]:
            provider.enqueue(refusing(case))
            refusal = await refusal_of(clients(case.client), stream=stream, case=case)
            wrong.append((stream, expected(case, stream=stream).complaint(refusal)))
    assert [told for told in wrong if told[1]] == []


def refusing(case: RefusalCase) -> Reply:
    if not case.stream:
        return Reply(status=case.status, headers=case.headers, body=case.body)
    lines = {
        "openai": f"data: {case.body}\n\ndata: [DONE]\n\n",
        "anthropic": f"event: error\ndata: {case.body}\n\n",
        "ollama": f"{case.body}\n",
    }
    kind = "application/x-ndjson" if case.client == "ollama" else "text/event-stream"
    return Reply(headers={"Content-Type": kind}, body=lines[case.client])


def expected(case: RefusalCase, *, stream: bool) -> RefusalCase:
    if case.status == 200 and stream:
        # The OpenAI client drops what is no event: an error without a stream looks empty to it.
        return replace(case, expect={"outcome": "unavailable"})
    return case


@pytest.mark.parametrize(
    ("kind", "error", "outcome", "evidence"),
    [
        (
            "openai",
            {"message": "Too fast, try again in 9s", "code": "rate_limit_exceeded"},
            Outcome.RATE_LIMITED,
            Evidence.BODY,
        ),
        (
            "openai",
            {"code": 429, "message": "Provider returned error"},
            Outcome.RATE_LIMITED,
            Evidence.GUESS,
        ),
        ("openai", {"code": 502, "message": "Upstream died"}, Outcome.UNAVAILABLE, None),
        ("openai", {"message": "out", "type": "insufficient_quota"}, Outcome.QUOTA_EXHAUSTED, None),
        (
            "anthropic",
            {"type": "overloaded_error", "message": "Overloaded"},
            Outcome.OVERLOADED,
            Evidence.GUESS,
        ),
        ("anthropic", {"type": "api_error", "message": "Internal"}, Outcome.UNAVAILABLE, None),
        ("ollama", "server busy, please try again", Outcome.OVERLOADED, Evidence.GUESS),
        ("ollama", "error parsing tool call: raw='{'", Outcome.MALFORMED_TOOL_CALL, None),
    ],
)
async def test_an_error_inside_a_stream_counts_as_that_error(
    kind: str,
    error: object,
    outcome: Outcome,
    evidence: Evidence | None,
    provider: Provider,
    clients: Clients,
):
    """After tokens have come, an error object in the stream is read like a refusal."""
    provider.enqueue(Reply(fault=Fault.ERROR, error=error))
    refusal = await refusal_of(clients(kind), stream=True)
    assert (refusal.outcome, refusal.evidence) == (outcome, evidence)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.SILENT, Fault.STALL])
async def test_silence_is_a_timeout(
    kind: str, *, stream: bool, fault: Fault, provider: Provider, hasty_clients: Clients
):
    """No header, no token or no more tokens: each ends as a timeout of the client."""
    provider.enqueue(Reply(fault=fault))
    refusal = await refusal_of(hasty_clients(kind), stream=stream)
    assert refusal.outcome is Outcome.TIMEOUT
    await provider.until(lambda p: p.busy == 0)
    assert provider.requests[-1].result == "gone"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", [Fault.CUT, Fault.RESET, Fault.NOT_JSON, Fault.BAD_UTF8])
async def test_broken_answers_are_outages(
    kind: str, *, stream: bool, fault: Fault, provider: Provider, clients: Clients
):
    """A cut or reset connection and bytes that are no JSON or no UTF-8 are the server's fault."""
    provider.enqueue(Reply(text="overloaded prompt is too long", fault=fault))
    refusal = await refusal_of(clients(kind), stream=stream)
    assert refusal.outcome is Outcome.UNAVAILABLE
    assert refusal.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [Fault.UNFRAMED, Fault.EARLY_END])
async def test_a_torn_stream_raises_nothing_and_gives_no_finish_reason(
    kind: str, fault: Fault, provider: Provider, clients: Clients
):
    """The clients take an early end for an end: only the missing finish reason tells."""
    provider.enqueue(Reply(text="one two three", fault=fault))
    reply = await ask(clients(kind), stream=True)
    assert reply is not None
    assert reply.text == "one"
    assert not {"finish_reason", "stop_reason", "done_reason"} & reply.response_metadata.keys()


async def test_done_without_a_finish_reason_raises_nothing(provider: Provider, clients: Clients):
    """``[DONE]`` alone satisfies the OpenAI client: the finish reason has to be looked for."""
    provider.enqueue(Reply(finish=None))
    reply = await ask(clients("openai"), stream=True)
    assert reply is not None
    assert "finish_reason" not in reply.response_metadata


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_that_says_nothing_is_an_outage(
    kind: str, provider: Provider, clients: Clients
):
    """A 500 with an empty body is unavailable, and its message says at least the status."""
    provider.enqueue(Reply(status=500, body=""))
    refusal = await refusal_of(clients(kind), stream=False)
    assert refusal.outcome is Outcome.UNAVAILABLE
    assert "500" in refusal.message or kind == "ollama"


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_listening_is_an_outage(kind: str):
    """A refused connection is unavailable and the message says that it was the connection."""
    async with Provider() as gone:
        client = chat_client(kind, gone)
    refusal = await refusal_of(client, stream=False)
    await close_client(client)
    assert refusal.outcome is Outcome.UNAVAILABLE
    assert "onnect" in refusal.message


async def test_no_key_reaches_a_message(provider: Provider, clients: Clients):
    """A provider that repeats the key it was sent does not get it into our message."""
    provider.enqueue(Reply.refusal(401, f"Incorrect API key provided: {KEY}"))
    refusal = await refusal_of(clients("openai"), stream=False)
    assert refusal.outcome is Outcome.AUTH
    assert KEY not in refusal.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.filterwarnings("ignore:Received unexpected tool content block")
async def test_the_provider_speaks_so_that_real_clients_understand(
    kind: str, *, stream: bool, provider: Provider, clients: Clients
):
    """Text, a tool call and usage arrive through each client, whole and streamed."""
    call = ToolCall("read_file", {"path": "a.txt"})
    provider.enqueue(Reply(text="Look:  here.", tool_calls=(call,), usage=Usage(100, 7, 40)))
    reply = await ask(clients(kind), stream=stream)
    assert reply is not None
    assert reply.text == "Look:  here."
    assert [(c["name"], c["args"]) for c in reply.tool_calls] == [("read_file", {"path": "a.txt"})]
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["input_tokens"] == 100
    assert reply.usage_metadata["output_tokens"] == 7


async def test_requests_are_recorded_and_queues_can_be_per_model(
    provider: Provider, clients: Clients
):
    """A reply enqueued for another model is left alone, and the request can be looked at."""
    provider.enqueue(Reply(text="not for you"), model="other")
    provider.enqueue(Reply(echo=True), model="model")
    reply = await ask(clients("openai"), stream=False)
    assert reply is not None
    assert reply.text == "echo: hi"
    request = provider.requests[-1]
    assert (request.path, request.model, request.result) == (
        "/v1/chat/completions",
        "model",
        "answered",
    )
    assert request.ended is not None


async def test_ollama_s_lists_are_answered(provider: Provider):
    """Version, tags, show and ps answer as Ollama does, loading with the context asked for."""
    async with httpx.AsyncClient(base_url=provider.url, trust_env=False) as http:
        tags = (await http.get("/api/tags")).json()
        show = (await http.post("/api/show", json={"model": "model"})).json()
        warm = {"model": "model", "messages": [], "options": {"num_ctx": 16384}}
        await http.post("/api/chat", json=warm)
        loaded = (await http.get("/api/ps")).json()
        missing = await http.post("/api/show", json={"model": "absent"})
        version = (await http.get("/api/version")).json()
    assert [m["name"] for m in tags["models"]] == ["model"]
    assert show["capabilities"] == ["completion", "tools"]
    assert loaded["models"][0]["context_length"] == 16384
    assert missing.status_code == 404
    assert version["version"]


@pytest.mark.process
async def test_the_provider_runs_as_a_process_of_its_own(tmp_path: Path):
    """Started as a script it prints its port, plays, writes its log and ends on SIGTERM."""
    script, log = tmp_path / "replies.json", tmp_path / "log.jsonl"
    played = {"replies": [{"status": 429, "body": {"error": "wait"}}], "default": {"echo": True}}
    script.write_text(json.dumps(played))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent.parent / "support" / "provider.py"),
        *("--script", str(script), "--log", str(log), "--seconds", "60"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    url = f"http://127.0.0.1:{int(await process.stdout.readline())}/v1/chat/completions"
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(url, json=body)).status_code == 429
        answer = (await http.post(url, json=body)).json()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        assert await process.wait() == 0
    assert answer["choices"][0]["message"]["content"] == "echo: hello"
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events == ["start", "end", "start", "end"]
