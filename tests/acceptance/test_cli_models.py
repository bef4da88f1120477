from datetime import timedelta

import pytest

from noctule.core.clock import SystemClock
from noctule.core.llm.limits import LimitKey
from noctule.core.provider_errors.outcomes import Outcome
from tests.support.provider import FakeModel, Provider
from tests.support.shell import SILENT, Shell
from tests.support.small_config import CONFIG
from tests.support.stored_records import a_limit, an_attempt

pytestmark = pytest.mark.process

OLLAMA = """\
endpoints:
  local: {{kind: ollama, url: "{url}"}}
  fake: {{kind: scripted}}
models:
  qwen: {{endpoint: local, name: "qwen3.5:latest", context: 16384}}
  gone: {{endpoint: local, name: "gone:7b", context: 4096}}
  spare: {{endpoint: local, name: "spare:1b"}}
  echo: {{endpoint: fake, name: echo}}
roles:
  chat: {{primary: qwen, fallback: echo}}
  orchestrator: {{primary: qwen}}
  engineer: {{primary: {engineer}}}
  research: {{primary: qwen}}
  writer: {{primary: qwen}}
  utility: {{primary: qwen}}
"""


async def test_models_are_listed_with_what_is_known_of_them(tmp_path):
    """Configuration, price, users, a limit in force and failures in a row; nobody is asked."""
    shell = Shell(tmp_path, CONFIG)
    now = SystemClock().now()
    async with shell.records() as work:
        until = now + timedelta(hours=1)
        await work.limits.put(a_limit(LimitKey("far", "f1", "large"), not_before=until))
        for number in range(3):
            down = an_attempt(f"a{number}", model="small", outcome=Outcome.UNAVAILABLE)
            await work.attempts.add(down)
    small, large = (await shell("models", "--json")).json
    expected = {
        "model": "small",
        "endpoint": "near",
        "kind": "scripted",
        "name": "small-1",
        "local": True,
        "tools": False,
        "memory_gb": 1.5,
        "price": {"input": 0.0, "output": 0.0, "source": "local"},
        "limit": None,
        "failures_in_a_row": 3,
        "last_outcome": "unavailable",
    }
    assert {key: small[key] for key in expected} == expected
    assert {"role": "engineer", "as": "fallback"} in small["roles"]
    assert (large["tier"], large["price"]["source"]) == ("frontier", "config")
    assert (large["limit"]["evidence"], large["limit"]["reason"]) == ("header", "slow down")
    table = (await shell("models")).out
    for words in ("no tools", "3/15", "engineer (fallback)", "refused until", "failed 3 times"):
        assert words in table


async def test_listing_models_loads_no_graph(tmp_path):
    """Neither LangGraph nor LangChain nor a client is imported."""
    assert not await Shell(tmp_path, CONFIG).loaded("models") & SILENT


async def test_warming_loads_what_roles_use_with_their_context(tmp_path):
    """Ollama is asked to load each bound model with the configured context, others are left."""
    models = [FakeModel("qwen3.5:latest"), FakeModel("spare:1b")]
    async with Provider(models=models) as provider:
        shell = Shell(tmp_path, OLLAMA.format(url=provider.url, engineer="qwen"))
        warmed = await shell("models", "warm", "--json")
    assert warmed.code == 0, warmed
    (row,) = warmed.json
    assert (row["model"], row["loaded"], row["error"]) == ("qwen", True, None)
    assert [model.loaded_context for model in models] == [16384, None]
    assert provider.requests == []


async def test_what_cannot_be_loaded_is_said_with_a_fix(tmp_path):
    """A missing model is a sentence with the pull command and exit code 1; the others load."""
    async with Provider(models=[FakeModel("qwen3.5:latest")]) as provider:
        shell = Shell(tmp_path, OLLAMA.format(url=provider.url, engineer="gone"))
        done = await shell("models", "warm")
    assert done.code == 1
    assert "qwen: loaded in" in done.out
    assert "gone: model 'gone:7b' not found. Fetch it with `ollama pull gone:7b`." in done.err


async def test_one_model_may_be_named(tmp_path):
    """Named models are warmed alone; where nothing has to be loaded that is said."""
    async with Provider(models=[FakeModel("spare:1b")]) as provider:
        shell = Shell(tmp_path, OLLAMA.format(url=provider.url, engineer="qwen"))
        done = await shell("models", "warm", "spare", "echo")
        wrong = await shell("models", "warm", "nobody")
    assert done.code == 0
    assert "spare: loaded in" in done.out
    assert "echo: nothing to load there." in done.out
    assert (wrong.code, "Use one of: echo, gone, qwen, spare" in wrong.err) == (2, True)
