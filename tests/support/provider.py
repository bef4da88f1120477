"""A provider of models on loopback: speaks OpenAI, Anthropic and Ollama, well or badly on purpose.

In a test::

    async with Provider() as provider:
        provider.enqueue(Reply(text="Hi."), Reply.refusal(429, headers={"Retry-After": "7"}))
        ...  # point a client at provider.url (Ollama, Anthropic) or provider.openai_url
        assert [request.path for request in provider.requests] == ["/v1/chat/completions"]

As a process of its own, which prints its port and ends on SIGTERM::

    python tests/support/provider.py --port 0 --script replies.json --log requests.jsonl

The script is ``{"replies": [...], "cycle": [...], "default": {...}}``, all optional, with the
arguments of ``Reply`` as keys.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

if not __package__:  # started as a script, from anywhere
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from noctule.core.clock import Clock, SystemClock
from tests.support.dialects import Dialect, dialect_of
from tests.support.good_replies import good_reply
from tests.support.ollama_catalogue import FakeModel, answer_about_models, note_loading
from tests.support.replies import Fault, Reply
from tests.support.wire import Asked, Wire

__all__ = ["FakeModel", "Fault", "Provider", "Reply", "Request"]

_FOR_EVER = 3600.0
_BROKEN = (ConnectionError, asyncio.IncompleteReadError)


@dataclass
class Request:
    """One request that reached a model.

    Args:
        number: counted from 1.
        path: where it was sent.
        headers: by lower-case name.
        body: the parsed body; {} when it is not a JSON object.
        started: monotonic seconds.
        ended: monotonic seconds; None while it is being answered.
        result: ``answered``, ``refused``, ``broken`` (on purpose) or ``gone`` (the client hung
            up); None while it is being answered.
    """

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    started: float
    ended: float | None = None
    result: str | None = None

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model", ""))

    @property
    def last_user_text(self) -> str:
        """The text of the last user message."""
        for message in reversed(self.body.get("messages", [])):
            if message.get("role") == "user":
                content = message.get("content", "")
                if isinstance(content, str):
                    return content
                return "".join(part.get("text", "") for part in content)
        return ""


@dataclass
class Provider:
    """A loopback server that answers what it is told.

    Args:
        decide: chooses the reply to a request; None takes the next one enqueued.
        cycle: replies that are repeated when none is enqueued.
        default: the reply when there is neither.
        models: what the lists of models show.
        documents: replies to GET by path (status, headers, body, delays, gate, HANG), for what no
            model answers.
        log: a file to which a JSON line is added at the start and the end of each request.
        port: 0 takes any that is free.
        clock: for the waits that replies ask for.
        proves: whether a probe is answered as a good model does, beside everything else: it takes
            no reply and is no request. False treats it like any other request.
    """

    decide: Callable[[Request], Reply | None] | None = None
    cycle: Sequence[Reply] = ()
    default: Reply = field(default_factory=Reply)
    models: list[FakeModel] = field(default_factory=lambda: [FakeModel("model")])
    documents: dict[str, Reply] = field(default_factory=dict)
    log: Path | None = None
    port: int = 0
    clock: Clock = field(default_factory=SystemClock)
    proves: bool = True
    requests: list[Request] = field(default_factory=list, init=False)
    other_requests: list[Asked] = field(default_factory=list, init=False)
    peak: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._queues: dict[str | None, deque[Reply]] = defaultdict(deque)
        self._turn = 0
        self._busy = 0
        self._changed = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._log_file: IO[str] | None = None
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The base URL for Ollama and Anthropic clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI clients."""
        return f"{self.url}/v1"

    @property
    def busy(self) -> int:
        """How many requests are being answered."""
        return self._busy

    def enqueue(self, *replies: Reply, model: str | None = None) -> None:
        """Add replies, each for one request; with a model, for requests to that model alone."""
        self._queues[model].extend(replies)

    async def until(self, condition: Callable[[Self], bool], within: float = 60.0) -> None:
        """Wait until something is true of it, asked at the start and end of every request.

        Raises:
            TimeoutError: it did not become true in that many seconds.
        """
        async with asyncio.timeout(within):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def __aenter__(self) -> Self:
        """Listen."""
        if self.log is not None:
            self._log_file = self.log.open("a", encoding="utf-8", buffering=1)
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._log_file is not None:
            self._log_file.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(Wire(reader, writer, self.clock)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, wire: Wire) -> None:
        try:
            while wire.keep_open and (asked := await wire.read()):
                await self._respond(wire, asked)
        except _BROKEN:
            pass
        finally:
            wire.close()

    async def _respond(self, wire: Wire, asked: Asked) -> None:
        dialect = dialect_of(asked.path)
        if dialect is None or not asked.json.get("messages", True):
            self.other_requests.append(asked)
            await self._answer_otherwise(wire, asked)
            return
        if self.proves and (good := good_reply(asked.json)) is not None:
            request = Request(0, asked.path, asked.headers, asked.json, self.clock.monotonic())
            await self._answer(wire, dialect, request, good)
            return
        request = self._start(asked)
        try:
            request.result = await self._answer(wire, dialect, request, self._reply_to(request))
        except _BROKEN:
            request.result = "gone"
            raise
        except asyncio.CancelledError:
            request.result = "gone"
            raise
        finally:
            self._end(request)

    async def _answer_otherwise(self, wire: Wire, asked: Asked) -> None:
        reply = self.documents.get(asked.path.partition("?")[0])
        if reply is None:
            status, document = answer_about_models(asked, self.models)
            await wire.send_whole(status, {}, json.dumps(document).encode())
            return
        if reply.gate is not None:
            await reply.gate.wait()
        await wire.pause(_FOR_EVER if reply.fault is Fault.HANG else reply.before_headers)
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        await wire.send_whole(reply.status, reply.headers, text.encode())

    def _reply_to(self, request: Request) -> Reply:
        reply = self.decide(request) if self.decide else None
        for queue in (self._queues[request.model], self._queues[None]):
            if reply is None and queue:
                reply = queue.popleft()
        if reply is None and self.cycle:
            reply = self.cycle[self._turn % len(self.cycle)]
            self._turn += 1
        reply = reply or self.default
        return replace(reply, text=f"echo: {request.last_user_text}") if reply.echo else reply

    async def _answer(self, wire: Wire, dialect: Dialect, request: Request, reply: Reply) -> str:
        if reply.gate is not None:
            await reply.gate.wait()
        await wire.pause(_FOR_EVER if reply.fault is Fault.HANG else reply.before_headers)
        if reply.body is not None or reply.status >= 300:
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            await wire.send_whole(reply.status, reply.headers, text.encode())
            return "refused"
        if request.body.get("stream", dialect.always_streams):
            await self._stream(wire, dialect, request, reply)
        else:
            await self._whole(wire, dialect, request, reply)
        return "broken" if reply.fault else "answered"

    async def _whole(self, wire: Wire, dialect: Dialect, request: Request, reply: Reply) -> None:
        await wire.pause(reply.before_token)
        body = json.dumps(dialect.whole(reply, request.body)).encode()
        if reply.fault is Fault.NOT_JSON:
            body = b"<html>this is not JSON</html>"
        elif reply.fault is Fault.BAD_UTF8:
            body = body[:-1] + b', "oops": "\xff\xfe\xfa"}'
        elif reply.fault is Fault.ERROR:
            body = json.dumps({"error": reply.error}).encode()
        elif reply.fault is not None:
            half = body[: len(body) // 2]
            await wire.send_whole(reply.status, reply.headers, half, promised=len(body))
            await self._break_off(wire, reply.fault)
            return
        await wire.send_whole(reply.status, reply.headers, body)

    async def _stream(self, wire: Wire, dialect: Dialect, request: Request, reply: Reply) -> None:
        headers = {"Content-Type": dialect.content_type, **reply.headers}
        framed = reply.fault is not Fault.UNFRAMED
        await wire.open_stream(reply.status, headers, framed=framed)
        await wire.pause(_FOR_EVER if reply.fault is Fault.SILENT else reply.before_token)
        tokens = 0
        for frame in dialect.frames(reply, request.body):
            if reply.fault and tokens >= reply.fault_after and (frame.token or tokens):
                break
            await wire.send(frame.data)
            tokens += frame.token
            await wire.pause(reply.between_tokens if frame.token else 0)
        if reply.fault:
            await self._break(wire, dialect, reply)
        else:
            await wire.end_stream()

    async def _break(self, wire: Wire, dialect: Dialect, reply: Reply) -> None:
        """Let a stream go wrong in the way the reply asks for."""
        spoiled = {
            Fault.ERROR: dialect.error(reply.error),
            Fault.NOT_JSON: dialect.raw('{"choices": [{"delta": oops'),
            Fault.BAD_UTF8: dialect.raw('{"text": "@"}').replace(b"@", b"\xff\xfe\xfa"),
        }
        if reply.fault in spoiled:
            await wire.send(spoiled[reply.fault])
            await wire.end_stream()
        elif reply.fault is Fault.EARLY_END:
            await wire.end_stream()
        elif reply.fault is not None:
            if reply.fault is Fault.CUT:
                await wire.send_half_a_chunk(b"data: ")
            await self._break_off(wire, reply.fault)

    async def _break_off(self, wire: Wire, fault: Fault) -> None:
        wire.keep_open = False
        if fault in {Fault.STALL, Fault.SILENT}:
            await wire.pause(_FOR_EVER)
        elif fault is Fault.RESET:
            await wire.pause(0.01)  # lets what was sent arrive: RST may overtake it
            wire.reset()

    def _start(self, asked: Asked) -> Request:
        number = len(self.requests) + 1
        now = self.clock.monotonic()
        if asked.path == "/api/chat":
            note_loading(asked, self.models)
        request = Request(number, asked.path, asked.headers, asked.json, now)
        self.requests.append(request)
        self._busy += 1
        self.peak = max(self.peak, self._busy)
        self._note("start", request, body=request.body)
        return request

    def _end(self, request: Request) -> None:
        request.ended = self.clock.monotonic()
        self._busy -= 1
        self._note("end", request, result=request.result)

    def _note(self, event: str, request: Request, **more: Any) -> None:
        self._changed.set()
        if self._log_file is not None:
            line = {"event": event, "n": request.number, "path": request.path}
            at = {"at": self.clock.now().isoformat()}
            self._log_file.write(json.dumps(line | at | more) + "\n")


def _read_script(path: Path | None) -> dict[str, Any]:
    script = json.loads(path.read_text(encoding="utf-8")) if path else {}
    return {
        "replies": [Reply.read(entry) for entry in script.get("replies", [])],
        "cycle": [Reply.read(entry) for entry in script.get("cycle", [])],
        "default": Reply.read(script.get("default", {})),
    }


async def _run(options: argparse.Namespace) -> None:
    script = _read_script(options.script)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    provider = Provider(
        cycle=script["cycle"], default=script["default"], log=options.log, port=options.port
    )
    provider.enqueue(*script["replies"])
    async with provider:
        print(provider.port, flush=True)  # noqa: T201 - whoever started it reads the port here
        try:
            async with asyncio.timeout(options.seconds):
                await stop.wait()
        except TimeoutError:
            sys.exit("nobody stopped the provider in time; it ends by itself")


def _main() -> None:
    parser = argparse.ArgumentParser(description="a provider of models on loopback, for tests")
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free")
    parser.add_argument("--script", type=Path, help="JSON with replies, cycle and default")
    parser.add_argument("--log", type=Path, help="file for a JSON line per start and end")
    parser.add_argument("--seconds", type=float, default=900, help="ends by itself after this")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    _main()
