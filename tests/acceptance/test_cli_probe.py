import asyncio
import json
import subprocess

import pytest

from noctule.models.capabilities.probe_cases import SYSTEM, ProbeCase
from tests.support.probing import probed
from tests.support.provider import FakeModel, Provider, Reply, Request
from tests.support.shell import Shell

pytestmark = pytest.mark.process

TWO = """\
timezone: Europe/Berlin
endpoints:
  shop: {{kind: openai, url: "{url}", local: true}}
  fake: {{kind: scripted}}
models:
  good: {{endpoint: shop, name: good}}
  poor: {{endpoint: shop, name: poor}}
  mute: {{endpoint: shop, name: mute, tools: false}}
  play: {{endpoint: fake, name: play}}
roles:
  chat: {{primary: mute}}
  orchestrator: {{primary: mute}}
  engineer: {{primary: poor, fallback: good{engineer}}}
  research: {{primary: {research}}}
  writer: {{primary: good, tools: []}}
  utility: {{primary: mute}}
"""


def by_model(request: Request) -> Reply | None:
    """The good one calls, the poor one writes."""
    if request.model == "good":
        return probed()(request)
    return probed(written)(request)


def written(case: ProbeCase) -> Reply:
    name = next(iter(case.tools))
    return Reply(text=f'{{"name": "{name}", "arguments": {{}}}}' if case.wanted else "Cold.")


def configured(url: str, *, engineer: str = "", research: str = "good") -> str:
    return TWO.format(url=url, engineer=engineer, research=research)


def provider() -> Provider:
    listed = [FakeModel("good"), FakeModel("poor"), FakeModel("mute")]
    return Provider(decide=by_model, models=listed, proves=False)


def lines_until(process: "subprocess.Popen[str]", words: str) -> str:
    """Read standard error until it says something."""
    said = ""
    while words not in said and (line := process.stderr.readline()):
        said += line
    return said


async def test_models_of_roles_with_tools_are_asked_and_listed(tmp_path):
    """A list with model, role needs and outcome; a proven fallback is enough; it is kept."""
    async with provider() as there:
        shell = Shell(tmp_path, configured(there.openai_url))
        done = await shell("models", "probe", "--json")
        assert done.code == 0, done
        rows = {row["model"]: row for row in done.json}
        assert list(rows) == ["mute", "poor", "good"]
        assert (rows["poor"]["outcome"], rows["poor"]["proven"]) == ("text_imitation", False)
        assert (rows["good"]["outcome"], rows["good"]["score"]) == ("proven", 1.0)
        assert rows["good"]["latency_s"] > 0
        assert rows["good"]["role_needs"] == [
            {"role": "engineer", "as": "fallback", "needs": ["tools"]},
            {"role": "research", "as": "primary", "needs": ["tools"]},
            {"role": "writer", "as": "primary", "needs": []},
        ]
        assert len(rows["good"]["cases"]) == 7
        assert rows["mute"]["outcome"] is None
        assert rows["mute"]["note"] == "models.mute.tools is false: it is not asked"
        assert len(there.requests) == 11  # two settle the poor one, two more in words

        again = await shell("models", "probe")
        assert len(there.requests) == 11
        for words in ("poor, typed: it wrote the call of set_timer as text", "7/7", "proven"):
            assert words in again.out
        listed = {row["model"]: row for row in (await shell("models", "--json")).json}
        assert listed["good"]["proof"]["outcome"] == "proven"
        assert listed["mute"]["proof"] is None
        table = (await shell("models")).out
        assert "no tools (text_imitation, 0%" in table
        attempts = (await shell("attempts", "--json")).json
        assert {attempt["purpose"] for attempt in attempts} == {"probe"}


async def test_a_role_left_without_a_proven_model_is_exit_code_1(tmp_path):
    """The sentence names role, models, evidence and who would do; --role asks its models alone."""
    async with provider() as there:
        shell = Shell(tmp_path, configured(there.openai_url, research="poor"))
        done = await shell("models", "probe")
        assert done.code == 1
        assert "research needs tools, but none of its models is proven" in done.err
        assert "(poor: writes tool calls as text (text_imitation, 0 of 4 right" in done.err
        assert "use one that is: good" in done.err
        assert "engineer" not in done.err
        assert (await shell("models", "probe", "--role", "engineer")).code == 0
        only = await shell("models", "probe", "--role", "research", "--json")
        assert only.code == 1
        assert [row["model"] for row in only.json] == ["poor"]
        examined = (await shell("doctor", "--json")).json["findings"]
        [found] = [one for one in examined if one["about"] == "role research"]
        assert found["level"] == "warning"
        assert "good" in found["fix"]


async def test_named_models_must_be_proven(tmp_path):
    """Even one the configuration denies is asked when it is named; a scripted one is believed."""
    async with provider() as there:
        shell = Shell(tmp_path, configured(there.openai_url))
        assert (await shell("models", "probe", "good", "play")).code == 0
        assert (await shell("models", "probe", "poor")).code == 1
        [row] = (await shell("models", "probe", "mute", "--json")).json
        assert row["outcome"] == "text_imitation"
        assert (await shell("models", "probe", "nobody")).code == 2
        asked = len(there.requests)
        assert (await shell("models", "probe", "good", "--fresh")).code == 0
        assert len(there.requests) == asked + 7


async def test_a_server_that_is_down_gives_no_verdict(tmp_path):
    """Nothing is stored, it says why, and the role is not proven."""
    async with provider() as there:
        url = there.openai_url
    shell = Shell(tmp_path, configured(url))
    done = await shell("models", "probe", "--json")
    assert done.code == 1
    rows = {row["model"]: row for row in done.json}
    assert (rows["good"]["outcome"], rows["good"]["proven"]) == (None, None)
    assert rows["good"]["note"].startswith("no verdict, nothing stored: ")
    listed = {row["model"]: row for row in (await shell("models", "--json")).json}
    assert listed["good"]["proof"] is None


async def test_serve_asks_the_models_of_roles_that_declare_tools(tmp_path):
    """In the background, when it starts; the others are asked when they are needed."""
    async with provider() as there:
        shell = Shell(tmp_path, configured(there.openai_url, engineer=", tools: [files]"))
        with shell.running("serve") as serving:
            said = await asyncio.to_thread(lines_until, serving, "good: calls tools")
            serving.terminate()
            serving.communicate(timeout=60)
        assert "good: calls tools (proven, 7 of 7 right" in said
        assert "poor: writes tool calls as text" in said
        assert len(there.requests) == 11
        assert all(SYSTEM in json.dumps(request.body) for request in there.requests)


async def test_probe_help_loads_nothing_heavy(tmp_path):
    """The words alone."""
    loaded = await Shell(tmp_path, configured("http://127.0.0.1:9/v1")).loaded("models", "--help")
    assert not loaded & {"langchain_core", "sqlalchemy", "openai", "langgraph"}
