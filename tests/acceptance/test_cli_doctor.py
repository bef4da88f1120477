import asyncio

import pytest

from tests.support.provider import FakeModel, Provider
from tests.support.shell import Shell
from tests.support.small_config import CONFIG

pytestmark = pytest.mark.process
KEY = "key-that-nobody-may-see-4711"

CLOUD = """\
endpoints:
  local: {{kind: ollama, url: "{url}"}}
  cloud: {{kind: openai, url: "{url}/v1", key: "${{CLOUD_KEY}}"}}
  dead: {{kind: openai, url: "http://127.0.0.1:9/v1"}}
models:
  qwen: {{endpoint: local, name: qwen3.5, context: 16384, memory_gb: 1}}
  gone: {{endpoint: local, name: "gone:7b", memory_gb: 2}}
  hosted: {{endpoint: cloud, name: hosted-1}}
  never: {{endpoint: dead, name: never}}
roles:
  chat: {{primary: qwen}}
  orchestrator: {{primary: qwen}}
  engineer: {{primary: {engineer}}}
  research: {{primary: hosted, fallback: qwen}}
  writer: {{primary: qwen}}
  utility: {{primary: qwen}}
"""


def found(report, about):
    """Return level, sentence and fix of every finding about something."""
    return [
        (finding["level"], finding["sentence"], finding["fix"])
        for finding in report["findings"]
        if finding["about"] == about
    ]


async def test_a_sound_set_up_has_no_error(tmp_path):
    """Everything is looked at; without an error the exit code is 0."""
    shell = Shell(tmp_path, CONFIG)
    done = await shell("doctor", "--json")
    assert (done.code, done.json["ok"]) == (0, True), done
    looked_at = {finding["about"] for finding in done.json["findings"]}
    assert looked_at >= {"config", "data folder", "database", "endpoint near", "model small"}
    assert looked_at >= {"disk", "sandbox", "time zone"}
    page = await shell("doctor")
    assert page.code == 0
    assert "Times are shown in Europe/Berlin" in page.out


async def test_a_folder_of_own_tools_that_is_missing_is_told(tmp_path):
    """Otherwise nothing but the log says why an agent has none of them."""
    done = await Shell(tmp_path, f"{CONFIG}\ntools: {{folder: nowhere}}\n")("doctor", "--json")
    ((level, sentence, _),) = found(done.json, "own tools")
    assert (level, "nowhere. Make it" in sentence) == ("warning", True)


async def test_each_broken_thing_comes_with_a_fix(tmp_path):
    """A missing model says what to pull; an endpoint no role uses is advice; all in one report."""
    models = [
        FakeModel("qwen3.5:latest", loaded_context=4096),
        FakeModel("hosted-1"),
    ]
    async with Provider(models=models) as provider:
        config = CLOUD.format(url=provider.url, engineer="gone")
        done = await Shell(tmp_path, config, CLOUD_KEY=KEY)("doctor", "--json")
    report = done.json
    assert (done.code, report["ok"], report["counts"]["error"]) == (1, False, 1)
    assert found(report, "model gone") == [
        ("error", "Ollama (local) does not have gone:7b.", "Run `ollama pull gone:7b`.")
    ]
    assert found(report, "endpoint cloud")[0][:1] == ("ok",)
    assert "accepts the key" in found(report, "endpoint cloud")[0][1]
    ((level, sentence, fix),) = found(report, "model qwen")
    assert (level, "4096 tokens of context instead of 16384" in sentence) == ("warning", True)
    assert "noctule models warm qwen" in fix
    ((level, sentence, _),) = found(report, "endpoint dead")
    assert (level, "No role uses it" in sentence) == ("advice", True)
    assert KEY not in done.out + done.err
    assert provider.requests == []


async def test_a_server_that_is_down_is_an_error_with_the_command_that_starts_it(tmp_path):
    """Ollama that does not run: exit code 1, and `ollama serve` in the fix."""
    config = CLOUD.format(url="http://127.0.0.1:9", engineer="qwen")
    done = await Shell(tmp_path, config, CLOUD_KEY=KEY)("doctor", "--json")
    assert done.code == 1
    ((level, _, fix),) = found(done.json, "endpoint local")
    assert (level, "ollama serve" in fix) == ("error", True)


async def test_a_refused_key_is_an_error_and_never_shown(tmp_path):
    """A provider that repeats the key in its refusal does not get it onto the screen."""
    body = b'{"error": {"message": "Incorrect API key provided: %s", "code": "invalid_api_key"}}'
    answer = body % KEY.encode()

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(answer)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + answer)
        writer.close()

    async with (
        Provider(models=[FakeModel("qwen3.5:latest")]) as provider,
        await asyncio.start_server(refuse, "127.0.0.1", 0) as server,
    ):
        port = server.sockets[0].getsockname()[1]
        config = CLOUD.format(url=provider.url, engineer="qwen")
        config = config.replace(f"{provider.url}/v1", f"http://127.0.0.1:{port}/v1")
        shell = Shell(tmp_path, config, CLOUD_KEY=KEY)
        done, page = await shell("doctor", "--json"), await shell("doctor")
    assert (done.code, page.code) == (1, 1)
    ((level, sentence, fix),) = found(done.json, "endpoint cloud")
    assert (level, "Incorrect API key" in sentence) == ("error", True)
    assert "endpoints.cloud.key" in fix
    assert KEY not in done.out + done.err + page.out + page.err


async def test_a_configuration_that_cannot_be_read_is_reported_whole(tmp_path):
    """Every problem is a finding with its fix; exit code 2, one JSON document."""
    broken = CONFIG.replace("chat: {primary: small", "chat: {primary: smal").replace(
        "kind: scripted, local", "kid: scripted, local"
    )
    shell = Shell(tmp_path, broken)
    done, page = await shell("doctor", "--json"), await shell("doctor")
    assert (done.code, page.code) == (2, 2)
    sentences = [finding["sentence"] for finding in done.json["findings"]]
    assert len(sentences) >= 3
    assert any("there is no model 'smal'" in sentence for sentence in sentences)
    assert all(finding["fix"] for finding in done.json["findings"])
    assert "did you mean 'small'?" in page.out


async def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    """The data folder and the database are reported, and the endpoints are still asked."""
    (tmp_path / "file").write_text("")
    done = await Shell(tmp_path, CONFIG)("doctor", "--json", NOCTULE_HOME=str(tmp_path / "file/x"))
    assert done.code == 1
    assert found(done.json, "data folder")[0][0] == "error"
    assert "NOCTULE_HOME" in found(done.json, "data folder")[0][2]
    assert found(done.json, "database")[0][0] == "error"
    assert found(done.json, "endpoint near")[0][0] == "ok"
