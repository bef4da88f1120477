"""A model layer on a stage: fake endpoints that do as told, a clock that stands still, a sink.

In a test::

    stage = Stage()
    stage.will("first", refused(429, retry_after=20))
    reply = await stage.ask("Hello")
    assert reply.attempt.model == "second"
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.tool import tool_call_chunk

from noctule.core.base.roles import Role
from noctule.core.clock import Clock, ManualClock
from noctule.core.llm.attempts import Attempt, CostSource, Usage
from noctule.core.llm.calls import CallContext
from noctule.core.llm.events import EventKind
from noctule.core.ports.database import Database
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.settings import Settings
from noctule.models.base.client import Conclusion, ModelRequest, PresentModel
from noctule.models.base.reply import Reply
from noctule.models.binding.dependencies import Price
from noctule.models.binding.models import Models
from noctule.models.clients.scripted import ScriptedRefusal
from noctule.models.request.chat_request import ChatRequest
from noctule.models.wire.chunks import join
from tests.support.scratch import scratch_database

SOME_TOKENS = Usage(input_tokens=10, output_tokens=5)


def refused(
    status: int,
    *,
    retry_after: float | None = None,
    code: str = "",
    message: str = "not now",
) -> ScriptedRefusal:
    """Return what a provider's refusal looks like when a client raises it."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    body = json.dumps({"error": {"code": code, "message": message}})
    return ScriptedRefusal(ProviderResponse(status, headers, body))


@dataclass
class Act:
    """What a model does with one request.

    Args:
        text: what it says, in pieces of one word.
        error: raised after ``text``; None raises nothing.
        finish: the finish reason; None tears the stream.
        tool: name and arguments (as text) of a tool it calls.
        tools: likewise for several calls in one reply.
        hangs: say nothing more after ``text`` until it is cancelled.
        until: wait for this before the first word.
        takes_s: seconds of the stage's clock before the first word.
        usage: tokens it reports.
        truncated: it reports that it dropped part of the prompt.
    """

    text: str = "Hello."
    error: Exception | None = None
    finish: str | None = "stop"
    tool: tuple[str, str] | None = None
    tools: Sequence[tuple[str, str]] = ()
    hangs: bool = False
    until: asyncio.Event | None = None
    takes_s: float = 0.0
    usage: Usage = SOME_TOKENS
    truncated: bool = False


