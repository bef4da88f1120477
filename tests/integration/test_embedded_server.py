import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from noctule.core.clock import ManualClock, SystemClock
from noctule.core.errors import EmbeddedModelError, OurBugError
from noctule.models.embedded.options import EmbeddedOptions
from noctule.models.embedded.server import EmbeddedServer
from noctule.models.embedded.weights import packaged_weights
from tests.support.embedded import CONTEXT_TOKENS

pytestmark = [pytest.mark.embedded, pytest.mark.process]

SMALL = EmbeddedOptions(context_tokens=512)
ROUTE = {
    "type": "object",
    "properties": {"role": {"enum": ["chat", "engineer", "writer"]}},
    "required": ["role"],
    "additionalProperties": False,
}

CHILD = (sys.executable, "-m", "noctule.models.embedded.child")

# Starts the child on a pipe it did not make, says its process id, and waits.
BARE_PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[2:], stdin=int(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(600)
"""

# Starts a server, says its process id and address, and waits; how it ends is the test's choice.
PARENT = """
import asyncio, sys
from noctule.core.clock import SystemClock
from noctule.models.embedded.options import EmbeddedOptions
from noctule.models.embedded.server import EmbeddedServer

async def main():
    server = EmbeddedServer(EmbeddedOptions(context_tokens=512), clock=SystemClock())
    address = await server.address()
    print(server.pid, address.url, flush=True)
    await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@asynccontextmanager
async def serving(options: EmbeddedOptions = SMALL, **more):
    """A server that is closed however the test ends."""
    server = EmbeddedServer(options, clock=more.pop("clock", SystemClock()), **more)
    try:
        yield server
    finally:
        await server.close()


def client(address) -> httpx.AsyncClient:
    """A client that opens a connection for each request, as the address asks for."""
    return httpx.AsyncClient(
        base_url=address.url,
        headers={"Authorization": f"Bearer {address.api_key}"},
        limits=httpx.Limits(max_keepalive_connections=0),
        timeout=60,
    )


def asking(text: str, **more) -> dict:
    """The body of a chat request that always gets the same answer."""
    return {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}


async def streamed(http: httpx.AsyncClient, body: dict) -> list[dict]:
    """The chunks of a streamed reply; the closing mark must be there."""
    more = {"stream": True, "stream_options": {"include_usage": True}}
    async with http.stream("POST", "/chat/completions", json=body | more) as response:
        assert response.status_code == 200
        lines = [line async for line in response.aiter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


async def exhaust(lines: AsyncIterator[str]) -> None:
    """Read to the end."""
    async for _ in lines:
        pass


def listens(url: str) -> bool:
    """Whether somebody accepts connections there."""
    parts = urlsplit(url)
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((parts.hostname, parts.port)) == 0


async def gone(pid: int, url: str) -> bool:
    """Whether the process ends and its port closes within ten seconds."""
    for _ in range(200):
        if not listens(url) and not is_running(pid):
            return True
        await SystemClock().sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    """Whether a process is there and not merely waiting for somebody to read its exit code."""
    if Path("/proc/self").exists():
        stat = Path(f"/proc/{pid}/stat")
        # The state follows the name, which stands in brackets and may hold anything.
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def order() -> bytes:
    """What the child is told first, as the parent would."""
    fields = {
        "weights": str(packaged_weights()),
        "chat_template": None,
        "alias": "embedded",
        "api_key": "key",
        "slots": 1,
        "context_tokens": 512,
        "threads": 1,
        "cache_mib": 0,
        "default_max_tokens": 0,
        "temperature": None,
        "top_p": None,
        "repeat_penalty": None,
        "verbosity": 0,
    }
    return json.dumps(fields).encode() + b"\n"


async def test_completion_is_answered_by_the_model(embedded_server):
    """A plain request gets text, a finish reason and token counts, under the alias asked for."""
    async with client(embedded_server.at) as http:
        response = await http.post("/chat/completions", json=asking("Hello!", max_tokens=12))

    reply = response.json()
    assert response.status_code == 200
    assert reply["choices"][0]["message"]["content"].strip()
    assert reply["choices"][0]["finish_reason"] in {"stop", "length"}
    assert reply["model"] == "embedded"
    assert reply["usage"]["prompt_tokens"] > 0
    assert 0 < reply["usage"]["completion_tokens"] <= 12


async def test_streamed_completion_carries_the_same_text_and_usage(embedded_server):
    """A streamed reply adds up to the plain one and ends with its token counts."""
    body = asking("Name a colour.", max_tokens=12)
    async with client(embedded_server.at) as http:
        plain = (await http.post("/chat/completions", json=body)).json()
        chunks = await streamed(http, body)

    deltas = [choice["delta"].get("content") for c in chunks for choice in c["choices"]]
    assert "".join(delta or "" for delta in deltas) == plain["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"]["completion_tokens"] == plain["usage"]["completion_tokens"]


async def test_schema_binds_plain_and_streamed_replies(embedded_server):
    """With a JSON schema the reply fits it, streamed or not."""
    body = asking(
        "Write a Python function.",
        max_tokens=40,
        response_format={"type": "json_schema", "json_schema": {"name": "route", "schema": ROUTE}},
    )
    async with client(embedded_server.at) as http:
        plain = (await http.post("/chat/completions", json=body)).json()
        chunks = await streamed(http, body)

    text = "".join(choice["delta"].get("content") or "" for c in chunks for choice in c["choices"])
    for reply in (plain["choices"][0]["message"]["content"], text):
        assert json.loads(reply)["role"] in {"chat", "engineer", "writer"}


async def test_request_without_a_bound_ends_at_the_default():
    """A request that names no max_tokens cannot fill the whole context."""
    options = EmbeddedOptions(context_tokens=512, default_max_tokens=20)
    async with serving(options) as server, client(await server.address()) as http:
        response = await http.post("/chat/completions", json=asking("Hi", ignore_eos=True))

    assert response.json()["usage"]["completion_tokens"] == 20


async def test_packaged_model_is_sampled_as_suits_it():
    """Requests that say nothing about sampling get what was found to suit SmolLM2."""
    async with serving() as server, client(await server.address()) as http:
        base = http.base_url.copy_with(path="/")
        settings = (await http.get(base.join("props"))).json()["default_generation_settings"]

    params = settings["params"]
    assert settings["n_ctx"] == 512
    assert params["temperature"] == pytest.approx(0.2)
    assert params["top_p"] == pytest.approx(0.9)
    assert params["repeat_penalty"] == pytest.approx(1.05)


async def test_another_template_writes_the_prompt(tmp_path):
    """The template of the options stands in for the one in the GGUF file."""
    template = tmp_path / "calls.jinja"
    template.write_text("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    options = EmbeddedOptions(context_tokens=512, chat_template=template)
    async with serving(options) as server, client(await server.address()) as http:
        base = http.base_url.copy_with(path="/")
        answer = await http.post(base.join("apply-template"), json=asking("Hi"))

    assert answer.json()["prompt"] == "<user>Hi"


async def test_template_that_is_no_jinja_gives_a_sentence(tmp_path):
    """A mistake in a template is told at the start, with llama.cpp's own words."""
    template = tmp_path / "calls.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}")
    options = EmbeddedOptions(context_tokens=512, chat_template=template)
    async with serving(options) as server:
        with pytest.raises(EmbeddedModelError, match="template"):
            await server.address()


async def test_prompt_beyond_the_context_is_refused_with_both_sizes(embedded_server):
    """Each slot has the whole context asked for, and what does not fit is a 400 that says so."""
    async with client(embedded_server.at) as http:
        response = await http.post("/chat/completions", json=asking("word " * 1200))

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["type"] == "exceed_context_size_error"
    assert error["n_ctx"] == CONTEXT_TOKENS
    assert error["n_prompt_tokens"] > 1200


async def test_nobody_is_served_without_the_key(embedded_server):
    """The key is needed, long, and in no repr."""
    address = embedded_server.at
    async with client(address) as http:
        http.headers["Authorization"] = "Bearer wrong"
        response = await http.post("/chat/completions", json=asking("Hi"))

    assert response.status_code == 401
    assert len(address.api_key) >= 32
    assert address.api_key not in repr(address)


async def test_no_web_page_may_ask(embedded_server):
    """The server does not invite other origins, as llama.cpp does by default."""
    async with client(embedded_server.at) as http:
        response = await http.options(
            "/chat/completions",
            headers={"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"},
        )

    assert response.headers.get("access-control-allow-origin", "") == ""


async def test_two_slots_answer_side_by_side(embedded_server):
    """While one long reply is streamed, another request is answered to its end."""
    long = asking("Tell a long story.", max_tokens=300, ignore_eos=True, stream=True)
    async with (
        client(embedded_server.at) as http,
        http.stream("POST", "/chat/completions", json=long) as story,
    ):
        lines = story.aiter_lines()
        assert "delta" in await anext(lines)
        reader = asyncio.create_task(exhaust(lines))
        short = await http.post("/chat/completions", json=asking("Hello!", max_tokens=3))
        story_was_over = reader.done()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)

    assert short.json()["usage"]["completion_tokens"] == 3
    assert not story_was_over


async def test_ten_callers_share_one_start():
    """Callers that ask at once get the same server."""
    async with serving() as server:
        addresses = await asyncio.gather(*(server.address() for _ in range(10)))

    assert len(set(addresses)) == 1


async def test_killed_server_comes_back_and_says_so():
    """After a SIGKILL the next address is that of a live server; both events are reported."""
    events: list[str] = []
    died = asyncio.Event()

    def note(event: str) -> None:
        events.append(event)
        died.set()

    async with serving(on_event=note) as server:
        before = await server.address()
        os.kill(server.pid, signal.SIGKILL)
        await died.wait()
        assert server.pid is None
        after = await server.address()
        async with client(after) as http:
            response = await http.post("/chat/completions", json=asking("Hi", max_tokens=2))

    assert response.status_code == 200
    assert after.api_key != before.api_key
    assert "died (signal 9)" in events[0]
    assert events[1:] == ["The embedded model server runs again."]


async def test_parent_that_closes_leaves_nothing():
    """Closing ends the process, is no event, can be repeated, and is final."""
    events: list[str] = []
    server = EmbeddedServer(SMALL, clock=SystemClock(), on_event=events.append)
    address = await server.address()
    pid = server.pid

    await server.close()
    await server.close()

    assert not is_running(pid)
    assert not listens(address.url)
    assert events == []
    with pytest.raises(OurBugError, match="after it had been closed"):
        await server.address()


async def test_close_does_not_wait_for_a_reply_in_flight():
    """Closing in the middle of a reply ends the process at once, and the reply is torn."""
    server = EmbeddedServer(SMALL, clock=SystemClock())
    body = asking("Tell a long story.", max_tokens=400, ignore_eos=True, stream=True)
    async with (
        client(await server.address()) as http,
        http.stream("POST", "/chat/completions", json=body) as story,
    ):
        lines = story.aiter_lines()
        await anext(lines)
        await server.close()
        with pytest.raises(httpx.TransportError):
            await exhaust(lines)

    assert server.pid is None


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, None])
async def test_child_ends_with_its_parent(ending):
    """Killed, terminated or returning without closing: no parent leaves a server behind."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    pid, url = (await parent.stdout.readline()).decode().split()
    assert is_running(int(pid))
    if ending is None:
        parent.stdin.close()
    else:
        parent.send_signal(ending)
    await parent.wait()

    assert await gone(int(pid), url)


async def test_child_ends_when_its_input_does():
    """The closing pipe alone, which every system has, ends the child in an orderly way."""
    child = await asyncio.create_subprocess_exec(
        *CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdin.write(order())
    answer = json.loads(await child.stdout.readline())
    assert listens(answer["url"])

    child.stdin.close()

    assert await child.wait() == 0


if sys.platform == "linux":

    async def test_child_ends_though_somebody_holds_its_input_open():
        """On Linux the death of the parent is enough, whoever else has the pipe."""
        theirs, ours = os.pipe()
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", BARE_PARENT, str(theirs), *CHILD,
            stdout=subprocess.PIPE, pass_fds=[theirs],
        )  # fmt: skip
        os.close(theirs)
        try:
            pid = int(await parent.stdout.readline())
            os.write(ours, order())
            url = json.loads(await parent.stdout.readline())["url"]
            parent.kill()
            await parent.wait()
            assert await gone(pid, url)
        finally:
            os.close(ours)


async def test_file_that_only_begins_like_a_model_gives_a_sentence(tmp_path):
    """A torn download names the file, what llama.cpp said and what to do, and leaves nothing."""
    torn = tmp_path / "torn.gguf"
    with packaged_weights().open("rb") as whole:
        torn.write_bytes(whole.read(4_000_000))

    async with serving(EmbeddedOptions(weights=torn)) as server:
        with pytest.raises(EmbeddedModelError) as caught:
            await server.address()
        assert server.pid is None

    assert "exit code 1 while loading" in str(caught.value)
    assert str(torn) in str(caught.value)
    assert "not within the file bounds" in str(caught.value)
    assert "leave `weights` out" in str(caught.value)


async def test_missing_file_starts_no_process():
    """A path that leads nowhere is refused before anything runs, and may be tried for ever."""
    absent = EmbeddedOptions(weights=Path("/absent/model.gguf"))
    async with serving(absent, command=["/absent/program"]) as server:
        for _ in range(6):
            with pytest.raises(EmbeddedModelError, match="cannot be read"):
                await server.address()


async def test_server_that_keeps_failing_is_left_alone_for_a_while(tmp_path):
    """Three restarts a minute, then a refusal that says why and how long; then another try."""
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(b"GGUF" + bytes(1000))
    clock = ManualClock()
    failing = [sys.executable, "-c", "import sys; sys.exit('no memory')"]
    async with serving(EmbeddedOptions(weights=torn), clock=clock, command=failing) as server:
        for _ in range(4):
            with pytest.raises(EmbeddedModelError, match="no memory"):
                await server.address()
        with pytest.raises(EmbeddedModelError, match=r"left alone for another 60 s.*no memory"):
            await server.address()
        await clock.advance(60)
        with pytest.raises(EmbeddedModelError, match="ended with exit code 1"):
            await server.address()


async def test_server_that_is_never_ready_is_given_up():
    """A start that hangs ends at its time limit, with the last words, and leaves nothing."""
    hanging = (
        "import os, sys, time; print('loading', os.getpid(), file=sys.stderr, flush=True); "
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", hanging]
    async with serving(command=command, start_seconds=2) as server:
        with pytest.raises(
            EmbeddedModelError, match=r"not ready after 2 s.*It said: load"
        ) as caught:
            await server.address()

    pid = str(caught.value).split("loading ")[-1].split(".")[0]
    assert not is_running(int(pid))


async def test_program_that_answers_rubbish_is_a_failure():
    """A child that says something else than an address is not believed."""
    command = [sys.executable, "-c", "print('hello')"]
    async with serving(command=command) as server:
        with pytest.raises(EmbeddedModelError, match="ended with exit code 0"):
            await server.address()


async def test_caller_that_gives_up_during_the_start_leaves_nothing(tmp_path):
    """A start that is cancelled ends its process."""
    note = tmp_path / "pid"
    hanging = (
        f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid()));"
        "time.sleep(600)"
    )
    async with serving(command=[sys.executable, "-c", hanging]) as server:
        start = asyncio.create_task(server.address())
        while not (note.exists() and note.read_text()):
            await SystemClock().sleep(0.02)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start

    pid = int(note.read_text())
    for _ in range(200):  # it is killed at once; how soon it is gone is the system's affair
        if not is_running(pid):
            break
        await SystemClock().sleep(0.05)
    assert not is_running(pid)


async def test_start_after_a_cancelled_one_works():
    """A cancelled start is no failure of the server: the next caller gets one."""
    async with serving() as server:
        for _ in range(6):
            start = asyncio.create_task(server.address())
            await SystemClock().sleep(0.1)
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
        address = await server.address()
        assert listens(address.url)
