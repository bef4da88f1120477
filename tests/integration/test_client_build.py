"""What holds for clients of every kind."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from langchain_core.messages import HumanMessage

from noctule.core.clock import SystemClock
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.settings.endpoint import EndpointKind, EndpointSettings
from noctule.core.settings.model import ModelSettings
from noctule.models.base.client import Client, ModelRequest
from noctule.models.clients.build import build_client
from noctule.models.completion.failures import explain
from noctule.models.wire.chunks import join
from tests.support.provider import Fault, Provider, Reply

KINDS = [EndpointKind.OPENAI, EndpointKind.ANTHROPIC, EndpointKind.OLLAMA]
ASKED = ModelRequest(model="small", messages=[HumanMessage("Hello")])
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def client_of(kind: EndpointKind, provider: Provider) -> Client:
    url = provider.openai_url if kind is EndpointKind.OPENAI else provider.url
    endpoint = EndpointSettings(kind=kind, url=url)
    models = {"small": ModelSettings(endpoint="host", name="model")}
    return build_client("host", endpoint, models, clock=SystemClock())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [Fault.CUT, Fault.RESET, Fault.NOT_JSON, Fault.BAD_UTF8])
async def test_a_stream_that_breaks_is_never_taken_for_a_whole_one(kind, fault):
    """It raises something that is explained, or ends without a finish reason."""
    async with Provider() as provider:
        provider.enqueue(Reply(text="one two three", fault=fault))
        client = client_of(kind, provider)
        outcome = None
        try:
            message = join([piece async for piece in client.stream(ASKED)])
        except Exception as error:  # noqa: BLE001 - any library's, that is the point
            outcome = explain(error, now=NOW).outcome
        else:
            assert client.conclude(ASKED, message).finish_reason is None
        assert outcome in {None, Outcome.UNAVAILABLE}
        await client.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [Fault.CUT, Fault.NOT_JSON, Fault.BAD_UTF8])
async def test_a_whole_answer_that_breaks_is_an_error(kind, fault):
    """No half or unreadable body becomes a message."""
    async with Provider() as provider:
        provider.enqueue(Reply(text="one two three", fault=fault))
        client = client_of(kind, provider)
        outcome = Outcome.SUCCESS
        try:
            await client.answer(ASKED)
        except Exception as error:  # noqa: BLE001 - any library's, that is the point
            outcome = explain(error, now=NOW).outcome
        assert outcome is Outcome.UNAVAILABLE
        await client.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_at_the_same_time_share_one_client(kind):
    """Twenty at once, from the very first: built once, each with its own answer."""
    async with Provider(default=Reply(echo=True)) as provider:
        client = client_of(kind, provider)
        asked = [ModelRequest(model="small", messages=[HumanMessage(str(n))]) for n in range(20)]
        answers = await asyncio.gather(*map(client.answer, asked))
        assert [answer.text for answer in answers] == [f"echo: {n}" for n in range(20)]
        await client.close()


@pytest.mark.parametrize("kind", list(EndpointKind))
def test_a_client_imports_nothing_heavy_before_it_is_used(kind):
    """Building one is silent and cheap; a scripted one never needs a provider's library."""
    script = f"""
import json, sys
from noctule.core.clock import SystemClock
from noctule.core.settings.endpoint import EndpointSettings
from noctule.models.clients.build import build_client
build_client("e", EndpointSettings(kind={kind.value!r}), {{}}, clock=SystemClock())
heavy = {{"openai", "anthropic", "ollama", "xllamacpp", "genai_prices", "langchain_openai"}}
print(json.dumps(sorted(heavy & sys.modules.keys())))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
    assert run.stderr == ""