class StageClient:
    """Every endpoint at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.acts: defaultdict[str, deque[Act]] = defaultdict(deque)
        self.usual: dict[str, Act] = {}
        self.requests: list[ModelRequest] = []
        self.running: defaultdict[str, int] = defaultdict(int)
        self.peak: defaultdict[str, int] = defaultdict(int)
        self.open_streams = 0
        self.closed = False

    @property
    def asked(self) -> list[str]:
        """The models that were asked, in order."""
        return [request.model for request in self.requests]

    async def answer(self, request: ModelRequest) -> AIMessage:
        return join([piece async for piece in self._play(request)])

    async def stream(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        self.open_streams += 1
        try:
            async for piece in self._play(request):
                yield piece
        finally:
            self.open_streams -= 1

    def conclude(self, request: ModelRequest, message: AIMessage) -> Conclusion:
        said = message.response_metadata
        return Conclusion(
            said.get("usage", Usage()), said.get("finish"), said.get("truncated", False)
        )

    async def present(self) -> list[PresentModel]:
        return []

    async def warm(self, model: str) -> None: ...

    async def close(self) -> None:
        self.closed = True

    async def _play(self, request: ModelRequest) -> AsyncIterator[AIMessageChunk]:
        self.requests.append(request)
        acts = self.acts[request.model]
        act = acts.popleft() if acts else self.usual.get(request.model, Act())
        self.running[request.model] += 1
        self.peak[request.model] = max(self.peak[request.model], self.running[request.model])
        try:
            if act.until is not None:
                await act.until.wait()
            if act.takes_s:
                await self._clock.sleep(act.takes_s)
            async for piece in _pieces(act):
                yield piece
        finally:
            self.running[request.model] -= 1


async def _pieces(act: Act) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="")
    for word in act.text.split(" ") if act.text else ():
        yield AIMessageChunk(content=word)
    if act.hangs:
        await asyncio.Event().wait()
    if act.error is not None:
        raise act.error
    called = [*act.tools] if act.tool is None else [act.tool, *act.tools]
    for index, (name, args) in enumerate(called):
        chunk = tool_call_chunk(name=name, args=args, id=f"call-{index + 1}", index=index)
        yield AIMessageChunk(content="", tool_call_chunks=[chunk])
    told = {"finish": act.finish, "usage": act.usage, "truncated": act.truncated}
    yield AIMessageChunk(content="", response_metadata=told, chunk_position="last")


@dataclass
class RecordingSink:
    """Keeps every event."""

    events: list[tuple[EventKind, dict[str, Any]]] = field(default_factory=list)

    def emit(self, kind: EventKind, **data: object) -> None:
        self.events.append((kind, data))

    @property
    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.events]

    def of(self, kind: EventKind) -> list[dict[str, Any]]:
        return [data for known, data in self.events if known is kind]


def make_settings(**changes: Any) -> Settings:
    """Return a configuration with three models and every role bound to first, then second.

    Args:
        changes: sections; ``endpoints`` and ``models`` are merged key by key, ``role`` goes into
            every role, ``roles`` into the one it names.
    """
    role = {"primary": "first", "fallback": ["second"], **changes.pop("role", {})}
    own = changes.pop("roles", {})
    endpoints = {"here": {"kind": "scripted"}, "cloud": {"kind": "scripted", "local": False}}
    models = {
        "first": {"endpoint": "here", "name": "first-model"},
        "second": {"endpoint": "cloud", "name": "second-model"},
        "third": {"endpoint": "here", "name": "third-model"},
    }
    return Settings.model_validate(
        {
            "endpoints": _merged(endpoints, changes.pop("endpoints", {})),
            "models": _merged(models, changes.pop("models", {})),
            "roles": {name: {**role, **own.get(name, {})} for name in Role},
            **changes,
        }
    )


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    names = [*base, *(name for name in changes if name not in base)]
    return {name: {**base.get(name, {}), **changes.get(name, {})} for name in names}


def no_price(model: str, usage: Usage, at: datetime) -> tuple[Decimal | None, CostSource | None]:
    """Know no price but that of the first model."""
    return (Decimal("0.25"), CostSource.CONFIG) if model == "first" else (None, None)


class Stage:
    """A model layer over fakes.

    Args:
        settings: None takes ``make_settings(**changes)``.
        clock: None stands still until it is moved.
        database: None begins with an empty one.
        price: what calls cost.
        changes: for ``make_settings``.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        database: Database | None = None,
        price: Price = no_price,
        **changes: Any,
    ) -> None:
        self.settings = settings or make_settings(**changes)
        self.clock: Any = clock or ManualClock()  # whoever gave another knows what it can
        self.database = database or scratch_database()
        self.client = StageClient(self.clock)
        self.sink = RecordingSink()
        self.models = Models(
            self.settings,
            self.database,
            self.clock,
            price=price,
            build=lambda _: self.client,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.models.close()

    def will(self, model: str, *acts: Act | Exception | str) -> None:
        """Say what a model does with its next requests; after them it does its usual."""
        self.client.acts[model].extend(_as_act(act) for act in acts)

    def always(self, model: str, act: Act | Exception | str) -> None:
        """Say what a model usually does."""
        self.client.usual[model] = _as_act(act)

    def context(self, role: Role = Role.ENGINEER, **changes: Any) -> CallContext:
        """Return the circumstances of a call."""
        return CallContext(**{"role": role, "sink": self.sink, **changes})

    async def ask(
        self,
        text: str = "Hello",
        role: Role = Role.ENGINEER,
        call: ChatRequest | None = None,
        **changes: Any,
    ) -> Reply:
        """Make one call."""
        call = call or ChatRequest(messages=[HumanMessage(text)])
        return await self.models.call(call, self.context(role, **changes))

    async def attempts(self) -> Sequence[Attempt]:
        """Return the ledger in the order in which attempts ended: the clock stands still."""
        async with self.database.read() as work:
            rows = {row.id: row for row in await work.attempts.list()}
        ended = [event["attempt"] for event in self.sink.of(EventKind.ATTEMPT_ENDED)]
        assert sorted(rows) == sorted(ended)
        return [rows[id_] for id_ in ended]


def _as_act(act: Act | Exception | str) -> Act:
    if isinstance(act, Act):
        return act
    return Act(text=act) if isinstance(act, str) else Act(text="", error=act)


@asynccontextmanager
async def asking(stage: Stage, **how: Any) -> AsyncGenerator[asyncio.Task[Reply], None]:
    """Begin a call and let it come as far as it can; it is cancelled at the end if need be."""
    task = asyncio.create_task(stage.ask(**how))
    await settle()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settle(rounds: int = 50) -> None:
    """Let every task that can go on go on."""
    clock = ManualClock()
    for _ in range(rounds):
        await clock.sleep(0)
