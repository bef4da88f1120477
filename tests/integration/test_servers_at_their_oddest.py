import json
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from noctule.core.base.roles import Role
from noctule.core.clock import SystemClock
from noctule.core.errors import LimitError, NoModelError
from noctule.core.llm.calls import CallContext
from noctule.core.llm.events import EventKind
from noctule.core.provider_errors.outcomes import Outcome
from noctule.models.base.errors import TooLongError
from noctule.models.base.reply import Reply as Answer
from noctule.models.binding.models import Models
from noctule.models.request.chat_request import ChatRequest
from noctule.models.spend.prices import Prices
from tests.support.provider import Provider, Reply
from tests.support.scratch import scratch_database
from tests.support.stage import RecordingSink, make_settings
from tests.support.strange_replies import deltas, events, ollama, whole

WRITE = {
    "name": "write_file",
    "description": "Write.",
    "parameters": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path"],
    },
}
FINE = json.dumps({"path": "a.txt"})


class Alone:
    """One model behind HTTP, and nobody who stands in."""

    def __init__(self, provider: Provider, kind: str = "openai", **model: Any) -> None:
        url = provider.openai_url if kind == "openai" else provider.url
        settings = make_settings(
            endpoints={"here": {"kind": kind, "url": url, "local": True}},
            models={"first": {**model}},
            role={"fallback": []},
        )
        self.database, self.sink = scratch_database(), RecordingSink()
        price = Prices(settings.endpoints, settings.models).cost
        self.models = Models(settings, self.database, SystemClock(), price=price)

    async def ask(self, *, tools: bool = False, stream: bool = True, **how: Any) -> Answer:
        context = CallContext(role=Role.WRITER, stream=stream, sink=self.sink, **how)
        call = ChatRequest(messages=[HumanMessage("Hello")], tools=[WRITE] if tools else [])
        return await self.models.call(call, context)

    async def outcomes(self) -> list[Outcome]:
        async with self.database.read() as work:
            return [row.outcome for row in reversed(await work.attempts.list())]

    @property
    def shown(self) -> str:
        """What a watcher sees in the end."""
        seen = ""
        for kind, data in self.sink.events:
            if kind is EventKind.DELTA:
                seen += str(data["text"])
            elif kind is EventKind.ATTEMPT_DISCARDED:
                seen = ""
        return seen


def called(arguments: str) -> dict[str, Any]:
    function = {"name": "write_file", "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": "x", "type": "function", "function": function}]}


BAD = {
    "torn arguments": deltas(called('{"path": "a.txt", "content": "al')),
    "an empty reply": deltas({"content": ""}),
    "llama.cpp's parser": Reply.refusal(
        500, message="Failed to parse input at pos 12: <tool_call>"
    ),
    "Ollama's parser": Reply.refusal(
        500, message="error parsing tool call: raw='{\"path', err=unexpected end of JSON input"
    ),
    "Gemini's word": events(
        'data: {"choices": [{"delta": {}, "finish_reason": '
        '"function_call_filter: MALFORMED_FUNCTION_CALL"}]}',
        "data: [DONE]",
    ),
    "a call as XML": deltas({"content": "<function=write_file><parameter=path>a</parameter>"}),
    "tool_code": deltas({"content": '```tool_code\nprint(write_file(path="a.txt"))\n```'}),
    "all thinking": deltas({"content": "<think>hm"}),
    "a torn stream": Reply(
        body='data: {"choices": [{"delta": {"content": "Hal"}}]}\n\n',
        headers={"Content-Type": "text/event-stream"},
    ),
}


async def test_one_bad_sample_ends_nothing() -> None:
    """Whatever one reply was, the same model is asked anew and its next reply is taken."""
    wrong: dict[Any, Any] = {}
    for name, bad in BAD.items():
        async with Provider() as provider:
            here = Alone(provider)
            provider.enqueue(bad, deltas(called(FINE)))
            try:
                message = (await here.ask(tools=True)).message
                if [call["args"] for call in message.tool_calls] != [{"path": "a.txt"}]:
                    wrong[name] = message
            except (LimitError, NoModelError) as error:
                wrong[name] = error
            if len(await here.outcomes()) != len(provider.requests):
                wrong[name] = "an attempt is not in the ledger"
            await here.models.close()
    assert wrong == {}


async def test_thinking_is_not_shown_nor_kept_in_the_answer() -> None:
    """Case by case: what a person sees in the end, and what goes back with the next turn."""
    plan = "The person greets. PRIVATEPLAN\n</think>\n\nGood evening!"
    for reply in (
        deltas({"content": plan}),
        deltas(*({"content": c} for c in plan)),
        whole({"content": plan}),
    ):
        async with Provider() as provider:
            here = Alone(provider)
            provider.enqueue(reply, reply)
            for _ in range(2):
                answer = await here.ask()
                assert answer.message.text == "Good evening!"
                assert here.shown.endswith("Good evening!")
                assert "PRIVATEPLAN" not in here.shown
                here.sink.events.clear()
            await here.models.close()
    async with Provider(default=deltas({"content": "<think>PRIVATEPLAN"})) as provider:
        here = Alone(provider)
        with pytest.raises(NoModelError, match="empty"):
            await here.ask()
        assert "PRIVATEPLAN" not in here.shown
        await here.models.close()


async def test_the_second_reply_that_begins_inside_is_not_shown_early() -> None:
    """The first one taught it: nothing has to be taken back again."""
    plan = [{"content": c} for c in "PLAN\n</think>\n\nHi"]
    async with Provider(default=deltas(*plan)) as provider:
        here = Alone(provider)
        await here.ask()
        assert EventKind.ATTEMPT_DISCARDED in here.sink.kinds
        here.sink.events.clear()
        await here.ask()
        assert EventKind.ATTEMPT_DISCARDED not in here.sink.kinds
        assert here.shown == "Hi"
        await here.models.close()


async def test_the_window_in_an_error_is_learned() -> None:
    """llama.cpp names n_ctx: the model is asked once more at most, and the window is known."""
    body = {
        "error": {
            "code": 400,
            "message": "request (5000 tokens) exceeds the available context size (4096 tokens)",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 5000,
            "n_ctx": 4096,
        }
    }
    async with Provider(default=Reply(status=400, body=body)) as provider:
        here = Alone(provider, context=32_000)
        with pytest.raises(TooLongError):
            await here.ask()
        assert len(provider.requests) == 2
        assert here.models.facts()["first"].context_tokens == 4096
        await here.models.close()


async def test_an_odd_200_of_ollama_is_not_a_server_to_start() -> None:
    """It answered: nobody is told to start it, and nothing breaks."""
    odd = [
        Reply(body={"hello": "there"}),
        Reply(body=[1, 2]),
        Reply(body="<html>welcome</html>"),
        Reply(body={"message": 7, "done": "yes"}),
        ollama({"content": {"a": 1}, "tool_calls": "none"}),
    ]
    for reply in odd:
        async with Provider(default=reply) as provider:
            here = Alone(provider, "ollama")
            for stream in (True, False):
                with pytest.raises((LimitError, NoModelError)) as caught:
                    await here.ask(stream=stream)
                assert "Start Ollama" not in str(caught.value)
            await here.models.close()
